"""Admission policies such as a platform has."""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Manifest = dict[str, Any]


@contextmanager
def policy(kubectl: Callable[..., Any], name: str, spec: Manifest) -> Iterator[None]:
    """A policy and its binding until the end of the block: one that changes objects by `mutations`, or refuses them.

    The API server takes a moment until it knows it.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"apiVersion": "v1", "kind": "List", "items": _documents(name, spec)}, file)
        file.flush()
        kubectl("apply", "-f", file.name)
        try:
            yield
        finally:
            kubectl("delete", "--wait=false", "-f", file.name)


def _documents(name: str, spec: Manifest) -> list[Manifest]:
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    if "mutations" in spec:
        kind, defaults, binding = "MutatingAdmissionPolicy", {"reinvocationPolicy": "Never"}, {}
    else:
        kind, defaults, binding = "ValidatingAdmissionPolicy", {}, {"validationActions": ["Deny"]}
    return [
        head | {"kind": kind, "spec": {"failurePolicy": "Fail"} | defaults | spec},
        head | {"kind": f"{kind}Binding", "spec": {"policyName": name} | binding},
    ]
