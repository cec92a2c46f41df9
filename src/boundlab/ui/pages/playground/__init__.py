"""The page Playground: a whole lambda sweep trains in front of the reader.

`page`: what stands where; `choice`: the handles; `stage`: the middle and the right; `buttons`: the row above the chart;
`sweep`: what there is of the runs that the handles stand for; `engine`: what buttons do; `picture`: the chart; `network`: the
network of one lambda beside it.
"""
