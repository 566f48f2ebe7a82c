"""What runs in a serving pod: `fetch` brings a verified artifact, `serve` answers requests with it."""
