"""What a decision on a Deployment looks at."""

from dataclasses import dataclass, field

from perennial.decide.defaults import Defaults
from perennial.decide.kube import AppsView, PodView


@dataclass(frozen=True)
class Observed:
    """The children of one Deployment, and the load on it.

    apps: the apps/v1 Deployment.
    missing: what the spec refers to and the namespace lacks, such as 'PersistentVolumeClaim "models"'.
    readings: by name of the scaling metric its value over all replicas, or why there is none.
    """

    defaults: Defaults
    apps: AppsView | None = None
    pods: tuple[PodView, ...] = ()
    missing: tuple[str, ...] = ()
    readings: dict[str, float | str] = field(default_factory=dict)
