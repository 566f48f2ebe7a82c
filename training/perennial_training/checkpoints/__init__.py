"""Checkpoints and their mirror in a bucket."""
