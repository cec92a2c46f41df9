"""The paper's figure 1: bounds and errors during training."""

from boundlab.ui.page import open_page
from boundlab.ui.pages.figures.page import explore_axis, figure_title

open_page("training")
figure_title(
    "epoch",
    "During training",
    "What happens to bounds and errors epoch by epoch? A bound counts once it is level.",
)
explore_axis("epoch")
