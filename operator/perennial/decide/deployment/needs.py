"""What a decision on a Deployment must know, as far as it follows from what is known already."""

from collections.abc import Iterable

from perennial.api import ModelDeployment
from perennial.decide.deployment.observed import Observed
from perennial.decide.deployment.state import rolled_out
from perennial.decide.deployment.update import is_pending


def inputs(deployment: ModelDeployment, observed: Observed) -> Iterable[str]:
    """The URIs whose claims must exist: once rolled out none, as mounted claims survive their deletion."""
    return () if rolled_out(deployment, observed) else (deployment.spec.model.uri,)


def turn(deployment: ModelDeployment, observed: Observed) -> bool:
    """Whether it must be known how many others follow a change of the operator's defaults."""
    return observed.defaults.rollout.policy == "All" and is_pending(deployment, observed)
