"""Settings of the operator: flags, each with an environment variable as its default."""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perennial.decide.defaults import Defaults

_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Settings:
    """Flags of the operator; `namespaces` is empty for the whole cluster."""

    namespaces: tuple[str, ...]
    defaults: Defaults
    prometheus_url: str | None
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
    return Settings(
        namespaces=served,
        defaults=Defaults(training_image=options.training_image, serving_image=options.serving_image),
        prometheus_url=options.prometheus_url or None,
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
    flag("--prometheus-url", "", metavar="URL", type=_url,
         help="URL of the Prometheus for the queries of autoscaling and retraining, such as http://prometheus:9090; "
              "without it they have no readings")  # fmt: skip
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
    if text and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", text):
        without_userinfo = text.rpartition("@")[2]
        raise argparse.ArgumentTypeError(f"{without_userinfo!r} is not a URL such as http://prometheus.monitoring:9090")
    return text.rstrip("/")


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
