"""The paper's figure 4: bounds and errors against weight decay."""

import streamlit as st

from boundlab.ui.figures import explore_axis
from boundlab.ui.page import open_page

open_page("lambda")
st.header("Weight decay λ")
st.markdown("More weight decay λ shrinks the weights. Which bounds follow, how far, and what does the test error pay?")
explore_axis("weight_decay")
