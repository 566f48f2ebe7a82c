"""Whether a version is good enough: one row per gate."""

import pytest
from given import result

from perennial.api.language_model import Gate
from perennial.decide.language_model.gates import judge
from perennial_contract.result import Result

LOSS = {"metric": "loss"}


def better(by: float) -> dict[str, object]:
    return LOSS | {"betterThanServed": {"by": by}}


def against(loss: float) -> dict[str, object]:
    return {"comparison": {"version": 1, "metrics": {"loss": loss}}}


# gates; what the run left beside a loss of 2; the served version; whether it passes, and a part of what is told.
GATES = {
    "No gate": ([], {}, None, True, "loss 2; perplexity 7.4"),
    "At the upper bound": ([LOSS | {"max": 2.0}], {}, None, True, "loss 2"),
    "Over the upper bound": ([LOSS | {"max": 1.9}], {}, None, False, "loss 2"),
    "At the lower bound": ([LOSS | {"min": 2.0}], {}, None, True, "loss 2"),
    "Under the lower bound": ([LOSS | {"min": 2.1}], {}, None, False, "loss 2"),
    "A bound of zero counts": ([LOSS | {"max": 0.0}], {}, None, False, "loss 2"),
    "A metric that was not measured": ([LOSS | {"max": 9}], {"metrics": {}}, None, False, "loss was not measured"),
    "Only the missed gate of two is told": ([LOSS | {"max": 9}, LOSS | {"max": 1}], {}, None, False, "loss 2"),
    "Nothing served to be better than": ([better(0.05)], {}, None, True, "no version was in service"),
    "Better than the served one by enough": ([better(0.05)], against(2.2), 1, True, "loss 2 against 2.2 of v1"),
    "Better by exactly what is asked for": ([better(0.5)], against(4.0), 1, True, "loss 2 against 4 of v1"),
    "Better, but not by enough": ([better(0.1)], against(2.2), 1, False, "loss 2 against 2.2 of v1"),
    "As good is not better": ([better(0.0)], against(2.0), 1, False, "loss 2 against 2 of v1"),
    "Worse": ([better(0.0)], against(1.9), 1, False, "loss 2 against 1.9 of v1"),
    "The served one was not judged": ([better(0.0)], {}, 1, False, "loss of v1 was not measured"),
    "The served one was judged by other metrics": (
        [better(0.0)], {"comparison": {"version": 1, "metrics": {"perplexity": 9}}}, 1, False, "not measured",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", GATES)
def test_gate(case: str) -> None:
    gates, left, served, passes, told = GATES[case]
    judgement = judge([Gate.model_validate(g) for g in gates], Result.model_validate(result() | left), served)
    assert judgement.passed == passes
    assert told in judgement.observed
    assert len(judgement.rule.split("; ")) == max(1, len(gates) if passes else 1)
