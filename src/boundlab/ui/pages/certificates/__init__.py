"""The page Certificates: what is promised about one network, by which argument.

`page`: the order of its parts. `story`: the networks it leads through; `cards`: a card per argument; `slope`: from accurate to
certified; `margins`: margins, and a theorem at every one of them.
"""
