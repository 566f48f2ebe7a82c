"""When a training ends before its last step."""

from collections.abc import Sequence

from perennial_contract.job import EarlyStopping


def has_stalled(losses: Sequence[float], rule: EarlyStopping) -> bool:
    """True once `patience` evaluations in a row were not better than the best before by more than `min_improvement`."""
    best, waited = float("inf"), 0
    for loss in losses:
        better = loss < best - rule.min_improvement
        best, waited = (loss, 0) if better else (best, waited + 1)
    return waited >= rule.patience
