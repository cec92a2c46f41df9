"""The file format of networks, without torch."""
