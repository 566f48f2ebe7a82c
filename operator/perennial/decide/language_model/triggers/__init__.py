"""What starts versions: each trigger is a module with one class; to add one, add it to TRIGGERS."""

from perennial.decide.language_model.triggers.initial import Initial
from perennial.decide.language_model.triggers.metric import Metric
from perennial.decide.language_model.triggers.request import Request
from perennial.decide.language_model.triggers.retry import Retry
from perennial.decide.language_model.triggers.schedule import Schedule
from perennial.decide.language_model.triggers.spec_changed import SpecChanged
from perennial.decide.language_model.triggers.trigger import Trigger

Registry = tuple[type[Trigger], ...]
# In the order of precedence.
TRIGGERS: Registry = (Initial, SpecChanged, Retry, Metric, Schedule, Request)
