"""One bound taken apart, factor by factor."""

from boundlab.ui.page import open_page, title
from boundlab.ui.pages.anatomy.page import take_apart

open_page("anatomy")
title("Anatomy", "A bound is a product. Which factor makes it large, and which one moves?")
take_apart()
