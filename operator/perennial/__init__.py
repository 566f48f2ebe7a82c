"""Perennial: a Kubernetes operator that keeps language models alive."""
