"""Tasks with independent inputs: classification, translation, question answering.

Clients use Hugging Face's inference API: POST / with {"inputs": …, "parameters": …}.
"""
