"""The YAML of the documentation, as whole objects: manifests as they are, fragments within a small object.

A fragment says by its title where it belongs, as in ```yaml title="LanguageModel spec.training"```.
"""

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]

_FENCE = re.compile(r"^( *)```yaml([^\n]*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="([^"]+)"')
_PLACE = re.compile(r"(LanguageModel|TrainingJob|Deployment) (spec(?:\.\w+)*)")
_GROUP = "perennial.dev/"

_ARTIFACT = {"uri": "pvc://models/x", "digest": f"sha256:{'0' * 64}"}
_LEARNING = {
    "model": {"task": "text-generation", "architecture": {}},
    "data": {"train": [{"uri": "pvc://corpus/train.txt"}]},
}
_SPECS: dict[str, dict[str, Any]] = {
    "LanguageModel": {**_LEARNING, "storage": {"uri": "pvc://models"}},
    "TrainingJob": {**_LEARNING, "output": {"uri": "pvc://models/x"}},
    "Deployment": {"model": {"name": "x", "task": "text-generation", **_ARTIFACT}},
}


@dataclass(frozen=True)
class Block:
    """A block of YAML, and its place in the documentation."""

    place: str
    title: str
    text: str


def blocks() -> Iterator[Block]:
    """Every block of YAML, without those that only include a file."""
    for page in PAGES:
        content = page.read_text()
        for match in _FENCE.finditer(content):
            line = content[: match.start()].count("\n") + 1
            title = _TITLE.search(match[2])
            if "--8<--" not in match[3]:
                yield Block(f"{page.relative_to(ROOT)}:{line}", title[1] if title else "", match[3])


def objects(block: Block) -> list[dict[str, Any]]:
    """The objects of our kinds that the block shows."""
    documents = [document for document in yaml.safe_load_all(block.text) if document]
    place = _PLACE.fullmatch(block.title)
    if place:
        (fragment,) = documents
        return [_embedded(place[1], place[2].split(".")[1:], fragment)]
    return [document for document in documents if _api_version(document).startswith(_GROUP)]


def is_explained(block: Block) -> bool:
    """Whether the block has an apiVersion, or a title that says what it is a part of."""
    return bool(block.title) or all(map(_api_version, filter(None, yaml.safe_load_all(block.text))))


def _api_version(document: Any) -> str:
    return str(document.get("apiVersion", "")) if isinstance(document, dict) else ""


def _embedded(kind: str, path: list[str], fragment: Any) -> dict[str, Any]:
    spec: dict[str, Any] = copy.deepcopy(_SPECS[kind])
    target = spec
    for name in path[:-1]:
        target = target.setdefault(name, {})
    if path:
        target[path[-1]] = fragment
    else:
        spec |= fragment
    return {"apiVersion": f"{_GROUP}v1alpha1", "kind": kind, "metadata": {"name": "x"}, "spec": spec}
