"""Sentences from numbers, without Streamlit."""
