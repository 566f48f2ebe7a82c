"""The life of a model in real pods: trained, served, replaced, defended, rolled back, left alone."""

import json
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import openai
import pytest

from perennial_testing.cluster.admission import policy
from perennial_testing.pods.manifests import BETTER, SMALL_RESOURCES, WORSE, Manifest, small_model
from perennial_testing.pods.waits import apply, condition, service_url
from playground import language_models as lm
from playground.clusters import STATE, Chosen
from playground.commands import ROOT, Kubectl, output
from playground.install import NAMESPACE

MODEL = "small"
IDLE_SECONDS = 120
OURS = {"app.kubernetes.io/managed-by": "perennial"}
OPERATOR = "system:serviceaccount:perennial-system:perennial"


def model() -> Manifest:
    """Its pods have one of the labels that the platform asks for; podDefaults of the playground add the other."""
    manifest = small_model(MODEL)
    for block in ("training", "deployment"):
        manifest["spec"][block]["pod"] = {"labels": {"team": "docs"}}
    return manifest


def needs_labels(namespace: str) -> Manifest:
    """The policy that each pod of ours in the namespace needs two labels."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    there = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    ours = {"matchLabels": OURS}
    return {
        "matchConstraints": {"namespaceSelector": there, "objectSelector": ours, "resourceRules": [rule]},
        "validations": [
            {
                "expression": "['team', 'platform'].all(label, label in object.metadata.?labels.orValue({}))",
                "message": "needs a team and a platform",
            }
        ],
    }


def bounds(namespace: str) -> Manifest:
    """The rule that each container requests more memory than a deletion does by default."""
    limits = [{"type": "Container", "min": {"memory": SMALL_RESOURCES["requests"]["memory"]}}]
    at = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": namespace}}
    return at | {"spec": {"limits": limits}}


@pytest.fixture(scope="module")
def kubectl(new_namespace: Callable[[str], Kubectl]) -> Iterator[Kubectl]:
    """A namespace in which version 1 is in service, under the rules of a platform."""
    kubectl = new_namespace("story")
    labels = ",".join(f"{key}={value}" for key, value in OURS.items())
    naked = ("run", "naked", "--image=none", "--dry-run=server", f"--labels={labels}")
    with policy(kubectl, kubectl.namespace, needs_labels(kubectl.namespace)):
        kubectl.wait_for(
            "the API server to refuse a pod without its labels", 60, lambda: not kubectl(*naked, check=False)
        )
        apply(kubectl, bounds(kubectl.namespace), model())
        assert lm.follow(kubectl, MODEL, 1)["state"] == "Accepted"
        lm.wait_ready(kubectl, MODEL, 1)
        yield kubectl


@dataclass(frozen=True)
class Rest:
    """When the model came to rest, and how long the audit log was then."""

    began: float
    audit: Path
    offset: int


@pytest.fixture(scope="module")
def rest(kubectl: Kubectl, playground: Chosen) -> Rest:
    """Begins before the tests that only read, which are a part of the idle time."""
    audit = STATE / playground.name / "logs/audit.log"
    time.sleep(15)
    return Rest(time.monotonic(), audit, audit.stat().st_size if audit.exists() else 0)


@pytest.mark.usefixtures("rest")
def test_status_model_card_and_prometheus_show_the_same_numbers(kubectl: Kubectl, playground: Chosen) -> None:
    version = lm.version(kubectl, MODEL, 1)
    assert version["metrics"] == kubectl.get("trainingjob", f"{MODEL}-v1")["status"]["result"]["metrics"]
    pod = "deployment/" + MODEL
    card = kubectl("exec", pod, "-c", "serve", "--", "cat", "/perennial/model/README.md")
    manifest = json.loads(kubectl("exec", pod, "-c", "serve", "--", "cat", "/perennial/model/perennial.json"))
    assert manifest["metrics"] == version["metrics"]
    for value in version["metrics"].values():
        assert f"{value:.6g}" in card

    def scraped() -> dict[str, float]:
        query = f'perennial_version_metric{{namespace="{kubectl.namespace}",version="1"}}'
        return {row["metric"]["metric"]: float(row["value"][1]) for row in ask_prometheus(playground, query)}

    assert kubectl.wait_for("Prometheus to have the metrics", 300, scraped) == version["metrics"]


def ask_prometheus(playground: Chosen, query: str) -> list[dict]:
    """The answer to an instant query."""
    return prometheus(playground, "query?" + urllib.parse.urlencode({"query": query}))["result"]


def prometheus(playground: Chosen, path: str) -> dict:
    """What its API answers, through the API server's proxy."""
    service = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/"
    with (
        playground.client().proxy() as base,
        urllib.request.urlopen(base + service + path, timeout=30) as answer,
    ):
        return json.load(answer)["data"]


def test_prometheus_evaluates_the_alerts(kubectl: Kubectl, playground: Chosen) -> None:
    ready = f'perennial_condition{{namespace="{kubectl.namespace}",name="{MODEL}",kind="LanguageModel",type="Ready"}}'
    assert [row["value"][1] for row in ask_prometheus(playground, ready)] == ["1"]
    rules = prometheus(playground, "rules")["groups"][0]["rules"]
    assert {rule["name"]: rule["health"] for rule in rules} == {rule["name"]: "ok" for rule in rules}
    assert "PerennialStalled" in {rule["name"] for rule in rules}
    firing = {alert["labels"]["alertname"] for rule in rules for alert in rule["alerts"] if alert["state"] == "firing"}
    assert not firing & {"PerennialHasNoLeader", "PerennialReconcilesFail"}


def test_helm_test_finds_the_operator_ready(playground: Chosen) -> None:
    system = playground.client(NAMESPACE)
    helm = (sys.executable, ROOT / "tools/helm", "--kubeconfig", playground.kubeconfig, "--namespace", NAMESPACE)
    output(*helm, "test", "perennial", "--timeout", "2m")
    began = "involvedObject.name=perennial-test,reason=Started"
    assert system("get", "events", f"--field-selector={began}", "-o", "name")


def test_the_official_openai_client_gets_a_streamed_completion(kubectl: Kubectl) -> None:
    with service_url(kubectl, MODEL) as url:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        assert [found.id for found in client.models.list()] == [MODEL]
        chunks = list(client.completions.create(model=MODEL, prompt="The for", max_tokens=12, stream=True))
        assert len(chunks) > 1
        assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices)
        chat = client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "What is a for statement?"}], max_tokens=12
        )
        assert chat.choices[0].message.content


def test_applying_the_same_again_changes_nothing(kubectl: Kubectl) -> None:
    before = kubectl.get("languagemodel", MODEL)
    apply(kubectl, model())
    time.sleep(5)
    after = kubectl.get("languagemodel", MODEL)
    assert (before["metadata"]["generation"], before["status"]) == (after["metadata"]["generation"], after["status"])


def test_two_idle_minutes_see_no_write_by_the_operator(kubectl: Kubectl, rest: Rest) -> None:
    """In this namespace; others are busy meanwhile."""
    if not rest.audit.exists():
        pytest.skip("only the local cluster shows its audit log")
    time.sleep(max(0.0, rest.began + IDLE_SECONDS - time.monotonic()))
    with rest.audit.open() as log:
        log.seek(rest.offset)
        entries = [json.loads(line) for line in log if line.endswith("\n")]
    writes = [
        (entry["verb"], entry["requestURI"])
        for entry in entries
        if entry["user"]["username"] == OPERATOR
        and entry["verb"] in {"create", "update", "patch", "delete", "deletecollection"}
        and entry["objectRef"].get("namespace") == kubectl.namespace
    ]
    assert any(entry["user"]["username"] == OPERATOR for entry in entries), "the operator is not seen at all"
    assert writes == []


def test_the_operator_never_writes_to_a_users_object(playground: Chosen, kubectl: Kubectl) -> None:
    """Of the LanguageModel, which only the user makes, it writes nothing but the status."""
    if playground.kind != "local":
        pytest.skip("only the local cluster shows its audit log")
    seen = 0
    lines = (STATE / playground.name / "logs/audit.log").read_text().splitlines(keepends=True)
    for entry in (json.loads(line) for line in lines if line.endswith("\n")):
        reference = entry.get("objectRef") or {}
        if entry["user"]["username"] != OPERATOR or reference.get("resource") != "languagemodels":
            continue
        if entry["verb"] in {"create", "update", "patch", "delete"}:
            seen += 1
            assert reference.get("subresource") == "status", entry["requestURI"]
    assert seen


def test_a_better_version_replaces_the_first_without_a_lost_request(kubectl: Kubectl) -> None:
    image = lm.image_of(kubectl, MODEL)
    lm.start_client(
        kubectl, "rollout", image, MODEL, "--until-version=2", "--seconds=600", "--clients=2", "--pause=0.1"
    )
    lm.train(kubectl, MODEL, BETTER)
    version = lm.follow(kubectl, MODEL, 2)
    assert version["state"] == "Accepted"
    assert version["comparison"]["version"] == 1
    assert version["metrics"]["loss"] <= version["comparison"]["metrics"]["loss"] * 0.995
    lm.wait_ready(kubectl, MODEL, 2)
    counted = lm.client_result(kubectl, "rollout")
    assert counted["failed"] == 0, counted
    assert counted["answers_by_version"].keys() == {"1", "2"}
    initial = kubectl.get("trainingjob", f"{MODEL}-v2")["status"]["result"]["initialMetrics"]["loss"]
    assert version["metrics"]["loss"] <= 0.7 * initial


def test_a_worse_version_is_refused_and_the_served_one_stays(kubectl: Kubectl) -> None:
    lm.train(kubectl, MODEL, WORSE)
    assert lm.follow(kubectl, MODEL, 3)["state"] == "Refused"
    found = lm.wait_ready(kubectl, MODEL, 2)
    assert condition(found, "Trained")["reason"] == "VersionRefused"
    decision = found["status"]["decisions"][-1]
    assert decision["reason"] == "VersionRefused"
    assert "v2 stays in service" in decision["outcome"]
    assert found["status"]["lastVersion"] == 3


def test_a_pin_rolls_back_and_its_end_goes_forward_again(kubectl: Kubectl) -> None:
    patch = {"spec": {"promotion": {"pin": {"version": 1}}}}
    kubectl("patch", "languagemodel", MODEL, "--type=merge", "-p", json.dumps(patch))
    found = lm.wait_ready(kubectl, MODEL, 1)
    assert found["status"]["decisions"][-1]["reason"] == "VersionRolledBack"
    patch["spec"]["promotion"]["pin"] = None
    kubectl("patch", "languagemodel", MODEL, "--type=merge", "-p", json.dumps(patch))
    lm.wait_ready(kubectl, MODEL, 2)


def test_versions_that_are_not_kept_go_with_their_artifacts(kubectl: Kubectl) -> None:
    kubectl("patch", "languagemodel", MODEL, "--type=merge", "-p", json.dumps({"spec": {"versionHistoryLimit": 2}}))

    def forgotten() -> bool:
        versions = kubectl.get("languagemodel", MODEL)["status"]["versions"]
        kept = [version["number"] for version in versions if version.get("artifactState") != "Deleted"]
        return kept == [2, 3] and not kubectl.get("trainingjob", f"{MODEL}-v1")

    kubectl.wait_for("version 1 to be collected", 300, forgotten)
    assert list_folder(kubectl, f"/perennial/claims/models/{MODEL}") == ["v2", "v3"]


def list_folder(kubectl: Kubectl, folder: str) -> list[str]:
    """The versions that have a folder in the claim, seen by a pod of its own."""
    run_in_claim(kubectl, "ls", f"ls {folder}")
    names = kubectl("logs", "job/ls").split()
    kubectl("delete", "job", "ls")
    return sorted(name.split("-")[0] for name in names)


def run_in_claim(kubectl: Kubectl, name: str, script: str) -> None:
    """Runs a shell script in a pod that mounts the claim `models`."""
    container = {
        "name": "shell",
        "image": lm.image_of(kubectl, MODEL),
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-ec", script],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "models", "mountPath": "/perennial/claims/models"}],
    }
    pod = {
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "models", "persistentVolumeClaim": {"claimName": "models"}}],
    }
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}}
    apply(kubectl, job | {"spec": {"backoffLimit": 0, "template": {"spec": pod}}})
    kubectl("wait", "--for=condition=complete", f"job/{name}", "--timeout=300s")


def restore(kubectl: Kubectl, cascade: str) -> tuple[dict, dict]:
    """Deletes the model and applies it again as a backup has it; returns its status before and after."""
    lost = kubectl.get("languagemodel", MODEL)
    kubectl("delete", "languagemodel", MODEL, f"--cascade={cascade}", "--timeout=120s")
    spec = lost["spec"] | {"import": {"uri": f"{lost['spec']['storage']['uri']}/{MODEL}"}}
    kept = {"apiVersion": lost["apiVersion"], "kind": lost["kind"], "metadata": {"name": MODEL}, "spec": spec}
    apply(kubectl, kept)
    return lost["status"], lm.wait_ready(kubectl, MODEL, lost["status"]["servingVersion"])["status"]


def kept_artifacts(status: dict) -> dict[int, tuple[str, str]]:
    """State and digest of each version with an artifact."""
    kept = [version for version in status["versions"] if version.get("artifactState") == "Kept"]
    return {version["number"]: (version["state"], version["artifact"]["digest"]) for version in kept}


def test_of_a_model_that_is_lost_the_same_version_is_served_and_nothing_is_trained(kubectl: Kubectl) -> None:
    before, after = restore(kubectl, "foreground")
    assert kept_artifacts(after) == kept_artifacts(before)
    assert {number: state for number, (state, _) in kept_artifacts(after).items()} == {2: "Accepted", 3: "Refused"}
    assert not kubectl("get", "trainingjobs", "-o", "name")
    assert [decision["reason"] for decision in after["decisions"]] == ["ArtifactsImported", "VersionPromoted"]
    assert list_folder(kubectl, f"/perennial/claims/models/{MODEL}") == ["v2", "v3"]


def test_a_service_whose_model_is_exchanged_goes_on(kubectl: Kubectl) -> None:
    pods_of_service = ("get", "pods", "-l", f"perennial.dev/deployment={MODEL}", "-o", "name")
    pods = kubectl(*pods_of_service)
    before, after = restore(kubectl, "orphan")
    assert kept_artifacts(after) == kept_artifacts(before)
    assert pods
    assert kubectl(*pods_of_service) == pods
    (owner,) = kubectl.get("deployments.perennial.dev", MODEL)["metadata"]["ownerReferences"]
    assert owner["uid"] == kubectl.get("languagemodel", MODEL)["metadata"]["uid"]


def test_a_tampered_artifact_is_not_served(kubectl: Kubectl) -> None:
    """The pods that answer are left alone; a new one refuses the artifact and says so."""
    run_in_claim(kubectl, "tamper", f"for f in /perennial/claims/models/{MODEL}/v2-*/config.json; do echo >> $f; done")
    patch = {"spec": {"deployment": {"runtime": {"transformers": {"maxBatchSize": 3}}}}}
    kubectl("patch", "languagemodel", MODEL, "--type=merge", "-p", json.dumps(patch))

    def refused() -> dict | None:
        found = condition(kubectl.get("languagemodel", MODEL), "Stalled")
        return found if found.get("status") == "True" else None

    stalled = kubectl.wait_for("the tampered artifact to be refused", 300, refused)
    assert stalled["reason"] == "DigestMismatch", stalled
    assert "config.json" in stalled["message"]
    available = condition(kubectl.get("deployments.perennial.dev", MODEL), "Available")
    assert available["status"] == "True"
