"""DataFrame -> plotly Figure. Charts never compute a bound."""
