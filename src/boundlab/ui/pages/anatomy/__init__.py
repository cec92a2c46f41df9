"""The page Anatomy: one bound taken apart, factor by factor.

`page`: controls, pictures and words of every mode; `sides`: what stands beside what, as trained or changed.
"""
