"""The fuzz compares objects without the numbers of versions: wherever the operator writes one, it must be left out."""

from perennial.decide.deployment.decide import decide
from perennial.decide.deployment.observed import Observed
from perennial_testing.misoperation.view import numberless
from perennial_testing.specs.api_objects import DEFAULTS, NOW, deployment


def test_what_a_version_is_served_by_is_the_same_without_its_number() -> None:
    first, third = (
        numberless(decide(deployment(model={"version": number}), Observed(DEFAULTS), NOW).apply) for number in (1, 3)
    )
    assert first == third
