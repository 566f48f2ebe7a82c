"""What the platform and users lay over the pods of trainings, services and cleanups."""

from dataclasses import replace
from typing import Any

import pytest

from perennial.decide.defaults import Defaults, PodDefaults
from perennial.decide.deployment.decide import decide as decide_deployment
from perennial.decide.deployment.observed import Observed as ObservedDeployment
from perennial.decide.language_model.cleanup import cleanup
from perennial.decide.outcome import Manifest
from perennial.decide.pods.template import POD_SECURITY
from perennial.decide.training_job.decide import decide as decide_training_job
from perennial.decide.training_job.observed import Observed as ObservedTrainingJob
from perennial_testing.specs.api_objects import DEFAULTS, NOW, deployment, language_model, training_job
from perennial_testing.specs.api_objects import version as stored_version

PLATFORM: dict[str, Any] = {
    "labels": {"team": "platform", "cost": "42"},
    "nodeSelector": {"pool": "models"},
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
    "priorityClassName": "batch",
    "runtimeClassName": "nvidia",
    "imagePullSecrets": [{"name": "registry"}],
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
    "env": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}, {"name": "SSL_CERT_FILE", "value": "/ca/ca.crt"}],
    "volumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "volumeMounts": [{"name": "ca", "mountPath": "/ca", "readOnly": True}],
}
USER: dict[str, Any] = {
    "labels": {"team": "docs"},
    "nodeSelector": {"gpu": "h200"},
    "tolerations": [{"key": "night", "operator": "Exists"}, {"key": "gpu", "operator": "Exists"}],
    "priorityClassName": "urgent",
    "imagePullSecrets": [{"name": "own"}],
    "env": [{"name": "HTTPS_PROXY", "value": "http://other:3128"}],
    "envFrom": [{"secretRef": {"name": "bucket"}}],
}
MLFLOW = {"tracking": {"mlflow": {"uri": "http://mlflow:5000", "secretName": "mlflow"}}}


def defaults(**pods: Any) -> Defaults:
    return replace(DEFAULTS, pods=PodDefaults.model_validate(pods))


def of_training(known: Defaults, overlay: Manifest, **training: Any) -> Manifest:
    job = training_job(training={"pod": overlay} | training)
    template: Manifest = decide_training_job(job, ObservedTrainingJob(known), NOW).apply[-1]["spec"]["template"]
    return template


def of_service(known: Defaults, overlay: Manifest) -> Manifest:
    apps = decide_deployment(deployment(pod=overlay), ObservedDeployment(known), NOW).apply[0]
    template: Manifest = apps["spec"]["template"]
    return template


def of_cleanup(known: Defaults, overlay: Manifest) -> Manifest:
    version = stored_version(1, "Accepted", artifactState="Deleting")
    model = language_model({"versions": [version], "lastVersion": 1}, training={"pod": overlay})
    template: Manifest = cleanup(model, model.status.versions[0], known)["spec"]["template"]
    return template


ALL = pytest.mark.parametrize("template_of", [of_training, of_service, of_cleanup])


def values(container: Manifest) -> dict[str, str]:
    assert len({each["name"] for each in container["env"]}) == len(container["env"])
    return {each["name"]: each.get("value", "") for each in container["env"]}


@ALL
def test_the_overlay_of_the_user_takes_precedence_over_that_of_the_platform(template_of: Any) -> None:
    plain, laid = template_of(DEFAULTS, {}), template_of(defaults(**PLATFORM), USER)
    assert laid["metadata"]["labels"] == {"cost": "42", "team": "docs"} | plain["metadata"]["labels"]
    spec = laid["spec"]
    assert spec["nodeSelector"] == {"pool": "models", "gpu": "h200"}
    assert [each["key"] for each in spec["tolerations"]] == ["night", "gpu"]
    assert [each["name"] for each in spec["imagePullSecrets"]] == ["own", "registry"]
    assert (spec["priorityClassName"], spec["runtimeClassName"]) == ("urgent", "nvidia")
    assert spec["topologySpreadConstraints"] == PLATFORM["topologySpreadConstraints"]
    assert spec["volumes"] == [*plain["spec"]["volumes"], *PLATFORM["volumes"]]
    assert spec["securityContext"] == POD_SECURITY


@ALL
def test_each_container_has_the_variables_and_mounts(template_of: Any) -> None:
    spec = template_of(defaults(**PLATFORM), USER)["spec"]
    for container in (*spec.get("initContainers", []), *spec["containers"]):
        found = values(container)
        assert (found["HOME"], found["HTTPS_PROXY"]) == ("/tmp", "http://other:3128")
        assert found["SSL_CERT_FILE"] == "/ca/ca.crt"
        assert container["volumeMounts"][-1] == PLATFORM["volumeMounts"][0]
        assert container["envFrom"] == USER["envFrom"]


@ALL
def test_the_platform_may_leave_the_user_of_the_pods_to_openshift(template_of: Any) -> None:
    chosen = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert template_of(defaults(securityContext=chosen), {})["spec"]["securityContext"] == chosen


@ALL
def test_without_an_overlay_the_pod_has_what_it_needs_and_no_more(template_of: Any) -> None:
    template = template_of(DEFAULTS, {})
    assert "annotations" not in template["metadata"]
    assert not {"tolerations", "nodeSelector", "imagePullSecrets", "runtimeClassName"} & template["spec"].keys()
    assert values(template["spec"]["containers"][0])["HOME"] == "/tmp"


def test_variables_from_a_secret_of_ones_own_leave_those_of_the_tracking_server() -> None:
    (container,) = of_training(DEFAULTS, USER, **MLFLOW)["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "mlflow"}}, {"secretRef": {"name": "bucket"}}]


def test_a_cleanup_requests_what_the_platform_says() -> None:
    bound = {"requests": {"memory": "600Mi"}, "limits": {"memory": "600Mi"}}
    (container,) = of_cleanup(defaults(cleanupResources=bound), {})["spec"]["containers"]
    assert container["resources"] == bound
    (usual,) = of_cleanup(DEFAULTS, {})["spec"]["containers"]
    assert usual["resources"]["limits"]["memory"] == "256Mi"


@pytest.mark.parametrize(("surge", "unavailable"), [(1, 0), (0, 1)])
def test_where_there_is_no_room_for_another_pod_the_old_one_ends_first(surge: int, unavailable: int) -> None:
    spec = decide_deployment(deployment(rollout={"maxSurge": surge}), ObservedDeployment(DEFAULTS), NOW).apply[0][
        "spec"
    ]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": surge, "maxUnavailable": unavailable}
