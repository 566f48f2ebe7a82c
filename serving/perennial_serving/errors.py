"""An error of a request, in the shapes that clients read."""

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

CLIENT_CLOSED_REQUEST = 499  # nginx's status code: never sent to anyone, only counted in the metrics


class ApiError(Exception):
    """Ends a request: HTTP status, message, the field at fault (`param`) and a `code` for programs."""

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.retry_after_seconds = retry_after_seconds

    @property
    def type(self) -> str:
        if self.status == 429:
            return "rate_limit_error"
        return "invalid_request_error" if self.status < 500 else "server_error"


ErrorBody = Callable[[ApiError], Json]


def openai_error_body(error: ApiError) -> Json:
    """OpenAI's shape."""
    return {"error": {"message": error.message} | _details(error)}


def hugging_face_error_body(error: ApiError) -> Json:
    """Hugging Face's shape: its client prints `error`."""
    return {"error": error.message} | _details(error)


def _details(error: ApiError) -> Json:
    return {"type": error.type, "param": error.param, "code": error.code}
