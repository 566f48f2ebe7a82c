"""OpenAI's API for text generation."""
