"""The artifact that a training writes."""
