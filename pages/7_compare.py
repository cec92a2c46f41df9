"""Two to four networks side by side."""

from boundlab.ui.compare.page import compare
from boundlab.ui.page import open_page, title

open_page("compare")
title("Compare", "What differs between networks, and which bound notices?")
compare()
