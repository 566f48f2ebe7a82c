"""How a change of the operator's defaults reaches pods that serve: in turn, or with the next version.

The defaults are the serving image, the overrides for all pods, and the operator's own version, whatever of them the pod
template shows. A changed spec is followed at once. So is any change by pods that have not rolled out yet: nothing of
theirs is in service, and the change may be what mends them.
"""

from datetime import timedelta

from perennial.api import ModelDeployment
from perennial.decide.conditions import State
from perennial.decide.defaults import ServingRollout
from perennial.decide.deployment.observed import Observed
from perennial.decide.deployment.workload import serving_pod
from perennial.decide.digest import digest
from perennial.decide.kube import AppsView
from perennial.decide.labels import BUILT_FOR, POD_SPEC, POD_TEMPLATE
from perennial.decide.outcome import Manifest

_SPEC, _DEFAULTS = "Spec", "Defaults"
# Between two looks for a turn: those of others are not watched.
TURN_PERIOD = timedelta(seconds=30)


def follows_defaults(apps: AppsView) -> bool:
    """Whether an apps/v1 Deployment is rolling out a change of the defaults."""
    return apps.annotations.get(BUILT_FOR) == _DEFAULTS and not (apps.has_rolled_out and apps.is_observed)


def is_pending(deployment: ModelDeployment, observed: Observed) -> bool:
    """Whether nothing but the defaults has changed since the pods rolled out."""
    apps = observed.apps
    return (
        apps is not None
        and apps.has_rolled_out
        and apps.annotations.get(POD_SPEC) == _spec_digest(deployment)
        and apps.annotations.get(POD_TEMPLATE) != digest(serving_pod(deployment, observed.defaults))
    )


def is_held(deployment: ModelDeployment, observed: Observed) -> bool:
    """Whether the pods stay as they are for now, in spite of other defaults."""
    return is_pending(deployment, observed) and not observed.has_turn


def template(deployment: ModelDeployment, observed: Observed, *, held: bool) -> tuple[Manifest, dict[str, str]]:
    """The pod template, and the annotations that tell what it was built from."""
    apps, spec = observed.apps, {POD_SPEC: _spec_digest(deployment)}
    if apps and held:
        return apps.template, spec | {name: apps.annotations.get(name, "") for name in (POD_TEMPLATE, BUILT_FOR)}
    built = serving_pod(deployment, observed.defaults)
    return built, spec | {POD_TEMPLATE: digest(built), BUILT_FOR: _built_for(apps, spec[POD_SPEC], digest(built))}


def up_to_date(rollout: ServingRollout, *, held: bool) -> State:
    """Whether the pod template has the operator's current defaults."""
    if not held:
        message = "The pod template has the current defaults of the operator."
        return State("UpToDate", True, "UpToDate", message)
    if rollout.policy == "NewVersionsOnly":
        message = "The pods keep the operator's earlier defaults until another version is promoted or the spec changes."
        return State("UpToDate", False, "UpdateHeld", message)
    message = f"The operator's defaults have changed; {rollout.max_concurrent} Deployments roll them out at a time."
    return State("UpToDate", False, "UpdateWaiting", message)


def _built_for(apps: AppsView | None, spec: str, built: str) -> str:
    if apps is None or apps.annotations.get(POD_SPEC) != spec:
        return _SPEC
    return apps.annotations.get(BUILT_FOR, _SPEC) if apps.annotations.get(POD_TEMPLATE) == built else _DEFAULTS


def _spec_digest(deployment: ModelDeployment) -> str:
    """Fields at their default count as absent, so that an operator that knows more fields sees no change."""
    return digest(deployment.spec.model_dump(mode="json", exclude_defaults=True, include={"model", "runtime", "pod"}))
