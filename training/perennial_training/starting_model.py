"""The model that a training starts from: a folder in a claim, or a download from a bucket or a hub."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from perennial_contract import manifest, uri
from perennial_contract.exits import BAD_CONFIGURATION, BAD_DATA, MISSING_INPUT, Failure
from perennial_contract.facts import Facts
from perennial_contract.job import StartingModel, VersionArtifact
from perennial_contract.report import Report
from perennial_contract.storage import credentials
from perennial_contract.storage.credentials import Credentials
from perennial_training import hub

MAX_CONTEXT = 1024  # tokens, unless the job asks for another; what a model could do may not fit into memory
_FILES = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model"]  # weights as safetensors only, and no code


@dataclass(frozen=True)
class Base:
    """The folder of the base model, and its name for the lineage (digest: of the artifact, or the hub's commit)."""

    folder: Path
    uri: str
    digest: str | None


def fetch(pretrained: StartingModel, mounts: Path, report: Report) -> Base:
    """The base model's folder, verified if it is an artifact of ours. Raises exits.Failure."""
    if pretrained.uri.startswith("hf://"):
        return _from_hub(pretrained, _secret(pretrained, mounts), report)
    folder = _folder(pretrained, pretrained.digest, mounts, report)
    if not folder.is_dir():
        raise Failure("InputNotFound", f"{pretrained.uri} is not a folder with a model", MISSING_INPUT)
    digest = None
    if pretrained.digest or (folder / manifest.NAME).exists():
        verify(folder, pretrained.uri, pretrained.digest)
        digest = manifest.digest_of(folder)
    return _complete(Base(folder, pretrained.uri, digest))


def served(version: VersionArtifact, mounts: Path, report: Report) -> tuple[Path, int]:
    """The folder of an artifact, verified, and its context in tokens. Raises exits.Failure."""
    folder = _folder(version, version.digest, mounts, report)
    context = verify(folder, version.uri, version.digest).context_length
    if context is None:
        message = f"{version.uri} can't be judged: {manifest.NAME} in it has no contextLength"
        raise Failure("UnknownModel", message, BAD_DATA)
    return folder, context


def verify(folder: Path, name: str, digest: str | None) -> Facts:
    """The facts of an artifact; exits.Failure if it is missing or was changed."""
    if not folder.is_dir():
        raise Failure("ArtifactNotFound", f"{name} doesn't exist", MISSING_INPUT)
    with _untampered(name):
        return Facts.of(manifest.verify(folder, digest))


@contextmanager
def _untampered(name: str) -> Iterator[None]:
    try:
        yield
    except manifest.TamperedArtifact as error:
        raise Failure("TamperedArtifact", f"{name} is not what was written: {error}", BAD_DATA) from None


def _folder(where: StartingModel | VersionArtifact, digest: str | None, mounts: Path, report: Report) -> Path:
    """The folder of a model; one in a bucket is fetched first."""
    if where.uri.startswith("s3://"):
        return _from_bucket(where.uri, digest, _secret(where, mounts), report)
    return uri.local_path(where.uri, mounts)


def _secret(where: StartingModel | VersionArtifact, mounts: Path) -> Credentials | None:
    return credentials.mounted(where.credentials.secret_name if where.credentials else None, mounts)


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


def _from_hub(pretrained: StartingModel, secret: Credentials | None, report: Report) -> Base:
    from huggingface_hub import snapshot_download

    revision = pretrained.revision or "main"
    report(f"downloading {pretrained.uri}, revision {revision}")
    name = pretrained.uri.removeprefix("hf://")
    with hub.explained(pretrained.uri, revision):
        folder = snapshot_download(name, revision=revision, allow_patterns=_FILES, token=hub.token(secret))
    return _complete(Base(Path(folder), pretrained.uri, f"commit:{Path(folder).name}"))


def _from_bucket(uri: str, digest: str | None, secret: Credentials | None, report: Report) -> Path:
    """A folder with the model at an s3:// URI: an artifact of ours, or any other model."""
    from perennial_contract.storage import s3_artifact
    from perennial_contract.storage.s3 import Store

    store = Store(uri, secret)
    folder = Path(tempfile.mkdtemp(prefix="model-"))
    report(f"fetching {uri}")
    if digest is not None or store.read(manifest.NAME) is not None:
        with _untampered(uri):
            s3_artifact.download(store, folder, digest, report)
        return folder
    sizes = {key: size for key, size in store.sizes().items() if any(fnmatch(key, kind) for kind in _FILES)}
    store.download(sizes, folder, report)
    return folder
