"""Train networks here and watch the bounds come down."""

from boundlab.ui.page import open_page, title
from boundlab.ui.pages.train.page import train

open_page("train")
title("Train", "Press Train, and watch the bounds come down.")
train()
