"""The life of a model, played: decisions fed back as the cluster would, with changes, failures and crashes at random.

The cluster here is a few dictionaries. What is checked is the logic of decide, not Kubernetes: whatever happens in
whatever order, the record stays true, and when nothing happens any more, nothing more is decided.
"""

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from perennial.api import LanguageModel, ModelDeployment, TrainingJob
from perennial.api.language_model import LanguageModelStatus
from perennial.api.schema import ApiModel
from perennial.decide.kube import JobView
from perennial.decide.language_model.decide import decide
from perennial.decide.language_model.ledger import state_of
from perennial.decide.language_model.observed import Observed, StorageJob
from perennial.decide.outcome import Manifest, Outcome
from perennial_testing.specs.api_objects import DEFAULTS, NOW, language_model, result

LOSSES = st.sampled_from([1.0, 1.5, 2.0, 4.0])
LOOKS = 40
ENDED = {"Complete", "Failed"}


@dataclass
class Cluster:
    """What is stored: the model, its children, and the folders in storage."""

    spec: dict[str, Any] = field(default_factory=dict)
    generation: int = 1
    status: dict[str, Any] = field(default_factory=dict)
    now: datetime = NOW
    trainings: dict[str, dict[str, Any]] = field(default_factory=dict)
    cleanups: dict[str, Manifest] = field(default_factory=dict)
    service: dict[str, Any] | None = None
    folders: set[str] = field(default_factory=set)
    reading: float | str = "no data"
    uids: int = 0

    def model(self) -> LanguageModel:
        return language_model(self.status, self.generation, **self.spec)

    def observed(self) -> Observed:
        jobs = {name: TrainingJob.model_validate(job) for name, job in self.trainings.items()}
        service = ModelDeployment.model_validate(self.service) if self.service else None
        return Observed(
            DEFAULTS,
            jobs,
            {name: StorageJob(JobView.of(job)) for name, job in self.cleanups.items()},
            service,
            {"accepted": self.reading},
        )

    def stored(self) -> tuple[Any, ...]:
        return self.status, self.trainings, self.cleanups, self.service

    def look(self) -> Outcome:
        """Each look takes a moment: two decisions that say the same are told apart by their time."""
        self.now += timedelta(milliseconds=100)
        return decide(self.model(), self.observed(), self.now)

    def apply(self, manifest: Manifest) -> None:
        self.uids += 1
        name = manifest["metadata"]["name"]
        at = manifest["metadata"] | {"uid": f"u{self.uids}", "generation": 1}
        match manifest["kind"]:
            case "TrainingJob":
                before = self.trainings.get(name, {"metadata": at, "spec": manifest["spec"]})
                unchanged = before["spec"] | {"suspend": manifest["spec"]["suspend"]} == manifest["spec"]
                assert unchanged, "a TrainingJob is immutable, but for suspend"
                self.trainings[name] = before | {"kind": manifest["kind"], "spec": manifest["spec"]}
            case "Job":
                assert name not in self.cleanups, "the pods of a Job are immutable"
                self.cleanups[name] = manifest | {"metadata": at}
            case "Deployment":
                before = self.service or {"metadata": at, "spec": None}
                changed = before["spec"] != manifest["spec"]
                before["metadata"]["generation"] += changed
                self.service = before | {"spec": manifest["spec"]}

    def delete(self, kind: str, name: str) -> None:
        (self.trainings if kind == "TrainingJob" else self.cleanups).pop(name, None)

    def store(self, status: ApiModel) -> None:
        self.status = status.to_wire()

    def roll_out(self) -> None:
        """All pods get the version of the spec, if its artifact is there."""
        if self.service and self.service["spec"]["model"]["uri"] in self.folders:
            generation = self.service["metadata"]["generation"]
            self.service["status"] = {
                "observedGeneration": generation,
                "version": self.service["spec"]["model"]["version"],
                "conditions": [_condition("Ready", generation)],
                "url": "http://writer.demo.svc/v1",
            }

    def train(self, name: str, loss: float | None) -> None:
        """The training ends: with this loss, or without a result."""
        job = self.trainings[name]
        if loss is None:
            job["status"] = {"conditions": [_condition("Failed", 1)]}
            return
        uri = job["spec"]["output"]["uri"]
        served = job["spec"].get("compareWith")
        assert served is None or served["uri"] in self.folders, "what is judged against must be there"
        comparison = {"version": served["version"], "metrics": {"loss": 2.0}} if served else None
        self.folders.add(uri)
        job["status"] = {"conditions": [_condition("Complete", 1)], "result": result(loss, uri, comparison=comparison)}

    def clean(self, name: str, well: bool) -> None:
        """A cleanup ends."""
        job = self.cleanups[name]
        command = job["spec"]["template"]["spec"]["containers"][0]["command"]
        if well:
            self.folders.discard(command[command.index("--uri") + 1])
        job["status"] = {"conditions": [{"type": "Complete" if well else "Failed", "status": "True"}]}


def _condition(type_: str, generation: int) -> dict[str, Any]:
    return {
        "type": type_, "status": "True", "reason": "X", "message": "x", "observedGeneration": generation,
        "lastTransitionTime": "2026-03-01T12:00:00Z",
    }  # fmt: skip


class Life(RuleBasedStateMachine):
    """Anything that may happen, in any order."""

    @initialize(keep=st.integers(1, 3), gate=st.booleans(), cooldown=st.sampled_from(["0s", "10m"]))
    def begin(self, keep: int, gate: bool, cooldown: str) -> None:
        gates = [{"metric": "loss", "betterThanServed": {"by": 0.05}}] if gate else [{"metric": "loss", "max": 2.0}]
        triggers = [
            {"name": "accepted", "metric": {"query": "x", "below": 0.5, "for": "5m"}},
            {"name": "hourly", "schedule": {"cron": "0 * * * *"}},
            {"name": "by-hand", "request": "0"},
        ]
        self.cluster = Cluster()
        self.cluster.spec = {
            "evaluation": {"gates": gates},
            "versionHistoryLimit": keep,
            "retraining": {"triggers": triggers, "cooldown": cooldown, "maxRunsPerDay": 5},
        }
        self.last_version = 0
        self.seeds = 0

    # --- the operator

    @rule(stop_at=st.integers(0, 12) | st.none())
    def look(self, stop_at: int | None) -> None:
        """One look; a crash lets only the first so many writes happen, in the shell's order."""
        outcome = self.cluster.look()
        writes = [lambda m=m: self.cluster.apply(m) for m in outcome.apply]
        writes += [lambda d=d: self.cluster.delete(d.kind, d.name) for d in outcome.delete]
        writes.append(lambda: self._store(outcome))
        for write in writes[:stop_at]:
            write()

    @rule()
    def look_with_an_old_status(self) -> None:
        """Two operators: this one's look began before the other stored its status; storing then conflicts."""
        outcome = self.cluster.look()
        self._store(self.cluster.look())
        for reference in outcome.delete:
            self.cluster.delete(reference.kind, reference.name)

    def _store(self, outcome: Outcome) -> None:
        status = outcome.status
        assert isinstance(status, LanguageModelStatus)
        before = self.cluster.model().status
        assert LanguageModelStatus.model_validate(status.to_wire()) == status
        _check_consequences(before, status)
        recorded = {version.number for version in status.versions}
        forgotten = {version.uri for version in before.versions if version.number not in recorded}
        assert not forgotten & self.cluster.folders, "what the record forgets is deleted"
        self.cluster.store(status)

    # --- the user

    @rule()
    def change_the_training(self) -> None:
        self.seeds += 1
        self._change({"training": {"hyperparameters": {"seed": self.seeds}}})

    @rule(number=st.integers(1, 6) | st.none())
    def pin(self, number: int | None) -> None:
        self._change({"promotion": {"pin": {"version": number}} if number else {}})

    @rule(number=st.integers(1, 6) | st.none(), manual=st.booleans())
    def choose_a_policy(self, number: int | None, manual: bool) -> None:
        approve = {"approve": {"version": number}} if number else {}
        self._change({"promotion": {"policy": "Manual"} | approve if manual else {}})

    @rule(suspend=st.booleans())
    def suspend(self, suspend: bool) -> None:
        self._change({"suspend": suspend})

    @rule(value=st.sampled_from(["1", "2"]))
    def request(self, value: str) -> None:
        triggers = [t for t in self.cluster.spec["retraining"]["triggers"] if t["name"] != "by-hand"]
        triggers = [*triggers, {"name": "by-hand", "request": value}]
        self._change({"retraining": self.cluster.spec["retraining"] | {"triggers": triggers}})

    @rule(replicas=st.integers(1, 3))
    def scale(self, replicas: int) -> None:
        self._change({"deployment": {"replicas": replicas}})

    def _change(self, spec: dict[str, Any]) -> None:
        self.cluster.spec |= spec
        self.cluster.generation += 1

    # --- the world

    @rule(data=st.data(), loss=LOSSES | st.none())
    @precondition(lambda self: any(not _ended(job) for job in self.cluster.trainings.values()))
    def a_training_ends(self, data: st.DataObject, loss: float | None) -> None:
        running = sorted(name for name, job in self.cluster.trainings.items() if not _ended(job))
        self.cluster.train(data.draw(st.sampled_from(running)), loss)

    @rule(data=st.data(), well=st.booleans())
    @precondition(lambda self: self.cluster.cleanups)
    def a_cleanup_ends(self, data: st.DataObject, well: bool) -> None:
        self.cluster.clean(data.draw(st.sampled_from(sorted(self.cluster.cleanups))), well)

    @rule()
    def the_rollout_ends(self) -> None:
        self.cluster.roll_out()

    @rule()
    def somebody_deletes_the_children(self) -> None:
        self.cluster.service = None
        self.cluster.cleanups.clear()
        self.cluster.trainings = {name: job for name, job in self.cluster.trainings.items() if _ended(job)}

    @rule(minutes=st.integers(1, 90), reading=st.sampled_from([0.1, 0.9, "no data"]))
    def time_passes(self, minutes: int, reading: float | str) -> None:
        self.cluster.now += timedelta(minutes=minutes)
        self.cluster.reading = reading

    @rule(loss=LOSSES | st.none())
    def the_next_version_comes_to_its_end(self, loss: float | None) -> None:
        """What mostly happens, so that the random lives are long ones."""
        self.change_the_training()
        for _ in range(5):
            self._go_on(loss)

    # --- what always holds

    @invariant()
    def the_record_is_true(self) -> None:
        status = self.cluster.model().status
        numbers = [version.number for version in status.versions]
        assert numbers == sorted(set(numbers))
        assert status.last_version >= max([*numbers, self.last_version])
        self.last_version = status.last_version
        assert sum(version.in_training for version in status.versions) <= 1
        assert all(version.state == state_of(version) for version in status.versions)
        being_deleted = sum(version.artifact_state == "Deleting" for version in status.versions)
        assert len(numbers) <= self.cluster.spec.get("versionHistoryLimit", 5) + 10 + being_deleted
        assert len({version.uri for version in status.versions}) == len(numbers)
        if serving := status.serving_version:
            version = next(v for v in status.versions if v.number == serving)
            assert version.is_kept
            assert version.artifact
            assert version.artifact.uri in self.cluster.folders

    @invariant()
    def what_serves_has_its_artifact(self) -> None:
        service = self.cluster.service
        if service and "status" in service:
            folder = service["spec"]["model"]["uri"]
            current = service["status"]["version"] == service["spec"]["model"]["version"]
            assert not current or folder in self.cluster.folders

    def _go_on(self, loss: float | None) -> None:
        """A look, and whatever runs ends."""
        self.look(None)
        for name in [name for name, job in self.cluster.trainings.items() if not _ended(job)]:
            self.cluster.train(name, loss)
        for name in list(self.cluster.cleanups):
            self.cluster.clean(name, well=True)
        self.cluster.roll_out()

    def teardown(self) -> None:
        """When nothing happens any more but what must, it comes to rest, and what is left is what should be."""
        if not hasattr(self, "cluster"):
            return
        cluster = self.cluster
        cluster.reading = 0.9
        self.suspend(False)  # a suspended training never ends
        for _ in range(LOOKS):
            before = deepcopy(cluster.stored())
            self._go_on(loss=1.0)
            if before == cluster.stored():
                break
        else:
            raise AssertionError(f"not at rest after {LOOKS} looks")
        self._check_rest()

    def _check_rest(self) -> None:
        outcome = self.cluster.look()
        model = self.cluster.model()
        assert outcome.status == model.status
        assert not outcome.events
        assert not outcome.delete
        assert {m["kind"] for m in outcome.apply} <= {"Deployment"}
        assert not any(v.in_training or v.artifact_state == "Deleting" for v in model.status.versions)
        kept = {v.uri for v in model.status.versions if v.is_kept}
        assert self.cluster.folders == kept


def _ended(job: dict[str, Any]) -> bool:
    conditions = job.get("status", {}).get("conditions", [])
    return any(condition["type"] in ENDED for condition in conditions)


def _check_consequences(before: LanguageModelStatus, after: LanguageModelStatus) -> None:
    """Each change with a consequence has a decision of its own, made now."""
    told = [d.reason for d in after.decisions if d not in before.decisions]
    old = {v.number: v for v in before.versions}
    expected = []
    for version in after.versions:
        was = old.get(version.number)
        expected += ["VersionStarted"] if was is None else []
        changed = was and was.state != version.state
        expected += [f"Version{version.state}"] if changed else []
        collected = was and version.is_dropped and not was.is_dropped and version.state != "Superseded"
        expected += ["VersionCollected"] if collected else []
    if before.serving_version != after.serving_version:
        up = before.serving_version is None or after.serving_version > before.serving_version
        expected += ["VersionPromoted" if up else "VersionRolledBack"]
    neutral = {"RetrainingHeld", "VersionCollectionFailed"}
    assert sorted(reason for reason in told if reason not in neutral) == sorted(expected)


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLife = Life.TestCase
