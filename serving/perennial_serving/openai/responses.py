"""The responses that OpenAI's clients expect: complete, or in chunks."""

import time
import uuid
from typing import ClassVar

from perennial_serving.engine.task import LoadedModel
from perennial_serving.errors import Json
from perennial_serving.generation.generation import FinishReason


class CompletionResponse:
    """The response to one completion request."""

    prefix: ClassVar[str] = "cmpl"
    object: ClassVar[str] = "text_completion"
    chunk_object: ClassVar[str] = "text_completion"

    def __init__(self, loaded: LoadedModel) -> None:
        self._head: Json = {
            "id": f"{self.prefix}-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": loaded.name,
            "system_fingerprint": loaded.fingerprint,
        }

    def complete(self, text: str, reason: FinishReason | None, usage: Json) -> Json:
        choice = {"index": 0, **self._text(text), "logprobs": None, "finish_reason": reason}
        return {**self._head, "object": self.object, "choices": [choice], "usage": usage}

    def first_chunk(self) -> Json | None:
        """The chunk before any text, if there is one."""
        return None

    def chunk(self, text: str, reason: FinishReason | None = None) -> Json:
        return self._chunk([{"index": 0, **self._text_chunk(text), "logprobs": None, "finish_reason": reason}])

    def usage_chunk(self, usage: Json) -> Json:
        return {**self._chunk([]), "usage": usage}

    def _chunk(self, choices: list[Json]) -> Json:
        return {**self._head, "object": self.chunk_object, "choices": choices}

    def _text(self, text: str) -> Json:
        return {"text": text}

    def _text_chunk(self, text: str) -> Json:
        return {"text": text}


class ChatResponse(CompletionResponse):
    """The response to one chat completion request."""

    prefix = "chatcmpl"
    object = "chat.completion"
    chunk_object = "chat.completion.chunk"

    def first_chunk(self) -> Json | None:
        delta = {"role": "assistant", "content": ""}
        return self._chunk([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}])

    def _text(self, text: str) -> Json:
        return {"message": {"role": "assistant", "content": text, "refusal": None}}

    def _text_chunk(self, text: str) -> Json:
        return {"delta": {"content": text} if text else {}}


def usage(prompt_tokens: int, completion_tokens: int) -> Json:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }
