"""The reconcile loop: queue, observe, decide, apply."""
