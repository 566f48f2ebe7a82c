"""Retention: what older versions left in the storage is deleted first, their entries in the status later."""

from datetime import datetime

from perennial.api import LanguageModel
from perennial.api.language_model import HISTORY_MARGIN, LONGEST_HISTORY, Version
from perennial.decide.kube import is_true
from perennial.decide.language_model.cleanup import cleanup_name, has_deleted
from perennial.decide.language_model.ledger import Ledger
from perennial.decide.language_model.observed import Observed, StorageJob
from perennial.decide.language_model.promotion import awaiting_approval
from perennial.decide.language_model.storage_job import failure

# A failed version keeps its checkpoints, to start from or to look into, while it is among this many that ended last.
_FAILED_KEPT = 3


def collect(ledger: Ledger, model: LanguageModel, observed: Observed, now: datetime) -> Ledger:
    """Deletes artifacts beyond versionHistoryLimit and the files of failed versions; bounds the list of versions."""
    for version in ledger.status.versions:
        if version.artifact_state == "Deleting":
            ledger = _followed(ledger, version, observed.storage_jobs.get(cleanup_name(version)), now)
    for version in _excess(ledger, model, observed):
        # What another object trained may be in use elsewhere.
        dropped = version.model_copy(update={"artifact_state": "Released" if version.imported else "Deleting"})
        ledger = ledger.with_version(dropped).record(now, "VersionCollected", *_grounds(version, model))
    return _bounded(ledger, model, now)


def _followed(ledger: Ledger, version: Version, running: StorageJob | None, now: datetime) -> Ledger:
    """A failure is recorded once; the deletion of the Job by a person starts a retry."""
    if running is None:
        return ledger
    if has_deleted(running):
        return ledger.with_version(version.model_copy(update={"artifact_state": "Deleted"}))
    name = cleanup_name(version)
    message = failure(name)
    if not is_true(running.job, "Failed") or version.message == message:
        return ledger
    return ledger.with_version(version.model_copy(update={"message": message})).record(
        now,
        "VersionCollectionFailed",
        "artifacts beyond versionHistoryLimit are deleted",
        f"Job {name} failed",
        f"artifact of v{version.number} may still exist; delete the Job to retry",
    )


def _grounds(version: Version, model: LanguageModel) -> tuple[str, str, str]:
    """The rule by which the version is collected, the observation and the outcome."""
    name, limit = f"v{version.number}", model.spec.version_history_limit
    if version.is_kept:
        old = f"{name} is neither in service nor one of the newest {limit} that have an artifact"
        outcome = (
            f"imported artifact of {name} stays at {version.uri}"
            if version.imported
            else f"artifact of {name} is deleted"
        )
        return f"versionHistoryLimit {limit}", old, outcome
    old = f"{name} failed and is not one of the {_FAILED_KEPT} versions that ended last"
    return "a failed version keeps its files for a time", old, f"unfinished files of {name} are deleted"


def _excess(ledger: Ledger, model: LanguageModel, observed: Observed) -> list[Version]:
    """Artifacts beyond the newest, and failed versions before those that ended last.

    Only what has an artifact counts for the limit: no failure deletes a version that can be served. Never collected
    is what is served, pinned, approved, awaiting approval or compared.
    """
    ended = [version for version in ledger.status.versions if not (version.in_training or version.is_dropped)]
    trained = [version for version in ended if version.is_kept]
    failed = [version for version in ended[:-_FAILED_KEPT] if not version.is_kept]
    promotion, training = model.spec.promotion, ledger.in_training
    waiting = awaiting_approval(ledger, model)
    needed = {
        ledger.status.serving_version,
        observed.deployment.status.version if observed.deployment else None,
        promotion.pin.version if promotion.pin else None,
        promotion.approve.version if promotion.approve else None,
        waiting.number if waiting else None,
        training.judged_against if training else None,
    }
    excess = [*trained[: -model.spec.version_history_limit], *failed]
    return [version for version in excess if version.number not in needed]


def _bounded(ledger: Ledger, model: LanguageModel, now: datetime) -> Ledger:
    """Drops the oldest entries without an artifact; those whose deletion is stuck only where the status is full."""
    deleted = [version for version in ledger.status.versions if version.artifact_state in ("Deleted", "Released")]
    excess = len(ledger.status.versions) - model.spec.version_history_limit - HISTORY_MARGIN
    for version in deleted[: max(0, excess)]:
        ledger = ledger.without_version(version)
    stuck = [version for version in ledger.status.versions if version.artifact_state == "Deleting"]
    excess = len(ledger.status.versions) - LONGEST_HISTORY - HISTORY_MARGIN
    for version in stuck[: max(0, excess)]:
        ledger = ledger.without_version(version).record(
            now,
            "VersionCollectionFailed",
            f"status.versions holds {LONGEST_HISTORY + HISTORY_MARGIN} entries",
            f"the artifact of v{version.number} is not deleted yet",
            f"v{version.number} is dropped from the status; delete {version.uri} by hand",
        )
    return ledger
