"""What can be asked for: data sets, presets, geometry, architectures, runs and settings, grids."""
