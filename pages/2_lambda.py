"""The paper's figure 4: bounds and errors against weight decay."""

from boundlab.ui.page import open_page
from boundlab.ui.pages.figures.page import explore_axis, figure_title

open_page("lambda")
figure_title(
    "weight_decay",
    "Weight decay λ",
    "More weight decay, smaller weights. Which bounds follow, and what happens to the test error?",
)
explore_axis("weight_decay")
