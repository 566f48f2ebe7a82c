"""Settings of the operator: flags, each with an environment variable as its default."""

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args
from urllib.parse import urlsplit

from perennial.decide.defaults import Defaults, PodDefaults, RolloutPolicy, ServingRollout
from perennial.loop.readings.access import Access
from perennial.process import files

T = TypeVar("T")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Settings:
    """Flags of the operator; `namespaces` is empty for the whole cluster."""

    namespaces: tuple[str, ...]
    defaults: Defaults
    prometheus_url: str | None
    prometheus_access: Access
    lease_namespace: str
    lease_name: str
    release: str
    metrics_port: int
    workers: int
    resync_seconds: int
    log_level: str
    log_format: str


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """The settings; a flag takes precedence over PERENNIAL_<FLAG>. Exits with 2 and advice if one is invalid."""
    parser = _parser(environment)
    options = parser.parse_args(arguments)
    namespaces = options.namespace or environment.get("PERENNIAL_NAMESPACE", "").split(",")
    try:
        served = tuple(sorted({_namespace(name.strip()) for name in namespaces if name.strip()}))
    except argparse.ArgumentTypeError as error:
        parser.error(f"--namespace: {error}")
    if contradiction := _contradiction(options.prometheus_url, options.prometheus_config):
        parser.error(f"--prometheus-config: {contradiction}")
    return Settings(
        namespaces=served,
        defaults=Defaults(
            options.training_image,
            options.serving_image,
            options.pod_defaults,
            ServingRollout(options.serving_rollout_policy, options.serving_rollout_max_concurrent),
        ),
        prometheus_url=options.prometheus_url or None,
        prometheus_access=options.prometheus_config,
        lease_namespace=options.lease_namespace,
        lease_name=options.lease_name,
        release=options.release,
        metrics_port=options.metrics_port,
        workers=options.workers,
        resync_seconds=options.resync_seconds,
        log_level=options.log_level,
        log_format=options.log_format,
    )


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="perennial",
        description="The Perennial operator: reconciles LanguageModels, TrainingJobs and Deployments (perennial.dev).",
        epilog="Each flag has an environment variable: PERENNIAL_LEASE_NAME sets --lease-name. PERENNIAL_NAMESPACE "
        "takes several names, separated by commas. The cluster is the one of the pod, else that of $KUBECONFIG.",
    )

    def flag(name: str, fallback: str, **options: Any) -> None:
        variable = "PERENNIAL_" + name.strip("-").upper().replace("-", "_")
        options["help"] = f"{options['help']} [{variable}]"
        parser.add_argument(name, default=environment.get(variable, fallback), **options)

    parser.add_argument(
        "--namespace",
        action="append",
        metavar="NAME",
        help="namespace to watch; repeatable; without it the whole cluster [PERENNIAL_NAMESPACE]",
    )
    flag("--training-image", "localhost/perennial/training:dev", metavar="IMAGE",
         help="default image of training pods (default: %(default)s)")  # fmt: skip
    flag("--serving-image", "localhost/perennial/serving:dev", metavar="IMAGE",
         help="default image of serving pods (default: %(default)s)")  # fmt: skip
    flag("--pod-defaults", "", metavar="FILE", type=_file(files.pod_defaults, PodDefaults()),
         help="YAML file with overrides for all pods, as spec.deployment.pod has them, with securityContext and "
              "cleanupResources; the overrides of an object take precedence")  # fmt: skip
    flag("--serving-rollout-policy", ServingRollout.policy, metavar="POLICY", type=_one_of(*get_args(RolloutPolicy)),
         help="All or NewVersionsOnly: whether a change of the serving image, of the pod defaults or of the operator "
              "itself reaches the Deployments without a change of their spec (default: %(default)s)")  # fmt: skip
    flag("--serving-rollout-max-concurrent", str(ServingRollout.max_concurrent), metavar="N", type=_between(1, 10000),
         help="Deployments that roll out such a change at a time, under the policy All "
              "(default: %(default)s)")  # fmt: skip
    flag("--prometheus-url", "", metavar="URL", type=_url,
         help="URL of the Prometheus for the queries of autoscaling and retraining, such as http://prometheus:9090; "
              "without it they have no readings")  # fmt: skip
    flag("--prometheus-config", "", metavar="FILE", type=_file(files.access, Access()),
         help="YAML file with the credentials, certificates, headers and tenants for that Prometheus")  # fmt: skip
    flag("--lease-namespace", "kube-system", metavar="NAME", type=_namespace,
         help="namespace of the leader election Lease; operators with the same Lease never work at once, whatever they "
              "watch (default: %(default)s)")  # fmt: skip
    flag(
        "--lease-name",
        "perennial-operator",
        metavar="NAME",
        help="name of the leader election Lease (default: %(default)s)",
    )
    flag("--release", "", metavar="NAMESPACE/NAME",
         help="Helm release of this operator, which the Lease names as its holder (default: none)")  # fmt: skip
    flag("--metrics-port", "8080", metavar="PORT", type=_between(0, 65535),
         help="port of /metrics, /healthz and /readyz (default: %(default)s)")  # fmt: skip
    flag("--workers", "16", metavar="N", type=_between(1, 1000),
         help="number of concurrent reconciles (default: %(default)s)")  # fmt: skip
    flag("--resync-seconds", "300", metavar="N", type=_between(5, 86400),
         help="seconds between two comparisons of cache and API server, which detect a broken watch "
              "(default: %(default)s)")  # fmt: skip
    flag("--log-level", "info", metavar="LEVEL", type=_one_of("debug", "info", "warning", "error"),
         help="debug, info, warning or error (default: %(default)s)")  # fmt: skip
    flag("--log-format", "text", metavar="FORMAT", type=_one_of("text", "json"),
         help="text or json (default: %(default)s)")  # fmt: skip
    return parser


def _namespace(text: str) -> str:
    if not _NAMESPACE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a name of a namespace (a-z, 0-9 and -)")
    return text


def _url(text: str) -> str:
    shown = text.rpartition("@")[2]
    if shown != text:
        raise argparse.ArgumentTypeError(
            f"the URL of {shown!r} must not contain a user name or password; set basicAuth in --prometheus-config"
        )
    if "?" in text or "#" in text:
        raise argparse.ArgumentTypeError(
            f"{text!r} must not have a query or fragment; set parameters in --prometheus-config"
        )
    if text and not (re.fullmatch(r"https?://[^\s/]+(/\S*)?", text) and _has_port_or_none(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL such as http://prometheus.monitoring:9090")
    return text.rstrip("/")


def _has_port_or_none(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _file(load: Callable[[Path], T], absent: T) -> Callable[[str], T]:
    def content(name: str) -> T:
        try:
            return load(Path(name)) if name else absent
        except files.ConfigError as error:
            raise argparse.ArgumentTypeError(f"{name}: {error}") from error

    return content


def _contradiction(url: str, access: Access) -> str | None:
    """What of the configuration would have no effect with this URL."""
    if access != Access() and not url:
        return "the URL is missing; set --prometheus-url"
    if access.tls and not url.startswith("https://"):
        return "tls needs a URL that begins with https://"
    return None


def _one_of(*names: str) -> Any:
    def name(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(names)}")
        return text

    return name


def _between(low: int, high: int) -> Any:
    def number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low} to {high}")
        return int(text)

    return number
