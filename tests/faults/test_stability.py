"""What has come to its end stays there (Anvil, OSDI'24): nothing is written for twice the longest period."""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from perennial_testing.cluster.control_plane import ControlPlane
from perennial_testing.cluster.node import Node, empty_corpus, eventually, loss_by_seed
from perennial_testing.cluster.operator_process import Operator
from perennial_testing.cluster.story import Story
from perennial_testing.faults.proxy import Proxy
from perennial_testing.faults.sweep import LIFE
from perennial_testing.specs.small_manifests import SMALL, Manifest, manifest, merged

# `make faults` takes the operator's own default, 300 s, which means ten idle minutes.
RESYNC_SECONDS = int(os.environ.get("PERENNIAL_TEST_RESYNC_SECONDS", "20"))
# The longest of the operator's other periods is that of a look at a metric.
IDLE_SECONDS = 2 * max(RESYNC_SECONDS, 15)


@dataclass(frozen=True)
class AtRest:
    """An object that settles without a node: its kind, changes to a small spec, and the final reason of Ready."""

    kind: str
    reason: str
    overlay: Manifest = field(default_factory=dict)


AT_REST = {
    "missing-input": AtRest(
        "TrainingJob", overlay={"data": {"train": [{"uri": "pvc://missing/a.txt"}]}}, reason="InputMissing"
    ),
    "wrong-uri": AtRest("TrainingJob", overlay={"data": {"train": [{"uri": "pvc://Corpus/etc"}]}}, reason="InvalidUri"),
    "suspended": AtRest("TrainingJob", overlay={"suspend": True}, reason="Suspended"),
    "no-node": AtRest("TrainingJob", reason="Starting"),
    "no-model": AtRest("Deployment", overlay={"model": {"uri": "pvc://missing/one"}}, reason="InputMissing"),
    "asleep": AtRest("Deployment", overlay={"replicas": 0}, reason="ScaledToZero"),
}
PLURALS = {"TrainingJob": "trainingjobs", "Deployment": "deployments"}


@pytest.fixture
def namespaces(control_plane: ControlPlane) -> Iterator[list[str]]:
    names = [f"stable-{uuid.uuid4().hex[:8]}" for _ in range(len(LIFE) + 3)]
    for name in names:
        control_plane.kubectl("create", "namespace", name)
    yield names
    control_plane.kubectl("delete", "namespace", "--wait=false", *names)


@pytest.mark.timeout(600 + 2 * IDLE_SECONDS)
def test_at_rest_nothing_is_written(control_plane: ControlPlane, namespaces: list[str], tmp_path: Path) -> None:
    resync = ("--resync-seconds", str(RESYNC_SECONDS))
    with (
        Proxy(control_plane, tmp_path) as proxy,
        Operator(proxy.control_plane, tmp_path / "log", *namespaces, flags=resync),
    ):
        _live(control_plane, namespaces[: len(LIFE) + 1])
        _fail(control_plane, namespaces[-2])
        _rest(control_plane, namespaces[-1])
        time.sleep(5)  # the last Events
        before = len(proxy.writes)
        time.sleep(IDLE_SECONDS)
        assert [str(write) for write in proxy.writes[before:]] == []


def _live(control_plane: ControlPlane, namespaces: list[str]) -> None:
    """One model stays at each step of its life, and one is deleted at the end of it."""
    with ExitStack() as nodes:
        for name in namespaces:
            nodes.enter_context(Node(control_plane, name, loss_by_seed))
        stories = [Story(control_plane, name) for name in namespaces]
        for number, step in enumerate(LIFE):
            for story in stories[number:]:
                step.play(story)
        stories[-1].delete()


def _fail(control_plane: ControlPlane, namespace: str) -> None:
    story = Story(control_plane, namespace)
    with Node(control_plane, namespace, empty_corpus):
        story.train(3.0)
        eventually(lambda: story.states() == {1: "Failed"}, "the training fails")


def _rest(control_plane: ControlPlane, namespace: str) -> None:
    Story(control_plane, namespace)  # makes the claims
    for name, case in AT_REST.items():
        document = manifest(case.kind, name, merged(SMALL[case.kind], case.overlay))
        control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=document)
    for name, case in AT_REST.items():
        eventually(
            lambda n=name, c=case: _reason(control_plane, namespace, c.kind, n) == c.reason, f"{name}: {case.reason}"
        )


def _reason(control_plane: ControlPlane, namespace: str, kind: str, name: str) -> str | None:
    path = f"/apis/perennial.dev/v1alpha1/namespaces/{namespace}/{PLURALS[kind]}/{name}"
    conditions = control_plane.read(path).get("status", {}).get("conditions", [])
    return next((c["reason"] for c in conditions if c["type"] == "Ready"), None)
