"""From a request to the token ids that the model reads, and how many it may add."""

from typing import Any

from jinja2 import TemplateError

from perennial_serving.engine.task import LoadedModel
from perennial_serving.http.errors import ApiError
from perennial_serving.openai.requests import ChatRequest, CompletionRequest

COMPLETION_TOKENS = 16  # OpenAI's default

# For a model that was never taught to chat; it sees who spoke, and that it is its turn.
PLAIN_TEMPLATE = "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}assistant:"


def completion_prompt(request: CompletionRequest, loaded: LoadedModel) -> tuple[list[int], int]:
    """Token ids and the most tokens to generate. Raises ApiError 400 where they don't fit the context."""
    given = request.prompt
    tokens = given if isinstance(given, list) else _encode(given, loaded, special=True)
    return _fitting(tokens, "prompt", request.max_tokens, COMPLETION_TOKENS, loaded)


def chat_prompt(request: ChatRequest, loaded: LoadedModel) -> tuple[list[int], int]:
    """As `completion_prompt`, by the tokenizer's chat template or a plain one; answers may fill the context."""
    messages = [message.model_dump() for message in request.messages]
    for message in messages:
        message["role"] = "system" if message["role"] == "developer" else message["role"]
    tokens = _encode(_render(messages, loaded), loaded, special=False)
    limit = request.max_completion_tokens or request.max_tokens
    return _fitting(tokens, "messages", limit, loaded.context_length, loaded)


def _render(messages: list[dict[str, Any]], loaded: LoadedModel) -> str:
    template = None if loaded.tokenizer.chat_template else PLAIN_TEMPLATE
    try:
        return loaded.tokenizer.apply_chat_template(
            messages, chat_template=template, tokenize=False, add_generation_prompt=True
        )
    except TemplateError as error:  # templates refuse, for example, roles that don't alternate
        raise ApiError(400, f"the model's chat template refuses these messages: {error}", "messages") from None


def _encode(text: str, loaded: LoadedModel, special: bool) -> list[int]:
    return loaded.tokenizer(text, add_special_tokens=special, verbose=False)["input_ids"]


def _fitting(
    tokens: list[int], param: str, asked: int | None, default: int, loaded: LoadedModel
) -> tuple[list[int], int]:
    if not tokens:
        raise ApiError(400, f"{param} must hold at least one token", param)
    vocabulary = loaded.model.get_input_embeddings().weight.shape[0]
    if min(tokens) < 0 or max(tokens) >= vocabulary:
        raise ApiError(400, f"token ids must be from 0 to {vocabulary - 1}", param)
    room = loaded.context_length - len(tokens)
    if room < (asked or 1):
        message = (
            f"the model's context holds {loaded.context_length} tokens, but {len(tokens)} are in {param} and "
            f"{asked or 1} to be generated; shorten one of them"
        )
        raise ApiError(400, message, param, "context_length_exceeded")
    return tokens, asked or min(default, room)
