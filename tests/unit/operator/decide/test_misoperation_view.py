"""The fuzz compares objects without counts and numbers of versions, wherever the operator writes one."""

from perennial.decide.deployment.decide import decide
from perennial.decide.deployment.observed import Observed
from perennial_testing.misoperation.view import countless, differences, numberless
from perennial_testing.specs.api_objects import DEFAULTS, NOW, deployment


def test_what_a_version_is_served_by_is_the_same_without_its_number() -> None:
    first, third = (
        numberless(decide(deployment(model={"version": number}), Observed(DEFAULTS), NOW).apply) for number in (1, 3)
    )
    assert first == third


def test_a_message_is_the_same_without_its_counts() -> None:
    one, several = "Rolling out version 1: 1 pod updated, 0 ready.", "Rolling out version 3: 2 pods updated, 1 ready."
    assert countless(one) == countless(several)
    assert countless(one) != countless("Version 1 is ready on 1 replica.")


def test_an_object_that_never_began_differs_from_one_that_did() -> None:
    assert differences({"fingerprint": "a", "run": "b", "is trained": True}, {}) == [
        'fingerprint:\n  played "a"\n  fresh  null',
    ]
