"""A training that failed is tried again after a while: what it failed for may have gone, such as missing data."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import ClassVar

from perennial.api import LanguageModel
from perennial.api.language_model import TriggerStatus, Version
from perennial.decide.fingerprint import fingerprint, run_fingerprint
from perennial.decide.language_model.triggers.trigger import Due, Trigger, View

# After the first failure; doubled with each further one.
DELAY = timedelta(minutes=10)


@dataclass(frozen=True)
class Retry(Trigger):
    """Due some time after the failure of the newest version, if the spec is still the same."""

    limit: int
    name: str = "Retry"
    configured: ClassVar[bool] = False

    @classmethod
    def of(cls, model: LanguageModel) -> Iterable[Trigger]:
        return (cls(model.spec.retraining.backoff_limit),)

    def due(self, status: TriggerStatus, view: View) -> Due | None:
        time = self.next_time(status, view)
        if time is None or view.now < time:
            return None
        count = len(_failures(view))
        return Due(f"retraining.backoffLimit {self.limit}", f"v{_newest(view).number} failed; this is retry {count}")

    def next_time(self, status: TriggerStatus, view: View) -> datetime | None:
        failures = _failures(view)
        if view.model.spec.suspend or not 0 < len(failures) <= self.limit:
            return None
        ended = _newest(view).completion_time
        if ended is None:
            return None
        pause = DELAY * 2 ** (len(failures) - 1)
        return ended + pause if ended <= view.now else view.now  # told by a clock that was set back since


def _newest(view: View) -> Version:
    assert view.ledger.newest
    return view.ledger.newest


def _failures(view: View) -> list[Version]:
    """The failures in a row of the current spec, the newest first."""
    failed = list(takewhile(_has_failed, reversed(view.ledger.status.versions)))
    if not failed:  # as a rule: the hashes of the spec are not needed then
        return []
    current = fingerprint(view.model.spec), run_fingerprint(view.model.spec)
    return list(takewhile(lambda version: (version.fingerprint, version.run_fingerprint) == current, failed))


def _has_failed(version: Version) -> bool:
    return version.is_untrained and version.superseded_time is None
