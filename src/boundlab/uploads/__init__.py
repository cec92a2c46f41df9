"""The server's side of uploads, without torch."""
