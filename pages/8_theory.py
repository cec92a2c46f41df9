"""The bounds stated, filled in and checked; proof, gaps, references."""

from boundlab.ui.page import open_page, title
from boundlab.ui.pages.theory import theory

open_page("theory")
title("Theory", "What does each bound say, what does it assume, and does this network satisfy it?")
theory()
