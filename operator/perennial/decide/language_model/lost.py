"""Versions whose artifact is gone, as the pods find that see the storage."""

from datetime import datetime

from perennial.api import ModelDeployment
from perennial.decide.kube import true_condition
from perennial.decide.language_model.ledger import Ledger
from perennial.decide.language_model.observed import Observed

# With which a serving pod ends that does not find its artifact.
_REASON = "ArtifactNotFound"


def mark(ledger: Ledger, observed: Observed, now: datetime) -> Ledger:
    """Marks the version that the Deployment is to serve, if its pods don't find the artifact.

    A version that is marked is neither promoted nor compared, so that an older one serves, and the next can be trained.
    """
    deployment = observed.deployment
    if deployment is None or (message := _absence(deployment)) is None:
        return ledger
    version = ledger.version(deployment.spec.model.version)
    if version is None or not version.is_kept:
        return ledger
    return ledger.with_version(version.model_copy(update={"artifact_state": "Missing"})).record(
        now,
        "ArtifactMissing",
        "only an artifact that exists can be served",
        message,
        f"v{version.number} is not served until its artifact is restored and imported",
    )


def _absence(deployment: ModelDeployment) -> str | None:
    """What the pods of the Deployment's current spec say of an absent artifact."""
    stalled = true_condition(deployment.status, "Stalled")
    if stalled is None or stalled.reason != _REASON:
        return None
    return stalled.message if stalled.observed_generation == deployment.metadata.generation else None
