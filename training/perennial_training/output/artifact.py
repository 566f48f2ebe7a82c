"""What an artifact consists of, and the result that describes it."""

import platform
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

from perennial_contract import manifest
from perennial_contract.facts import TrainingFacts
from perennial_contract.job import Job
from perennial_contract.result import Artifact, ResultMessage
from perennial_contract.version import of_perennial
from perennial_training.output.card import card

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "vocab.json",
    "merges.txt",
)


def stage(work: Path, weights: Path, tokenizer: Path, facts: TrainingFacts) -> Path:
    """Assembles the artifact in a folder below `work`, with its manifest."""
    staging = work / "artifact"
    shutil.rmtree(staging, ignore_errors=True)
    shutil.copytree(weights, staging, ignore=shutil.ignore_patterns(manifest.NAME))
    copy_tokenizer(tokenizer, staging)
    if (work / "explanation").is_dir():
        shutil.copytree(work / "explanation", staging / "explanation")
    (staging / "README.md").write_text(card(facts))
    manifest.write(staging, facts.document())
    return staging


def copy_tokenizer(tokenizer: Path, folder: Path) -> None:
    """Copies the files of a tokenizer beside weights, so that both load together."""
    for name in TOKENIZER_FILES:
        if (tokenizer / name).is_file():
            shutil.copyfile(tokenizer / name, folder / name)


def result(config: Job, document: dict[str, Any], digest: str, size: int) -> ResultMessage:
    """The result of a job from the manifest of its artifact; `size` in bytes. Raises TamperedArtifact."""
    artifact, facts = Artifact(uri=config.output.uri, digest=digest, size_bytes=size), TrainingFacts.of(document)
    return ResultMessage.of(artifact, facts, reused=facts.job.uid != config.job.uid)


def made_with() -> dict[str, str]:
    """The versions of what a result depends on."""
    return {
        "perennial": of_perennial(),
        "python": platform.python_version(),
        "torch": version("torch"),
        "transformers": version("transformers"),
    }
