"""From the bytes of a body to a typed request, or to an error that names the field at fault."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from perennial_serving.errors import ApiError

# pydantic's names for the branches of a union of one or a list; clients do not know them.
ONE, LIST = "one of it", "a list of it"
M = TypeVar("M", bound=BaseModel)


class Strict(BaseModel):
    """No unknown field, and no conversion of types."""

    model_config = ConfigDict(extra="forbid", strict=True)


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises ApiError 400."""
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise ApiError(400, f"the body is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise ApiError(400, "the body must be a JSON object")
    return document


def validated(kind: type[M], fields: dict[str, Any]) -> M:
    """Raises ApiError 400 with the field at fault."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise _api_error(error) from None


def _api_error(error: ValidationError) -> ApiError:
    first = error.errors(include_input=False, include_url=False)[0]
    param = ".".join(str(part) for part in first["loc"] if part not in (ONE, LIST))
    match first["type"]:
        case "extra_forbidden":
            return ApiError(400, f"{param} is not supported by this server; leave it out", param)
        case "missing":
            return ApiError(400, f"{param} is missing", param)
    return ApiError(400, f"{param}: {first['msg'].removeprefix('Value error, ')}", param)
