"""From storage into memory: fetch, preflight check, load."""
