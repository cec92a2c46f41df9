"""The page Anatomy: one bound taken apart, factor by factor.

`page`: controls and words of every mode; `drawn`: its pictures; `sides`: what stands beside what, as trained or changed.
"""
