"""How a change of the operator's defaults reaches pods that serve."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from perennial.decide.defaults import Defaults, PodDefaults, ServingRollout
from perennial.decide.deployment import needs
from perennial.decide.deployment.decide import decide
from perennial.decide.deployment.observed import Observed
from perennial.decide.deployment.update import follows_defaults
from perennial.decide.kube import AppsView
from perennial.decide.outcome import Manifest, Outcome
from perennial_testing.specs.api_objects import DEFAULTS, NOW, after, deployment

COMPLETE = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
ROLLING = COMPLETE | {"reason": "ReplicaSetUpdated"}
OTHER_IMAGE = replace(DEFAULTS, serving_image="serving:2")
OTHER_PODS = replace(DEFAULTS, pods=PodDefaults(labels={"team": "ml"}))


def apps(outcome: Outcome, progress: dict[str, Any] = COMPLETE, generation: int = 1) -> AppsView:
    """The applied apps/v1 Deployment as the server has it; its controller has observed the first generation."""
    manifest = outcome.apply[0]
    number = manifest["spec"]["replicas"]
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), number)
    status = {"observedGeneration": 1, "conditions": [progress]} | counts
    at = manifest["metadata"] | {"generation": generation}
    return AppsView.of(manifest | {"metadata": at, "status": status})


def built(defaults: Defaults = DEFAULTS, progress: dict[str, Any] = COMPLETE, **spec: Any) -> AppsView:
    """What serves this spec under these defaults."""
    return apps(decide(deployment(**spec), Observed(defaults), NOW), progress)


def image(outcome: Outcome) -> str:
    return str(outcome.apply[0]["spec"]["template"]["spec"]["containers"][0]["image"])


def up_to_date(outcome: Outcome) -> tuple[str, str]:
    return next((c.status, c.reason) for c in outcome.status.conditions if c.type == "UpToDate")


@dataclass(frozen=True)
class Case:
    """What serves and has rolled out, the defaults of now, and the image that is applied."""

    image: str
    reason: str = "UpToDate"
    defaults: Defaults = OTHER_IMAGE
    policy: Any = "All"
    has_turn: bool = False
    before: AppsView | None = field(default_factory=built)
    spec: dict[str, Any] = field(default_factory=dict)


OWN = {"runtime": {"image": "own:1"}}
CASES = {
    "Its turn has come": Case("serving:2", has_turn=True),
    "It waits for its turn": Case("serving:1", "UpdateWaiting"),
    "Only new versions follow": Case("serving:1", "UpdateHeld", policy="NewVersionsOnly"),
    "Another version follows at once": Case(
        "serving:2", policy="NewVersionsOnly", spec={"model": {"version": 3, "uri": "pvc://models/demo/v3"}}
    ),
    "Another spec of the pods follows at once": Case(
        "serving:2", policy="NewVersionsOnly", spec={"pod": {"labels": {"a": "b"}}}
    ),
    "Another number of replicas is no other spec of the pods": Case(
        "serving:1", "UpdateHeld", policy="NewVersionsOnly", spec={"replicas": 2}
    ),
    "An image of its own is not concerned": Case("own:1", policy="NewVersionsOnly", before=built(**OWN), spec=OWN),
    "Another image of its own is never held": Case(
        "own:2", policy="NewVersionsOnly", before=built(**OWN), spec={"runtime": {"image": "own:2"}}
    ),
    "The same defaults as before": Case("serving:1", defaults=DEFAULTS),
    "Other defaults of all pods count as well": Case("serving:1", "UpdateWaiting", defaults=OTHER_PODS),
    "Pods that have never been ready follow the image that may mend them": Case(
        "serving:2", policy="NewVersionsOnly", before=built(progress=ROLLING)
    ),
    "A deleted apps/v1 Deployment comes back with the defaults of now": Case(
        "serving:2", policy="NewVersionsOnly", before=None
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_which_image_serves_after_a_change_of_the_defaults(case: Case) -> None:
    observed = Observed(
        replace(case.defaults, rollout=ServingRollout(case.policy)), apps=case.before, has_turn=case.has_turn
    )
    outcome = decide(deployment(**case.spec), observed, NOW)
    assert image(outcome) == case.image
    assert up_to_date(outcome) == (str(case.reason == "UpToDate"), case.reason)
    assert [event.reason for event in outcome.events if event.reason.startswith("Update")] == (
        [] if case.reason == "UpToDate" else [case.reason]
    )


def test_pods_that_wait_keep_all_of_their_template_and_are_looked_at_again() -> None:
    before = built()
    waiting = decide(deployment(), Observed(replace(OTHER_PODS, serving_image="serving:2"), apps=before), NOW)
    assert waiting.apply[0]["spec"]["template"] == before.template
    assert waiting.again_at == after(seconds=30)
    again = decide(deployment(), Observed(OTHER_IMAGE, apps=apps(waiting)), NOW)
    assert again.apply[0] == waiting.apply[0]


def test_a_change_that_is_taken_back_is_waited_for_no_longer() -> None:
    waiting = decide(deployment(), Observed(OTHER_IMAGE, apps=built()), NOW)
    back = decide(deployment(), Observed(DEFAULTS, apps=apps(waiting)), NOW)
    assert (image(back), up_to_date(back)) == ("serving:1", ("True", "UpToDate"))


def test_a_template_that_someone_edits_is_mended_unless_it_is_held() -> None:
    before = built()
    edited: Manifest = before.template | {"metadata": {"labels": {}}}
    mended = decide(deployment(), Observed(DEFAULTS, apps=replace(before, template=edited)), NOW)
    assert mended.apply[0]["spec"]["template"] == before.template


def test_who_rolls_out_a_change_of_the_defaults_is_seen_until_all_of_its_pods_are_available() -> None:
    follower = decide(deployment(), Observed(OTHER_IMAGE, apps=built(), has_turn=True), NOW)
    assert follows_defaults(apps(follower, generation=2)), "not observed yet by the controller of apps/v1"
    assert follows_defaults(apps(follower, ROLLING))
    assert not follows_defaults(apps(follower))
    assert not follows_defaults(built(progress=ROLLING)), "a new Deployment"
    stuck = decide(deployment(), Observed(DEFAULTS, apps=apps(follower, ROLLING)), NOW)
    assert follows_defaults(apps(stuck, ROLLING)), "the way back of a wrong image"
    assert not follows_defaults(apps(decide(deployment(**OWN), Observed(OTHER_IMAGE, apps=apps(stuck)), NOW), ROLLING))


@pytest.mark.parametrize(
    ("policy", "defaults", "needed"),
    [("All", OTHER_IMAGE, True), ("All", DEFAULTS, False), ("NewVersionsOnly", OTHER_IMAGE, False)],
)
def test_the_others_are_counted_only_if_it_matters(policy: Any, defaults: Defaults, needed: bool) -> None:
    observed = Observed(replace(defaults, rollout=ServingRollout(policy)), apps=built())
    assert needs.turn(deployment(), observed) == needed


def test_defaults_of_the_api_that_are_spelled_out_are_no_change() -> None:
    spelled = deployment(runtime={"name": "transformers", "resources": {}}, pod={})
    assert image(decide(spelled, Observed(OTHER_IMAGE, apps=built()), NOW)) == "serving:1"
