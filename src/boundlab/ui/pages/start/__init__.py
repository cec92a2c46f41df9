"""Page Start: one question, one picture, one handle.

`page`: guess, then the picture; `choice`: which networks, and how much of them; `guess`: the reader's; `picture`: what is drawn and
said, made once for all; `stories`: where to go on.
"""
