"""The page Train: what to train, the jobs, and the one that is watched.

`page`: form, cost, button, jobs, curves. Form: `form`, its `network`, where it `starts`, its `price`. Jobs: `engine` (what may
be done with them), `board`, `row`. The watched one: `view`, `live`, `live_views`.
"""
