"""The Kubernetes API: client, cache, watch, lease."""
