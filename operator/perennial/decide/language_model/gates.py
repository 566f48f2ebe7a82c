"""Judgement of a version by the gates."""

from dataclasses import dataclass

from perennial.api.language_model import Gate
from perennial_contract.result import Comparison, Metrics
from perennial_contract.tasks import METRICS


@dataclass(frozen=True)
class Judgement:
    """Outcome of one or several gates, with the rule and the observation behind it."""

    passed: bool
    rule: str
    observed: str


def compares(gates: list[Gate]) -> bool:
    """Whether a gate asks for the metrics of the version in service."""
    return any(gate.better_than_served for gate in gates)


def judge(gates: list[Gate], metrics: Metrics, comparison: Comparison | None, served: int | None) -> Judgement:
    """Judges a trained version; served is the number of the version in service at its start."""
    checks = [_check(gate, metrics, comparison, served) for gate in gates]
    missed = [check for check in checks if not check.passed]
    shown = missed or checks
    if not shown:
        return Judgement(True, "no gates", "; ".join(f"{name} {value:g}" for name, value in metrics.items()))
    return Judgement(not missed, "; ".join(c.rule for c in shown), "; ".join(c.observed for c in shown))


def _check(gate: Gate, metrics: Metrics, comparison: Comparison | None, served: int | None) -> Judgement:
    value = metrics.get(gate.metric)
    if value is None:
        return Judgement(False, f"gate on {gate.metric}", f"{gate.metric} was not measured")
    if gate.max is not None:
        return Judgement(value <= gate.max, f"gate {gate.metric} at most {gate.max:g}", f"{gate.metric} {value:g}")
    if gate.min is not None:
        return Judgement(value >= gate.min, f"gate {gate.metric} at least {gate.min:g}", f"{gate.metric} {value:g}")
    return _better(gate, value, comparison, served)


def _better(gate: Gate, value: float, comparison: Comparison | None, served: int | None) -> Judgement:
    """Both values were measured on the same held-out set."""
    assert gate.better_than_served
    by = gate.better_than_served.by
    rule = f"gate {gate.metric} better than served by {by:g}"
    if served is None:
        return Judgement(True, rule, f"{gate.metric} {value:g}, and no version was in service")
    comparison = comparison or Comparison(version=served)
    other = comparison.metrics.get(gate.metric)
    if other is None:
        return Judgement(False, rule, f"{gate.metric} of v{served} {_unmeasured(comparison)}")
    if METRICS[gate.metric].larger_is_better:
        passed = value > other and value >= other * (1 + by)
    else:
        passed = value < other and value <= other * (1 - by)
    return Judgement(passed, rule, f"{gate.metric} {value:g} against {other:g} of v{served}")


def _unmeasured(comparison: Comparison) -> str:
    """Why the version in service has no value, and what to do."""
    advice = "pin this version to serve it all the same"
    if comparison.message is None:
        return f"was not measured; {advice}, or train again"
    served = f"v{comparison.version}"
    return f"was not measured: {comparison.message}; {advice}, or restore {served} and train again"
