"""The requests that are understood. A field that would change the answer and isn't built is refused."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field

from perennial_serving.http.errors import ApiError
from perennial_serving.http.parsing import Strict, document, validated

# Fields of the OpenAI API that this server doesn't have, with the value that asks for nothing.
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
# Fields that tell the provider something and never change the answer.
INFORMATION = {
    "user", "metadata", "store", "service_tier",
    "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
}  # fmt: skip


def _only_prompt(value: Any) -> Any:
    """A list with one prompt is that prompt."""
    nested = isinstance(value, list) and any(isinstance(item, str | list) for item in value)
    if nested and len(value) > 1:
        raise ValueError("one prompt per request, please; send the others in requests of their own")
    found = value[0] if nested else value
    if not isinstance(found, str) and not (isinstance(found, list) and all(type(token) is int for token in found)):
        raise ValueError("must be text or a list of token ids")
    return found


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _plain_text(value: Any) -> Any:
    """Content in parts, as chat clients send it, joined; parts that aren't text are refused."""
    if not isinstance(value, list):
        return value
    parts = [part.get("text") for part in value if isinstance(part, dict) and part.get("type") == "text"]
    if len(parts) < len(value) or not all(isinstance(part, str) for part in parts):
        raise ValueError("only parts of type text are supported")
    return "".join(parts)


class StreamOptions(Strict):
    include_usage: bool = False
    include_obfuscation: Literal[False] = False


class Message(Strict):
    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, BeforeValidator(_plain_text)]


class TextRequest(Strict):
    """What completions and chat have in common; the defaults are OpenAI's."""

    model: str
    max_tokens: int | None = Field(None, ge=1)
    temperature: float = Field(1.0, ge=0, le=2)
    top_p: float = Field(1.0, gt=0, le=1)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: Annotated[list[Annotated[str, Field(min_length=1)]], BeforeValidator(_as_list)] = Field([], max_length=4)
    stream: bool = False
    stream_options: StreamOptions | None = None


class CompletionRequest(TextRequest):
    prompt: Annotated[str | list[int], BeforeValidator(_only_prompt)]


class ChatRequest(TextRequest):
    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: int | None = Field(None, ge=1)


R = TypeVar("R", bound=TextRequest)


def parse(kind: type[R], body: bytes) -> R:
    """Reads a request; raises ApiError 400 with the field at fault."""
    request = validated(kind, _asked(document(body)))
    if request.stream_options and not request.stream:
        raise ApiError(400, "stream_options is allowed with stream: true only", "stream_options")
    if isinstance(request, ChatRequest) and request.max_tokens and request.max_completion_tokens:
        raise ApiError(400, "give max_completion_tokens or max_tokens, not both", "max_tokens")
    return request


def _asked(given: dict[str, Any]) -> dict[str, Any]:
    """The fields that ask for something. A null is the default, as with OpenAI."""
    fields = {name: value for name, value in given.items() if value is not None and name not in INFORMATION}
    for name in fields.keys() & NEUTRAL.keys():
        value, neutral = fields.pop(name), NEUTRAL[name]
        if value != neutral or isinstance(value, bool) != isinstance(neutral, bool):
            message = f"{name} is not supported by this server; leave it out (or give {neutral!r})"
            raise ApiError(400, message, name, "unsupported_parameter")
    return fields
