"""Defaults from the operator's settings."""

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from perennial.api.container import Resources
from perennial.api.pod import PodOverlay

# A namespace with a quota on compute takes no pod without requests and limits.
_CLEANUP_RESOURCES = Resources(
    requests={"cpu": "100m", "memory": "256Mi"},
    limits={"cpu": "1", "memory": "256Mi"},
)


class PodDefaults(PodOverlay):
    """Overrides for all pods of the cluster; those of an object take precedence, entry by entry."""

    security_context: dict[str, Any] | None = Field(
        None, description="Security context of the pods, instead of the operator's; OpenShift chooses the user itself."
    )
    cleanup_resources: Resources = Field(
        _CLEANUP_RESOURCES, description="Compute resources of the pods that delete artifacts."
    )


RolloutPolicy = Literal["All", "NewVersionsOnly"]


@dataclass(frozen=True)
class ServingRollout:
    """How a change of the defaults reaches the pods that serve.

    policy: All: without a change of the spec; NewVersionsOnly: with the next version or change of the spec.
    max_concurrent: apps/v1 Deployments that follow at a time.
    """

    policy: RolloutPolicy = "All"
    max_concurrent: int = 5


@dataclass(frozen=True)
class Defaults:
    """Images of pods without one in their spec, what all pods have, and how a change of both is rolled out."""

    training_image: str
    serving_image: str
    pods: PodDefaults = field(default_factory=PodDefaults)
    rollout: ServingRollout = ServingRollout()
