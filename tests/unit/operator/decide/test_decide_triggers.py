"""What starts a version besides a change of the spec, and what holds it back."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from perennial.api import LanguageModel, TrainingJob
from perennial.api.language_model import LanguageModelStatus
from perennial.decide.fingerprint import fingerprint
from perennial.decide.language_model.decide import decide
from perennial.decide.language_model.observed import Observed
from perennial.decide.outcome import Manifest, Outcome
from perennial_testing.specs.api_objects import (
    DEFAULTS,
    NOW,
    after,
    language_model,
    result,
    training_job,
    true,
    version,
)

Readings = dict[str, float | str]
Trigger = dict[str, Any]

LOW: Readings = {"accepted": 0.5}
HIGH: Readings = {"accepted": 0.9}
NO_DATA: Readings = {"accepted": "no data"}
NIGHTLY: Trigger = {"name": "nightly", "schedule": {"cron": "0 3 * * *"}}
HOURLY: Trigger = {"name": "hourly", "schedule": {"cron": "0 * * * *"}}


def metric(**changes: Any) -> Trigger:
    """The trigger `accepted`: below 0.8 for half an hour."""
    return {"name": "accepted", "metric": {"query": "x", "below": 0.8, "for": "30m"} | changes}


def request(value: str) -> Trigger:
    return {"name": "by-hand", "request": value}


def served(*triggers: Trigger, suspend: bool = False, **retraining: Any) -> LanguageModel:
    """A model whose first version is in service."""
    model = language_model(retraining={"triggers": list(triggers)} | retraining, suspend=suspend)
    return with_status(model, {"versions": [version(fingerprint=fingerprint(model.spec))], "lastVersion": 1})


def with_status(model: LanguageModel, status: dict[str, Any]) -> LanguageModel:
    return model.model_copy(update={"status": LanguageModelStatus.model_validate(status)})


def changed(before: LanguageModel, after: LanguageModel) -> LanguageModel:
    """The second model's spec with the first one's status."""
    return after.model_copy(update={"status": before.status})


def reconcile(model: LanguageModel, readings: Readings, now: datetime) -> tuple[LanguageModel, Outcome]:
    """One reconcile, and the model with the status that it left."""
    outcome = decide(model, Observed(DEFAULTS, readings=dict(readings)), now)
    return with_status(model, outcome.status.to_wire()), outcome


def play(model: LanguageModel, *script: tuple[float, Readings]) -> LanguageModel:
    """Reconciles at these minutes with these readings."""
    for minutes, readings in script:
        model, _ = reconcile(model, readings, after(minutes=minutes))
    return model


def reasons(model: LanguageModel) -> list[str]:
    return [decision.reason for decision in model.status.decisions]


def finished(model: LanguageModel) -> LanguageModel:
    """With the version in training accepted."""
    accepted = {"completion_time": NOW, "passed_gates": True, "artifact_state": "Kept", "state": "Accepted"}
    versions = [v.model_copy(update=accepted) if v.in_training else v for v in model.status.versions]
    return model.model_copy(update={"status": model.status.model_copy(update={"versions": versions})})


@dataclass(frozen=True)
class Breach:
    """Reconciles by minute and reading, and whether they start a version."""

    script: tuple[tuple[float, Readings], ...]
    starts: bool


METRIC = {
    "in bounds": Breach(((0, HIGH), (60, HIGH)), starts=False),
    "on the bound is in bounds": Breach(((0, {"accepted": 0.8}), (60, {"accepted": 0.8})), starts=False),
    "out of bounds for too short a time": Breach(((0, LOW), (29, LOW)), starts=False),
    "out of bounds for long enough": Breach(((0, LOW), (30, LOW)), starts=True),
    "in bounds in between": Breach(((0, LOW), (20, HIGH), (30, LOW)), starts=False),
    "missing data do not end a breach": Breach(((0, LOW), (20, NO_DATA), (30, LOW)), starts=True),
    "missing data are no breach": Breach(((0, NO_DATA), (60, NO_DATA)), starts=False),
    "NaN does not end a breach": Breach(((0, LOW), (20, {"accepted": math.nan}), (30, LOW)), starts=True),
    "infinity is no value": Breach(((0, {"accepted": -math.inf}), (60, {"accepted": -math.inf})), starts=False),
    "only a value starts a version": Breach(((0, LOW), (30, NO_DATA)), starts=False),
    "not read at all": Breach(((0, {}), (60, {})), starts=False),
}


@pytest.mark.parametrize("case", METRIC.values(), ids=METRIC)
def test_metric(case: Breach) -> None:
    model = play(served(metric()), *case.script)
    assert reasons(model) == (["VersionStarted"] if case.starts else [])
    assert model.status.last_version == (2 if case.starts else 1)


def test_the_version_and_the_decision_name_the_trigger() -> None:
    model = play(served(metric()), (0, LOW), (30, LOW))
    assert model.status.versions[-1].trigger == "accepted"
    assert model.status.decisions[0].rule == "retraining.triggers accepted: metric below 0.8 for 30m"
    assert model.status.decisions[0].observed == "accepted is 0.5 since 2026-03-01T12:00:00Z"


def test_above_is_the_other_bound() -> None:
    errors = {"name": "errors", "metric": {"query": "x", "above": 0.0}}
    assert reasons(play(served(errors), (0, {"errors": 0.0}))) == []
    assert reasons(play(served(errors), (0, {"errors": 0.1}))) == ["VersionStarted"]


def test_the_status_says_why_a_metric_is_missing() -> None:
    model = play(served(metric()), (0, NO_DATA))
    assert model.status.triggers[0].to_wire()["metric"] == {"missing": "no data"}
    assert play(model, (1, HIGH)).status.triggers[0].metric is None


@pytest.mark.parametrize("before", [LOW, HIGH, NO_DATA], ids=["a breach", "in bounds", "missing"])
def test_before_the_first_reading_the_status_stays_as_it_was(before: Readings) -> None:
    model = play(served(metric()), (0, before))
    assert play(model, (1, {})).status == model.status


def test_the_cooldown_holds_the_next_one_back_and_is_recorded_once() -> None:
    model = finished(play(served(metric(), cooldown="2h"), (0, LOW), (30, LOW)))
    model = play(model, (31, LOW), (32, LOW), (60, LOW))
    assert reasons(model) == ["VersionStarted", "RetrainingHeld"]
    held = model.status.decisions[-1]
    assert "cooldown of 2h until 2026-03-01T14:30:00Z" in held.outcome
    assert "accepted is 0.5 since 2026-03-01T12:00:00Z" in held.observed
    model = play(model, (149, LOW), (150, LOW))
    assert reasons(model) == ["VersionStarted", "RetrainingHeld", "VersionStarted"]
    assert model.status.triggers[0].held is None


def test_during_a_training_the_metric_starts_no_other() -> None:
    model = play(served(metric(), cooldown="0s"), (0, LOW), (30, LOW), (31, LOW), (90, LOW))
    assert reasons(model) == ["VersionStarted"]


def test_the_daily_budget_holds_and_comes_back() -> None:
    model = served(metric(**{"for": "0s"}), cooldown="0s", maxRunsPerDay=2)
    for minute in (0, 1, 2, 3):
        model = finished(play(model, (minute, LOW)))
    assert reasons(model) == ["VersionStarted", "VersionStarted", "RetrainingHeld"]
    assert "maxRunsPerDay of 2 is used up" in model.status.decisions[-1].outcome
    assert play(model, (24 * 60 + 1, LOW)).status.last_version == 4


def test_the_schedule_starts_one_version_at_each_time() -> None:
    model = play(served(NIGHTLY), (0, {}))  # 12:00; the next time is in 15 hours
    model, outcome = reconcile(model, {}, after(hours=14))
    assert (reasons(model), outcome.again_at) == ([], after(hours=15))
    model = finished(play(model, (15 * 60, {})))
    assert reasons(model) == ["VersionStarted"]
    assert model.status.decisions[0].observed == "scheduled time 2026-03-02T03:00:00Z reached"
    model, outcome = reconcile(model, {}, after(hours=16))
    assert (reasons(model), outcome.again_at) == (["VersionStarted"], after(hours=39))


@dataclass(frozen=True)
class NextTime:
    """The next time of a cron expression in a time zone; now and next are in UTC."""

    zone: str
    cron: str
    now: str
    next: str


ZONES = {
    "in winter": NextTime("Europe/Berlin", "0 3 * * *", now="2026-02-01T00:00Z", next="2026-02-01T02:00Z"),
    "in summer": NextTime("Europe/Berlin", "0 3 * * *", now="2026-07-01T00:00Z", next="2026-07-01T01:00Z"),
    "the other half of the world": NextTime(
        "Pacific/Auckland", "0 3 * * *", now="2026-07-01T00:00Z", next="2026-07-01T15:00Z"
    ),
    "the local day of the week": NextTime("Asia/Tokyo", "0 3 * * MON", "2026-03-01T12:00Z", "2026-03-01T18:00Z"),
    "an hour that summer time skips": NextTime(
        "Europe/Berlin", "30 2 * * *", now="2026-03-28T12:00Z", next="2026-03-29T01:00Z"
    ),
    "an hour that comes twice": NextTime(
        "Europe/Berlin", "30 2 * * *", now="2026-10-24T12:00Z", next="2026-10-25T00:30Z"
    ),
    "once in the hour that comes twice": NextTime(
        "Europe/Berlin", "30 2 * * *", "2026-10-25T00:31Z", "2026-10-26T01:30Z"
    ),
    "in its second pass too": NextTime("Europe/Berlin", "30 2 * * *", "2026-10-25T01:10Z", "2026-10-26T01:30Z"),
}


@pytest.mark.parametrize("case", ZONES.values(), ids=ZONES)
def test_the_schedule_is_in_its_time_zone(case: NextTime) -> None:
    model = served({"name": "zoned", "schedule": {"cron": case.cron, "timeZone": case.zone}})
    _, outcome = reconcile(model, {}, datetime.fromisoformat(case.now))
    assert outcome.again_at == datetime.fromisoformat(case.next)


@pytest.mark.parametrize("cron", ["30 2 * * *", "0 3 * * *", "5 2 * * *"])
@pytest.mark.parametrize("change", ["2026-03-29", "2026-10-25"], ids=["to summer time", "to winter time"])
def test_a_change_of_daylight_saving_neither_loses_nor_doubles_a_run(change: str, cron: str) -> None:
    model = served({"name": "zoned", "schedule": {"cron": cron, "timeZone": "Europe/Berlin"}}, cooldown="0s")
    starts = []
    for day in range(-1, 3):
        for minutes in range(-30, 4 * 60, 10):  # in UTC, and never on time
            now = datetime.fromisoformat(f"{change}T00:07Z") + timedelta(days=day, minutes=minutes)
            before, (model, _) = model.status.last_version, reconcile(model, {}, now)
            starts += [day] * (model.status.last_version - before)
            model = finished(model)
    assert starts == [-1, 0, 1, 2]


def test_a_clock_that_is_set_back_by_an_hour_starts_nothing_twice() -> None:
    model = finished(play(served(NIGHTLY, cooldown="0s"), (0, {}), (15 * 60, {})))
    for minute in range(14 * 60, 16 * 60, 10):
        model = finished(play(model, (minute, {})))
    assert reasons(model) == ["VersionStarted"]
    assert reasons(play(model, (39 * 60, {}))) == ["VersionStarted"] * 2


def test_a_clock_that_is_set_ahead_by_an_hour_starts_what_it_skips() -> None:
    model = finished(play(served(NIGHTLY, cooldown="0s"), (0, {}), (14.5 * 60, {}), (15.5 * 60, {})))
    assert reasons(model) == ["VersionStarted"]


A_YEAR = 365 * 24 * 60


def test_a_schedule_goes_on_when_a_clock_that_was_far_ahead_is_set_right() -> None:
    model = finished(play(served(NIGHTLY, cooldown="0s"), (A_YEAR, {}), (A_YEAR + 15 * 60, {})))
    model = finished(play(model, (0, {})))
    assert reasons(model) == ["VersionStarted"]
    assert reasons(play(model, (15 * 60, {}))) == ["VersionStarted"] * 2


def test_a_cooldown_lasts_no_longer_than_itself_when_the_clock_is_set_back() -> None:
    model = finished(play(served(metric(**{"for": "0s"}), cooldown="6h"), (A_YEAR, LOW)))
    model = play(model, (0, LOW))
    assert model.status.decisions[-1].outcome == "held back: cooldown of 6h until 2026-03-01T18:00:00Z"
    assert reasons(play(model, (5 * 60, LOW))) == ["VersionStarted", "RetrainingHeld"]
    assert reasons(play(model, (6 * 60, LOW)))[-1] == "VersionStarted"


def test_a_breach_that_began_in_the_future_begins_now() -> None:
    model = play(served(metric()), (A_YEAR, LOW), (0, LOW))
    assert reasons(play(model, (29, LOW))) == []
    assert reasons(play(model, (30, LOW))) == ["VersionStarted"]


def test_jitter_delays_each_start_of_a_model_alike_and_spreads_models() -> None:
    def starts(uid: str) -> list[float]:
        """Minutes after the hour of two starts in a row."""
        model = served({"name": "hourly", "schedule": {"cron": "0 * * * *", "jitter": "30m"}}, cooldown="0s")
        model = model.model_copy(update={"metadata": model.metadata.model_copy(update={"uid": uid})})
        now, found = NOW, []
        for _ in range(2):
            model, outcome = reconcile(model, {}, now)
            assert outcome.again_at
            now = outcome.again_at
            model = finished(reconcile(model, {}, now)[0])
            found.append(now.minute + now.second / 60)
        assert reasons(model) == ["VersionStarted", "VersionStarted"]
        return found

    delays = []
    for number in range(40):
        first, second = starts(f"uid-{number}")
        assert first == second
        delays.append(first)
    assert all(0 <= delay < 30 for delay in delays)
    assert max(delays) - min(delays) > 20


def retrained(digest: str | None, **retraining: Any) -> tuple[LanguageModel, Manifest]:
    """After a nightly training on data with this digest, where v1 learned from "sha256:a"; and its TrainingJob."""
    model = served(NIGHTLY, cooldown="0s", **retraining)
    first = model.status.versions[0].model_copy(update={"data_digest": "sha256:a"})
    model = model.model_copy(update={"status": model.status.model_copy(update={"versions": [first]})})
    model = play(model, (0, {}), (15 * 60, {}))
    _, outcome = reconcile(model, {}, after(hours=15))
    (manifest,) = (each for each in outcome.apply if each["kind"] == "TrainingJob")
    data = {"data": {"digest": digest, "trainExamples": 9, "validationExamples": 1}} if digest else {}
    status = {"state": "Complete", "conditions": [true("Complete")], "result": result(**data)}
    at = manifest["metadata"] | {"uid": "job-2"}
    job = TrainingJob.model_validate(manifest | {"metadata": at, "status": status})
    outcome = decide(model, Observed(DEFAULTS, {job.metadata.name: job}), after(hours=16))
    return with_status(model, outcome.status.to_wire()), manifest


TWIN = "v1 learned from the same data with the same parameters"


@pytest.mark.parametrize(
    ("digest", "retraining", "told"),
    [
        ("sha256:a", {}, f"{TWIN}; retraining.seedPolicy Varied would change the seed"),
        ("sha256:a", {"seedPolicy": "Varied"}, f"{TWIN}, but for the seed"),
        ("sha256:b", {}, ""),
        (None, {}, ""),
    ],
)
def test_a_retraining_that_could_learn_nothing_new_says_so(
    digest: str | None, retraining: dict[str, Any], told: str
) -> None:
    model, _ = retrained(digest, **retraining)
    newest = model.status.versions[-1]
    assert (newest.number, newest.data_digest) == (2, digest)
    observed = model.status.decisions[-1].observed
    assert newest.message
    for text in (observed, newest.message):
        assert (text.endswith(told) and "; v1" in text) if told else "v1 learned" not in text


def test_a_triggered_version_has_a_seed_of_its_own_if_the_policy_says_so() -> None:
    def seed(**retraining: Any) -> int:
        found: int = retrained("sha256:a", **retraining)[1]["spec"]["training"]["hyperparameters"]["seed"]
        return found

    own = served().spec.training.hyperparameters.seed
    assert seed() == own
    assert seed(seedPolicy="Varied") == own + 2


def test_times_that_were_missed_count_as_one() -> None:
    model = finished(play(served(NIGHTLY), (0, {}), (5 * 24 * 60, {})))
    assert reasons(play(model, (5 * 24 * 60 + 1, {}))) == ["VersionStarted"]


def test_each_time_that_is_held_back_is_counted_and_the_last_one_is_told() -> None:
    model = served(HOURLY, cooldown="0s", maxRunsPerDay=1)
    for hour in range(4):
        model = finished(play(model, (60 * hour, {})))
    assert reasons(model) == ["VersionStarted", "RetrainingHeld"]
    started, held = model.status.decisions
    assert (started.count, started.last_time) == (None, None)
    assert (held.count, held.decision_time, held.last_time) == (2, after(hours=2), after(hours=3))
    assert held.observed == "scheduled time 2026-03-01T15:00:00Z reached"


def test_each_trigger_has_a_count_of_its_own_and_each_hold_an_event() -> None:
    model = served(HOURLY, NIGHTLY, suspend=True)
    events = []
    for hour in range(16):
        model, outcome = reconcile(model, {}, after(hours=hour))
        events += [event.reason for event in outcome.events]
    assert {each.rule.split(":")[0]: each.count for each in model.status.decisions} == {
        "retraining.triggers hourly": 15,
        "retraining.triggers nightly": None,
    }
    assert events == ["RetrainingHeld"] * 16


def ended(model: LanguageModel, loss: float, minutes: float) -> LanguageModel:
    """With the version in training judged by this loss."""
    job = training_job({"conditions": [true("Complete")], "result": result(loss)})
    observed = Observed(DEFAULTS, {model.status.versions[-1].training_job: job})
    return with_status(model, decide(model, observed, after(minutes=minutes)).status.to_wire())


def test_after_thirty_refused_cycles_with_two_triggers_the_promotion_is_still_in_the_record() -> None:
    gates = {"gates": [{"metric": "loss", "max": 6}]}
    triggers = {"triggers": [metric(**{"for": "0s"}), HOURLY], "cooldown": "90m"}
    model = ended(play(language_model(retraining=triggers, evaluation=gates), (0, {})), 2.0, 1)
    assert reasons(model) == ["VersionStarted", "VersionAccepted", "VersionPromoted"]
    for number in range(2, 32):
        start = 120 * (number - 1)
        model = ended(play(model, (start, LOW), (start + 60, LOW)), 9.0, start + 61)
        model = play(model, (start + 62, LOW))
        assert (model.status.last_version, model.status.serving_version) == (number, 1)
    decisions = model.status.decisions
    assert (len(decisions), decisions[0].outcome) == (20, "v1 goes into service")
    held = {each.rule.split(":")[0]: each.count for each in decisions if each.reason == "RetrainingHeld"}
    assert held == {"retraining.triggers accepted": 30, "retraining.triggers hourly": 60}


def test_a_time_during_a_training_passes_and_the_past_is_not_made_up_for() -> None:
    model = play(served(HOURLY, cooldown="0s"), (0, {}), (60, {}))
    model, outcome = reconcile(model, {}, after(minutes=120))
    assert reasons(model) == ["VersionStarted", "RetrainingHeld"]
    assert "v2 is in training" in model.status.decisions[-1].outcome
    assert outcome.again_at == after(minutes=180)


def test_a_schedule_that_changes_makes_up_for_no_time_of_the_past() -> None:
    yearly = {"name": "hourly", "schedule": {"cron": "0 3 1 1 *"}}
    model = changed(play(served(yearly), (0, {})), served(HOURLY))
    assert reasons(play(model, (150, {}), (179, {}))) == []
    assert reasons(play(model, (150, {}), (180, {}))) == ["VersionStarted"]


def test_a_metric_that_changes_is_watched_anew() -> None:
    model = changed(play(served(metric()), (0, LOW)), served(metric(query="y")))
    assert reasons(play(model, (30, LOW))) == []


def test_a_trigger_that_becomes_another_type_keeps_nothing_of_the_former() -> None:
    model = play(served(metric()), (0, LOW))
    model = play(changed(model, served({"name": "accepted", "schedule": {"cron": "0 * * * *"}})), (1, LOW))
    assert model.status.triggers[0].metric is None
    assert model.status.triggers[0].schedule is not None


def test_the_status_of_a_removed_trigger_is_dropped() -> None:
    model = play(served(metric(), NIGHTLY), (0, LOW))
    assert [t.name for t in model.status.triggers] == ["accepted", "nightly"]
    assert play(changed(model, served()), (1, LOW)).status.triggers == []


def test_a_metric_is_read_every_quarter_of_a_minute_but_a_schedule_is_on_time() -> None:
    every_minute = {"name": "often", "schedule": {"cron": "* * * * *"}}
    _, outcome = reconcile(served(metric(), every_minute, cooldown="24h"), HIGH, after(seconds=50))
    assert outcome.again_at == after(seconds=60)


@pytest.mark.parametrize("cron", ["a b c d e", "99 * * * *", "0 0 30 2 *", "0 0 31 2,4 *"])
def test_a_schedule_that_never_matches_stalls_and_starts_nothing(cron: str) -> None:
    model, outcome = reconcile(served({"name": "bad", "schedule": {"cron": cron}}), {}, NOW)
    stalled = next(c for c in model.status.conditions if c.type == "Stalled")
    assert (stalled.status, stalled.reason) == ("True", "InvalidSpec")
    assert f'spec.retraining.triggers bad: cron "{cron}" is not a cron expression of five fields' in stalled.message
    assert (reasons(model), outcome.again_at) == ([], None)


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "Europe", "berlin"])
def test_an_unknown_time_zone_stalls_and_starts_nothing(zone: str) -> None:
    bad = {"name": "bad", "schedule": {"cron": "* * * * *", "timeZone": zone}}
    model, outcome = reconcile(served(bad), {}, NOW)
    stalled = next(c for c in model.status.conditions if c.type == "Stalled")
    assert f'spec.retraining.triggers bad: timeZone "{zone}" is not a time zone of the IANA database' in stalled.message
    assert (reasons(model), outcome.again_at) == ([], None)


def test_nothing_starts_while_a_trigger_has_an_error_not_even_the_first_version() -> None:
    bad = {"name": "bad", "schedule": {"cron": "0 0 30 2 *"}}
    first, outcome = reconcile(language_model(retraining={"triggers": [bad]}), {}, NOW)
    assert (first.status.versions, outcome.again_at) == ([], None)
    model, outcome = reconcile(served(bad, metric(**{"for": "0s"})), LOW, NOW)
    assert (reasons(model), outcome.again_at) == ([], None)
    mended = play(changed(model, served(metric(**{"for": "0s"}))), (1, LOW))
    assert reasons(mended) == ["VersionStarted"]


def test_two_triggers_at_once_start_one_version_and_the_other_is_recorded() -> None:
    errors = {"name": "errors", "metric": {"query": "y", "above": 1, "for": "0s"}}
    model = play(served(metric(**{"for": "0s"}), errors), (0, {"accepted": 0.1, "errors": 5.0}))
    assert reasons(model) == ["VersionStarted", "RetrainingHeld"]
    assert model.status.last_version == 2


def test_a_request_at_the_creation_is_satisfied_by_the_first_version() -> None:
    model = language_model(retraining={"triggers": [request("a")]})
    model = play(finished(play(model, (0, {}))), (1, {}), (2, {}))
    assert reasons(model) == ["VersionStarted"]
    assert model.status.triggers[0].request is not None
    assert model.status.triggers[0].request.to_wire() == {"value": "a"}


def test_another_value_starts_one_version_and_the_same_value_none() -> None:
    model = changed(finished(play(served(), (0, {}))), served(request("a"), cooldown="0s"))
    model = finished(play(model, (1, {})))
    assert (reasons(model), model.status.versions[-1].trigger) == (["VersionStarted"], "by-hand")
    assert model.status.decisions[0].observed == 'request is "a"'
    model = finished(play(model, (2, {}), (3, {})))
    assert reasons(model) == ["VersionStarted"]
    model = play(changed(model, served(request("b"), cooldown="0s")), (4, {}))
    assert reasons(model) == ["VersionStarted", "VersionStarted"]


def test_a_request_waits_for_the_cooldown_and_is_reconciled_until_then() -> None:
    model = finished(play(served(request("a"), cooldown="1h"), (0, {})))
    model = changed(model, served(request("b"), cooldown="1h"))
    model, outcome = reconcile(model, {}, after(minutes=1))
    assert reasons(model) == ["VersionStarted", "RetrainingHeld"]
    assert outcome.again_at == after(minutes=1, seconds=15)
    assert model.status.triggers[0].held == "cooldown of 1h until 2026-03-01T13:00:00Z"
    assert reasons(play(model, (2, {}), (60, {}))) == ["VersionStarted", "RetrainingHeld", "VersionStarted"]


def test_a_request_together_with_a_change_of_the_spec_starts_one_version() -> None:
    model = served(request("a"), cooldown="0s")
    both = language_model(
        retraining={"triggers": [request("b")], "cooldown": "0s"}, training={"hyperparameters": {"seed": 7}}
    )
    model = finished(play(changed(model, both), (0, {})))
    assert model.status.versions[-1].trigger == "SpecChanged"
    assert reasons(play(model, (1, {}), (2, {}))) == ["VersionStarted"]


def test_a_suspended_model_starts_nothing_and_a_request_outlasts_that() -> None:
    model = served(request("a"), metric(**{"for": "0s"}), suspend=True, cooldown="0s")
    model = play(model, (0, LOW), (1, LOW))
    assert reasons(model) == ["RetrainingHeld", "RetrainingHeld"]
    assert {trigger.held for trigger in model.status.triggers} == {"spec.suspend is true"}
    resumed = play(changed(model, served(request("a"), cooldown="0s")), (2, {}))
    assert resumed.status.versions[-1].trigger == "by-hand"
