"""Every manifest and fragment in the documentation is what the API accepts."""

from collections.abc import Iterator
from typing import Any

import pytest

from perennial.api import KINDS
from perennial.api.crd import definition
from perennial_testing.documentation import Block, blocks, is_explained, objects

BLOCKS = [pytest.param(block, id=block.place) for block in blocks()]


def test_the_documentation_shows_all_kinds() -> None:
    shown = {document["kind"] for block in blocks() for document in objects(block)}
    assert shown == {kind.KIND for kind in KINDS}


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_says_what_it_is(block: Block) -> None:
    assert is_explained(block), 'add title="KIND spec.path" for a fragment of ours, or any other title'


@pytest.mark.parametrize("block", BLOCKS)
def test_objects_are_valid(block: Block) -> None:
    for document in objects(block):
        (kind,) = (kind for kind in KINDS if document["kind"] == kind.KIND)
        kind.model_validate(document | {"metadata": {"namespace": "demo", "uid": "x"} | document["metadata"]})
        (version,) = definition(kind)["spec"]["versions"]
        properties = version["schema"]["openAPIV3Schema"]["properties"]
        assert list(unknown_fields(properties["spec"], document["spec"], "spec")) == []


def unknown_fields(schema: dict[str, Any], value: Any, path: str) -> Iterator[str]:
    """Fields that the API server would refuse or prune."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, list):
        for item in value:
            yield from unknown_fields(schema["items"], item, f"{path}[]")
    elif isinstance(value, dict) and "properties" in schema:
        for name, field in value.items():
            if name in schema["properties"]:
                yield from unknown_fields(schema["properties"][name], field, f"{path}.{name}")
            else:
                yield f"{path}.{name}"
