"""A data file at an HTTPS URL."""

import ssl
import time
from pathlib import Path, PurePosixPath

import httpx

from perennial_contract import uri
from perennial_contract.exits import BAD_CONFIGURATION, MISSING_INPUT, TEMPORARY, Failure
from perennial_contract.report import Report
from perennial_contract.storage.credentials import Credentials
from perennial_contract.storage.room import check_room

ATTEMPTS = 4
FIRST_WAIT_SECONDS = 1.0
TIMEOUT_SECONDS = 20.0  # to connect, and between two pieces of the response


def fetch(source: str, _secret: Credentials | None, folder: Path, report: Report) -> dict[str, Path]:
    """Retries transient errors (5xx, timeouts, lost connections) with growing waits. Raises exits.Failure."""
    name = PurePosixPath(uri.parse(source).path.partition("?")[0]).name or "download"
    problem = ""
    for attempt in range(1, ATTEMPTS + 1):
        report(f"downloading {source}")
        try:
            return {source: _stream(source, folder / name)}
        except httpx.HTTPError as error:
            problem = _transient_problem(source, error)
        if attempt < ATTEMPTS:
            wait = FIRST_WAIT_SECONDS * 2 ** (attempt - 1)
            report(f"{source} {problem}; retrying in {wait:g} s")
            time.sleep(wait)
    raise Failure("InputUnreachable", f"{source} {problem}, after {ATTEMPTS} attempts", TEMPORARY)


def _stream(url: str, target: Path) -> Path:
    def refuse_plain_text(request: httpx.Request) -> None:
        if request.url.scheme != "https":
            raise Failure("InputNotFound", f"{url} redirects to {request.url}, which isn't https", MISSING_INPUT)

    with (
        httpx.Client(
            timeout=TIMEOUT_SECONDS, follow_redirects=True, event_hooks={"request": [refuse_plain_text]}
        ) as client,
        client.stream("GET", url) as response,
        target.open("wb") as file,
    ):
        response.raise_for_status()
        check_room(url, int(response.headers.get("content-length", 0)), target.parent)
        for piece in response.iter_bytes(2**20):
            check_room(url, len(piece), target.parent)
            file.write(piece)
    return target


def _transient_problem(url: str, error: httpx.HTTPError) -> str:
    """Describes an error that may pass; raises exits.Failure for any other."""
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        problem = f"answers {status} {error.response.reason_phrase}"
        if status < 500 and status not in (408, 425, 429):
            raise Failure("InputNotFound", f"{url} {problem}; check the address", MISSING_INPUT) from None
        return problem
    problem = f"can't be read ({str(error).strip() or type(error).__name__})"
    if _is_untrusted(error):
        advice = "put the authority's certificate in the image and name it in SSL_CERT_FILE"
        raise Failure("UntrustedCertificate", f"{url} {problem}; {advice}", BAD_CONFIGURATION) from None
    return problem


def _is_untrusted(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
