"""Page Anatomy."""
