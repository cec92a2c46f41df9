"""The Compare page: two to four networks side by side."""
