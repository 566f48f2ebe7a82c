"""Pods: how Perennial builds them, and why one does not run."""
