"""From the URI of a text to files in the pod."""

import shutil
import ssl
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from perennial_contract import uri
from perennial_contract.exits import BAD_CONFIGURATION, BAD_DATA, MISSING_INPUT, TEMPORARY, Failure
from perennial_contract.storage import credentials
from perennial_contract.storage.credentials import Credentials

ATTEMPTS = 4
FIRST_WAIT_SECONDS = 1.0
TIMEOUT_SECONDS = 20.0  # to connect, and between two pieces of the answer
RESERVED_BYTES = 64 * 2**20  # of the disk, left free for everything else

Say = Callable[[str], None]


def fetch(source: str, mounts: Path, folder: Path, say: Say, secret: str | None = None) -> dict[str, Path]:
    """The local files of a data URI, each by the name that a person knows it by. Raises exits.Failure.

    What is elsewhere is downloaded into `folder` first. `secret` names a Secret with credentials. Several files are
    found where the path ends in "/" or holds a `*`; in the order of their names.
    """
    scheme = uri.parse(source).scheme
    if scheme == "https":
        return {source: _download(source, folder, say)}
    if scheme in ("s3", "hf"):
        return _fetch_many(source, credentials.mounted(secret, mounts), folder, say)
    path = uri.local_path(source, mounts)
    if path.is_dir():
        raise Failure("InputNotFound", f"{source} is a folder; name a file in it{_inside(path)}", MISSING_INPUT)
    if not path.is_file():
        raise Failure("InputNotFound", f"{source} doesn't exist{_inside(path.parent)}", MISSING_INPUT)
    return {source: path}


def _fetch_many(source: str, secret: Credentials | None, folder: Path, say: Say) -> dict[str, Path]:
    from perennial_training.data.sources import bucket, dataset  # boto3 takes a while to load

    return (bucket if source.startswith("s3://") else dataset).fetch(source, secret, folder, say)


def _inside(folder: Path) -> str:
    """What a folder holds, so that a misspelt name is seen at once."""
    if not folder.is_dir():
        return ""
    return there(sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith(".")))


def there(names: list[str]) -> str:
    """The end of a sentence on what is there instead."""
    more = ", …" if len(names) > 10 else ""
    return f"; there {'is' if len(names) == 1 else 'are'}: {', '.join(names[:10])}{more}" if names else "; it is empty"


def _download(url: str, folder: Path, say: Say) -> Path:
    """Tries again what may pass by itself (5xx, time-outs, lost connections), with growing waits."""
    import httpx

    target = folder / (PurePosixPath(uri.parse(url).path.partition("?")[0]).name or "download")
    for attempt in range(1, ATTEMPTS + 1):
        say(f"downloading {url}")
        try:
            return _stream(url, target)
        except httpx.HTTPStatusError as error:
            problem = f"answers {error.response.status_code} {error.response.reason_phrase}"
            if error.response.status_code < 500 and error.response.status_code not in (408, 425, 429):
                raise Failure("InputNotFound", f"{url} {problem}; check the address", MISSING_INPUT) from None
        except httpx.RequestError as error:
            problem = f"can't be read ({str(error).strip() or type(error).__name__})"
            if _is_untrusted(error):
                raise Failure(
                    "UntrustedCertificate",
                    f"{url} {problem}; put the authority's certificate in the image and name it in SSL_CERT_FILE",
                    BAD_CONFIGURATION,
                ) from None
        if attempt < ATTEMPTS:
            wait = FIRST_WAIT_SECONDS * 2 ** (attempt - 1)
            say(f"{url} {problem}; trying again in {wait:g} s")
            time.sleep(wait)
    raise Failure("InputUnreachable", f"{url} {problem}, after {ATTEMPTS} attempts", TEMPORARY)


def _stream(url: str, target: Path) -> Path:
    import httpx

    def refuse_plain_text(request: httpx.Request) -> None:
        if request.url.scheme != "https":
            raise Failure("InputNotFound", f"{url} redirects to {request.url}, which isn't https", MISSING_INPUT)

    hooks = {"request": [refuse_plain_text]}
    with (
        httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=True, event_hooks=hooks) as client,
        client.stream("GET", url) as response,
        target.open("wb") as file,
    ):
        response.raise_for_status()
        check_room(url, int(response.headers.get("content-length", 0)), target.parent)
        for piece in response.iter_bytes(2**20):
            check_room(url, len(piece), target.parent)
            file.write(piece)
    return target


def check_room(url: str, size: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free - RESERVED_BYTES
    if size > free:
        raise Failure("InputTooLarge", f"{url} needs {size:,} more bytes, and {max(free, 0):,} are free", BAD_DATA)


def _is_untrusted(error: BaseException) -> bool:
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, ssl.SSLCertVerificationError):
            return True
        chain = chain.__cause__ or chain.__context__
    return False
