"""Whether a version is good enough: one row per gate."""

from dataclasses import dataclass, field

import pytest

from perennial.api.language_model import Gate
from perennial.decide.language_model.gates import judge
from perennial_contract.result import Result
from perennial_testing.specs.api_objects import result

LOSS = {"metric": "loss"}


def better(by: float) -> dict[str, object]:
    return LOSS | {"betterThanServed": {"by": by}}


def against(loss: float) -> dict[str, object]:
    return {"comparison": {"version": 1, "metrics": {"loss": loss}}}


@dataclass(frozen=True)
class Case:
    """The gates, fields of a result with a loss of 2, and the judgement."""

    gates: list[dict[str, object]]
    passes: bool
    observed: str
    result: dict[str, object] = field(default_factory=dict)
    served: int | None = None


GATES = {
    "No gate": Case([], passes=True, observed="loss 2; perplexity 7.4"),
    "At the upper bound": Case([LOSS | {"max": 2.0}], passes=True, observed="loss 2"),
    "Over the upper bound": Case([LOSS | {"max": 1.9}], passes=False, observed="loss 2"),
    "At the lower bound": Case([LOSS | {"min": 2.0}], passes=True, observed="loss 2"),
    "Under the lower bound": Case([LOSS | {"min": 2.1}], passes=False, observed="loss 2"),
    "A bound of zero counts": Case([LOSS | {"max": 0.0}], passes=False, observed="loss 2"),
    "A metric that was not measured": Case(
        [LOSS | {"max": 9}], result={"metrics": {}}, passes=False, observed="loss was not measured"
    ),
    "Only the missed gate of two is told": Case(
        [LOSS | {"max": 9}, LOSS | {"max": 1}], passes=False, observed="loss 2"
    ),
    "Nothing served to be better than": Case([better(0.05)], passes=True, observed="no version was in service"),
    "Better than the served one by enough": Case(
        [better(0.05)], result=against(2.2), served=1, passes=True, observed="loss 2 against 2.2 of v1"
    ),
    "Better by exactly what is asked for": Case(
        [better(0.5)], result=against(4.0), served=1, passes=True, observed="loss 2 against 4 of v1"
    ),
    "Better, but not by enough": Case(
        [better(0.1)], result=against(2.2), served=1, passes=False, observed="loss 2 against 2.2 of v1"
    ),
    "As good is not better": Case(
        [better(0.0)], result=against(2.0), served=1, passes=False, observed="loss 2 against 2 of v1"
    ),
    "Worse": Case([better(0.0)], result=against(1.9), served=1, passes=False, observed="loss 2 against 1.9 of v1"),
    "The served one was not judged": Case(
        [better(0.0)],
        served=1,
        passes=False,
        observed="loss of v1 was not measured; pin this version to serve it all the same, or train again",
    ),
    "The served one could not be judged": Case(
        [LOSS | {"max": 9}, better(0.0)],
        result={"comparison": {"version": 1, "message": "pvc://models/v1 doesn't exist"}},
        served=1,
        passes=False,
        observed="loss of v1 was not measured: pvc://models/v1 doesn't exist; pin this version to serve it all the "
        "same, or restore v1 and train again",
    ),
    "What could not be judged matters to no other gate": Case(
        [LOSS | {"max": 9}],
        result={"comparison": {"version": 1, "message": "pvc://models/v1 doesn't exist"}},
        served=1,
        passes=True,
        observed="loss 2",
    ),
    "The served one was judged by other metrics": Case(
        [better(0.0)],
        result={"comparison": {"version": 1, "metrics": {"perplexity": 9}}},
        served=1,
        passes=False,
        observed="not measured",
    ),
}


@pytest.mark.parametrize("case", GATES.values(), ids=GATES)
def test_gate(case: Case) -> None:
    gates = [Gate.model_validate(gate) for gate in case.gates]
    measured = Result.model_validate(result() | case.result)
    judgement = judge(gates, measured.metrics, measured.comparison, case.served)
    assert judgement.passed == case.passes
    assert case.observed in judgement.observed
    assert len(judgement.rule.split("; ")) == max(1, len(gates) if case.passes else 1)
