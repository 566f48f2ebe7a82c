"""Texts as rows, each of which must fit the model whole."""

import torch
from tokenizers import Tokenizer

from perennial_serving.http.errors import ApiError
from perennial_serving.inference.requests import TextsRequest
from perennial_serving.inference.row import Row

_PART = 10_000  # characters


def encode(asked: TextsRequest, tokenizer: Tokenizer, context: int, limit: int = 0) -> list[Row]:
    """A row per text. Raises ApiError 400 where one has no token, or more than `context`."""
    rows = []
    for number, text in enumerate(asked.listed):
        refuse_far_too_long(text, tokenizer, context, "the text", asked.place(number))
        ids = tokenizer.encode(text).ids
        check_length(len(ids), context, "the text", asked.place(number))
        rows.append(Row(torch.tensor(ids), number, limit))
    return rows


def check_length(tokens: int, most: int, what: str, param: str) -> None:
    """Raises ApiError 400 where there is no token, or more than `most`."""
    if not tokens:
        raise ApiError(400, f"{param}: {what} has nothing that the model's tokenizer knows", param)
    if tokens > most:
        raise _too_long(str(tokens), most, what, param)


def refuse_far_too_long(text: str, tokenizer: Tokenizer, most: int, what: str, param: str) -> None:
    """As `check_length`, for a text so long that to encode it whole takes seconds and gigabytes."""
    counted = 0
    for start in range(0, len(text) - _PART, _PART):
        counted += len(tokenizer.encode(text[start : start + _PART], add_special_tokens=False).ids)
        if counted > 2 * most:  # cut elsewhere, the text could have a few tokens less, but not half as many
            raise _too_long(f"more than {counted}", most, what, param)


def _too_long(tokens: str, most: int, what: str, param: str) -> ApiError:
    message = f"{param}: {what} has {tokens} tokens, and at most {most} are read; shorten it"
    return ApiError(400, message, param, "context_length_exceeded")
