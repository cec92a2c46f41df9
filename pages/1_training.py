"""The paper's figure 1: bounds and errors during training."""

from boundlab.ui.figures import explore_axis
from boundlab.ui.page import open_page, title

open_page("training")
title(
    "During training",
    "How do bounds and errors move while a network trains? A bound means something only once it has levelled off.",
)
explore_axis("epoch")
