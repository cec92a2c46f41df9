"""Images: files, downloads, the reader's own."""
