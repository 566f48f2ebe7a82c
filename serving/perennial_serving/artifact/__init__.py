"""An artifact on its way into memory: fetch, check, load."""
