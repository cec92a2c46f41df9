"""Every run in one table: filter, group, select, take along."""

from boundlab.ui.page import open_page, title
from boundlab.ui.pages.runs.page import run_explorer

open_page("runs")
title("All runs", "every network here in one table")
run_explorer()
