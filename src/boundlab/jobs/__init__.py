"""The server's queue of trainings, without torch."""
