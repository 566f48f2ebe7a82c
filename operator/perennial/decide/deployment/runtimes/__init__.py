"""The serving runtimes by name. A new one is a module with the protocol of runtime.py, a line here, an API block."""

from perennial.api import ModelDeployment
from perennial.decide.deployment.runtimes.runtime import ServingRuntime
from perennial.decide.deployment.runtimes.transformers import Transformers

RUNTIMES: dict[str, ServingRuntime] = {runtime.name: runtime for runtime in (Transformers(),)}


def runtime_of(deployment: ModelDeployment) -> ServingRuntime:
    """The runtime that the spec names."""
    return RUNTIMES[deployment.spec.runtime.name]
