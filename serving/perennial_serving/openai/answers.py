"""The answers' shapes, as OpenAI clients expect them: whole, or in chunks while they come."""

import time
import uuid
from typing import Any, ClassVar

from perennial_serving.engine.task import LoadedModel
from perennial_serving.generation.generation import FinishReason

Json = dict[str, Any]


class TextAnswer:
    """The answer to one completions request."""

    prefix: ClassVar[str] = "cmpl"
    whole_object: ClassVar[str] = "text_completion"
    chunk_object: ClassVar[str] = "text_completion"

    def __init__(self, loaded: LoadedModel) -> None:
        self._head = {
            "id": f"{self.prefix}-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": loaded.name,
            "system_fingerprint": loaded.fingerprint,
        }

    def whole(self, text: str, reason: FinishReason | None, usage: Json) -> Json:
        choice = {"index": 0, **self._whole(text), "logprobs": None, "finish_reason": reason}
        return {**self._head, "object": self.whole_object, "choices": [choice], "usage": usage}

    def opening(self) -> Json | None:
        """The chunk that comes before any text, if this kind of answer has one."""
        return None

    def chunk(self, text: str, reason: FinishReason | None = None) -> Json:
        return self._chunk([{"index": 0, **self._part(text), "logprobs": None, "finish_reason": reason}])

    def usage_chunk(self, usage: Json) -> Json:
        return {**self._chunk([]), "usage": usage}

    def _chunk(self, choices: list[Json]) -> Json:
        return {**self._head, "object": self.chunk_object, "choices": choices}

    def _whole(self, text: str) -> Json:
        return {"text": text}

    def _part(self, text: str) -> Json:
        return {"text": text}


class ChatAnswer(TextAnswer):
    """The answer to one chat request."""

    prefix = "chatcmpl"
    whole_object = "chat.completion"
    chunk_object = "chat.completion.chunk"

    def opening(self) -> Json | None:
        delta = {"role": "assistant", "content": ""}
        return self._chunk([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}])

    def _whole(self, text: str) -> Json:
        return {"message": {"role": "assistant", "content": text, "refusal": None}}

    def _part(self, text: str) -> Json:
        return {"delta": {"content": text} if text else {}}


def usage(prompt_tokens: int, completion_tokens: int) -> Json:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }
