"""Guided lessons: Markdown files with a few directives, read, checked, and held against the runs. No Streamlit."""
