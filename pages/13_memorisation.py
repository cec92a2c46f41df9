"""What happens when a network memorises, and when it sees fewer images: bounds and errors against label noise and against n."""

from boundlab.ui.page import open_page, title
from boundlab.ui.pages.figures.memorisation import memorisation

open_page("memorisation")
title(
    "Memorisation",
    "who notices?",
    "A network can learn labels that are drawn at random by heart: its training error is 0 and its test error that of guessing. A bound that "
    "explains generalisation must notice. And with more images the gap closes: does a bound close with it?",
)
memorisation()
