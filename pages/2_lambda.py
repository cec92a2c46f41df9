"""The paper's figure 4: bounds and errors against weight decay."""

from boundlab.ui.figures import explore_axis
from boundlab.ui.page import open_page, title

open_page("lambda")
title("Weight decay λ", "More weight decay, smaller weights. Which bounds follow, and what happens to the test error?")
explore_axis("weight_decay")
