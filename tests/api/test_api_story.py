"""The operator as a process against a real control plane: a model's life, without a node."""

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from perennial.api.status import UNOBSERVED
from perennial_testing.cluster.control_plane import ControlPlane
from perennial_testing.cluster.node import SERVED_LOSS, Node, empty_corpus, eventually, loss_by_seed
from perennial_testing.cluster.operator_process import Operator
from perennial_testing.cluster.story import Story, with_loss, writes
from perennial_testing.specs.small_manifests import SMALL, manifest, merged

TRAINING_JOBS = "perennial.dev/v1alpha1/trainingjobs"


@pytest.fixture
def story(control_plane: ControlPlane, namespace: str) -> Story:
    return Story(control_plane, namespace)


def test_the_life_of_a_model(story: Story, control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    node, operator = Node(control_plane, namespace, loss_by_seed), Operator(control_plane, tmp_path / "log", namespace)
    with node, operator:
        story.train(3.0)
        story.wait({1: "Accepted"}, serving=1)
        assert story.status()["url"] == f"http://writer.{namespace}.svc/v1"
        lmd = control_plane.get("lmd", "writer", "-n", namespace)
        assert lmd["status"]["version"] == 1
        assert operator.log.index("decision VersionAccepted") < operator.log.index("RollingOut"), "cause, then effect"

        story.train(2.5)  # better by a sixth
        story.wait({1: "Accepted", 2: "Accepted"}, serving=2)
        compared = control_plane.get("tj", "writer-v2", "-n", namespace)["spec"]["compareWith"]
        assert compared["version"] == 1

        story.train(2.9)  # better than 3.0, but not by 5 %
        story.wait({2: "Accepted", 3: "Refused"}, serving=2)  # two versions are kept
        refused = next(d for d in story.status()["decisions"] if d["reason"] == "VersionRefused")
        assert refused["observed"] == f"loss 2.9 against {SERVED_LOSS:g} of v2"

        story.apply(promotion={"pin": {"version": 3}})
        story.wait({2: "Accepted", 3: "Refused"}, serving=3)
        story.apply(promotion={"pin": {"version": 2}})
        story.wait({2: "Accepted", 3: "Refused"}, serving=2)
        story.apply(promotion={"pin": None})
        assert story.decisions() == [
            "VersionStarted", "VersionAccepted", "VersionPromoted",
            "VersionStarted", "VersionAccepted", "VersionPromoted",
            "VersionStarted", "VersionRefused", "VersionCollected",
            "VersionPromoted", "VersionRolledBack",
        ]  # fmt: skip
        story.wait({2: "Accepted", 3: "Refused"}, serving=2)
        _check_that_rest_costs_nothing(story)
        _check_that_the_users_object_is_the_users(story)
        story.delete()


def _check_that_rest_costs_nothing(story: Story) -> None:
    # Events and the last cleanup may still be on their way.
    eventually(lambda: not any("cleanup" in name for name in story.children()), "cleanups go")
    time.sleep(2)
    before, children = len(writes(story.control_plane, story.namespace)), story.children()
    version = story.model()["metadata"]["resourceVersion"]
    story.apply()
    time.sleep(8)
    assert writes(story.control_plane, story.namespace)[before:] == []
    assert story.model()["metadata"]["resourceVersion"] == version
    assert story.children() == children


def _check_that_the_users_object_is_the_users(story: Story) -> None:
    model = story.model()
    assert model["metadata"]["labels"] == {"team": "docs"}
    annotations = set(model["metadata"]["annotations"]) - {"kubectl.kubernetes.io/last-applied-configuration"}
    assert annotations == {"example.org/owner"}
    assert "finalizers" not in model["metadata"]
    written = [w["objectRef"] for w in writes(story.control_plane, story.namespace)]
    assert [w for w in written if w["resource"] == "languagemodels" and w.get("subresource") != "status"] == []


def test_a_suspended_model_suspends_its_training_and_an_approval_promotes(
    story: Story, control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    def training() -> dict[str, Any]:
        found: dict[str, Any] = control_plane.objects(namespace, TRAINING_JOBS)[0]
        return found

    def condition(type_: str) -> dict[str, str]:
        return next((c for c in story.status().get("conditions", []) if c["type"] == type_), {})

    with Operator(control_plane, tmp_path / "log", namespace):
        story.apply(promotion={"policy": "Manual"}, **with_loss(3.0))
        eventually(lambda: control_plane.objects(namespace, TRAINING_JOBS), "a TrainingJob")
        before = training()["spec"]
        story.apply(suspend=True)
        eventually(
            lambda: training()["spec"] == before | {"suspend": True}, "the TrainingJob is suspended, and only that"
        )
        eventually(lambda: "training of v1 is suspended" in condition("Suspended").get("message", ""), "it says so")
        story.apply(suspend=False)
        eventually(lambda: training()["spec"] == before, "the TrainingJob is resumed")
        with Node(control_plane, namespace, loss_by_seed):
            eventually(lambda: condition("Ready").get("reason") == "AwaitingApproval", "v1 awaits approval", 60)
            assert condition("Stalled")["status"] == "False"
            story.apply(promotion={"approve": {"version": 1}})
            story.wait({1: "Accepted"}, serving=1)


def outcome(story: Story) -> dict[str, Any]:
    """What must be the same however often the operator died."""
    status = story.status()
    artifacts = [v.get("artifact") for v in status["versions"]]
    decided = Counter(story.decisions())
    return {
        "states": story.states(),
        "last": status["lastVersion"],
        "serving": status["servingVersion"],
        "artifacts": [artifact and artifact["uri"].rpartition("-")[0] for artifact in artifacts],
        "decisions": decided,
        "children": story.children(),
    }


def tell(story: Story) -> dict[str, Any]:
    """A short life: a version, a better one, a worse one."""
    story.spec = merged(story.spec, {"versionHistoryLimit": 5})
    for loss, states, serving in (
        (3.0, {1: "Accepted"}, 1),
        (2.5, {1: "Accepted", 2: "Accepted"}, 2),
        (9.0, {1: "Accepted", 2: "Accepted", 3: "Refused"}, 2),
    ):
        story.train(loss)
        story.wait(states, serving, seconds=90)
    return outcome(story)


EXPECTED = {
    "states": {1: "Accepted", 2: "Accepted", 3: "Refused"},
    "last": 3,
    "serving": 2,
    "artifacts": ["pvc://models/writer/v1", "pvc://models/writer/v2", "pvc://models/writer/v3"],
    "decisions": {"VersionStarted": 3, "VersionAccepted": 2, "VersionPromoted": 2, "VersionRefused": 1},
}


def check(told: dict[str, Any], node: Node) -> None:
    assert {key: told[key] for key in EXPECTED} == EXPECTED
    assert node.trained == ["writer-v1", "writer-v2", "writer-v3"]
    kinds = Counter(name.partition(" ")[0] for name in told["children"])
    ours = "perennial.dev/v1alpha1"
    assert (kinds[f"{ours}/TrainingJob"], kinds["batch/v1/Job"], kinds[f"{ours}/Deployment"]) == (3, 3, 1)


def test_killed_at_random_moments_it_ends_in_the_same_state(
    story: Story, control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    moments = random.Random(20260301)
    with Node(control_plane, namespace, loss_by_seed) as node, ThreadPoolExecutor(1) as pool:
        told = pool.submit(tell, story)
        kills = 0
        while kills < KILLS and not told.done():
            operator = Operator(control_plane, tmp_path / "log", namespace).__enter__()
            time.sleep(moments.uniform(0.9, 2.0))  # it takes about a second to begin
            operator.kill()
            kills += 1
        with Operator(control_plane, tmp_path / "last", namespace) as last:
            last.wait_until_it_leads()
            told.result()
            check(outcome(story), node)
    assert kills >= KILLS // 2, "the story was over before the operator was killed often enough"


KILLS = 8


def test_two_operators_at_once_do_no_harm(
    story: Story, control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    with (
        Node(control_plane, namespace, loss_by_seed) as node,
        Operator(control_plane, tmp_path / "one", namespace),
        Operator(control_plane, tmp_path / "two", namespace),
    ):
        check(tell(story), node)


def test_it_looks_at_its_own_namespaces_only(
    story: Story, control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    with Operator(control_plane, tmp_path / "log", "default"):
        story.train(3.0)
        time.sleep(5)
        assert story.status() == UNOBSERVED
        assert writes(control_plane, namespace) == []


def ready(control_plane: ControlPlane, namespace: str, kind: str) -> dict[str, str]:
    """The Ready condition of the object `one`, of the kind."""
    conditions = control_plane.get(kind, "one", "-n", namespace).get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == "Ready"), {})


def test_what_is_bad_is_told_and_mended(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    def say(kind: str, reason: str, *parts: str, namespace: str = namespace) -> None:
        def told() -> bool:
            return ready(control_plane, namespace, kind).get("reason") == reason

        eventually(told, f"{kind} {reason}, not {ready(control_plane, namespace, kind)}")
        message = ready(control_plane, namespace, kind)["message"]
        assert all(part in message for part in parts), message

    def create(kind: str, **spec: Any) -> None:
        document = manifest(kind, "one", merged(SMALL[kind], spec))
        control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=document)

    with Operator(control_plane, tmp_path / "log", namespace):
        create("TrainingJob")
        missing = 'PersistentVolumeClaim "corpus" and PersistentVolumeClaim "models" not found'
        say("tj", "InputMissing", missing, "create it")
        Story(control_plane, namespace)  # makes the claims
        say("tj", "Starting")
        with Node(control_plane, namespace, empty_corpus):
            say("tj", "EmptyCorpus", "pvc://corpus/train.txt holds no text.")

        control_plane.kubectl("delete", "tj", "one", "-n", namespace)
        create("TrainingJob", data={"train": [{"uri": "pvc://Corpus/etc"}]})
        say("tj", "InvalidUri", "does not have the form pvc://CLAIM/PATH")

        control_plane.kubectl("delete", "tj", "one", "-n", namespace)
        control_plane.kubectl("create", "quota", "none", "--hard=count/jobs.batch=0", "-n", namespace)
        quota = ("resourcequota", "none", "-n", namespace)
        eventually(lambda: "hard" in control_plane.get(*quota).get("status", {}), "the quota counts")
        create("TrainingJob")
        say("tj", "ApplyRefused", "exceeded quota: none", "Raise the quota")

        control_plane.kubectl("create", "service", "clusterip", "one", "--tcp=80", "-n", namespace)
        create("Deployment")
        say("lmd", "ApplyRefused", "Service one exists", "does not belong to this Deployment; delete or rename")
