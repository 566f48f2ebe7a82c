"""Each fact that operator and pods agree on is said once, in perennial_contract."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perennial_contract import exits, metrics, pod

ROOT = Path(__file__).parents[3]
SOURCES = ("operator", "training", "serving", "networks")
# By kind of fact the values by which a second owner is recognized.
FACTS: dict[str, set[Any]] = {
    "paths": {str(path) for path in vars(pod).values() if isinstance(path, Path)} | {str(exits.TERMINATION_LOG)},
    "paths of probes and metrics": {pod.LIVENESS_PATH, pod.READINESS_PATH, pod.METRICS_PATH},
    "environment names": {
        pod.MASTER_ADDRESS, pod.MASTER_PORT, pod.NODES, pod.PROCESSES_PER_NODE, pod.NODE_INDEX,
    },
    "file names": {pod.CONFIGURATION_NAME},
    "headers": {pod.VERSION_HEADER},
    "ports": {pod.RENDEZVOUS_PORT, pod.TRAINING_METRICS_PORT, pod.SERVING_PORT},
    "grace periods": {pod.TRAINING_GRACE_SECONDS, pod.TRAINING_SHUTDOWN_SECONDS, pod.SERVING_GRACE_SECONDS},
    "exit codes": {exits.BAD_DATA, exits.MISSING_INPUT, exits.PEER_LOST, exits.BAD_CONFIGURATION, exits.TERMINATED},
    "length of a termination message": {exits.MAX_MESSAGE_BYTES},
    "metric names": {metric.name for metric in metrics.METRICS},
}  # fmt: skip
# Numbers that mean something else.
OTHERS = {
    ("operator/perennial/api/crd.py", 110),  # columns of a line of YAML
    ("serving/perennial_serving/engine/metrics.py", 120),  # the last bucket of a histogram
}


def literals(source: str) -> Iterator[Any]:
    """The strings and numbers in a module, but for its docstrings and the bounds of its fields."""
    tree = ast.parse(source)
    left_out = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Field":
            left_out |= {id(node) for node in ast.walk(call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in left_out and type(node.value) in (str, int):
            yield node.value


def repeated(kind: str, modules: dict[str, str]) -> list[tuple[str, Any]]:
    return [
        (name, value)
        for name, source in modules.items()
        for value in literals(source)
        if value in FACTS[kind] and (name, value) not in OTHERS
    ]


@pytest.fixture(scope="module")
def modules() -> dict[str, str]:
    files = (path for folder in SOURCES for path in (ROOT / folder).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): path.read_text() for path in files}


@pytest.mark.parametrize("kind", FACTS)
def test_no_program_repeats_what_the_contract_says(kind, modules):
    assert repeated(kind, modules) == []


@pytest.mark.parametrize("kind", FACTS)
def test_a_second_owner_would_be_found(kind):
    value = next(iter(FACTS[kind]))
    assert repeated(kind, {"second.py": f'"""Of {value}."""\n\nOWN = {value!r}\n'}) == [("second.py", value)]
