"""A minimal client of the cluster's API server, of the standard library alone."""

import base64
import http.client
import json
import ssl
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 10
UNREACHABLE = (OSError, http.client.HTTPException)  # of which urllib's errors are subclasses

Object = dict[str, Any]


class Api:
    """Speaks to the API server as the user of a kubeconfig with a client certificate."""

    def __init__(self, kubeconfig: Path):
        document = json.loads(kubeconfig.read_text())
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        self._server = cluster["server"]
        self._tls = ssl.create_default_context(cadata=_decoded(cluster["certificate-authority-data"]))
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # ssl reads keys from files only
            file.write(_decoded(user["client-certificate-data"]) + _decoded(user["client-key-data"]))
            file.flush()
            self._tls.load_cert_chain(file.name)

    def text(self, path: str) -> str:
        with self._open("GET", path) as response:
            return response.read().decode()

    def get(self, path: str) -> Object:
        found: Object = json.loads(self.text(path))
        return found

    def create(self, path: str, body: Object) -> None:
        self._open("POST", path, body).close()

    def delete(self, path: str) -> None:
        self._open("DELETE", path).close()

    def watch(self, path: str) -> Iterator[Object]:
        """First every object there is, then each change, until the server ends the watch (5-10 min)."""
        with self._open("GET", f"{path}?watch=1", timeout=None) as response:
            for line in response:
                yield json.loads(line)

    def _open(
        self, method: str, path: str, body: Object | None = None, timeout: float | None = TIMEOUT_SECONDS
    ) -> http.client.HTTPResponse:
        request = urllib.request.Request(
            self._server + path,
            method=method,
            headers={"Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode(),
        )
        opener = urllib.request.build_opener(  # no proxy: the API server is on this machine
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._tls)
        )
        response: http.client.HTTPResponse = opener.open(request, timeout=timeout)
        return response


def status_of(error: Exception) -> int | None:
    """The HTTP status behind an error, if the server answered at all."""
    return error.code if isinstance(error, urllib.error.HTTPError) else None


def _decoded(data: str) -> str:
    return base64.b64decode(data).decode()
