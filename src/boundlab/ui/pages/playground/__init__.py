"""The page Playground: a whole lambda sweep trains in front of the reader.

`page`: what stands where; `choice`: the handles; `sweep`: what there is of the runs that they stand for; `engine`: what
buttons do; `picture`: the chart; `network`: the network of one lambda beside it.
"""
