"""Two to four networks side by side."""

from boundlab.ui.page import open_page, title
from boundlab.ui.pages.compare.page import compare

open_page("compare")
title("Compare")
compare()
