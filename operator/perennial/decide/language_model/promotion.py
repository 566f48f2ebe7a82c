"""The version in service: a pin, else the policy decides."""

from collections.abc import Iterable
from datetime import datetime

from perennial.api import LanguageModel
from perennial.api.language_model import Version
from perennial.decide.language_model.ledger import Ledger


def promote(ledger: Ledger, model: LanguageModel, now: datetime) -> Ledger:
    """Puts the version into service that pin or policy choose; without a choice, the version in service stays."""
    version, rule = _choice(ledger, model)
    before = ledger.status.serving_version
    if version is None or version.number == before:
        return ledger
    back = before is not None and version.number < before
    return ledger.update(serving_version=version.number).record(
        now,
        "VersionRolledBack" if back else "VersionPromoted",
        rule,
        f"v{version.number}: {version.message}",
        f"v{version.number} replaces v{before}" if before else f"v{version.number} goes into service",
    )


def awaiting_approval(ledger: Ledger, model: LanguageModel) -> Version | None:
    """The newest accepted version, if it is served only after an approval."""
    promotion, newest = model.spec.promotion, newest_accepted(ledger)
    if newest is None or promotion.policy != "Manual" or newest.number == ledger.status.serving_version:
        return None
    return newest if promotion.approve is None or promotion.approve.version != newest.number else None


def problem(ledger: Ledger, model: LanguageModel) -> str | None:
    """Why the pinned or approved version can't be served."""
    pin, approve = model.spec.promotion.pin, model.spec.promotion.approve
    if pin:
        return None if _kept(ledger, pin.version) else _no_artifact(ledger, pin.version)
    if approve is None or _is_approvable(ledger, approve.version):
        return None
    numbers = _numbers(version for version in ledger.status.versions if version.is_kept and version.passed_gates)
    return (
        f"spec.promotion.approve names version {approve.version}, which has not passed its gates or is deleted; "
        f"versions that can be approved: {numbers}; a pin serves any version whose artifact is kept"
    )


def newest_accepted(ledger: Ledger) -> Version | None:
    """The newest version that passed its gates and has its artifact."""
    accepted = [version for version in ledger.status.versions if version.passed_gates and version.is_kept]
    return max(accepted, key=lambda version: version.number, default=None)


def _choice(ledger: Ledger, model: LanguageModel) -> tuple[Version | None, str]:
    promotion = model.spec.promotion
    if promotion.pin:
        return _kept(ledger, promotion.pin.version), f"promotion.pin names v{promotion.pin.version}"
    if promotion.policy == "Manual":
        return _approved(ledger, model), "promotion.approve names the version"
    if model.spec.suspend:
        return None, "a suspended model promotes nothing"
    return newest_accepted(ledger), "the newest accepted version is served"


def _approved(ledger: Ledger, model: LanguageModel) -> Version | None:
    approve = model.spec.promotion.approve
    version = _kept(ledger, approve.version) if approve else None
    return version if version and version.passed_gates else None


def _is_approvable(ledger: Ledger, number: int) -> bool:
    """Whether it can be served now, or later: an approval may be given before the version is trained."""
    if number > ledger.status.last_version or number == ledger.status.serving_version:
        return True
    version = ledger.version(number)
    return version is not None and (version.in_training or bool(version.passed_gates and version.is_kept))


def _kept(ledger: Ledger, number: int) -> Version | None:
    version = ledger.version(number)
    return version if version and version.is_kept else None


def _no_artifact(ledger: Ledger, number: int) -> str:
    kept = _numbers(version for version in ledger.status.versions if version.is_kept)
    return f"spec.promotion.pin names version {number}, which has no artifact; versions that have one: {kept}"


def _numbers(versions: Iterable[Version]) -> str:
    return ", ".join(str(version.number) for version in versions) or "none"
