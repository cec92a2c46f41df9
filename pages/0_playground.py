"""A whole lambda sweep, trained before one's eyes."""

from boundlab.ui.page import open_page, title
from boundlab.ui.pages.playground.page import playground

open_page("playground")
title("Playground", "Many networks train at once, one per weight decay λ: which bounds come down?")
playground()
