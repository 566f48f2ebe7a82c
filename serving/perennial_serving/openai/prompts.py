"""From a request to the token ids of its prompt, and the maximum of tokens to generate."""

from jinja2 import TemplateError
from torch import Tensor

from perennial_serving.engine.task import LoadedModel
from perennial_serving.errors import ApiError
from perennial_serving.openai.requests import ChatRequest, CompletionRequest

COMPLETION_TOKENS = 16  # OpenAI's default

# For models without a chat template: it shows who spoke, and that it is the model's turn.
PLAIN_TEMPLATE = "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}assistant:"


def completion_prompt(request: CompletionRequest, loaded: LoadedModel) -> tuple[list[int], int]:
    """Token ids, and the maximum of tokens to generate. Raises ApiError 400 where they exceed the context."""
    prompt = request.prompt
    tokens = prompt if isinstance(prompt, list) else _encode(prompt, loaded, special=True)
    return _fitting(tokens, "prompt", request.max_tokens, COMPLETION_TOKENS, loaded)


def chat_prompt(request: ChatRequest, loaded: LoadedModel) -> tuple[list[int], int]:
    """As `completion_prompt`, by the model's chat template or a plain one; answers may fill the context."""
    messages = [message.model_dump() for message in request.messages]
    for message in messages:
        message["role"] = "system" if message["role"] == "developer" else message["role"]
    tokens = _encode(_render(messages, loaded), loaded, special=False)
    max_tokens = request.max_completion_tokens or request.max_tokens
    return _fitting(tokens, "messages", max_tokens, loaded.context_length, loaded)


def _render(messages: list[dict[str, str]], loaded: LoadedModel) -> str:
    template = None if loaded.tokenizer.chat_template else PLAIN_TEMPLATE
    try:
        rendered = loaded.tokenizer.apply_chat_template(
            messages, chat_template=template, tokenize=False, add_generation_prompt=True
        )
    except TemplateError as error:  # templates refuse, for example, roles that don't alternate
        raise ApiError(400, f"the model's chat template refuses these messages: {error}", "messages") from None
    return str(rendered)


def _encode(text: str, loaded: LoadedModel, special: bool) -> list[int]:
    tokens: list[int] = loaded.tokenizer(text, add_special_tokens=special, verbose=False)["input_ids"]
    return tokens


def _fitting(
    tokens: list[int], param: str, max_tokens: int | None, default: int, loaded: LoadedModel
) -> tuple[list[int], int]:
    if not tokens:
        raise ApiError(400, f"{param} must hold at least one token", param)
    embeddings = loaded.model.get_input_embeddings().weight
    assert isinstance(embeddings, Tensor)
    vocabulary = embeddings.shape[0]
    if min(tokens) < 0 or max(tokens) >= vocabulary:
        raise ApiError(400, f"token ids must be from 0 to {vocabulary - 1}", param)
    room = loaded.context_length - len(tokens)
    if room < (max_tokens or 1):
        message = (
            f"the model's context is {loaded.context_length} tokens, but {len(tokens)} are in {param} and "
            f"{max_tokens or 1} are to be generated; shorten one of them"
        )
        raise ApiError(400, message, param, "context_length_exceeded")
    return tokens, max_tokens or min(default, room)
