"""The queue of requests before a model."""
