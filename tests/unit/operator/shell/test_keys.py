"""Which objects are reconciled after a change of another one."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from perennial.kube.keys import Key, affected

OURS = "perennial.dev/v1alpha1"
MODEL_OWNER = {"apiVersion": OURS, "kind": "LanguageModel", "name": "lm", "uid": "1"}


@dataclass(frozen=True)
class Change:
    """A changed object named `x` in the namespace `demo`, and the keys that it affects."""

    api_version: str
    kind: str
    keys: set[Key]
    labels: dict[str, str] = field(default_factory=dict)
    owners: list[dict[str, str]] = field(default_factory=list)

    def manifest(self) -> dict[str, Any]:
        at = {"name": "x", "namespace": "demo", "labels": self.labels, "ownerReferences": self.owners}
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": at}


CHANGES = {
    "our object affects itself": Change(OURS, "LanguageModel", keys={Key("LanguageModel", "demo", "x")}),
    "our object affects its owner as well": Change(
        OURS,
        "TrainingJob",
        owners=[MODEL_OWNER],
        keys={Key("TrainingJob", "demo", "x"), Key("LanguageModel", "demo", "lm")},
    ),
    "a child affects the owner in its labels": Change(
        "batch/v1",
        "Job",
        labels={"perennial.dev/owner-kind": "TrainingJob", "perennial.dev/owner-name": "t"},
        keys={Key("TrainingJob", "demo", "t")},
    ),
    "a training pod affects its TrainingJob": Change(
        "v1", "Pod", labels={"perennial.dev/training-job": "t"}, keys={Key("TrainingJob", "demo", "t")}
    ),
    "a serving pod affects its Deployment": Change(
        "v1", "Pod", labels={"perennial.dev/deployment": "d"}, keys={Key("Deployment", "demo", "d")}
    ),
    "an apps/v1 Deployment is not ours": Change("apps/v1", "Deployment", keys=set()),
    "a label with a foreign kind affects nothing": Change(
        "v1", "Service", labels={"perennial.dev/owner-kind": "Other", "perennial.dev/owner-name": "t"}, keys=set()
    ),
    "an owner of a foreign API group affects nothing": Change(
        "v1", "Service", owners=[MODEL_OWNER | {"apiVersion": "apps/v1"}], keys=set()
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_affects_the_object_itself_and_its_owners(name: str) -> None:
    change = CHANGES[name]
    assert affected(change.manifest()) == change.keys


def test_an_object_without_labels_is_accepted() -> None:
    manifest = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x", "namespace": "demo"}}
    assert affected(manifest) == set()
