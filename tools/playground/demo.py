"""The main job, played on the playground: a model is trained, judged, served, replaced, defended and trained again."""

import json
import urllib.request

from playground import language_models as lm
from playground.clusters import Chosen
from playground.commands import ROOT, Kubectl, step

NAMESPACE = "demo"
MODEL = "docs-writer"
# Of the texts, to begin with; the others come later.
SHARE = 0.5
PUSHED = "answers_rejected_ratio"


def play(chosen: Chosen) -> None:
    """Version 1 served, a worse version 2 refused, a better version 3 in its place without a lost request."""
    kubectl = chosen.client(NAMESPACE)
    with step("Train, judge and serve the first version", "100 s"):
        lm.prepare(kubectl, NAMESPACE, SHARE)
        print(kubectl("apply", "-f", str(ROOT / "examples/docs-writer.yaml")))
        lm.follow(kubectl, MODEL, 1)
        lm.wait_ready(kubectl, MODEL, 1)
    with step("Train a worse version 2, which the gate refuses", "40 s"):
        lm.train(kubectl, MODEL, {"learningRate": 1e-4, "maxSteps": 60})
        lm.follow(kubectl, MODEL, 2)
        lm.wait_ready(kubectl, MODEL, 1)
    with step("Train a better version 3, and replace version 1 under a client that never stops asking", "150 s"):
        arguments = ("--until-version=3", "--seconds=900", "--pause=0.2")  # leaves the training some of the cores
        lm.start_client(kubectl, "rollout", lm.image_of(kubectl, MODEL), MODEL, *arguments)
        lm.train(kubectl, MODEL, {"learningRate": 3e-3, "maxSteps": 200})
        lm.follow(kubectl, MODEL, 3)
        lm.wait_ready(kubectl, MODEL, 3)
        print(f"    the client's count: {json.dumps(lm.client_result(kubectl, 'rollout'))}")
    _report(chosen, kubectl)


def watch(chosen: Chosen) -> None:
    """Load grows the replicas and its end shrinks them; a metric out of bounds starts a retraining, on more data."""
    kubectl = chosen.client(NAMESPACE)
    lm.wait_ready(kubectl, MODEL, _status(kubectl).get("servingVersion", 1))
    with step("Put the model under load until there are two replicas", "60 s"):
        image = lm.image_of(kubectl, MODEL)
        lm.start_client(kubectl, "load", image, MODEL, "--clients=12", "--seconds=75", "--max-tokens=100")
        kubectl.wait_for("two replicas", 180, lambda: _replicas(kubectl) == 2)
        print(f"    the client's count: {json.dumps(lm.client_result(kubectl, 'load'))}")
    with step("Wait until the load's end has shrunk them again", "80 s"):
        kubectl.wait_for("one replica", 300, lambda: _replicas(kubectl) == 1)
    print(lm.decisions(kubectl.get("deployments.perennial.dev", MODEL)))
    with step(f"Add the other texts, and push {PUSHED} over its threshold, which starts a retraining", "200 s"):
        number = _status(kubectl)["lastVersion"] + 1
        lm.put_corpus(kubectl)
        push(chosen, 0.4)
        kubectl.wait_for("the next version", 180, lambda: lm.version(kubectl, MODEL, number))
        lm.follow(kubectl, MODEL, number)
        kubectl.wait_for("the cooldown to hold the next one", 120, lambda: _held(kubectl))
        push(chosen, 0.0)
        lm.wait_ready(kubectl, MODEL, number)
    print(lm.decisions(kubectl.get("languagemodel", MODEL)))


def push(chosen: Chosen, value: float) -> None:
    """Sends a value to the Pushgateway, through the API server's proxy."""
    kubectl = chosen.client("monitoring")
    path = "/api/v1/namespaces/monitoring/services/pushgateway:9091/proxy/metrics/job/feedback"
    text = f'# TYPE {PUSHED} gauge\n{PUSHED}{{model="{MODEL}"}} {value}\n'
    with kubectl.proxy() as base:
        urllib.request.urlopen(urllib.request.Request(base + path, text.encode(), method="PUT"), timeout=30).close()


def _replicas(kubectl: Kubectl) -> int:
    return kubectl.get("deployments.apps", MODEL).get("status", {}).get("readyReplicas", 0)


def _status(kubectl: Kubectl) -> dict:
    return kubectl.get("languagemodel", MODEL).get("status", {})


def _held(kubectl: Kubectl) -> bool:
    return any(trigger.get("held") for trigger in _status(kubectl).get("triggers", []))


def _report(chosen: Chosen, kubectl: Kubectl) -> None:
    print("\n==> What there is now")
    kubectl.show("get", "perennial", "-A")
    print("\nDecisions:")
    print(lm.decisions(kubectl.get("languagemodel", MODEL)))
    print("\nA completion by the model:\n")
    print("    The for statement" + _completion(kubectl).replace("\n", "\n    "))
    print(f"""
How to go on:
    export KUBECONFIG=$(make -s kubeconfig)
    {chosen.kubectl} -n {NAMESPACE} get lm,tj,lmd
    {chosen.kubectl} -n {NAMESPACE} describe lm {MODEL}
    {chosen.kubectl} explain languagemodel.spec.training
    make demo-watch     load grows the replicas, a metric out of bounds starts a retraining on more data (7 min)
    make demo-down      removes all of it
""")


def _completion(kubectl: Kubectl) -> str:
    body = {"model": MODEL, "prompt": "The for statement", "max_tokens": 60, "temperature": 0.7, "seed": 1}
    path = f"/api/v1/namespaces/{NAMESPACE}/services/{MODEL}:80/proxy/v1/completions"
    with kubectl.proxy() as base:
        request = urllib.request.Request(base + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["choices"][0]["text"]
