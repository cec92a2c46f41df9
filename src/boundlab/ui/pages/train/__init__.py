"""The Train page: what to train (form), the jobs (board), the one that is watched (view)."""
