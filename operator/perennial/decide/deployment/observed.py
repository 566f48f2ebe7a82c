"""Everything that a decision on a Deployment depends on, beside its object and the time."""

from dataclasses import dataclass, field

from perennial.decide.defaults import Defaults
from perennial.decide.kube import AppsView, PodView
from perennial.decide.outcome import Reference


@dataclass(frozen=True)
class Observed:
    """The children of one Deployment, and the load on it.

    apps: the apps/v1 Deployment.
    network_policies: those of the Deployment; one at most.
    has_turn: whether a change of the defaults may be followed now, as not too many others follow it.
    missing: objects that the spec refers to and that do not exist, such as 'PersistentVolumeClaim "models"'.
    readings: value of each scaling metric over all replicas, or why it has none, by name; absent before the first one.
    """

    defaults: Defaults
    apps: AppsView | None = None
    pods: tuple[PodView, ...] = ()
    network_policies: tuple[Reference, ...] = ()
    has_turn: bool = False
    missing: tuple[str, ...] = ()
    readings: dict[str, float | str] = field(default_factory=dict)
