"""The built-in server: perennial_serving."""

from perennial.api import ModelDeployment
from perennial.api.deployment import TransformersRuntime
from perennial.decide.defaults import Defaults
from perennial.decide.deployment.runtimes.runtime import API_KEYS_FOLDER, MODEL_FOLDER, Probe, Probes
from perennial_contract import pod
from perennial_contract.metrics import REQUESTS_WAITING


class Transformers:
    """Its image holds the program that fetches the artifact as well."""

    name = "transformers"
    port = pod.SERVING_PORT
    probes = Probes(
        startup=Probe(pod.LIVENESS_PATH, period_seconds=2, failure_threshold=300),
        readiness=Probe(pod.READINESS_PATH, period_seconds=2, failure_threshold=2),
        liveness=Probe(pod.LIVENESS_PATH, period_seconds=10, failure_threshold=6),
    )
    queue_depth_metric = REQUESTS_WAITING.name

    def image(self, deployment: ModelDeployment, defaults: Defaults) -> str:
        return deployment.spec.runtime.image or defaults.serving_image

    def fetch_image(self, deployment: ModelDeployment, defaults: Defaults) -> str | None:
        return self.image(deployment, defaults)

    def command(self, deployment: ModelDeployment) -> list[str]:
        model = deployment.spec.model
        settings = deployment.spec.runtime.transformers or TransformersRuntime()
        options: dict[str, object] = {
            "--model": MODEL_FOLDER,
            "--name": model.name,
            "--version": model.version,
            "--port": self.port,
            "--max-batch": settings.max_batch_size,
            "--max-waiting": settings.max_queued_requests,
            "--linger": pod.ENDPOINT_LAG_SECONDS,
            "--grace-period": pod.SERVING_GRACE_SECONDS,
        }
        if settings.api_keys:
            options["--api-keys"] = API_KEYS_FOLDER
        # A value may begin with a dash.
        return ["python", "-m", "perennial_serving", "serve", *(f"{flag}={value}" for flag, value in options.items())]

    def api_keys(self, deployment: ModelDeployment) -> str | None:
        settings = deployment.spec.runtime.transformers
        return settings.api_keys.secret_name if settings and settings.api_keys else None

    def url_path(self, task: str) -> str:
        """Clients of OpenAI expect the version of the API in the URL; the client of Hugging Face adds its own path."""
        return "/v1" if task == "text-generation" else ""
