"""What may be promised about a network, by which argument."""

from boundlab.ui.page import open_page, title
from boundlab.ui.pages.certificates import certify

open_page("certificates")
title("Certificates", "What may be promised about a network's errors on new images, about which network, from what?")
certify()
