"""Each state of an object as GitOps tools take it: by kstatus, as Flux, and by the chart's health script for Argo CD.

The states are those of the tests of the three kinds.
"""

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perennial.api import KINDS
from perennial.api.kind import Kind
from perennial.api.status import UNOBSERVED, Status
from perennial.decide.deployment.decide import decide as decide_deployment
from perennial.decide.labels import API_VERSION
from perennial.decide.language_model.decide import decide as decide_language_model
from perennial.decide.outcome import Manifest
from perennial.decide.training_job.decide import decide as decide_training_job
from perennial.loop.refusals import refused_status, unreadable_status
from perennial_testing.gitops.verdicts import Verdict, verdicts
from perennial_testing.specs.api_objects import NOW, deployment, language_model, training_job

# What kstatus and Argo CD say, by the conditions that are true; the first match decides.
EXPECTED = {
    "Stalled": ("Failed", "Degraded"),
    "Reconciling": ("InProgress", "Progressing"),
    "Ready": ("Current", "Healthy"),
    # It waits for a person, and nothing is served: kstatus has no word for that.
    "": ("InProgress", "Suspended"),
}


def cases(name: str) -> dict[str, Any]:
    """What a module of tests beside this one defines."""
    return runpy.run_path(str(Path(__file__).with_name(f"{name}.py")))


def manifest(obj: Kind, status: Status) -> Manifest:
    """The object as the API server has it."""
    at = {"name": obj.metadata.name, "namespace": "demo", "generation": obj.metadata.generation}
    return {"apiVersion": API_VERSION, "kind": obj.KIND, "metadata": at, "status": status.to_wire()}


def decided() -> Iterator[tuple[str, Manifest]]:
    models = cases("test_decide_reconciling")
    for name, case in models["CASES"].items():
        model = models["model"](case)
        yield name, manifest(model, decide_language_model(model, models["observed"](case), NOW).status)
    for name, case in cases("test_decide_training_job")["STATES"].items():
        yield name, manifest(case.job, decide_training_job(case.job, case.observed, NOW).status)
    for name, case in cases("test_decide_deployment")["STATES"].items():
        yield name, manifest(case.deployment, decide_deployment(case.deployment, case.observed, NOW).status)
    for obj in (language_model(), training_job(), deployment()):
        yield f"a child of a {obj.KIND} is refused", manifest(obj, refused(obj))


def refused(obj: Kind) -> Status:
    return refused_status(obj, obj.status.model_copy(update={"observed_generation": 1}), "no", NOW)


def conditions(document: Manifest) -> dict[str, dict[str, str]]:
    return {each["type"]: each for each in document["status"]["conditions"]}


def decisive(document: Manifest) -> str:
    return next(type_ for type_ in EXPECTED if not type_ or conditions(document)[type_]["status"] == "True")


def test_every_state_is_taken_for_what_it_is() -> None:
    names, documents = zip(*decided(), strict=True)
    for name, document, said in zip(names, documents, verdicts(documents), strict=True):
        assert (said.kstatus, said.health) == EXPECTED[decisive(document)], (document["kind"], name)
        shown = conditions(document)[decisive(document) or "Ready"]
        assert said.health_message == f"{shown['reason']}: {shown['message']}"
    occurring = {(document["kind"], decisive(document)) for document in documents}
    assert occurring == {(kind.KIND, type_) for kind in KINDS for type_ in EXPECTED} - {("Deployment", "")}


WAITED_FOR = {
    "a retraining": "Current",
    "a retry of a retraining": "Current",
    "a changed spec awaits approval": "Current",
    "a changed spec is suspended": "Current",
    "the training of a changed spec": "InProgress",
    "the rollout of a promoted version": "InProgress",
    "the first version awaits approval": "InProgress",
}


def test_flux_waits_for_what_the_spec_asks_for_and_not_for_a_retraining() -> None:
    states = dict(decided())
    said = verdicts([states[name] for name in WAITED_FOR])
    assert [each.kstatus for each in said] == list(WAITED_FOR.values())


def verdict(document: Manifest) -> Verdict:
    (only,) = verdicts([document])
    return only


@pytest.mark.parametrize("kind", [language_model, training_job, deployment])
def test_a_spec_that_the_operator_has_not_observed_is_in_progress(kind: Any) -> None:
    obj = kind()
    new = manifest(obj, obj.status) | {"status": UNOBSERVED}
    assert (verdict(new).kstatus, verdict(new).health) == ("InProgress", "Progressing")
    changed = manifest(obj, refused(obj))
    changed["metadata"]["generation"] = 2
    assert (verdict(changed).kstatus, verdict(changed).health) == ("InProgress", "Progressing")


def test_an_object_that_is_being_deleted_is_terminating() -> None:
    going = manifest(training_job(), training_job().status)
    going["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    assert verdict(going).kstatus == "Terminating"


@pytest.mark.parametrize("before", [UNOBSERVED, {"observedGeneration": 1}])
def test_an_object_that_the_operator_cannot_read_has_failed(before: dict[str, Any]) -> None:
    stored = manifest(language_model(), language_model().status) | {"status": before}
    stored["metadata"] |= {"uid": "u", "resourceVersion": "7", "generation": 2}
    body = unreadable_status(stored, "spec.model: field required", NOW)
    assert body
    said = verdict(stored | {"status": before | body["status"]})
    assert (said.kstatus, said.health) == ("Failed", "Degraded")
