"""One module per kind of model: how to load, grow, fit, read and save it."""
