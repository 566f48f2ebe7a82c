"""Whether a version is good enough to be served."""

from dataclasses import dataclass

from perennial.api.common import fraction
from perennial.api.language_model import Gate
from perennial.api.training_job import Result
from perennial_contract.tasks import METRICS


@dataclass(frozen=True)
class Judgement:
    """Which gates were looked at, what was found, and whether all were passed."""

    passed: bool
    rule: str
    observed: str


def judge(gates: list[Gate], result: Result, served: int | None) -> Judgement:
    """Judges a trained version; served is the number of the version that was in service when it was started."""
    checks = [_check(gate, result, served) for gate in gates]
    missed = [check for check in checks if not check.passed]
    told = missed or checks
    if not told:
        return Judgement(True, "no gates", "; ".join(f"{name} {value:g}" for name, value in result.metrics.items()))
    return Judgement(not missed, "; ".join(c.rule for c in told), "; ".join(c.observed for c in told))


def _check(gate: Gate, result: Result, served: int | None) -> Judgement:
    value = result.metrics.get(gate.metric)
    if value is None:
        return Judgement(False, f"gate on {gate.metric}", f"{gate.metric} was not measured")
    if gate.max is not None:
        return Judgement(value <= gate.max, f"gate {gate.metric} at most {gate.max:g}", f"{gate.metric} {value:g}")
    if gate.min is not None:
        return Judgement(value >= gate.min, f"gate {gate.metric} at least {gate.min:g}", f"{gate.metric} {value:g}")
    return _better(gate, value, result, served)


def _better(gate: Gate, value: float, result: Result, served: int | None) -> Judgement:
    """Both values are of the same held-out set."""
    assert gate.better_than_served
    rule = f"gate {gate.metric} better than served by {gate.better_than_served.by}"
    if served is None:
        return Judgement(True, rule, f"{gate.metric} {value:g}, and no version was in service")
    other = result.comparison.metrics.get(gate.metric) if result.comparison else None
    if other is None:
        return Judgement(False, rule, f"{gate.metric} of v{served} was not measured")
    by = fraction(gate.better_than_served.by)
    if METRICS[gate.metric].larger_is_better:
        passed = value > other and value >= other * (1 + by)
    else:
        passed = value < other and value <= other * (1 - by)
    return Judgement(passed, rule, f"{gate.metric} {value:g} against {other:g} of v{served}")
