"""The paper's figure 2: bounds and errors against channels per layer."""

from boundlab.ui.page import open_page, title
from boundlab.ui.pages.figures.page import explore_axis

open_page("width")
title("Width", "More channels mean more parameters. Which bounds grow with them, and which hardly notice?")
explore_axis("channels")
