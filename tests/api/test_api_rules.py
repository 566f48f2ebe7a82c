"""Each CEL rule of the CRDs: one manifest that the real API server accepts, and one that it refuses with a sentence."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from perennial.api.crd import definition
from perennial_testing.cluster.control_plane import ROOT, ControlPlane
from perennial_testing.specs.echo_runtime import DeploymentWithEcho
from perennial_testing.specs.small_manifests import DIGEST, SMALL, Manifest, manifest, merged

# On the spec of each kind: message; what is laid over a small spec, accepted and refused.
Rule = tuple[str, str, str]
_OWN = "training: {runtime: {image: own, command: [train]}}"
_MAKING: list[Rule] = [
    (
        "at most one of `architecture`, `pretrained`, `languageModelRef` must be set",
        "model: {architecture: null, pretrained: {uri: 'hf://Qwen/Qwen3-0.6B'}}",
        "model: {pretrained: {uri: 'hf://Qwen/Qwen3-0.6B'}}",
    ),
    (
        "at most one of `architecture`, `pretrained`, `languageModelRef` must be set",
        "model: {architecture: null, languageModelRef: {name: base}}",
        "model: {architecture: null, languageModelRef: {name: base}, pretrained: {uri: 'hf://Qwen/Qwen3-0.6B'}}",
    ),
    (
        "one of `model.architecture`, `model.pretrained`, `model.languageModelRef` must be set, unless "
        "`training.runtime.command` is set",
        f"{{model: {{architecture: null}}, {_OWN}}}",
        "{model: {architecture: null}, training: {runtime: {image: own}}}",
    ),
    (
        "`model.task` must be one of text-generation, translation, sentiment-analysis, question-answering, "
        "unless `training.runtime.command` is set",
        f"{{model: {{task: summarisation}}, {_OWN}}}",
        "{model: {task: summarisation}, training: {backoffLimit: 1}}",
    ),
    ("`image` must be set with `command`", _OWN, "training: {runtime: {command: [train]}}"),
    (
        "`command` must be set with `args` or `parameters`",
        "training: {runtime: {image: own, command: [train], args: [--fast], parameters: {a: b}}}",
        "training: {runtime: {image: own, parameters: {a: b}}}",
    ),
    (
        "`sharding` must be 'None' without several GPUs: `gpusPerNode`, and `nodes` or `gpusPerNode` above 1",
        "training: {compute: {nodes: 2, gpusPerNode: 1, sharding: FSDP}}",
        "training: {compute: {gpusPerNode: 1, sharding: FSDP}}",
    ),
    (
        "`hiddenSize` must be a multiple of twice `heads`",
        "model: {architecture: {hiddenSize: 96, heads: 3}}",
        "model: {architecture: {hiddenSize: 96, heads: 5}}",
    ),
    (
        "`revision` must only be set for hf://",
        "model: {architecture: null, pretrained: {uri: 'pvc://base/m'}}",
        "model: {architecture: null, pretrained: {uri: 'pvc://base/m', revision: main}}",
    ),
    (
        "exactly one of `fraction`, `uri` must be set",
        "data: {validation: {uri: 'pvc://corpus/held-out.txt'}}",
        "data: {validation: {uri: 'pvc://corpus/held-out.txt', fraction: 0.1}}",
    ),
    (
        "`pretrained` or `languageModelRef` must be set with `tuning`",
        "model: {architecture: null, pretrained: {uri: 'pvc://base/m'}, tuning: {lora: {rank: 4}}}",
        "model: {tuning: {lora: {rank: 4}}}",
    ),
    (
        "`pretrained` or `languageModelRef` must be set with `tuning`",
        "model: {architecture: null, languageModelRef: {name: base, version: 2}, tuning: {lora: {rank: 4}}}",
        "model: {tuning: {lora: {rank: 8}}}",
    ),
    (
        "`architecture.family` must be 'transformer' for translation and question-answering",
        "model: {task: sentiment-analysis, architecture: {family: cnn}}",
        "model: {task: question-answering, architecture: {family: cnn}}",
    ),
    (
        "`batchSize` must be a multiple of the processes (`nodes` times GPUs) times `microBatchSize`",
        "training: {hyperparameters: {batchSize: 12, microBatchSize: 4}, compute: {nodes: 3}}",
        "training: {hyperparameters: {batchSize: 12, microBatchSize: 5}}",
    ),
    (
        "`batchSize` must be a multiple of the processes (`nodes` times GPUs) times `microBatchSize`",
        "training: {compute: {nodes: 2, gpusPerNode: 4}}",
        "training: {compute: {nodes: 3}}",
    ),
    (
        "`labelSmoothing` must be 0 for question-answering",
        "{model: {task: translation}, training: {hyperparameters: {labelSmoothing: 0.1}}}",
        "{model: {task: question-answering}, training: {hyperparameters: {labelSmoothing: 0.1}}}",
    ),
    (
        "`gradientCheckpointing` must be false, unless the family is 'transformer'",
        "training: {hyperparameters: {gradientCheckpointing: true}}",
        "{model: {architecture: {family: rnn}}, training: {hyperparameters: {gradientCheckpointing: true}}}",
    ),
    (
        "`credentials` must only be set for s3:// and hf://",
        "data: {train: [{uri: 's3://corpus/a.txt', credentials: {secretName: a}}]}",
        "data: {train: [{uri: 'pvc://corpus/a.txt', credentials: {secretName: a}}]}",
    ),
    (
        "`credentials` must only be set for s3:// and hf://",
        "data: {validation: {uri: 'hf://datasets/a/b/c.txt', credentials: {secretName: a}}}",
        "data: {validation: {fraction: 0.1, credentials: {secretName: a}}}",
    ),
    (
        "`credentials` must only be set for s3:// and hf://",
        "model: {architecture: null, pretrained: {uri: 'hf://gpt2', credentials: {secretName: a}}}",
        "model: {architecture: null, pretrained: {uri: 'pvc://base/m', credentials: {secretName: a}}}",
    ),
    (
        "`uri` must not have '..' as a part of its path",
        "data: {train: [{uri: 'pvc://corpus/..a/b..c/...'}, {uri: 'https://host/a/../b'}]}",
        "data: {train: [{uri: 'pvc://models/../../etc/passwd'}]}",
    ),
    (
        "`uri` must not have '..' as a part of its path",
        "data: {train: [{uri: 's3://corpus/a'}]}",
        "data: {train: [{uri: 's3://corpus/a'}, {uri: 'pvc://../x/y'}]}",
    ),
    (
        "`uri` must not have '..' as a part of its path",
        "data: {train: [{uri: 'configmap://c/x'}]}",
        "data: {train: [{uri: 'configmap://c/../x'}]}",
    ),
    (
        "`uri` must not have '..' as a part of its path",
        "data: {validation: {uri: 'file:///a/x'}}",
        "data: {validation: {uri: 'file:///a/..'}}",
    ),
    (
        "`uri` must not have '..' as a part of its path",
        "model: {architecture: null, pretrained: {uri: 'pvc://base/m'}}",
        "model: {architecture: null, pretrained: {uri: 'pvc://base/../m'}}",
    ),
    (
        "`uri` must be https://HOST/PATH or https://HOST:PORT/PATH, without user name and password",
        "data: {train: [{uri: 'https://host/a@b'}, {uri: 'https://[::1]:443/a?b=@c'}, {uri: 'https://host?a'}]}",
        "data: {train: [{uri: 'https://user:pw@host/a'}]}",
    ),
    (
        "`uri` must be https://HOST/PATH or https://HOST:PORT/PATH, without user name and password",
        "data: {validation: {uri: 'https://host:443/a'}}",
        "data: {validation: {uri: 'https://user:p/w@host'}}",
    ),
    (
        "`registeredModel` must be set with `alias`",
        "training: {tracking: {mlflow: {uri: 'http://mlflow:5000', registeredModel: m, alias: candidate}}}",
        "training: {tracking: {mlflow: {uri: 'http://mlflow:5000', alias: candidate}}}",
    ),
    (
        "`warmupSteps` must be less than `maxSteps`",
        "training: {hyperparameters: {warmupSteps: 999}}",
        "training: {hyperparameters: {warmupSteps: 1000}}",
    ),
]
# Of the overlay of pods, wherever it stands.
_POD: list[Rule] = [
    (
        "tmp, config, work, model, claim-…, configmap-…, secret-… are names of the operator's volumes",
        "{volumes: [{name: shm, emptyDir: {medium: Memory}}]}",
        "{volumes: [{name: claim-0, emptyDir: {}}]}",
    ),
    (
        "tmp, config, work, model, claim-…, configmap-…, secret-… are names of the operator's volumes",
        "{volumes: [{name: models, emptyDir: {}}]}",
        "{volumes: [{name: model, emptyDir: {}}]}",
    ),
    (
        "/tmp, /etc, /dev, /perennial and /etc/perennial are paths of the operator's mounts",
        "{volumes: [{name: a, emptyDir: {}}], volumeMounts: [{name: a, mountPath: /dev/shm}]}",
        "{volumes: [{name: a, emptyDir: {}}], volumeMounts: [{name: a, mountPath: /etc/perennial/b}]}",
    ),
    (
        "each of volumeMounts must name one of volumes",
        "{volumes: [{name: a, emptyDir: {}}], volumeMounts: [{name: a, mountPath: /a}]}",
        "{volumeMounts: [{name: a, mountPath: /a}]}",
    ),
    (
        "HOME, JOB_COMPLETION_INDEX, MASTER_ADDR, MASTER_PORT, RANK, LOCAL_RANK, WORLD_SIZE and PERENNIAL_… are set "
        "by the operator",
        "{env: [{name: NCCL_DEBUG, value: INFO}]}",
        "{env: [{name: MASTER_ADDR, value: elsewhere}]}",
    ),
    (
        "value and valueFrom exclude each other",
        "{env: [{name: A, valueFrom: {secretKeyRef: {name: a, key: b}}}]}",
        "{env: [{name: A, value: b, valueFrom: {secretKeyRef: {name: a, key: b}}}]}",
    ),
    (
        "labels of perennial.dev, batch.kubernetes.io, kueue.x-k8s.io and the Job's own are set by the operator",
        "{labels: {example.org/team: docs}}",
        "{labels: {perennial.dev/training-job: other}}",
    ),
]
_SERVING: list[Rule] = [
    (
        "either `ipBlock`, or one or both of `podSelector` and `namespaceSelector` must be set",
        "network: {allowFrom: [{podSelector: {}, namespaceSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8}}]}",
        "network: {allowFrom: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}]}",
    ),
    (
        "either `ipBlock`, or one or both of `podSelector` and `namespaceSelector` must be set",
        "network: {allowFrom: [{namespaceSelector: {}}]}",
        "network: {allowFrom: [{}]}",
    ),
    (
        "`minReplicas` must not exceed `maxReplicas`",
        "autoscaling: {minReplicas: 2, maxReplicas: 2, metrics: [{name: queue-depth, target: 1}]}",
        "autoscaling: {minReplicas: 3, maxReplicas: 2, metrics: [{name: queue-depth, target: 1}]}",
    ),
    (
        "`query` must be set, unless `name` is 'queue-depth'",
        "autoscaling: {maxReplicas: 2, metrics: [{name: mine, query: x, target: 1}]}",
        "autoscaling: {maxReplicas: 2, metrics: [{name: mine, target: 1}]}",
    ),
    (
        "`query` must not be set if `name` is 'queue-depth', which is built in",
        "autoscaling: {maxReplicas: 2, metrics: [{name: queue-depth, target: 1}]}",
        "autoscaling: {maxReplicas: 2, metrics: [{name: queue-depth, query: x, target: 1}]}",
    ),
]
# On the template of a LanguageModel alone.
_TEMPLATE: list[Rule] = [
    (
        "`replicas` must not be set together with `autoscaling`",
        "autoscaling: {maxReplicas: 2, metrics: [{name: queue-depth, target: 1}]}",
        "{replicas: 1, autoscaling: {maxReplicas: 2, metrics: [{name: queue-depth, target: 1}]}}",
    ),
]
_JUDGING: list[Rule] = [
    (
        "`credentials` must only be set for s3://",
        "output: {uri: 's3://models/one', credentials: {secretName: a}}",
        "output: {uri: 'pvc://models/one', credentials: {secretName: a}}",
    ),
    (
        "`credentials` must only be set for s3://",
        f"compareWith: {{version: 1, uri: 's3://models/v1', digest: '{DIGEST}', credentials: {{secretName: a}}}}",
        f"compareWith: {{version: 1, uri: 'pvc://models/v1', digest: '{DIGEST}', credentials: {{secretName: a}}}}",
    ),
]
_REFERRING: list[Rule] = [
    (
        "`credentials` must only be set for s3://",
        "model: {uri: 's3://models/one', credentials: {secretName: a}}",
        "model: {uri: 'pvc://models/one', credentials: {secretName: a}}",
    ),
]
_LIVING: list[Rule] = [
    (
        "`credentials` must only be set for s3://",
        "storage: {uri: 's3://models/one', credentials: {secretName: a}}",
        "storage: {uri: 'pvc://models/one', credentials: {secretName: a}}",
    ),
    (
        "`credentials` must only be set for s3://",
        "import: {uri: 's3://models/one', credentials: {secretName: a}}",
        "import: {uri: 'pvc://models/one', credentials: {secretName: a}}",
    ),
    (
        "text-generation has the metrics loss, perplexity, bitsPerByte",
        "evaluation: {gates: [{metric: perplexity, max: 9}]}",
        "evaluation: {gates: [{metric: bleu, min: 9}]}",
    ),
    (
        "translation has the metrics loss, perplexity, bleu, chrf",
        "{model: {task: translation}, evaluation: {gates: [{metric: bleu, min: 9}]}}",
        "{model: {task: translation}, evaluation: {gates: [{metric: f1, min: 0.9}]}}",
    ),
    (
        "sentiment-analysis has the metrics loss, accuracy, macroF1",
        "{model: {task: sentiment-analysis}, evaluation: {gates: [{metric: macroF1, min: 0.9}]}}",
        "{model: {task: sentiment-analysis}, evaluation: {gates: [{metric: perplexity, max: 9}]}}",
    ),
    (
        "question-answering has the metrics loss, exactMatch, f1",
        "{model: {task: question-answering}, evaluation: {gates: [{metric: f1, min: 0.9}]}}",
        "{model: {task: question-answering}, evaluation: {gates: [{metric: accuracy, min: 0.9}]}}",
    ),
    (
        "exactly one of `max`, `min`, `betterThanServed` must be set",
        "evaluation: {gates: [{metric: loss, betterThanServed: {}}]}",
        "evaluation: {gates: [{metric: loss, max: 1, betterThanServed: {}}]}",
    ),
    (
        "exactly one of `above`, `below` must be set",
        "retraining: {triggers: [{name: a, metric: {query: x, above: 1}}]}",
        "retraining: {triggers: [{name: a, metric: {query: x, above: 1, below: 0}}]}",
    ),
    (
        "exactly one of `schedule`, `metric`, `request` must be set",
        "retraining: {triggers: [{name: a, request: now}, {name: b, schedule: {cron: '0 3 * * *'}}]}",
        "retraining: {triggers: [{name: a, request: now, schedule: {cron: '0 3 * * *'}}]}",
    ),
    (
        "exactly one of `schedule`, `metric`, `request` must be set",
        "retraining: {triggers: [{name: a, request: now}]}",
        "retraining: {triggers: [{name: a}]}",
    ),
    (
        "`policy` must be 'Manual' where `approve` is set",
        "promotion: {policy: Manual, approve: {version: 2}}",
        "promotion: {approve: {version: 2}}",
    ),
]


def overlays(kind: str) -> list[tuple[str, Manifest, Manifest]]:
    """Message, accepted and refused overlay, for each rule on objects of a kind."""
    training, serving = _within(_POD, "training", "pod"), _within(_POD, "pod")
    return {
        "LanguageModel": [
            *_within(_MAKING + _LIVING),
            *training,
            *_within(_SERVING + _TEMPLATE, "deployment"),
            *_within(_POD, "deployment", "pod"),
        ],
        "TrainingJob": [*_within(_MAKING + _JUDGING), *training],
        "Deployment": [*_within(_SERVING + _REFERRING), *serving],
    }[kind]


def _within(rules: list[Rule], *path: str) -> list[tuple[str, Manifest, Manifest]]:
    """The rules, their overlays at this path."""

    def at(text: str) -> Manifest:
        overlay: Manifest = yaml.safe_load(text)
        for name in reversed(path):
            overlay = {name: overlay}
        return overlay

    return [(message, at(good), at(bad)) for message, good, bad in rules]


CASES = [(kind, *overlay) for kind in SMALL for overlay in overlays(kind)]


@pytest.mark.parametrize(("kind", "message", "good", "bad"), CASES, ids=lambda value: str(value)[:50])
def test_rule(
    control_plane: ControlPlane, namespace: str, kind: str, message: str, good: Manifest, bad: Manifest
) -> None:
    create = ("create", "--dry-run=server", "-n", namespace, "-f", "-")
    control_plane.kubectl(*create, stdin=manifest(kind, "good", merged(SMALL[kind], good)))
    refused = control_plane.kubectl(*create, stdin=manifest(kind, "bad", merged(SMALL[kind], bad)), check=False)
    assert refused.returncode != 0
    assert message in refused.stderr


# What may not change on a TrainingJob, and the sentence.
IMMUTABLE = "is immutable; create another TrainingJob instead"
ONLY_SUSPEND = "only `suspend` and `ttlSecondsAfterFinished` may change; create another TrainingJob instead"
COMPARED = {"compareWith": {"version": 1, "uri": "pvc://models/v1", "digest": DIGEST}}
CHANGES: dict[str, tuple[Manifest, str]] = {
    "the model": ({"model": {"architecture": {"layers": 2}}}, f"spec.model: Invalid value: {IMMUTABLE}"),
    "the data": ({"data": {"train": [{"uri": "pvc://corpus/b.txt"}]}}, f"spec.data: Invalid value: {IMMUTABLE}"),
    "the training": ({"training": {"backoffLimit": 9}}, f"spec.training: Invalid value: {IMMUTABLE}"),
    "the output": ({"output": {"uri": "pvc://models/two"}}, f"spec.output: Invalid value: {IMMUTABLE}"),
    "what it is compared with": (
        {"compareWith": {"version": 2}}, f"spec.compareWith: Invalid value: {IMMUTABLE}",
    ),
    "that it is compared": ({"compareWith": None}, ONLY_SUSPEND),
    "that training is set": ({"training": None}, f"spec.training: Invalid value: {IMMUTABLE}"),
}  # fmt: skip


def test_nothing_but_suspend_of_a_training_job_may_change(control_plane: ControlPlane, namespace: str) -> None:
    spec = merged(SMALL["TrainingJob"], COMPARED | {"training": {"backoffLimit": 1}})
    control_plane.kubectl("create", "-n", namespace, "-f", "-", stdin=manifest("TrainingJob", "one", spec))
    patch = ("patch", "trainingjob", "one", "-n", namespace, "--type=merge", "--patch")
    for what, (change, message) in CHANGES.items():
        refused = control_plane.kubectl(*patch, yaml.safe_dump({"spec": change}), check=False)
        assert refused.returncode != 0, what
        assert message in refused.stderr.replace('"object": ', ""), f"{what}: {refused.stderr}"
    control_plane.kubectl(*patch, '{"spec": {"suspend": true}}')
    control_plane.kubectl(*patch, '{"spec": {"suspend": false, "ttlSecondsAfterFinished": 60}}')


REPLICAS_KEPT = "`replicas` must not change while `autoscaling` is set"


def test_replicas_of_a_deployment_change_only_without_autoscaling(control_plane: ControlPlane, namespace: str) -> None:
    autoscaling = {"maxReplicas": 4, "metrics": [{"name": "queue-depth", "target": 1}]}
    patch = ("patch", "lmd", "one", "-n", namespace, "--type=merge", "--patch")
    create = ("create", "-n", namespace, "-f", "-")
    control_plane.kubectl(*create, stdin=manifest("Deployment", "one", SMALL["Deployment"] | {"replicas": 3}))
    control_plane.kubectl(*patch, yaml.safe_dump({"spec": {"autoscaling": autoscaling}}))
    control_plane.kubectl(*patch, yaml.safe_dump({"spec": {"autoscaling": {"maxReplicas": 5}}}))
    refused = control_plane.kubectl(*patch, '{"spec": {"replicas": 2}}', check=False)
    assert REPLICAS_KEPT in refused.stderr
    control_plane.kubectl(*patch, '{"spec": {"replicas": 2, "autoscaling": null}}')


@pytest.fixture
def echo_kind(control_plane: ControlPlane) -> Iterator[str]:
    """A Deployment whose union of runtimes has one more member."""
    crd = definition(DeploymentWithEcho)
    control_plane.kubectl("apply", "--server-side", "-f", "-", stdin=crd)
    control_plane.kubectl("wait", "--for=condition=Established", "crd", crd["metadata"]["name"], "--timeout=30s")
    yield DeploymentWithEcho.KIND
    control_plane.kubectl("delete", "crd", crd["metadata"]["name"])


def test_a_runtime_has_the_block_of_its_own_name_only(
    control_plane: ControlPlane, namespace: str, echo_kind: str
) -> None:
    def create(runtime: Manifest, *, check: bool = True) -> str:
        document = manifest(echo_kind, "one", SMALL["Deployment"] | {"runtime": runtime})
        create = ("create", "--dry-run=server", "-n", namespace, "-f", "-")
        return control_plane.kubectl(*create, stdin=document, check=check).stderr

    create({"name": "echo", "echo": {"text": "hi"}})
    create({"name": "echo"})
    create({"transformers": {}})
    refusal = create({"name": "echo", "transformers": {}}, check=False)
    assert "`transformers` must only be set if `name` is 'transformers'" in refusal
    assert "`echo` must only be set if `name` is 'echo'" in create({"echo": {}}, check=False)


def test_no_rule_is_without_such_a_pair() -> None:
    tested = {(kind, message) for kind, message, _, _ in CASES}
    tested |= {("TrainingJob", IMMUTABLE), ("TrainingJob", ONLY_SUSPEND), ("Deployment", REPLICAS_KEPT)}
    for path in (ROOT / "crds").glob("*.yaml"):
        crd = yaml.safe_load(path.read_text())["spec"]
        schema = crd["versions"][0]["schema"]["openAPIV3Schema"]
        rules = {(crd["names"]["kind"], message) for message in _messages(schema)}
        assert rules <= tested


def _messages(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [message for item in schema for message in _messages(item)]
    if not isinstance(schema, dict):
        return []
    own = [rule["message"] for rule in schema.get("x-kubernetes-validations", [])]
    return own + [message for value in schema.values() for message in _messages(value)]


# A name, and what is said of it.
NAMES = {
    "LanguageModel": ["Upper", "a.b", "1st", "a" * 41],
    "TrainingJob": ["a.b", "a" * 61],
    "Deployment": ["a.b", "a" * 47],
}


@pytest.mark.parametrize("kind", NAMES)
def test_names_that_children_can_not_have_are_refused(control_plane: ControlPlane, namespace: str, kind: str) -> None:
    create = ("create", "--dry-run=server", "-n", namespace, "-f", "-")
    for name in NAMES[kind]:
        refused = control_plane.kubectl(*create, stdin=manifest(kind, name, SMALL[kind]), check=False)
        assert "metadata.name: " in refused.stderr, name
    longest = max(map(len, NAMES[kind])) - 1
    control_plane.kubectl(*create, stdin=manifest(kind, "a" * longest, SMALL[kind]))
