"""What starts a version by itself, and what holds it back."""

import math
from datetime import datetime
from typing import Any

import pytest
from given import DEFAULTS, NOW, after, language_model

from perennial.api import LanguageModel
from perennial.api.language_model import LanguageModelStatus
from perennial.decide.language_model.decide import decide
from perennial.decide.language_model.fingerprint import fingerprint
from perennial.decide.language_model.observed import Observed
from perennial.decide.outcome import Outcome

TRIGGER = {"name": "accepted", "query": "x", "below": 0.8, "for": "30m"}
LOW, HIGH = {"accepted": 0.5}, {"accepted": 0.9}
NIGHTLY = "0 3 * * *"


def served(**retraining: Any) -> LanguageModel:
    """A model whose first version is in service."""
    model = language_model(retraining=retraining)
    version = {
        "number": 1, "state": "Accepted", "reason": "Initial", "fingerprint": fingerprint(model.spec),
        "trainingJob": "writer-v1", "uri": "pvc://models/writer/v1", "createdAt": "2026-02-01T00:00:00Z",
    }  # fmt: skip
    return with_status(model, {"versions": [version], "lastVersion": 1})


def with_status(model: LanguageModel, status: dict[str, Any]) -> LanguageModel:
    return model.model_copy(update={"status": LanguageModelStatus.model_validate(status)})


def look(model: LanguageModel, readings: dict[str, float | str], now: datetime) -> tuple[LanguageModel, Outcome]:
    """One look, and the model with the status that it left."""
    outcome = decide(model, Observed(DEFAULTS, readings=dict(readings)), now)
    return with_status(model, outcome.status.to_wire()), outcome


def play(model: LanguageModel, *script: tuple[float, dict[str, float | str]]) -> LanguageModel:
    """Looks at these minutes with these readings."""
    for minutes, readings in script:
        model, _ = look(model, readings, after(minutes=minutes))
    return model


def reasons(model: LanguageModel) -> list[str]:
    return [decision.reason for decision in model.status.decisions]


def finished(model: LanguageModel) -> LanguageModel:
    """With the training version accepted."""
    versions = [v.model_copy(update={"state": "Accepted"}) for v in model.status.versions]
    return model.model_copy(update={"status": model.status.model_copy(update={"versions": versions})})


# Looks: minutes and readings; whether a version was started.
METRIC: dict[str, tuple[list[tuple[float, dict[str, float | str]]], bool]] = {
    "In bounds": ([(0, HIGH), (60, HIGH)], False),
    "On the bound is in bounds": ([(0, {"accepted": 0.8}), (60, {"accepted": 0.8})], False),
    "Out of bounds, but not long enough": ([(0, LOW), (29, LOW)], False),
    "Out of bounds long enough": ([(0, LOW), (30, LOW)], True),
    "Back in bounds in between": ([(0, LOW), (20, HIGH), (30, LOW)], False),
    "No data in between neither ends the breach": ([(0, LOW), (20, {"accepted": "no data"}), (30, LOW)], True),
    "nor is it one": ([(0, {"accepted": "no data"}), (60, {"accepted": "no data"})], False),
    "NaN in between does not end the breach": ([(0, LOW), (20, {"accepted": math.nan}), (30, LOW)], True),
    "Infinity is no value": ([(0, {"accepted": -math.inf}), (60, {"accepted": -math.inf})], False),
    "It fires on a value only": ([(0, LOW), (30, {"accepted": "no data"})], False),
    "Not read at all": ([(0, {}), (60, {})], False),
}


@pytest.mark.parametrize("case", METRIC)
def test_metric(case: str) -> None:
    script, fires = METRIC[case]
    model = play(served(onMetric=[TRIGGER]), *script)
    assert reasons(model) == (["VersionStarted"] if fires else [])
    assert model.status.last_version == (2 if fires else 1)


def test_above_is_the_other_bound() -> None:
    trigger = {"name": "errors", "query": "x", "above": 0.0}
    assert reasons(play(served(onMetric=[trigger]), (0, {"errors": 0.0}))) == []
    assert reasons(play(served(onMetric=[trigger]), (0, {"errors": 0.1}))) == ["VersionStarted"]


def test_what_is_missing_is_told() -> None:
    model = play(served(onMetric=[TRIGGER]), (0, {"accepted": "no data"}))
    assert [(t.name, t.missing) for t in model.status.triggers] == [("accepted", "no data")]
    assert play(model, (1, HIGH)).status.triggers[0].missing is None


def test_the_cooldown_holds_the_next_one_back_and_is_recorded_once() -> None:
    model = finished(play(served(onMetric=[TRIGGER], cooldown="2h"), (0, LOW), (30, LOW)))
    model = play(model, (31, LOW), (32, LOW), (60, LOW))
    assert reasons(model) == ["VersionStarted", "RetrainingHeld"]
    held = model.status.decisions[-1]
    assert "cooldown of 2h until 2026-03-01T14:30:00Z" in held.outcome
    assert "accepted is 0.5 since 2026-03-01T12:00:00Z" in held.observed
    model = play(model, (149, LOW), (150, LOW))
    assert reasons(model) == ["VersionStarted", "RetrainingHeld", "VersionStarted"]
    assert model.status.triggers[0].held is None


def test_while_a_version_is_trained_its_metric_starts_no_other() -> None:
    model = play(served(onMetric=[TRIGGER], cooldown="0s"), (0, LOW), (30, LOW), (31, LOW), (90, LOW))
    assert reasons(model) == ["VersionStarted"]


def test_the_budget_of_a_day_holds_and_comes_back() -> None:
    model = served(onMetric=[TRIGGER | {"for": "0s"}], cooldown="0s", maxRunsPerDay=2)
    for minute in (0, 1, 2, 3):
        model = finished(play(model, (minute, LOW)))
    assert reasons(model) == ["VersionStarted", "VersionStarted", "RetrainingHeld"]
    assert "maxRunsPerDay of 2 is used up" in model.status.decisions[-1].outcome
    assert play(model, (24 * 60 + 1, LOW)).status.last_version == 4


def test_the_schedule_starts_one_version_per_slot() -> None:
    model = play(served(schedule=NIGHTLY), (0, {}))  # 12:00; the next slot is in 15 hours
    model, outcome = look(model, {}, after(hours=14))
    assert (reasons(model), outcome.again_at) == ([], after(hours=15))
    model = finished(play(model, (15 * 60, {})))
    assert reasons(model) == ["VersionStarted"]
    assert "2026-03-02T03:00:00Z has come" in model.status.decisions[0].observed
    model, outcome = look(model, {}, after(hours=16))
    assert (reasons(model), outcome.again_at) == (["VersionStarted"], after(hours=39))


def test_slots_that_were_missed_count_as_one() -> None:
    model = finished(play(served(schedule=NIGHTLY), (0, {}), (5 * 24 * 60, {})))
    assert reasons(play(model, (5 * 24 * 60 + 1, {}))) == ["VersionStarted"]


def test_each_slot_that_is_held_back_is_recorded() -> None:
    model = served(schedule="0 * * * *", cooldown="0s", maxRunsPerDay=1)
    for hour in range(4):
        model = finished(play(model, (60 * hour, {})))
    assert reasons(model) == ["VersionStarted", "RetrainingHeld", "RetrainingHeld"]


def test_a_slot_during_a_training_is_let_pass_and_nobody_looks_at_the_past() -> None:
    model = play(served(schedule="0 * * * *", cooldown="0s"), (0, {}), (60, {}))
    model, outcome = look(model, {}, after(minutes=120))
    assert reasons(model) == ["VersionStarted", "RetrainingHeld"]
    assert "v2 is in training" in model.status.decisions[-1].outcome
    assert outcome.again_at == after(minutes=180)


def test_a_schedule_that_changes_makes_up_for_no_slot_of_the_past() -> None:
    model = play(served(schedule="0 3 1 1 *"), (0, {}))
    changed = served(schedule="0 * * * *")
    model = changed.model_copy(update={"status": model.status})
    assert reasons(play(model, (150, {}), (179, {}))) == []
    assert reasons(play(model, (150, {}), (180, {}))) == ["VersionStarted"]


def test_a_metric_that_changes_is_watched_anew() -> None:
    model = play(served(onMetric=[TRIGGER]), (0, LOW))
    changed = served(onMetric=[TRIGGER | {"query": "y"}])
    model = changed.model_copy(update={"status": model.status})
    assert reasons(play(model, (30, LOW))) == []


def test_a_trigger_that_is_gone_is_forgotten() -> None:
    model = play(served(onMetric=[TRIGGER], schedule=NIGHTLY), (0, LOW))
    assert [t.name for t in model.status.triggers] == ["accepted", "schedule"]
    bare = served().model_copy(update={"status": model.status})
    assert play(bare, (1, LOW)).status.triggers == []


def test_a_metric_is_looked_at_every_quarter_of_a_minute_but_a_slot_on_time() -> None:
    model = served(onMetric=[TRIGGER], schedule="* * * * *", cooldown="24h")
    model, outcome = look(model, HIGH, after(seconds=50))
    assert outcome.again_at == after(seconds=60)


@pytest.mark.parametrize("expression", ["a b c d e", "99 * * * *", "0 0 30 2 *", "0 0 31 2,4 *"])
def test_a_schedule_that_is_none_is_told_and_harms_nothing(expression: str) -> None:
    model, outcome = look(served(schedule=expression), {}, NOW)
    stalled = next(c for c in model.status.conditions if c.type == "Stalled")
    assert (stalled.status, stalled.reason) == ("True", "InvalidSpec")
    assert f'"{expression}" is not a cron expression of five fields' in stalled.message
    assert (reasons(model), outcome.again_at) == ([], None)


def test_two_triggers_at_once_start_one_version_and_the_other_is_recorded() -> None:
    both = [TRIGGER | {"for": "0s"}, {"name": "errors", "query": "y", "above": 1, "for": "0s"}]
    model = play(served(onMetric=both), (0, {"accepted": 0.1, "errors": 5.0}))
    assert reasons(model) == ["VersionStarted", "RetrainingHeld"]
    assert model.status.last_version == 2
