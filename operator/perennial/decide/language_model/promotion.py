"""Which version should be in service, and why."""

from datetime import datetime

from perennial.api import LanguageModel
from perennial.api.language_model import Version
from perennial.decide.language_model.ledger import Ledger


def promote(ledger: Ledger, model: LanguageModel, now: datetime) -> Ledger:
    """The pinned version, else the newest accepted one."""
    version, rule = _wanted(ledger, model)
    before = ledger.status.serving_version
    if version is None or version.number == before:
        return ledger
    back = before is not None and version.number < before
    return ledger.update(serving_version=version.number).record(
        now,
        "VersionRolledBack" if back else "VersionPromoted",
        rule,
        f"v{version.number}: {version.message}",
        f"v{version.number} goes into service" + (f" in the place of v{before}" if before else ""),
    )


def pin_problem(ledger: Ledger, model: LanguageModel) -> str | None:
    """Why the pinned version can't be served, if so."""
    pin = model.spec.promotion.pin
    if pin is None or _kept(ledger, pin.version):
        return None
    kept = ", ".join(str(version.number) for version in ledger.status.versions if version.is_kept) or "none"
    return f"spec.promotion.pin names version {pin.version}, which has no artifact; versions that have one: {kept}"


def _wanted(ledger: Ledger, model: LanguageModel) -> tuple[Version | None, str]:
    pin = model.spec.promotion.pin
    if pin:
        return _kept(ledger, pin.version), f"promotion.pin to v{pin.version}"
    accepted = [v for v in ledger.status.versions if v.state == "Accepted" and v.is_kept]
    return max(accepted, key=lambda version: version.number, default=None), "the newest accepted version is served"


def _kept(ledger: Ledger, number: int) -> Version | None:
    version = ledger.version(number)
    return version if version and version.is_kept else None
