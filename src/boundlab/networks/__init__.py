"""Networks in torch: build, measure, read, write."""
