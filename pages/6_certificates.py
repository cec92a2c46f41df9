"""What may be promised about a network, by which argument."""

from boundlab.ui.page import open_page, title
from boundlab.ui.pages.certificates.page import certify

open_page("certificates")
title("Certificates")
certify()
