"""Text generation, token by token, in batches that requests join and leave at any step."""
