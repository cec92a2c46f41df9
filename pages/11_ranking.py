"""Which number orders networks as their gap does."""

from boundlab.ui.page import open_page, title
from boundlab.ui.pages.ranking.page import ranking

open_page("ranking")
title("Ranking", "which number orders networks as their gap does?")
ranking()
