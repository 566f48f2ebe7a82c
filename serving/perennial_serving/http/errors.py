"""What goes wrong with a request, in the shapes that clients read."""

from typing import Any

from starlette.responses import JSONResponse


class ApiError(Exception):
    """An answer with an error: HTTP status, a sentence, the field at fault (`param`) and a `code` for programs."""

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

    def body(self) -> dict[str, Any]:
        """As OpenAI's clients read it."""
        return {"error": {"message": self.message} | self._facts()}

    def flat_body(self) -> dict[str, Any]:
        """As Hugging Face's client reads it, which shows what is in `error`."""
        return {"error": self.message} | self._facts()

    def response(self, flat: bool = False) -> JSONResponse:
        headers = {} if self.retry_after_seconds is None else {"Retry-After": str(self.retry_after_seconds)}
        return JSONResponse(self.flat_body() if flat else self.body(), self.status, headers)

    def _facts(self) -> dict[str, Any]:
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        kind = "rate_limit_error" if self.status == 429 else kind
        return {"type": kind, "param": self.param, "code": self.code}
