"""Your checkpoint: upload a network, get every bound."""
