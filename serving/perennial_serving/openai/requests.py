"""The requests of OpenAI's clients. Fields that would change the answer and are not implemented are refused."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field

from perennial_serving.errors import ApiError
from perennial_serving.http.parsing import Strict, json_object, validated

# Unsupported fields of OpenAI's API, with the value that has no effect.
NEUTRAL: dict[str, Any] = {
    "n": 1,
    "best_of": 1,
    "echo": False,
    "suffix": "",
    "logprobs": False,
    "logit_bias": {},
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "tools": [],
    "tool_choice": "none",
    "parallel_tool_calls": True,
    "response_format": {"type": "text"},
    "modalities": ["text"],
}
# Fields for the provider, which never change the answer.
INFORMATIONAL = {
    "user",
    "metadata",
    "store",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
}


def _single_prompt(value: Any) -> Any:
    """The prompt; a list with one prompt counts as that prompt."""
    nested = isinstance(value, list) and any(isinstance(item, str | list) for item in value)
    if nested and len(value) > 1:
        raise ValueError("only one prompt per request is supported; send the others in requests of their own")
    prompt = value[0] if nested else value
    if not isinstance(prompt, str) and not (isinstance(prompt, list) and all(type(token) is int for token in prompt)):
        raise ValueError("must be text or a list of token ids")
    return prompt


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _plain_text(value: Any) -> Any:
    """The content; text parts, as chat clients send them, are joined, and other parts refused."""
    if not isinstance(value, list):
        return value
    texts = [part.get("text") for part in value if isinstance(part, dict) and part.get("type") == "text"]
    strings = [text for text in texts if isinstance(text, str)]
    if len(strings) < len(value):
        raise ValueError("only parts of type text are supported")
    return "".join(strings)


class StreamOptions(Strict):
    include_usage: bool = False
    include_obfuscation: Literal[False] = False


class Message(Strict):
    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, BeforeValidator(_plain_text)]


class TextRequest(Strict):
    """The fields that completions and chat share; the defaults are OpenAI's."""

    model: str
    max_tokens: int | None = Field(None, ge=1)
    temperature: float = Field(1.0, ge=0, le=2)
    top_p: float = Field(1.0, gt=0, le=1)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: Annotated[list[Annotated[str, Field(min_length=1)]], BeforeValidator(_as_list)] = Field([], max_length=4)
    stream: bool = False
    stream_options: StreamOptions | None = None


class CompletionRequest(TextRequest):
    prompt: Annotated[str | list[int], BeforeValidator(_single_prompt)]


class ChatRequest(TextRequest):
    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: int | None = Field(None, ge=1)


R = TypeVar("R", bound=TextRequest)


def parse(kind: type[R], body: bytes) -> R:
    """Raises ApiError 400 with the field at fault."""
    request = validated(kind, _effective(json_object(body)))
    if request.stream_options and not request.stream:
        raise ApiError(400, "stream_options requires stream: true", "stream_options")
    if isinstance(request, ChatRequest) and request.max_tokens and request.max_completion_tokens:
        raise ApiError(400, "set max_completion_tokens or max_tokens, not both", "max_tokens")
    return request


def _effective(document: dict[str, Any]) -> dict[str, Any]:
    """The fields that have an effect. A null means the default, as with OpenAI."""
    fields = {name: value for name, value in document.items() if value is not None and name not in INFORMATIONAL}
    for name in fields.keys() & NEUTRAL.keys():
        value, neutral = fields.pop(name), NEUTRAL[name]
        if value != neutral or isinstance(value, bool) != isinstance(neutral, bool):
            message = f"{name} is not supported by this server; leave it out (or set it to {neutral!r})"
            raise ApiError(400, message, name, "unsupported_parameter")
    return fields
