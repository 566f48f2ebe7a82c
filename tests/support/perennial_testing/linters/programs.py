"""The linters of charts and manifests, pinned by their Go modules, and how they are called."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from perennial_testing import go_program
from perennial_testing.chart import CHART, Manifest, Values
from perennial_testing.linters.schemas import kubernetes

_MODULES = Path(__file__).parent
_CHART_TESTING = "github.com/helm/chart-testing/v3"
_OK = 10  # the best grade of kube-score


def helm_lint(values: Values) -> str:
    """What `helm lint` says, be it only information."""
    done = _run(_helm(), "lint", CHART, "--strict", "--values", "-", stdin=[values])
    said = "\n".join(line for line in done.stdout.splitlines() if line.startswith("["))
    return said or (done.stderr if done.returncode else "")


def chart_testing(chart: Path) -> str:
    """What `ct lint` finds in a chart, by the rules that chart-testing publishes."""
    modules = _MODULES / "chart-testing"
    program = go_program.built(modules, f"{_CHART_TESTING}/ct", usually="30 s")
    rules = go_program.module_folder(modules, _CHART_TESTING) / "etc"
    # It calls helm; and yamllint and yamale, which are beside this Python.
    path = os.pathsep.join((str(_helm().parent), str(Path(sys.executable).parent), os.environ["PATH"]))
    return _findings(
        *(program, "lint", "--charts", chart, "--helm-lint-extra-args=--strict"),
        *("--lint-conf", rules / "lintconf.yaml", "--chart-yaml-schema", rules / "chart_schema.yaml"),
        # There is neither a released chart to compare with, nor an account of the maintainers to look up.
        *("--check-version-increment=false", "--validate-maintainers=false"),
        environment={"PATH": path},
    )


def kube_score(documents: Iterable[Manifest]) -> set[tuple[str, str]]:
    """Of each finding the kind of the object and the id of the check."""
    program = go_program.built(_MODULES / "kube-score", "github.com/zegl/kube-score/cmd/kube-score", usually="30 s")
    version = kubernetes().name.partition("@")[2].rpartition(".")[0]  # without the patch
    options = ("--output-format", "json", "--kubernetes-version", version)
    done = _run(program, "score", *options, "-", stdin=documents)
    assert done.returncode in (0, 1), done.stderr
    return {
        (found["type_meta"]["kind"], check["check"]["id"])
        for found in json.loads(done.stdout)
        for check in found["checks"]
        if not check["skipped"] and check["grade"] < _OK
    }


def kubeconform(schemas: str, documents: Iterable[Manifest]) -> str:
    """What kubeconform finds by the schemas at this template of a path."""
    package = "github.com/yannh/kubeconform/cmd/kubeconform"
    program = go_program.built(_MODULES / "kubeconform", package, usually="30 s")
    return _findings(program, "-strict", "-schema-location", schemas, "-", stdin=documents)


def _helm() -> Path:
    return go_program.built(_MODULES / "helm", "helm.sh/helm/v4/cmd/helm", usually="4 min")


def _findings(
    *command: str | Path, stdin: Iterable[Manifest] = (), environment: Mapping[str, str] | None = None
) -> str:
    """What a linter prints if it fails; empty if it is content."""
    done = _run(*command, stdin=stdin, environment=environment)
    return done.stdout + done.stderr if done.returncode else ""


def _run(
    *command: str | Path, stdin: Iterable[Manifest] = (), environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    words, text = [str(word) for word in command], yaml.safe_dump_all(stdin)
    variables = os.environ | (environment or {})
    return subprocess.run(words, input=text, env=variables, capture_output=True, text=True, timeout=120)
