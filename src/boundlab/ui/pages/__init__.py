"""One file or folder per page; no page imports another."""
