"""The paper's figure 4: bounds and errors against weight decay."""

from boundlab.ui.page import open_page, title
from boundlab.ui.pages.figures.page import explore_axis

open_page("lambda")
title("Weight decay λ", "More weight decay, smaller weights. Which bounds follow, and what happens to the test error?")
explore_axis("weight_decay")
