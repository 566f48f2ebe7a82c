"""The end of a job: the artifact, moved into place at once, and the result that tells of it."""

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial_contract import manifest
from perennial_contract.exits import BAD_CONFIGURATION, MISSING_INPUT, Failure
from perennial_contract.report import Report
from perennial_contract.uri import local_path
from perennial_training.config import Config
from perennial_training.output.card import card

if TYPE_CHECKING:
    from perennial_training.output.bucket import BucketOutput

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab.json",
    "merges.txt",
)


class Output:
    """Where in a claim a job leaves its artifact, and the folder beside it in which it works."""

    mirror = None  # the folder outlives the pod

    def __init__(self, config: Config, mounts: Path) -> None:
        self.config = config
        self.folder = local_path(config.output.uri, mounts)
        self.partial = self.folder.with_name(f"{self.folder.name}.partial")
        self.work = self.partial / config.job.uid
        claim = mounts / "claims" / config.output.uri.removeprefix("pvc://").partition("/")[0]
        if not claim.is_dir():
            raise Failure(
                "ClaimNotMounted", f"the claim of {config.output.uri} is not mounted at {claim}", MISSING_INPUT
            )

    def finished(self) -> dict[str, Any] | None:
        """The result of this job if its artifact is already there; exits.Failure if another job's is."""
        if not self.folder.exists():
            return None
        try:
            facts = manifest.verify(self.folder, None)
        except manifest.TamperedArtifact as error:
            raise self._taken(f"files that are no whole artifact ({error})") from None
        if facts["job"]["uid"] != self.config.job.uid:
            job = facts["job"]
            raise self._taken(f"the artifact of the job {job['namespace']}/{job['name']} ({job['uid']})")
        self._clean()
        return result(self.config.output.uri, self.folder)

    def open(self) -> None:
        """Makes the folder to work in."""
        self.work.mkdir(parents=True, exist_ok=True)

    def publish(self, weights: Path, tokenizer: Path, facts: dict[str, Any]) -> dict[str, Any]:
        """Writes the artifact, moves it to its place in one step, and returns the result."""
        staging = stage(self.work, weights, tokenizer, facts)
        try:
            os.rename(staging, self.folder)
        except OSError:
            if not self.folder.exists():
                raise
            raise self._taken("what another job put there meanwhile") from None
        manifest.sync_folder(self.folder.parent)
        self._clean()
        return result(self.config.output.uri, self.folder)

    def _clean(self) -> None:
        shutil.rmtree(self.partial, ignore_errors=True)

    def _taken(self, by: str) -> Failure:
        return taken(self.config.output.uri, by)


def output(config: Config, mounts: Path, report: Report) -> "Output | BucketOutput":
    """Where the job leaves its artifact. Raises exits.Failure."""
    if not config.output.uri.startswith("s3://"):
        return Output(config, mounts)
    from perennial_training.output.bucket import BucketOutput  # boto3 takes a while to load

    return BucketOutput(config, mounts, report)


def taken(uri: str, by: str) -> Failure:
    """What is there is never written over."""
    message = f"{uri} holds {by}; choose another output, or delete that first"
    return Failure("OutputTaken", message, BAD_CONFIGURATION)


def stage(work: Path, weights: Path, tokenizer: Path, facts: dict[str, Any]) -> Path:
    """Makes the artifact's folder below `work`, with its manifest."""
    staging = work / "artifact"
    shutil.rmtree(staging, ignore_errors=True)
    shutil.copytree(weights, staging, ignore=shutil.ignore_patterns(manifest.NAME))
    copy_tokenizer(tokenizer, staging)
    if (work / "explanation").is_dir():
        shutil.copytree(work / "explanation", staging / "explanation")
    (staging / "README.md").write_text(card(facts))
    manifest.write(staging, facts)
    return staging


def copy_tokenizer(tokenizer: Path, folder: Path) -> None:
    """Lays a tokenizer's files beside weights, so that both load together."""
    for name in TOKENIZER_FILES:
        if (tokenizer / name).is_file():
            shutil.copyfile(tokenizer / name, folder / name)


def result(uri: str, folder: Path) -> dict[str, Any]:
    """What the operator is told, read from the artifact itself: asked again, the same."""
    return result_of(uri, manifest.verify(folder, None), manifest.digest_of(folder), manifest.size(folder))


def result_of(uri: str, facts: dict[str, Any], digest: str, size: int) -> dict[str, Any]:
    """The result of a job from the manifest of its artifact; size in bytes."""
    same = (
        "metrics",
        "initialMetrics",
        "baseline",
        "trainingLoss",
        "comparison",
        "data",
        "steps",
        "stoppedEarly",
        "madeWith",
    )
    artifact = {"uri": uri, "digest": digest, "sizeBytes": size}
    return {"perennial": "result", "schema": 1, "artifact": artifact} | {name: facts[name] for name in same}


def made_with() -> dict[str, str]:
    """The versions of what a result depends on."""
    try:
        perennial = version("perennial")
    except PackageNotFoundError:  # run from a source tree
        perennial = "unreleased"
    return {
        "perennial": perennial,
        "python": platform.python_version(),
        "torch": version("torch"),
        "transformers": version("transformers"),
    }
