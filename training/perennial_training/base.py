"""The model that a training starts from: a folder in a claim, or a download from a hub."""

import json
from dataclasses import dataclass
from pathlib import Path

from perennial_artifact import manifest, uri
from perennial_artifact.exits import BAD_CONFIGURATION, BAD_DATA, MISSING_INPUT, TEMPORARY, Failure
from perennial_training.config import Pretrained
from perennial_training.data.sources import Say

MAX_CONTEXT = 1024  # tokens, unless the job asks for another; what a model could do may not fit into memory
_FILES = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model"]  # weights as safetensors only, and no code


@dataclass(frozen=True)
class Base:
    """Where the base model lies, and its name for the lineage (digest: of the artifact, or the hub's commit)."""

    folder: Path
    uri: str
    digest: str | None


def fetch(pretrained: Pretrained, mounts: Path, say: Say) -> Base:
    """The base model's folder, verified if it is an artifact of ours. Raises exits.Failure."""
    if pretrained.uri.startswith("hf://"):
        return _from_hub(pretrained, say)
    folder = uri.local_path(pretrained.uri, mounts)
    if not folder.is_dir():
        raise Failure("InputNotFound", f"{pretrained.uri} is not a folder with a model", MISSING_INPUT)
    digest = None
    if (folder / manifest.NAME).exists():
        verify(folder, pretrained.uri, None)
        digest = manifest.digest_of(folder)
    return _complete(Base(folder, pretrained.uri, digest))


def verify(folder: Path, name: str, digest: str | None) -> dict:
    """The manifest of an artifact; exits.Failure where it is missing or was changed."""
    if not folder.is_dir():
        raise Failure("ArtifactNotFound", f"{name} doesn't exist", MISSING_INPUT)
    try:
        return manifest.verify(folder, digest)
    except manifest.TamperedArtifact as error:
        raise Failure("TamperedArtifact", f"{name} is not what was written: {error}", BAD_DATA) from None


def context_length(base: Base, asked: int | None) -> int:
    """Tokens per context: what was asked for, or the base model's own up to MAX_CONTEXT."""
    try:
        config = json.loads((base.folder / "config.json").read_bytes())
    except ValueError as error:
        raise Failure("UnknownModel", f"config.json of {base.uri} is not JSON: {error}", BAD_DATA) from None
    own = next((config[key] for key in ("max_position_embeddings", "n_positions") if config.get(key)), MAX_CONTEXT)
    if asked is not None and asked > own:
        raise Failure(
            "ContextTooLong", f"contextLength {asked} is more than the {own} of {base.uri}", BAD_CONFIGURATION
        )
    return asked or min(own, MAX_CONTEXT)


def _complete(base: Base) -> Base:
    if not (base.folder / "config.json").is_file() or not any(base.folder.glob("*.safetensors")):
        raise Failure("UnknownModel", f"{base.uri} must hold config.json and weights as *.safetensors", BAD_DATA)
    return base


def _from_hub(pretrained: Pretrained, say: Say) -> Base:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    revision = pretrained.revision or "main"
    say(f"downloading {pretrained.uri}, revision {revision}")
    try:
        name = pretrained.uri.removeprefix("hf://")
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=_FILES))
    except (HfHubHTTPError, LocalEntryNotFoundError, ConnectionError) as error:
        status = _status(error)
        if status is not None and 400 <= status < 500 and status != 429:
            message = f"the hub answers {status} for {pretrained.uri}, revision {revision}; check name and revision"
            raise Failure("InputNotFound", message, MISSING_INPUT) from None
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise Failure("InputUnreachable", f"{pretrained.uri}: {reason}", TEMPORARY) from None
    return _complete(Base(folder, pretrained.uri, f"commit:{folder.name}"))


def _status(error: BaseException | None) -> int | None:
    """The HTTP status at the root of a hub error, which may be wrapped in "not in the cache either"."""
    while error is not None:
        if (response := getattr(error, "response", None)) is not None:
            return int(response.status_code)
        error = error.__cause__
    return None
