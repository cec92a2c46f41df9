"""The page Your checkpoint: upload a network trained anywhere, get every bound.

`page`: upload, progress, what is kept; `desk`: the session's upload; `results`: what was measured, its bounds in `bounds`;
`export`: how to write such a file.
"""
