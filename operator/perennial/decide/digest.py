"""Digests, by which two values are compared without keeping both."""

import hashlib
import json


def digest(value: object) -> str:
    """First 16 hexadecimal digits of a SHA-256 over the value as JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
