"""What the pages share; the only package that touches Streamlit's session state and query parameters."""
