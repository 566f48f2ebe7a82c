"""The queue and the worker thread in front of a model."""
