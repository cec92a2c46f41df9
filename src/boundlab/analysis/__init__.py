"""Tables and numbers from runs and bounds."""
