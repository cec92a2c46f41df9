"""The bounds stated, filled in and checked; proof, gaps, references."""

from boundlab.ui.page import open_page, title
from boundlab.ui.pages.theory.page import theory

open_page("theory")
title("Theory")
theory()
