"""How the model is: ready, being worked on, or standing still, and why."""

from typing import Any

from perennial.api import LanguageModel, ModelDeployment
from perennial.api.language_model import Version
from perennial.decide.conditions import State, summary
from perennial.decide.kube import condition
from perennial.decide.language_model import retraining
from perennial.decide.language_model.children import service
from perennial.decide.language_model.ledger import Ledger
from perennial.decide.language_model.observed import Observed
from perennial.decide.language_model.promotion import pin_problem


def states(ledger: Ledger, model: LanguageModel, seen: Observed) -> tuple[State, ...]:
    """Ready (the promoted version answers), Reconciling, Stalled, Trained (the newest version), Served."""
    served = _served(ledger, model, seen.deployment)
    trained = _trained(ledger, seen)
    problem = pin_problem(ledger, model) or retraining.problem(model)
    stalled = _stalled(ledger, seen, served, problem)
    shown = stalled or (served if served.status or ledger.serving else trained)
    working = not stalled and (ledger.in_training is not None or not served.status)
    return (
        *summary(
            ready=served.status,
            stalled=stalled is not None,
            reconciling=working,
            reason=shown.reason,
            message=shown.message,
        ),
        trained,
        served,
    )


def _stalled(ledger: Ledger, seen: Observed, served: State, problem: str | None) -> State | None:
    """What needs a person: a wrong spec, a service or training that can't get on, nothing to serve."""
    if problem:
        return State("Stalled", True, "InvalidSpec", f"{problem}.")
    training = ledger.in_training
    job = seen.training_jobs.get(training.training_job) if training else None
    service = seen.deployment if ledger.serving and not served.status else None
    for waiting in (service, job):
        blocked = condition(waiting.status if waiting else None, "Stalled")
        if blocked and blocked.status == "True":
            return State("Stalled", True, blocked.reason, blocked.message)
    newest = ledger.newest
    if newest and newest.state in ("Failed", "Refused") and ledger.serving is None:
        return State("Stalled", True, f"Version{newest.state}", _ended(newest))
    return None


def _trained(ledger: Ledger, seen: Observed) -> State:
    newest = ledger.newest
    if newest is None:
        return State("Trained", False, "NoVersion", "No version was started yet.")
    if newest.state == "Training":
        job = seen.training_jobs.get(newest.training_job)
        ready = condition(job.status if job else None, "Ready")
        told = f" {ready.message}" if ready else ""
        return State("Trained", False, "Training", f"v{newest.number} is in training ({newest.reason}).{told}")
    return State("Trained", newest.state == "Accepted", f"Version{newest.state}", _ended(newest))


def _ended(version: Version) -> str:
    return f"v{version.number} {version.state.lower()}: {version.message}"


def _served(ledger: Ledger, model: LanguageModel, deployment: ModelDeployment | None) -> State:
    """Whether the version that should be in service is, on all replicas and as spec.deployment wants it."""
    number, version = ledger.status.serving_version, ledger.serving
    if number is None or version is None:
        return State("Served", False, "NoVersion", "No version was accepted yet.")
    ready = condition(deployment.status if deployment else None, "Ready")
    if deployment is None or ready is None or not _holds(deployment.spec.to_wire(), service(model, version)):
        return State("Served", False, "RollingOut", f"v{number} is being rolled out.")
    current = deployment.status.observed_generation == deployment.metadata.generation
    up = ready.status == "True" and current and deployment.status.version == number
    return State("Served", up, ready.reason if current else "RollingOut", ready.message)


def _holds(spec: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether all that is wanted is there; what it leaves open (the number of replicas) others may set."""
    return all(
        _holds(spec.get(key, {}), value) if isinstance(value, dict) else spec.get(key) == value
        for key, value in wanted.items()
    )
