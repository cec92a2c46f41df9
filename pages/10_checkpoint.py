"""Upload a network, get every bound."""

from boundlab.ui.page import open_page, title
from boundlab.ui.pages.checkpoint.page import checkpoint

open_page("checkpoint")
title("Your checkpoint", "What does every bound say about your own network?")
checkpoint()
