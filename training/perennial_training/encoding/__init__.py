"""From examples to tokens, by task. Needs no torch, so bad data is refused before that is loaded."""
