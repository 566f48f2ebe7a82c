"""Whom a change concerns."""

import pytest

from perennial.kube.keys import Key, concerned

OURS = "perennial.dev/v1alpha1"
OWNED = [{"apiVersion": OURS, "kind": "LanguageModel", "name": "lm", "uid": "1"}]


@pytest.mark.parametrize(
    ("api_version", "kind", "metadata", "expected"),
    [
        (OURS, "LanguageModel", {}, {Key("LanguageModel", "demo", "x")}),
        (
            OURS, "TrainingJob", {"ownerReferences": OWNED},
            {Key("TrainingJob", "demo", "x"), Key("LanguageModel", "demo", "lm")},
        ),
        (
            "batch/v1", "Job", {"labels": {"perennial.dev/owner-kind": "TrainingJob", "perennial.dev/owner-name": "t"}},
            {Key("TrainingJob", "demo", "t")},
        ),
        ("v1", "Pod", {"labels": {"perennial.dev/training-job": "t"}}, {Key("TrainingJob", "demo", "t")}),
        ("v1", "Pod", {"labels": {"perennial.dev/deployment": "d"}}, {Key("Deployment", "demo", "d")}),
        ("apps/v1", "Deployment", {}, set()),
        ("v1", "Service", {"labels": {"perennial.dev/owner-kind": "Other", "perennial.dev/owner-name": "t"}}, set()),
        ("v1", "Service", {"ownerReferences": [OWNED[0] | {"apiVersion": "apps/v1"}]}, set()),
    ],
)  # fmt: skip
def test_a_change_concerns_the_object_itself_and_its_owners(api_version, kind, metadata, expected):
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "namespace": "demo"} | metadata}
    assert concerned(manifest) == expected
