"""The tasks whose inputs stay apart, each a row of token ids: classification, translation, question answering.

They are asked as Hugging Face's inference client asks: POST / with {"inputs": …, "parameters": …}.
"""
