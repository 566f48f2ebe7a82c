"""In real pods: a training that continues from a version of a LanguageModel, which it waits for."""

from collections.abc import Callable

import pytest

from perennial_testing.pods.manifests import small_job, small_model
from perennial_testing.pods.waits import apply, condition, wait_condition
from playground.commands import Kubectl


@pytest.fixture(scope="module")
def kubectl(new_namespace: Callable[[str], Kubectl]) -> Kubectl:
    return new_namespace("base")


def test_a_training_goes_on_where_a_language_model_is(kubectl: Kubectl) -> None:
    continued = small_job("continued", model={"task": "text-generation", "languageModelRef": {"name": "small"}})
    apply(kubectl, continued)
    missing = wait_condition(kubectl, "trainingjob", "continued", "Stalled", reason="BaseNotFound")
    assert 'LanguageModel "small" not found' in missing["message"]
    apply(kubectl, small_model())
    kubectl.wait_for("it to be awaited", 300, lambda: "Waits for" in ready(kubectl)["message"])
    wait_condition(kubectl, "trainingjob", "continued", "Complete")
    status = kubectl.get("trainingjob", "continued")["status"]
    first = kubectl.get("languagemodel", "small")["status"]["versions"][0]
    assert status["base"] == {"version": 1, "uri": first["artifact"]["uri"], "digest": first["artifact"]["digest"]}
    assert status["result"]["initialMetrics"] == first["metrics"]  # the same held-out texts, the same weights
    assert status["result"]["metrics"]["loss"] < first["metrics"]["loss"]


def ready(kubectl: Kubectl) -> dict[str, str]:
    return condition(kubectl.get("trainingjob", "continued"), "Ready")
