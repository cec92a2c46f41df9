"""What is measured, as plain numpy: norms, samples, records, paths, receptive fields."""
