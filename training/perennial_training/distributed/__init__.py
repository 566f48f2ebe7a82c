"""Several processes that train together, and their end."""
