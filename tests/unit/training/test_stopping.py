"""Early stopping as a table of loss curves."""

from dataclasses import dataclass

import pytest

from perennial_contract.job import EarlyStopping
from perennial_training.fitting.stopping import has_stalled


@dataclass(frozen=True)
class Case:
    """The losses so far, the rule, and whether the training has stalled."""

    losses: list[float]
    patience: int
    stalled: bool
    min_improvement: float = 0.0


CURVES = {
    "nothing seen yet": Case([], patience=1, stalled=False),
    "the first is always better than nothing": Case([5.0], patience=1, stalled=False),
    "getting better": Case([5.0, 4.0, 3.0], patience=1, stalled=False),
    "once worse, patience one": Case([5.0, 5.1], patience=1, stalled=True),
    "once worse, patience two": Case([5.0, 5.1], patience=2, stalled=False),
    "equal is not better": Case([5.0, 5.0, 5.0], patience=2, stalled=True),
    "recovered in time": Case([5.0, 5.1, 4.9], patience=2, stalled=False),
    "a little better is too little": Case([5.0, 4.99, 4.98], patience=2, min_improvement=0.1, stalled=True),
    "little by little is measured from the last real gain": Case(
        [5.0, 4.94, 4.88], patience=2, min_improvement=0.1, stalled=False
    ),
}


@pytest.mark.parametrize("case", CURVES.values(), ids=CURVES)
def test_stopping(case):
    rule = EarlyStopping(patience=case.patience, min_improvement=case.min_improvement)
    assert has_stalled(case.losses, rule) is case.stalled
