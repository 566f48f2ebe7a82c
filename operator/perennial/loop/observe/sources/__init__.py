"""Sources other than the cache: Prometheus, logs of pods, inputs in the namespace."""
