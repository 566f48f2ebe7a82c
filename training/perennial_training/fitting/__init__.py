"""From encoded examples to fitted weights."""
