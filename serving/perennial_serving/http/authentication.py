"""Keys of clients: without one of them, a request gets 401 before its body is read."""

import hmac
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from perennial_serving.errors import ApiError
from perennial_serving.http.error_responses import ErrorResponses
from perennial_serving.http.routing import matching


class Authentication:
    """ASGI middleware around the application; requests to `open_routes` need no key.

    keys: folder with one key per file, as a Secret is mounted; read anew for each request, since keys are revoked.
    """

    def __init__(self, app: ASGIApp, keys: Path, open_routes: Sequence[Route], errors: ErrorResponses) -> None:
        self._app = app
        self._keys = keys
        self._open_routes = open_routes
        self._errors = errors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or matching(self._open_routes, scope) or is_one_of(_key(scope), keys(self._keys)):
            await self._app(scope, receive, send)
            return
        message = "the request has no valid API key; send one as `Authorization: Bearer KEY`"
        response = self._errors.response(Request(scope), ApiError(401, message, code="invalid_api_key"))
        response.headers["WWW-Authenticate"] = "Bearer"
        await response(scope, receive, send)


def keys(folder: Path) -> list[bytes]:
    """The contents of the files; an empty or unreadable one is no key, and a folder that is missing holds none."""
    found = []
    for path in folder.glob("*"):
        with suppress(OSError):  # a folder, such as that of the kubelet behind the files, or gone just now
            found.append(path.read_bytes().strip())
    return [key for key in found if key]


def is_one_of(key: bytes, accepted: Sequence[bytes]) -> bool:
    """Whether it is accepted; the time that it takes does not tell how much of a key is right, nor of which."""
    matches = [hmac.compare_digest(key, each) for each in accepted]
    return any(matches)


def _key(scope: Scope) -> bytes:
    scheme, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
    return key.strip().encode("latin-1") if scheme.lower() == "bearer" else b""
