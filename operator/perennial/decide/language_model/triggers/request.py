"""A request by hand starts a version."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from perennial.api import LanguageModel
from perennial.api.language_model import RequestStatus, TriggerStatus
from perennial.decide.language_model.triggers.trigger import Due, Trigger, View

PERIOD = timedelta(seconds=15)


@dataclass(frozen=True)
class Request(Trigger):
    """Due from the change of its value until any newer version is started, whatever starts it.

    So the value at the creation of the model is satisfied by the first version, and a request together with a
    change of the spec by the one version that the change starts.
    """

    name: str
    value: str

    @classmethod
    def of(cls, model: LanguageModel) -> Iterable[Trigger]:
        return (cls(entry.name, entry.request) for entry in model.spec.retraining.triggers if entry.request)

    def watched(self) -> object:
        return "request"

    def observe(self, status: TriggerStatus, view: View) -> TriggerStatus:
        if status.request is None or status.request.value != self.value:
            request = RequestStatus(value=self.value, after_version=view.ledger.status.last_version)
            return status.model_copy(update={"request": request})
        if _is_pending(status, view):
            return status
        return status.model_copy(update={"request": RequestStatus(value=self.value), "held": None})

    def due(self, status: TriggerStatus, view: View) -> Due | None:
        if not _is_pending(status, view):
            return None
        return Due(f"retraining.triggers {self.name}: another value of request", f'request is "{self.value}"')

    def fired(self, status: TriggerStatus, view: View) -> TriggerStatus:
        return status.model_copy(update={"request": RequestStatus(value=self.value)})

    def next_time(self, status: TriggerStatus, view: View) -> datetime | None:
        """Until it is satisfied it waits for the limits of retraining."""
        return view.now + PERIOD if _is_pending(status, view) else None


def _is_pending(status: TriggerStatus, view: View) -> bool:
    after = status.request.after_version if status.request else None
    return after is not None and view.ledger.status.last_version <= after
