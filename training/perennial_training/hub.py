"""The Hugging Face hub as it goes wrong, for models and datasets alike."""

from collections.abc import Iterator
from contextlib import contextmanager

from perennial_contract.exits import MISSING_INPUT, TEMPORARY, Failure, first_line
from perennial_contract.storage.credentials import Credentials

_ADVICE = "if it is private or gated, name a Secret with an HF_TOKEN that may read it in `credentials`"


@contextmanager
def explained(uri: str, revision: str) -> Iterator[None]:
    """Turns what the hub's client raises into exits.Failure."""
    from huggingface_hub.errors import HTTPError, LocalEntryNotFoundError  # type: ignore[attr-defined]

    try:
        yield
    except (HTTPError, LocalEntryNotFoundError, ConnectionError) as error:
        status = _status(error)
        if status is not None and 400 <= status < 500 and status != 429:
            advice = f"; {_ADVICE}" if status in (401, 403) else ""
            message = f"the hub answers {status} for {uri}, revision {revision}; check name and revision{advice}"
            raise Failure("InputNotFound", message, MISSING_INPUT) from None
        reason = first_line(error)
        raise Failure("InputUnreachable", f"{uri}: {reason}", TEMPORARY) from None


def token(secret: Credentials | None) -> str | bool:
    """The token to send, or False: nothing that the environment may hold is sent along."""
    return (secret.get("HF_TOKEN") if secret else None) or False


def _status(error: BaseException | None) -> int | None:
    """The HTTP status at the root of a hub error, which may be wrapped in "not in the cache either"."""
    while error is not None:
        if (response := getattr(error, "response", None)) is not None:
            return int(response.status_code)
        error = error.__cause__
    return None
