"""What torch says of a network that is there: report, precision, notebook, PAC-Bayes, upload worker."""
