"""Sources other than the cache: logs of pods, inputs in the namespace."""
