"""Which client set a field, by the managedFields of objects as the API server stores them."""

from typing import Any

import pytest

from perennial.kube.field_managers import manager_of
from perennial.kube.manifests import FieldPath, Named

OURS = "perennial"
SERVE = {"name": "serve", "image": "mirror/serving:1", "args": ["a"], "ports": [{"containerPort": 8000}]}


def entry(manager: str, fields: dict[str, Any], time: str = "2026-03-01T12:00:00Z") -> dict[str, Any]:
    return {
        "manager": manager, "operation": "Update", "apiVersion": "apps/v1", "time": time,
        "fieldsType": "FieldsV1", "fieldsV1": fields,
    }  # fmt: skip


def deployment(*entries: dict[str, Any]) -> dict[str, Any]:
    """An apps/v1 Deployment with a sidecar before our container."""
    at = {"name": "tiny", "labels": {"app.kubernetes.io/name": "x"}, "managedFields": list(entries)}
    pod = {"containers": [{"name": "mesh"}, SERVE], "terminationGracePeriodSeconds": 30}
    return {"metadata": at, "spec": {"replicas": 3, "template": {"spec": pod}}}


def in_pod(fields: dict[str, Any]) -> dict[str, Any]:
    return {"f:spec": {".": {}, "f:template": {".": {}, "f:spec": {".": {}} | fields}}}


def in_container(fields: dict[str, Any]) -> dict[str, Any]:
    return in_pod({"f:containers": {".": {}, 'k:{"name":"serve"}': {".": {}, "f:name": {}} | fields}})


POD: FieldPath = ("spec", "template", "spec")
CONTAINER: FieldPath = (*POD, "containers", Named("serve"))
IMAGE: FieldPath = (*CONTAINER, "image")


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        pytest.param({"f:spec": {"f:replicas": {}}}, ("spec", "replicas"), id="a field"),
        pytest.param(
            {"f:metadata": {"f:labels": {"f:app.kubernetes.io/name": {}}}},
            ("metadata", "labels", "app.kubernetes.io/name"),
            id="a label with dots",
        ),
        pytest.param(in_container({"f:image": {}}), IMAGE, id="a field of an item by its key"),
        pytest.param(in_container({"f:args": {}}), (*CONTAINER, "args", 0), id="an item of an atomic list"),
        pytest.param(
            in_container({"f:ports": {'k:{"containerPort":8000}': {".": {}, "f:containerPort": {}}}}),
            (*CONTAINER, "ports", 0, "containerPort"),
            id="an item whose keys are not its name",
        ),
        pytest.param(in_container({"f:image": {}}), CONTAINER, id="a field in what differs as a whole"),
        pytest.param(
            {"f:spec": {"f:template": {"f:spec": {"f:containers": {"i:1": {"f:image": {}}}}}}},
            (*POD, "containers", 1, "image"),
            id="an item by its index",
        ),
    ],
)
def test_the_manager_of_a_field_is_found(fields: dict[str, Any], path: FieldPath) -> None:
    assert manager_of(deployment(entry("kyverno", fields)), path, OURS) == "kyverno"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        pytest.param({"f:spec": {".": {}, "f:paused": {}}}, ("spec", "replicas"), id="a neighbor"),
        pytest.param(
            in_pod({"f:containers": {'k:{"name":"mesh"}': {"f:image": {}}}}), IMAGE, id="the same field of another item"
        ),
        pytest.param({"f:status": {"f:replicas": {}}}, ("spec", "replicas"), id="the status"),
    ],
)
def test_a_manager_of_other_fields_is_not(fields: dict[str, Any], path: FieldPath) -> None:
    assert manager_of(deployment(entry("kyverno", fields)), path, OURS) is None


def test_the_last_other_manager_is_named() -> None:
    fields = {"f:spec": {"f:replicas": {}}}
    early, late = entry("kubectl-edit", fields), entry("autoscaler", fields, "2026-03-01T12:00:01Z")
    ours = entry(OURS, fields, "2026-03-01T12:00:02Z")
    assert manager_of(deployment(late, ours, early), ("spec", "replicas"), OURS) == "autoscaler"


def test_a_field_of_ours_alone_has_no_other_manager() -> None:
    assert manager_of(deployment(entry(OURS, {"f:spec": {"f:replicas": {}}})), ("spec", "replicas"), OURS) is None
    assert manager_of({"metadata": {"name": "tiny"}}, ("spec", "replicas"), OURS) is None
