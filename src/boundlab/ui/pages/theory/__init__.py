"""The page Theory: `page` has its list of contents, `formulas` one bound at a time, `texts` what is written to be read."""
