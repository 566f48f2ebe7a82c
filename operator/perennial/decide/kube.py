"""Views of Kubernetes' own objects: what decisions read of Pods, Jobs and apps/v1 Deployments, typed and frozen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from perennial.decide.outcome import Manifest


class _Condition(Protocol):
    @property
    def type(self) -> str: ...
    @property
    def status(self) -> str: ...


C = TypeVar("C", bound=_Condition, covariant=True)


class _HasConditions(Protocol[C]):
    @property
    def conditions(self) -> Iterable[C]: ...


def condition(obj: _HasConditions[C] | None, type_: str) -> C | None:
    """The condition of this type, if the object exists and has one."""
    return next((each for each in obj.conditions if each.type == type_), None) if obj else None


def true_condition(obj: _HasConditions[C] | None, type_: str) -> C | None:
    """The condition of this type, if its status is True."""
    match = condition(obj, type_)
    return match if match and match.status == "True" else None


def is_true(obj: _HasConditions[Any] | None, type_: str) -> bool:
    """Whether the object has a condition of this type with status True."""
    return true_condition(obj, type_) is not None


def has_ended(run: _HasConditions[Any] | None) -> bool:
    """Whether a Job or TrainingJob is complete or has failed."""
    return is_true(run, "Complete") or is_true(run, "Failed")


@dataclass(frozen=True, slots=True)
class ConditionView:
    """A condition of a Pod, Job or apps/v1 Deployment."""

    type: str
    status: str
    reason: str | None = None
    message: str | None = None
    last_transition_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Termination:
    """How a container ended."""

    exit_code: int
    reason: str | None = None
    message: str = ""
    finished_at: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container does not run yet."""

    reason: str
    message: str | None = None


@dataclass(frozen=True, slots=True)
class ContainerView:
    """The status of one container."""

    name: str = ""
    image: str = ""
    waiting: Waiting | None = None
    terminated: Termination | None = None
    last_terminated: Termination | None = None

    @classmethod
    def of(cls, status: Manifest) -> "ContainerView":
        """The view of an entry of `containerStatuses`."""
        state = status.get("state") or {}
        return cls(
            name=status.get("name", ""),
            image=status.get("image", ""),
            waiting=_waiting(state.get("waiting")),
            terminated=_termination(state.get("terminated")),
            last_terminated=_termination((status.get("lastState") or {}).get("terminated")),
        )


@dataclass(frozen=True, slots=True)
class PodView:
    """A Pod. The kubelet gives a reason and a message where it has ended the pod itself, as by an eviction."""

    name: str
    namespace: str
    uid: str
    labels: Mapping[str, str]
    node: str
    phase: str
    reason: str
    message: str
    created: str
    is_terminating: bool
    conditions: tuple[ConditionView, ...]
    init_containers: tuple[ContainerView, ...]
    containers: tuple[ContainerView, ...]
    secret_volumes: tuple[str, ...]
    claims: tuple[str, ...]

    @classmethod
    def of(cls, manifest: Manifest) -> "PodView":
        """The view of a manifest from the API server."""
        at, status = manifest["metadata"], manifest.get("status", {})
        spec = manifest.get("spec", {})
        volumes = spec.get("volumes", [])
        return cls(
            name=at["name"],
            namespace=at.get("namespace", ""),
            uid=at.get("uid", ""),
            labels=at.get("labels") or {},
            node=spec.get("nodeName") or "",
            phase=status.get("phase", ""),
            reason=status.get("reason") or "",
            message=status.get("message") or "",
            created=at.get("creationTimestamp") or "",
            is_terminating="deletionTimestamp" in at,
            conditions=_conditions(status),
            init_containers=tuple(map(ContainerView.of, status.get("initContainerStatuses", []))),
            containers=tuple(map(ContainerView.of, status.get("containerStatuses", []))),
            secret_volumes=tuple(
                volume["secret"]["secretName"]
                for volume in volumes
                if "secret" in volume and not volume["secret"].get("optional")
            ),
            claims=_claims(volumes),
        )


@dataclass(frozen=True, slots=True)
class JobView:
    """A batch/v1 Job; template: that of its pods, as the API server has it."""

    name: str
    uid: str
    template: Manifest
    parallelism: int
    is_suspended: bool
    is_terminating: bool
    start_time: datetime | None
    conditions: tuple[ConditionView, ...]
    claims: frozenset[str]

    @classmethod
    def of(cls, manifest: Manifest) -> "JobView":
        """The view of a manifest from the API server."""
        at, spec, status = manifest["metadata"], manifest.get("spec", {}), manifest.get("status", {})
        template = spec.get("template", {})
        volumes = template.get("spec", {}).get("volumes") or ()
        return cls(
            name=at["name"],
            uid=at.get("uid", ""),
            template=template,
            parallelism=spec.get("parallelism", 1),
            is_suspended=spec.get("suspend", False),
            is_terminating="deletionTimestamp" in at,
            start_time=_time(status.get("startTime")),
            conditions=_conditions(status),
            claims=frozenset(_claims(volumes)),
        )

    @property
    def has_ended(self) -> bool:
        """Whether it is complete or has failed."""
        return has_ended(self)


@dataclass(frozen=True, slots=True)
class AppsView:
    """An apps/v1 Deployment; template: that of its pods, as the API server has it.

    The counts without `spec` in their name are those of its status.
    """

    name: str
    annotations: Mapping[str, str]
    generation: int
    observed_generation: int
    template: Manifest
    spec_replicas: int
    replicas: int
    updated_replicas: int
    ready_replicas: int
    available_replicas: int
    conditions: tuple[ConditionView, ...]

    @classmethod
    def of(cls, manifest: Manifest) -> "AppsView":
        """The view of a manifest from the API server."""
        at, status = manifest["metadata"], manifest.get("status", {})
        return cls(
            name=at.get("name", ""),
            annotations=at.get("annotations") or {},
            generation=at.get("generation", 0),
            observed_generation=status.get("observedGeneration", 0),
            template=manifest["spec"].get("template", {}),
            spec_replicas=manifest["spec"].get("replicas", 1),
            replicas=status.get("replicas", 0),
            updated_replicas=status.get("updatedReplicas", 0),
            ready_replicas=status.get("readyReplicas", 0),
            available_replicas=status.get("availableReplicas", 0),
            conditions=_conditions(status),
        )

    @property
    def has_rolled_out(self) -> bool:
        """Whether a template has replaced the one before, with all pods available; no scaling or failure undoes it."""
        progressing = condition(self, "Progressing")
        complete = progressing is not None and progressing.reason == "NewReplicaSetAvailable"
        return complete and self.updated_replicas == self.replicas

    @property
    def is_observed(self) -> bool:
        """Whether the status is that of the current spec."""
        return self.observed_generation >= self.generation


def _conditions(status: Manifest) -> tuple[ConditionView, ...]:
    return tuple(
        ConditionView(
            type=each["type"],
            status=each["status"],
            reason=each.get("reason"),
            message=each.get("message"),
            last_transition_time=_time(each.get("lastTransitionTime")),
        )
        for each in status.get("conditions") or ()
    )


def _claims(volumes: Iterable[Manifest]) -> tuple[str, ...]:
    return tuple(each["persistentVolumeClaim"]["claimName"] for each in volumes if "persistentVolumeClaim" in each)


def _termination(state: Manifest | None) -> Termination | None:
    if not state:
        return None
    return Termination(
        exit_code=state.get("exitCode", 0),
        reason=state.get("reason"),
        message=state.get("message") or "",
        finished_at=state.get("finishedAt") or "",
    )


def _waiting(state: Manifest | None) -> Waiting | None:
    return Waiting(state.get("reason", ""), state.get("message")) if state else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
