"""Errors as responses, each in the shape of the API that its path belongs to."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from perennial_serving.errors import CLIENT_CLOSED_REQUEST, ApiError, ErrorBody, openai_error_body
from perennial_serving.http.routing import matching

Handler = Callable[[Request, Exception], Awaitable[Response]]


class ErrorResponses:
    """`bodies` maps the path of a route to its error shape; elsewhere it is OpenAI's."""

    def __init__(self, routes: Sequence[Route], bodies: Mapping[str, ErrorBody]) -> None:
        self._routes = routes
        self._bodies = bodies

    def handlers(self) -> dict[Any, Handler]:
        """For Starlette's `exception_handlers`."""
        return {
            ApiError: self._api_error,
            HTTPException: self._http_error,
            ClientDisconnect: self._disconnect,
            Exception: self._unexpected,
        }

    async def _api_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        return self.response(request, error)

    async def _http_error(self, request: Request, error: Exception) -> Response:
        """404 and 405 from routing."""
        assert isinstance(error, HTTPException)
        message = f"{request.method} {request.url.path}: {error.detail}"
        response = self.response(request, ApiError(error.status_code, message))
        response.headers.update(error.headers or {})
        return response

    async def _disconnect(self, request: Request, error: Exception) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    async def _unexpected(self, request: Request, error: Exception) -> Response:
        return self.response(request, ApiError(500, "internal server error; see the server's log"))

    def response(self, request: Request, error: ApiError) -> Response:
        """The error, in the shape of the API that the path belongs to."""
        route = matching(self._routes, request.scope)
        body = self._bodies.get(route.path, openai_error_body) if route else openai_error_body
        retry_after = error.retry_after_seconds
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return JSONResponse(body(error), error.status, headers)
