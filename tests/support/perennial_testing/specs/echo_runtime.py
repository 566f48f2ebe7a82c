"""A serving runtime that does nothing but echo, as somebody would add it: a block of the API and a module."""

from typing import ClassVar, Literal

from pydantic import Field

from perennial.api import ModelDeployment, deployment
from perennial.api.schema import ApiModel, own_block
from perennial.decide.defaults import Defaults
from perennial.decide.deployment.runtimes.runtime import Probe, Probes
from perennial_contract.job.block import cel


# The block of the API.
class EchoBlock(ApiModel):
    """Settings of the runtime echo."""

    text: str = Field("hello", max_length=64, description="What it answers.")


class RuntimeWithEcho(deployment.Runtime):
    """The union with a member more."""

    model_config = cel(*own_block("name", "transformers", "echo"))

    name: Literal["transformers", "echo"] = "transformers"  # type: ignore[assignment]
    echo: EchoBlock | None = Field(None, description="Settings of the runtime echo.")


class SpecWithEcho(deployment.ModelDeploymentSpec):
    """The spec with this union."""

    runtime: RuntimeWithEcho = RuntimeWithEcho()


class DeploymentWithEcho(ModelDeployment):
    """The kind with this spec."""

    PLURAL: ClassVar[str] = "echodeployments"
    KIND: ClassVar[str] = "EchoDeployment"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ()

    spec: SpecWithEcho


# The module.
class Echo:
    """Needs no artifact, and answers every request with the same text."""

    name = "echo"
    port = 5678
    probes = Probes(*[Probe("/", period_seconds=1, failure_threshold=1)] * 3)
    queue_depth_metric = "echo_queue_length"

    def image(self, deployment: ModelDeployment, defaults: Defaults) -> str:
        return deployment.spec.runtime.image or "echo:1"

    def fetch_image(self, deployment: ModelDeployment, defaults: Defaults) -> str | None:
        return None

    def command(self, deployment: ModelDeployment) -> list[str]:
        assert isinstance(deployment, DeploymentWithEcho)
        return ["echo", (deployment.spec.runtime.echo or EchoBlock()).text]

    def api_keys(self, deployment: ModelDeployment) -> str | None:
        return None

    def url_path(self, task: str) -> str:
        return f"/{task}"
