"""The part of the status that the kinds share: conditions and decisions."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from perennial.api.schema import ApiModel, list_map

_DNS_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_CONDITION_TYPE = rf"^({_DNS_LABEL}(\.{_DNS_LABEL})*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
CONDITION_REASON = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
LONGEST_CONDITION_MESSAGE = 32768
KEPT_DECISIONS = 20
# The status of an object that the operator has not observed; without it kstatus takes a new object for a current one.
UNOBSERVED = {"observedGeneration": -1}


class Condition(ApiModel):
    """Condition with the schema of metav1.Condition (KEP-1623)."""

    # The bounds are the API server's alone: an older operator must read what a newer one wrote.
    type: str = Field(
        description="Type of the condition, in CamelCase.",
        json_schema_extra={"pattern": _CONDITION_TYPE, "maxLength": 316},
    )
    status: str = Field(
        description="Status of the condition: True, False or Unknown.",
        json_schema_extra={"enum": ["True", "False", "Unknown"]},
    )
    observed_generation: int = Field(
        description="Generation of the object that the condition was computed from.", json_schema_extra={"minimum": 0}
    )
    last_transition_time: datetime = Field(description="When the status of the condition last changed.")
    reason: str = Field(
        description="Reason of the last transition, in CamelCase.",
        json_schema_extra={"pattern": CONDITION_REASON, "minLength": 1, "maxLength": 1024},
    )
    message: str = Field(
        description="Details for a person, with what to do about them.",
        json_schema_extra={"maxLength": LONGEST_CONDITION_MESSAGE},
    )


class Decision(ApiModel):
    """A decision of the operator, and its grounds. One that repeats is counted; its grounds are those of the last."""

    decision_time: datetime = Field(description="Time of the decision; of the first one if it is counted.")
    count: int | None = Field(None, description="Number of decisions of this reason by this rule; not set for one.")
    last_time: datetime | None = Field(None, description="Time of the last one if it is counted.")
    reason: str = Field(description="Kind of the decision, in CamelCase.")
    rule: str = Field(description="Rule that applied.")
    observed: str = Field(description="Observation that the rule applied to.")
    outcome: str = Field(description="Consequence of the decision.")


Conditions = Annotated[list[Condition], Field(max_length=16, json_schema_extra=list_map("type"))]
Decisions = Annotated[list[Decision], Field(max_length=KEPT_DECISIONS)]


class Status(ApiModel):
    """The part of the status that all kinds share."""

    observed_generation: int = Field(0, description="Generation of the object that this status was computed from.")
    conditions: Conditions = Field([], description="Ready, Reconciling, Stalled.")


class StatusWithDecisions(Status):
    """The status of a kind whose decisions are recorded."""

    decisions: Decisions = Field(
        [],
        description="Last decisions, the newest last. What repeats is counted in one entry, and the last change of the "
        "version in service stays listed.",
    )
