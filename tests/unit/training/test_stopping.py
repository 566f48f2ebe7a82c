"""Early stopping as a table of loss curves."""

import pytest

from perennial_contract.job import EarlyStopping
from perennial_training.fitting.stopping import has_stalled


@pytest.mark.parametrize(
    ("why", "losses", "patience", "min_improvement", "stalled"),
    [
        ("nothing seen yet", [], 1, 0.0, False),
        ("the first is always better than nothing", [5.0], 1, 0.0, False),
        ("getting better", [5.0, 4.0, 3.0], 1, 0.0, False),
        ("once worse, patience one", [5.0, 5.1], 1, 0.0, True),
        ("once worse, patience two", [5.0, 5.1], 2, 0.0, False),
        ("equal is not better", [5.0, 5.0, 5.0], 2, 0.0, True),
        ("recovered in time", [5.0, 5.1, 4.9], 2, 0.0, False),
        ("a little better is too little", [5.0, 4.99, 4.98], 2, 0.1, True),
        ("little by little is measured from the last real gain", [5.0, 4.94, 4.88], 2, 0.1, False),
    ],
)
def test_stopping(why, losses, patience, min_improvement, stalled):
    assert has_stalled(losses, EarlyStopping(patience=patience, min_improvement=min_improvement)) is stalled, why
