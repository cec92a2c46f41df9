"""The operating system: files written whole, locks, child processes, devices, memory."""
