"""Readings of Prometheus, taken beside the reconciles: no reconcile waits for a Prometheus.

`reader` asks and remembers; `breaker` and `note` are its memory, pure functions of what happened and when.
"""
