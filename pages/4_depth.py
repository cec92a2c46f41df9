"""The paper's figure 3: bounds and errors against the number of layers."""

from boundlab.ui.page import open_page
from boundlab.ui.pages.figures.page import explore_axis, figure_title

open_page("depth")
figure_title(
    "depth",
    "Depth",
    "Each further layer multiplies the ways from pixel to output. How much does every bound pay per layer?",
)
explore_axis("depth")
