"""Texts as encoded inputs, each of which must fit the context whole."""

import torch
from tokenizers import Tokenizer

from perennial_serving.errors import ApiError
from perennial_serving.inference.encoded_input import EncodedInput
from perennial_serving.inference.requests import TextsRequest

_CHUNK_CHARACTERS = 10_000


def encode(
    request: TextsRequest, tokenizer: Tokenizer, context_length: int, max_new_tokens: int = 0
) -> list[EncodedInput]:
    """One input per text. Raises ApiError 400 where a text has no token or exceeds the context."""
    inputs = []
    for index, text in enumerate(request.listed):
        refuse_far_too_long(text, tokenizer, context_length, "the text", request.path(index))
        ids = tokenizer.encode(text).ids
        check_length(len(ids), context_length, "the text", request.path(index))
        inputs.append(EncodedInput(torch.tensor(ids), index, max_new_tokens))
    return inputs


def check_length(tokens: int, limit: int, subject: str, param: str) -> None:
    """Raises ApiError 400 where there is no token, or more than `limit`."""
    if not tokens:
        raise ApiError(400, f"{param}: {subject} contains no token of the model's vocabulary", param)
    if tokens > limit:
        raise _too_long(str(tokens), limit, subject, param)


def refuse_far_too_long(text: str, tokenizer: Tokenizer, limit: int, subject: str, param: str) -> None:
    """`check_length` for texts so long that encoding them whole would take seconds and gigabytes."""
    counted = 0
    for start in range(0, len(text) - _CHUNK_CHARACTERS, _CHUNK_CHARACTERS):
        chunk = text[start : start + _CHUNK_CHARACTERS]
        counted += len(tokenizer.encode(chunk, add_special_tokens=False).ids)
        if counted > 2 * limit:  # other cuts could save a few tokens, but not half of them
            raise _too_long(f"more than {counted}", limit, subject, param)


def _too_long(tokens: str, limit: int, subject: str, param: str) -> ApiError:
    message = f"{param}: {subject} has {tokens} tokens, and the maximum is {limit}; shorten it"
    return ApiError(400, message, param, "context_length_exceeded")
