"""The run folder, everything that processes say to each other in it; certificates; the pack."""
