"""The pages During training, Weight decay, Width and Depth: one implementation for every axis.

`page`: controls, chart, words; `selection`: which runs; `view`: everything a reader chose; `drawing`: what follows from that, made
once for all; `numbers`: table and CSV; `paper`: the paper's own curves.
"""
