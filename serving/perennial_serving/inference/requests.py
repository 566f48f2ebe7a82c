"""The requests of Hugging Face's inference client. Its nulls mean the default.

Parameters that would change the answer and are not implemented are refused.
"""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from perennial_serving.http.parsing import LIST, ONE, Strict, json_object, validated

MAX_INPUTS = 256  # texts, or windows of contexts, in one request


def _not_empty(text: str) -> str:
    if not text.strip():
        raise ValueError("the text is empty")
    return text


def _is_pair(value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError('must be {"question": …, "context": …} or a list of them')
    return value


Text = Annotated[str, AfterValidator(_not_empty)]
_ONE_OR_LIST = Discriminator(lambda value: LIST if isinstance(value, list) else ONE)
_LENGTH = Field(min_length=1, max_length=MAX_INPUTS)


class InferenceRequest(Strict):
    """One input or a list of inputs; a list is answered by a list."""

    inputs: Any

    @property
    def listed(self) -> list[Any]:
        return self.inputs if isinstance(self.inputs, list) else [self.inputs]

    def path(self, index: int) -> str:
        """The path of an input in the request's JSON."""
        return f"inputs.{index}" if isinstance(self.inputs, list) else "inputs"


class TextsRequest(InferenceRequest):
    inputs: Annotated[
        Annotated[Text, Tag(ONE)] | Annotated[Annotated[list[Text], _LENGTH], Tag(LIST)],
        _ONE_OR_LIST,
    ]


class ClassificationParameters(Strict):
    """`top_k`: number of labels, likeliest first (default: all). `function_to_apply` (default: by problem type)."""

    top_k: int | None = Field(None, ge=1)
    function_to_apply: Literal["sigmoid", "softmax", "none"] | None = None


class ClassificationRequest(TextsRequest):
    parameters: ClassificationParameters = ClassificationParameters()


class GenerateParameters(Strict):
    """Translations are greedy; anything else is refused."""

    max_new_tokens: int | None = Field(None, ge=1)
    do_sample: Literal[False] = False
    num_beams: Literal[1] = 1


class TranslationParameters(Strict):
    generate_parameters: GenerateParameters = GenerateParameters()
    clean_up_tokenization_spaces: Literal[False] = False
    truncation: Literal["do_not_truncate"] = "do_not_truncate"


class TranslationRequest(TextsRequest):
    parameters: TranslationParameters = TranslationParameters()


class Question(Strict):
    question: Text
    context: Text


class AnsweringParameters(Strict):
    """`top_k`: number of answers, likeliest first. `max_answer_len`: in tokens; the default is that of training."""

    top_k: int = Field(1, ge=1, le=100)
    max_answer_len: int = Field(30, ge=1)
    align_to_words: Literal[False] = False
    handle_impossible_answer: Literal[False] = False


_Pair = Annotated[Question, BeforeValidator(_is_pair)]


class QuestionRequest(InferenceRequest):
    inputs: Annotated[
        Annotated[_Pair, Tag(ONE)] | Annotated[Annotated[list[_Pair], _LENGTH], Tag(LIST)],
        _ONE_OR_LIST,
    ]
    parameters: AnsweringParameters = AnsweringParameters()


R = TypeVar("R", bound=InferenceRequest)


def parse(kind: type[R], body: bytes) -> R:
    """Raises ApiError 400 with the field at fault."""
    return validated(kind, _without_nulls(json_object(body)))


def _without_nulls(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_nulls(value) if isinstance(value, dict) else value
        for name, value in fields.items()
        if value is not None
    }
