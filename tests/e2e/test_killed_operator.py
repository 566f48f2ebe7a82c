"""Kill -9 of the operator at random moments of the story: the same end, the same number of everything."""

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from perennial_testing.pods.manifests import BETTER, WORSE, small_model
from perennial_testing.pods.waits import apply
from playground import language_models as lm
from playground.clusters import Chosen
from playground.commands import Kubectl

# tests/faults kills the operator at each of its writes; this takes minutes in which nothing else can be tested.
pytestmark = pytest.mark.long
MODEL = "small"
KILLS = 20


def story(kubectl: Kubectl) -> dict[str, Any]:
    """Version 1 served, version 2 better, version 3 refused; returns what is there in the end."""
    apply(kubectl, small_model())
    lm.follow(kubectl, MODEL, 1)
    lm.wait_ready(kubectl, MODEL, 1)
    lm.train(kubectl, MODEL, BETTER)
    lm.follow(kubectl, MODEL, 2)
    lm.wait_ready(kubectl, MODEL, 2)
    lm.train(kubectl, MODEL, WORSE)
    lm.follow(kubectl, MODEL, 3)
    return end_state(kubectl)


def end_state(kubectl: Kubectl) -> dict[str, Any]:
    status = lm.wait_ready(kubectl, MODEL, 2)["status"]
    return {
        "versions": [(v["number"], v["state"], v["trigger"], v["metrics"]) for v in status["versions"]],
        "decisions": [(d["reason"], d["rule"], d["observed"], d["outcome"]) for d in status["decisions"]],
        "conditions": [(c["type"], c["status"], c["reason"]) for c in status["conditions"]],
    } | {
        kind: sorted(kubectl("get", kind, "-o", "name").split())
        for kind in ("trainingjobs", "jobs", "deployments.perennial.dev", "deployments.apps", "services", "configmaps")
    }


def test_twenty_kills_change_nothing_of_the_end(new_namespace: Callable[[str], Kubectl], playground: Chosen) -> None:
    quiet = story(new_namespace("undisturbed"))
    system, done, kills = playground.client("perennial-system"), threading.Event(), []
    dice = random.Random(20)

    def kill() -> None:
        while len(kills) < KILLS and not done.wait(dice.uniform(1, 8)):
            pods = system("get", "pods", "-l", "app.kubernetes.io/name=perennial", "-o", "name", check=False).split()
            if pods:
                # Without grace the kubelet sends SIGKILL at once.
                system("delete", *pods, "--grace-period=0", "--force", "--wait=false", check=False)
                kills.append(pods)

    killer = threading.Thread(target=kill)
    kubectl = new_namespace("disturbed")
    killer.start()
    try:
        story(kubectl)
        killer.join(timeout=240)
    finally:
        done.set()
        killer.join()
    assert len(kills) == KILLS
    assert end_state(kubectl) == quiet
