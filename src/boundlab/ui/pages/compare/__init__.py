"""The page Compare: two to four networks side by side.

`page`: the order of its sections. What is compared: `offers` (what there is), `listing` (the table of it), `choice` (the
reader's), `link` (the address). Sections: `drawings` over images of `pictures`, `sections`, `outcomes`; `links`: to Train.
"""
