"""Upload a network, get every bound."""

from boundlab.ui.checkpoint.page import checkpoint
from boundlab.ui.page import open_page, title

open_page("checkpoint")
title("Your checkpoint", "What does every bound say about a network that you trained?")
checkpoint()
