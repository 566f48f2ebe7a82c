"""Progress and experiment tracking."""
