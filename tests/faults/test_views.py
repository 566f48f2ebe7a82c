"""The operator while its view of the cluster is wrong, late or missing, and how long it takes to recover."""

import random
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from perennial_testing.cluster.control_plane import CHILDREN, Manifest
from perennial_testing.cluster.end_state import differences, end_state
from perennial_testing.cluster.node import Node, eventually, loss_by_seed
from perennial_testing.faults.proxy import Answer, Delay, Fault, Stale, Unreachable
from perennial_testing.faults.stage import Case, Stage, title
from perennial_testing.specs.small_manifests import SMALL, manifest, merged

OURS = "perennial.dev/v1alpha1"
V1, V2 = {1: "Accepted"}, {1: "Accepted", 2: "Accepted"}


class Scene:
    """A model, and an operator behind a proxy."""

    def __init__(self, stage: Stage, *flags: str) -> None:
        self.stage, self.proxy, self.story = stage, stage.proxy(), stage.story()
        self.operator = stage.operator(self.proxy.control_plane, *flags).start()

    def has_version_1(self) -> None:
        """It is served."""
        self.story.train(3.0)
        self.story.wait(V1, 1)


class ServedScene(Scene):
    """Version 1 is served from the start, and there is always a node."""

    def __init__(self, stage: Stage, *flags: str) -> None:
        super().__init__(stage, *flags)
        self.node = stage.node()
        self.has_version_1()

    def recovers(self, since: float, what: str = "") -> None:
        """Version 2, that the user has asked for meanwhile, is trained once and served."""
        self.story.wait(V2, 2)
        self.stage.recovered(time.monotonic() - since, what)
        assert self.node.trained == ["writer-v1", "writer-v2"]


def uids(stage: Stage) -> dict[str, str]:
    """Every child and every pod."""
    objects = stage.control_plane.objects(stage.namespace, *CHILDREN, "v1/pods")
    return {f"{each['kind']} {each['metadata']['name']}": each["metadata"]["uid"] for each in objects}


def version_of_the_cluster(stage: Stage) -> str:
    version: str = listed(stage, OURS, "languagemodels")["metadata"]["resourceVersion"]
    return version


def listed(stage: Stage, version: str, plural: str) -> Manifest:
    return stage.control_plane.read(f"/apis/{version}/namespaces/{stage.namespace}/{plural}")


def create(stage: Stage, kind: str, name: str, spec: Manifest) -> None:
    stage.control_plane.kubectl("create", "-n", stage.namespace, "-f", "-", stdin=manifest(kind, name, spec))


# --- the past


def lists_show_the_past_after_a_restart(stage: Stage) -> None:
    """Of each moment of the story: nothing is deleted, made or trained anew on the strength of it."""
    proxy, story = stage.proxy(), stage.story()
    moments = {}
    story.train(3.0)
    create(stage, "TrainingJob", "solo", seeded(40))
    moments["nothing was done"] = version_of_the_cluster(stage)
    operator = stage.operator(proxy.control_plane).start()
    eventually(lambda: "Job writer-v1" in uids(stage), "version 1 trains")
    moments["version 1 was in training"] = version_of_the_cluster(stage)
    node = stage.node()
    story.wait(V1, 1)
    eventually(lambda: state_of(stage, "solo") == "Complete", "the TrainingJob ends")
    stage.control_plane.kubectl("delete", "tj", "solo", "-n", stage.namespace)
    moments["version 1 was served"] = version_of_the_cluster(stage)
    story.train(2.5)
    eventually(lambda: 2 in story.states(), "version 2 trains")
    moments["version 2 was in training"] = version_of_the_cluster(stage)
    story.wait(V2, 2)
    for loss, number in ((2.0, 3), (1.5, 4)):
        story.train(loss)
        eventually(lambda number=number: story.status().get("servingVersion") == number, f"v{number} is served")
    removed = {f"{kind} {name}" for name in ("writer-v1", "writer-v2") for kind in ("TrainingJob", "Job")}
    removed |= {f"{job}-cleanup" for job in removed} | {"Job solo", "ConfigMap solo-config"}
    eventually(lambda: story.is_ready() and not removed & uids(stage).keys(), "versions 1 and 2 are removed")
    time.sleep(2)
    for replicas, (moment, version) in enumerate(moments.items(), start=2):
        operator.kill()
        told, before, trained, decisions = operator.log, uids(stage), list(node.trained), story.decisions()
        proxy.hold_watches()
        proxy.rule = lambda request, version=version: Stale(version) if request.is_list else None
        operator.start()
        time.sleep(6)
        now = uids(stage)
        assert now == before, f"{moment}: {sorted(now.items() ^ before.items())}"
        proxy.rule = lambda request: None
        proxy.release_watches()
        start = time.monotonic()
        story.apply(deployment={"replicas": replicas})
        eventually(
            lambda n=replicas: ready_pods(stage, "writer") == n and story.is_ready(), "what is asked now is done"
        )
        stage.recovered(time.monotonic() - start, moment)
        created = [line for line in operator.log.removeprefix(told).splitlines() if ": created " in line]
        assert not created, f"{moment}: {created}"
        assert node.trained == trained, f"{moment}: {node.trained} not {trained}"
        assert story.decisions() == decisions, f"{moment}: {story.decisions()} not {decisions}"


# --- the same name, another object


def remade(stage: Stage, kind: str, document: Manifest) -> None:
    """Deleted, and made again under its name."""
    name = document["metadata"]["name"]
    stage.control_plane.kubectl("delete", kind, name, "-n", stage.namespace, "--timeout=60s")
    stage.control_plane.kubectl("create", "-n", stage.namespace, "-f", "-", stdin=document)


def seeded(seed: int) -> Manifest:
    return merged(SMALL["TrainingJob"], {"training": {"hyperparameters": {"seed": seed}}})


def serving(replicas: int) -> Manifest:
    return merged(SMALL["Deployment"], {"replicas": replicas, "model": {"uri": "pvc://models/one"}})


def jobs(stage: Stage) -> dict[str, Manifest]:
    return {o["metadata"]["name"]: o for o in stage.control_plane.objects(stage.namespace, "batch/v1/jobs")}


def copied(job: Manifest) -> Manifest:
    """The Job as another replica of the operator would have made it."""
    at = {name: job["metadata"][name] for name in ("name", "namespace", "labels", "annotations", "ownerReferences")}
    at["labels"] = {name: value for name, value in at["labels"].items() if "job" not in name or "perennial" in name}
    spec = {name: value for name, value in job["spec"].items() if name != "selector"}
    labels = spec["template"]["metadata"]["labels"]
    spec["template"]["metadata"]["labels"] = {n: v for n, v in labels.items() if "perennial" in n or "app." in n}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": at, "spec": spec}


def objects_are_remade(stage: Stage, blind: Callable[[Any], None], seeing: Callable[[Any], None]) -> None:
    """All kinds in one gap: what was known of the old one is not taken for the new one's."""
    kubectl, namespace = stage.control_plane.kubectl, stage.namespace
    scene = Scene(stage)
    with Node(stage.control_plane, namespace, loss_by_seed):
        scene.has_version_1()
        create(stage, "TrainingJob", "solo", seeded(40))
        create(stage, "Deployment", "alone", serving(1))
        eventually(lambda: state_of(stage, "solo") == "Complete", "the TrainingJob ends")
    for name in ("deleted", "replaced"):
        create(stage, "TrainingJob", name, seeded(40))
    eventually(lambda: {"deleted", "replaced"} <= jobs(stage).keys(), "two trainings run")
    old = uids(stage)
    blind(scene)
    scene.story.spec = merged(scene.story.spec, {"training": {"hyperparameters": {"seed": 25}}})
    remade(stage, "lm", manifest("LanguageModel", "writer", scene.story.spec))
    remade(stage, "tj", manifest("TrainingJob", "solo", seeded(35)))
    remade(stage, "lmd", manifest("Deployment", "alone", serving(2)))
    replaced = jobs(stage)["replaced"]
    kubectl("delete", "job", "deleted", "replaced", "-n", namespace, "--timeout=60s")
    kubectl("create", "-f", "-", stdin=copied(replaced))
    own = uids(stage)["Job replaced"]
    seeing(scene)
    start = time.monotonic()
    with Node(stage.control_plane, namespace, loss_by_seed) as node:
        scene.story.wait(V1, 1)
        for name in ("solo", "deleted", "replaced"):
            eventually(lambda name=name: state_of(stage, name) == "Complete", f"{name} ends")
        eventually(lambda: ready_pods(stage, "alone") == 2, "two pods serve")
        stage.recovered(time.monotonic() - start)
        assert sorted(node.trained) == ["deleted", "replaced", "solo", "writer-v1"]
    now = uids(stage)
    assert now["Job replaced"] == own
    kept = {name for name in old.keys() & now.keys() if old[name] == now[name]}
    assert kept <= {f"{kind} {name}" for name in ("deleted", "replaced") for kind in ("TrainingJob",)} | {
        f"ConfigMap {name}-config" for name in ("deleted", "replaced")
    }
    assert loss_of(stage, "solo") == 3.5
    assert scene.story.status()["versions"][0]["metrics"]["loss"] == 2.5
    nothing_leaks(stage)


def state_of(stage: Stage, name: str) -> str:
    return str(training(stage, name).get("status", {}).get("state"))


def loss_of(stage: Stage, name: str) -> float:
    loss: float = training(stage, name)["status"]["result"]["metrics"]["loss"]
    return loss


def training(stage: Stage, name: str) -> Manifest:
    return listed(stage, OURS, f"trainingjobs/{name}")


def ready_pods(stage: Stage, name: str) -> int:
    deployment = listed(stage, "apps/v1", f"deployments/{name}")
    return int(deployment.get("status", {}).get("readyReplicas", 0))


def nothing_leaks(stage: Stage) -> None:
    """Each owner reference names an existing object."""
    objects = stage.control_plane.objects(stage.namespace, *CHILDREN, "v1/pods")
    uids_present = {o["metadata"]["uid"] for o in objects}
    owners = (f"{OURS}/languagemodels", f"{OURS}/trainingjobs", f"{OURS}/deployments", "apps/v1/replicasets")
    for plural in owners:  # ours with and without the label that children have
        version, _, name = plural.rpartition("/")
        uids_present |= {o["metadata"]["uid"] for o in listed(stage, version, name)["items"]}
    orphans = [
        f"{o['kind']} {o['metadata']['name']}"
        for o in objects
        for owner in o["metadata"].get("ownerReferences", ())
        if owner["uid"] not in uids_present
    ]
    assert not orphans


def objects_are_remade_while_watches_are_late(stage: Stage) -> None:
    objects_are_remade(stage, lambda s: s.proxy.hold_watches(), lambda s: s.proxy.release_watches())


def objects_are_remade_before_a_410(stage: Stage) -> None:
    def seeing(scene: Scene) -> None:
        scene.proxy.cut_watches(gone=True)
        scene.proxy.release_watches()

    objects_are_remade(stage, lambda s: s.proxy.hold_watches(), seeing)


def objects_are_remade_while_no_operator_runs(stage: Stage) -> None:
    objects_are_remade(stage, lambda s: s.operator.kill(), lambda s: s.operator.start())


# --- watches that fail


def watches_fall_silent(stage: Stage) -> None:
    """They stay open and bring nothing; the probe tells it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    scene = ServedScene(stage, "--lease-namespace", stage.namespace, "--metrics-port", port)
    eventually(lambda: health(port) == "ok", "it is healthy")
    scene.proxy.silence_watches()
    start = time.monotonic()
    scene.story.train(2.5)
    eventually(lambda: health(port) != "ok", "the probe tells it", 70)
    stage.recovered(time.monotonic() - start, "until the liveness probe tells it")
    scene.recovers(start)
    eventually(lambda: health(port) == "ok", "it is healthy again", 70)


def health(port: str) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()


def watches_are_cut_again_and_again(stage: Stage) -> None:
    scene = ServedScene(stage)
    start = time.monotonic()
    scene.story.train(2.5)
    while time.monotonic() - start < 10:
        scene.proxy.cut_watches()
        time.sleep(0.3)
    scene.recovers(start, "of which they are cut for 10 s")


def watches_end_with_410_again_and_again(stage: Stage) -> None:
    scene = ServedScene(stage)
    start = time.monotonic()
    scene.story.train(2.5)
    while time.monotonic() - start < 10:
        scene.proxy.cut_watches(gone=True)
        time.sleep(0.5)
    scene.recovers(start, "of which they end for 10 s")


def watches_are_refused(stage: Stage, refusal: Fault) -> None:
    """For 10 s none can be opened; the process goes on, or a kubelet starts it again."""
    scene = ServedScene(stage)
    with stage.kubelet(scene.operator) as kubelet:
        scene.proxy.rule = lambda request: refusal if request.is_watch else None
        scene.proxy.cut_watches()
        start = time.monotonic()
        scene.story.train(2.5)
        time.sleep(10)
        scene.proxy.rule = lambda request: None
        scene.recovers(start, f"of which they are refused for 10 s; restarts: {kubelet.restarts}")


def watches_are_refused_with_410(stage: Stage) -> None:
    watches_are_refused(stage, Answer(410, "Expired"))


def watches_are_refused_with_403(stage: Stage) -> None:
    watches_are_refused(stage, Answer(403, "Forbidden"))


def watches_are_refused_with_429(stage: Stage) -> None:
    watches_are_refused(stage, Answer(429, "TooManyRequests", retry_after=2))


def watches_are_refused_with_500(stage: Stage) -> None:
    watches_are_refused(stage, Answer(500, "InternalError"))


# --- a server that is slow or away


def every_answer_takes_one_or_two_seconds(stage: Stage) -> None:
    scene, dice = ServedScene(stage), random.Random(4)
    scene.proxy.rule = lambda request: Delay(dice.uniform(1, 2))
    start = time.monotonic()
    scene.story.train(2.5)
    scene.recovers(start)
    scene.proxy.rule = lambda request: None
    assert "lost the Lease" not in scene.operator.log


def the_server_is_away(stage: Stage, seconds: float) -> int:
    """Returns how often the process had to be started again."""
    scene = ServedScene(stage)
    with stage.kubelet(scene.operator) as kubelet:
        scene.proxy.rule = lambda request: Unreachable()
        scene.proxy.cut_watches()
        scene.story.train(2.5)
        time.sleep(seconds)
        scene.proxy.rule = lambda request: None
        scene.recovers(time.monotonic(), f"restarts: {kubelet.restarts}")
        assert "can't be reached" in scene.operator.log or "failed to read or write the Lease" in scene.operator.log
        return kubelet.restarts


def the_server_is_away_for_4_s(stage: Stage) -> None:
    assert the_server_is_away(stage, 4) == 0


def the_server_is_away_for_20_s(stage: Stage) -> None:
    assert the_server_is_away(stage, 20) > 0  # the Lease is lost, as another replica could have it by now


# --- two at once


def played(stage: Stage, *, at_1: Callable[[], None], at_2: Callable[[], None]) -> Callable[[], Any]:
    """Version 1, 2 and a refused 3; returns what says what is there."""
    story, node = stage.story(), stage.node()
    story.train(3.0)
    story.wait(V1, 1)
    at_1()
    story.train(2.5)
    story.wait(V2, 2)
    at_2()
    story.train(2.9)
    story.wait({2: "Accepted", 3: "Refused"}, 2)  # keep: 2
    time.sleep(3)
    assert node.trained == ["writer-v1", "writer-v2", "writer-v3"]
    return lambda: end_state(story)


def two_work_at_once_and_one_sees_the_past(stage: Stage) -> None:
    """Each has a Lease of its own. One sees nothing new from version 1 on, and starts again with an old list."""
    proxy = stage.proxy()
    late = stage.operator(proxy.control_plane).start()
    stage.operator(stage.control_plane).start()

    def restart() -> None:
        late.kill()
        proxy.rule = lambda request: Stale(version) if request.is_list else None
        late.start()

    version = ""

    def hold() -> None:
        nonlocal version
        version = version_of_the_cluster(stage)
        proxy.hold_watches()

    found = played(stage, at_1=hold, at_2=restart)
    with Stage(stage.control_plane, stage.folder / "alone", stage.title) as alone:
        alone.operator(stage.control_plane).start()
        clean = played(alone, at_1=lambda: None, at_2=lambda: None)()
    assert not differences(clean, found())
    before = uids(stage)
    proxy.rule = lambda request: None
    proxy.release_watches()
    time.sleep(5)
    assert (uids(stage), differences(clean, found())) == (before, [])


CASES: list[Case] = [
    watches_fall_silent,
    lists_show_the_past_after_a_restart,
    objects_are_remade_while_watches_are_late,
    objects_are_remade_before_a_410,
    objects_are_remade_while_no_operator_runs,
    two_work_at_once_and_one_sees_the_past,
    watches_are_cut_again_and_again,
    watches_end_with_410_again_and_again,
    watches_are_refused_with_403,
    watches_are_refused_with_410,
    watches_are_refused_with_429,
    watches_are_refused_with_500,
    every_answer_takes_one_or_two_seconds,
    the_server_is_away_for_4_s,
    the_server_is_away_for_20_s,
]
AT_ONCE = 8


@pytest.mark.parametrize("case", CASES, ids=title)
def test_views(case: Case, outcomes: dict[Case, "Future[None]"]) -> None:
    outcomes[case].result(240)
