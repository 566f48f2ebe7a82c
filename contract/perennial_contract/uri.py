"""Where data and artifacts live, as URIs, and where a pod finds them."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from perennial_contract.exits import BAD_DATA, Failure
from perennial_contract.pod import CLAIMS, CONFIG_MAPS, MOUNTS

FORMS = {
    "pvc": "pvc://CLAIM/PATH",
    "configmap": "configmap://NAME/KEY",
    "file": "file:///PATH",
    "https": "https://HOST/PATH",
    "s3": "s3://BUCKET/PATH",
    "hf": "hf://ORGANISATION/MODEL",
    "hf dataset": "hf://datasets/ORGANISATION/NAME[@REVISION]/PATH",
}

_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REPOSITORY = re.compile(r"[\w][\w.-]{0,95}(/[\w][\w.-]{0,95})?")
_DATASET = re.compile(r"datasets/(?P<name>\w[\w.-]{0,95}/\w[\w.-]{0,95}(@\w([\w.-]|%2F){0,254})?)/(?P<path>[^/].*)")
_MAX_LENGTH = 1024


@dataclass(frozen=True)
class Location:
    """A parsed URI.

    `name` is the claim, ConfigMap, host, bucket or hub repository (empty for file);
    `path` is what lies inside it: relative for pvc, configmap, s3 and a dataset of the hub, absolute for file and
    https, empty for a model of the hub. Of s3 and the hub, one that ends in "/" means all that is below it.
    """

    scheme: str
    name: str
    path: str


def parse(uri: str) -> Location:
    """Splits a URI; raises ValueError with a sentence that says what is wrong and what is accepted."""
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme not in FORMS:
        raise ValueError(f"{uri!r} is not a URI that Perennial reads; use one of {', '.join(FORMS.values())}")
    if len(uri) > _MAX_LENGTH:
        raise ValueError(f"the URI that starts with {uri[:60]!r} is longer than {_MAX_LENGTH} characters")
    if any(ord(character) < 33 or ord(character) == 127 for character in uri):
        raise ValueError(f"{uri!r} holds a space or control character")
    location = _https(uri) if scheme == "https" else _plain(uri, scheme, rest)
    if scheme != "https" and ".." in PurePosixPath(location.path).parts:
        raise ValueError(f"{uri!r} leaves its root by '..'; write the path without it")
    return location


def wanted(path: str) -> re.Pattern[str]:
    """What fits a path in a bucket or dataset: itself, all below it if it ends in "/"; a `*` stands for anything."""
    pattern = ".*".join(map(re.escape, path.split("*")))
    return re.compile(pattern + ".+" if path.endswith("/") else pattern, re.DOTALL)


def safe_path(folder: Path, key: str) -> Path:
    """The file of a key in a folder; a key may be any text, so that one that leads out of it is refused.

    Raises exits.Failure.
    """
    if {"..", ".", ""} & set(key.split("/")):
        raise Failure("UnsafeKey", f"the key {key!r} can't be the name of a file; rename the object", BAD_DATA)
    return folder / key


def local_path(uri: str, mounts: Path = MOUNTS) -> Path:
    """The path at which a pod sees a pvc, configmap or file URI; `mounts` holds claims/ and configmaps/."""
    location = parse(uri)
    match location.scheme:
        case "pvc":
            return mounts / CLAIMS / location.name / location.path
        case "configmap":
            return mounts / CONFIG_MAPS / location.name / location.path
        case "file":
            return Path(location.path)
    raise ValueError(f"{uri!r} is not a path in the pod; use {FORMS['pvc']}, {FORMS['configmap']} or {FORMS['file']}")


def _plain(uri: str, scheme: str, rest: str) -> Location:
    if scheme == "hf":
        return _hub(uri, rest)
    if scheme == "file":
        return _checked(uri, Location(scheme, "", rest), rest.startswith("/"))
    name, _, path = rest.partition("/")
    named = bool(_OBJECT_NAME.fullmatch(name))
    if scheme == "configmap":
        return _checked(uri, Location(scheme, name, path), named and bool(_KEY.fullmatch(path)))
    if scheme == "s3":
        return _checked(uri, Location(scheme, name, path), bool(_BUCKET.fullmatch(name)) and not path.startswith("/"))
    path = path.strip("/")
    return _checked(uri, Location(scheme, name, path), named)


def _hub(uri: str, rest: str) -> Location:
    if dataset := _DATASET.fullmatch(rest):
        return Location("hf", dataset["name"], dataset["path"])
    return _checked(uri, Location("hf", rest, ""), bool(_REPOSITORY.fullmatch(rest)))


def _https(uri: str) -> Location:
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        # What precedes an "@" may be a password, which the error quotes.
        raise ValueError(f"{uri.rpartition('@')[2]!r} is not a valid https URL; use {FORMS['https']}") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"the URL of host {parts.hostname!r} holds a user name or password; leave them out")
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return _checked(uri, Location("https", parts.netloc, path), bool(parts.hostname))


def _checked(uri: str, location: Location, valid: bool) -> Location:
    if not valid:
        form = "hf dataset" if uri.startswith("hf://datasets/") else location.scheme
        raise ValueError(f"{uri!r} does not have the form {FORMS[form]}")
    return location
