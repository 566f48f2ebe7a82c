"""The operator's process: settings, start, health, stop."""
