"""The paper's figure 2: bounds and errors against channels per layer."""

from boundlab.ui.page import open_page
from boundlab.ui.pages.figures.page import explore_axis, figure_title

open_page("width")
figure_title(
    "channels",
    "Width",
    "More channels mean more parameters. Which bounds grow with them, and which hardly notice?",
)
explore_axis("channels")
