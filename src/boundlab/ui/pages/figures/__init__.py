"""Pages Lambda, Width, Depth and Training."""
