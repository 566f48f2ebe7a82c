"""The conditions of a LanguageModel."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from perennial.api import LanguageModel, ModelDeployment
from perennial.api.language_model import Version
from perennial.decide.conditions import State, summary
from perennial.decide.kube import condition, is_true, true_condition
from perennial.decide.language_model import imports, promotion, retraining
from perennial.decide.language_model.children import deployment_spec
from perennial.decide.language_model.cleanup import cleanup_name, trouble_of
from perennial.decide.language_model.ledger import Ledger, state_of
from perennial.decide.language_model.observed import Observed
from perennial.decide.language_model.triggers.initial import Initial
from perennial.decide.language_model.triggers.spec_changed import SpecChanged

AWAITING_APPROVAL = "AwaitingApproval"
_IMPORTING = "Importing"
# Triggers of versions that carry out the spec.
BY_SPEC = {Initial.name, SpecChanged.name}


def states(ledger: Ledger, model: LanguageModel, observed: Observed, now: datetime) -> tuple[State, ...]:
    """Ready (the promoted version serves), Reconciling, Stalled, Trained (the newest version), and the others."""
    served = _served(ledger, model, observed.deployment)
    trained = _importing(ledger, model, observed, now) or _trained(ledger, observed)
    promoted = _promoted(ledger, model)
    suspended = _suspended(ledger, model, observed)
    stalled = _stalled(ledger, model, observed, served, trained)
    waits = None if ledger.serving else _waiting(promoted, suspended)
    shown = stalled or waits or (served if ledger.serving else trained)
    carried_out = (served.status or waits) and not _works_on_the_spec(ledger, model)
    ready, *others = summary(
        ready=served.status,
        stalled=stalled is not None,
        reconciling=not stalled and not carried_out,
        reason=shown.reason,
        message=shown.message,
    )
    return (
        replace(served, type=ready.type) if served.status else ready,  # what is ready is not so for a stall
        *others,
        trained,
        promoted,
        served,
        suspended,
        _collected(ledger, observed, now),
    )


def _works_on_the_spec(ledger: Ledger, model: LanguageModel) -> bool:
    """Whether an import carries out the spec, or a training: the first one, that of a changed spec, a retry of either.

    Once a version of the spec was judged, the spec is carried out; a trigger then retrains what is as it should be.
    """
    if imports.is_pending(ledger, model):
        return True
    if ledger.in_training is None or model.spec.suspend:
        return False
    of_the_spec = (v for v in reversed(ledger.status.versions) if v.passed_gates is not None or v.trigger in BY_SPEC)
    last = next(of_the_spec, None)
    return last is None or last.passed_gates is None


def _waiting(promoted: State, suspended: State) -> State | None:
    """The reason why nothing is served and nothing happens until the user acts: approval or suspension."""
    if promoted.reason == AWAITING_APPROVAL:
        return promoted
    return suspended if suspended.status else None


def _stalled(ledger: Ledger, model: LanguageModel, observed: Observed, served: State, trained: State) -> State | None:
    """A state that a person has to end: a wrong spec, a stuck import, a stalled child, nothing to serve."""
    if imports.is_pending(ledger, model):
        return None if trained.reason == _IMPORTING else State("Stalled", True, trained.reason, trained.message)
    if problem := promotion.problem(ledger, model) or retraining.problem(model):
        return State("Stalled", True, "InvalidSpec", f"{problem}.")
    training = ledger.in_training
    job = observed.training_jobs.get(training.training_job) if training else None
    deployment = observed.deployment if ledger.serving and not served.status else None
    for child in (deployment, job):
        blocked = true_condition(child.status if child else None, "Stalled")
        if blocked:
            return State("Stalled", True, blocked.reason, blocked.message)
    newest = ledger.newest
    without_success = newest and not newest.in_training and not newest.passed_gates and not newest.superseded_time
    if newest and without_success and ledger.serving is None and promotion.newest_accepted(ledger) is None:
        return State("Stalled", True, f"Version{state_of(newest)}", _outcome(newest))
    return None


def _importing(ledger: Ledger, model: LanguageModel, observed: Observed, now: datetime) -> State | None:
    if not imports.is_pending(ledger, model):
        return None
    assert model.spec.import_
    action = f"The artifacts at {model.spec.import_.uri} are being imported."
    if ledger.in_training:
        return State("Trained", False, _IMPORTING, f"{action} The import follows the running training.")
    if cause := imports.trouble_of(model, observed, now):
        return State("Trained", False, cause.reason, f"{action} {cause.message}")
    return State("Trained", False, _IMPORTING, action)


def _trained(ledger: Ledger, observed: Observed) -> State:
    newest = ledger.newest
    if newest is None:
        return State("Trained", False, "NoVersion", "No version has been started.")
    if newest.in_training:
        job = observed.training_jobs.get(newest.training_job)
        ready = condition(job.status if job else None, "Ready")
        detail = f" {ready.message}" if ready else ""
        return State("Trained", False, "Training", f"v{newest.number} is in training ({newest.trigger}).{detail}")
    return State("Trained", bool(newest.passed_gates), f"Version{state_of(newest)}", _outcome(newest))


def _outcome(version: Version) -> str:
    return f"v{version.number} {state_of(version).lower()}: {version.message}"


def _promoted(ledger: Ledger, model: LanguageModel) -> State:
    """Whether the newest accepted version is the one in service."""
    newest, pin = promotion.newest_accepted(ledger), model.spec.promotion.pin
    if newest is None:
        return State("Promoted", False, "NoVersion", "No version has passed its gates.")
    if newest.number == ledger.status.serving_version:
        return State("Promoted", True, "Promoted", f"v{newest.number}, the newest accepted version, is promoted.")
    if pin:
        pinned = f"spec.promotion.pin names v{pin.version}; v{newest.number} passed its gates and is not served."
        return State("Promoted", False, "Pinned", pinned)
    if promotion.awaiting_approval(ledger, model):
        advice = f"set spec.promotion.approve.version to {newest.number} to serve it."
        return State("Promoted", False, AWAITING_APPROVAL, f"v{newest.number} passed its gates; {advice}")
    return State(
        "Promoted", False, "Suspended", f"v{newest.number} passed its gates; spec.suspend holds its promotion."
    )


def _suspended(ledger: Ledger, model: LanguageModel, observed: Observed) -> State:
    if not model.spec.suspend:
        return State("Suspended", False, "NotSuspended", "spec.suspend is false.")
    serving, training = ledger.status.serving_version, ledger.in_training
    service = f"v{serving} stays in service" if serving else "no version is in service"
    if training is None:
        return State("Suspended", True, "Suspended", f"spec.suspend is true: no version is started; {service}.")
    job = observed.training_jobs.get(training.training_job)
    paused = job is None or is_true(job.status, "Suspended")
    detail = f"training of v{training.number} is {'suspended' if paused else 'being suspended'}"
    return State("Suspended", True, "Suspended", f"spec.suspend is true: {detail}; {service}.")


def _collected(ledger: Ledger, observed: Observed, now: datetime) -> State:
    """Whether nothing is left to delete; what keeps a deletion from its end is told."""
    deleting = [version for version in ledger.status.versions if version.artifact_state == "Deleting"]
    if not deleting:
        return State("Collected", True, "Collected", "No files of collected versions are left.")
    for version in deleting:
        running = observed.storage_jobs.get(cleanup_name(version))
        if running and (cause := trouble_of(running, now)):
            message = f"The files of v{version.number} are not deleted: {cause.message}"
            return State("Collected", False, cause.reason, message)
    names = " and ".join(f"v{version.number}" for version in deleting)
    return State("Collected", False, "Collecting", f"The files of {names} are being deleted.")


def _served(ledger: Ledger, model: LanguageModel, deployment: ModelDeployment | None) -> State:
    """Whether all replicas serve the promoted version as spec.deployment describes."""
    number, version = ledger.status.serving_version, ledger.serving
    if number is None or version is None:
        return State("Served", False, "NoVersion", "No version has been promoted.")
    ready = condition(deployment.status if deployment else None, "Ready")
    if deployment is None or ready is None or not _holds(deployment.spec.to_wire(), deployment_spec(model, version)):
        return State("Served", False, "RollingOut", f"v{number} is being rolled out.")
    current = deployment.status.observed_generation == deployment.metadata.generation
    up = ready.status == "True" and current and deployment.status.version == number
    return State("Served", up, ready.reason if current else "RollingOut", ready.message)


def _holds(spec: dict[str, Any], desired: dict[str, Any]) -> bool:
    """Whether the spec has all desired fields; others may set further ones, such as the number of replicas."""
    return all(
        _holds(spec.get(key, {}), value) if isinstance(value, dict) else spec.get(key) == value
        for key, value in desired.items()
    )
