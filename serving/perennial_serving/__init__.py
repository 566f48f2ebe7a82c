"""What runs in a serving pod: `fetch` brings a verified artifact, `serve` answers the OpenAI API with it."""
