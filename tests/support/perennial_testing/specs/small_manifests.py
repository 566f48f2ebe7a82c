"""Manifests that the API server accepts: small ones, and ones in which every field is set."""

from typing import Any

import yaml

Manifest = dict[str, Any]
DIGEST = "sha256:" + "ab" * 32

SMALL: dict[str, Manifest] = {
    "LanguageModel": yaml.safe_load("""
        model: {task: text-generation, architecture: {}}
        data: {train: [{uri: "pvc://corpus/train.txt"}]}
        storage: {uri: "pvc://models"}
    """),
    "TrainingJob": yaml.safe_load("""
        model: {task: text-generation, architecture: {}}
        data: {train: [{uri: "pvc://corpus/train.txt"}]}
        output: {uri: "pvc://models/one"}
    """),
    "Deployment": {"model": {"name": "writer", "task": "text-generation", "uri": "pvc://models/one", "digest": DIGEST}},
}

_TRAINING = """
  hyperparameters:
    {maxSteps: 300, batchSize: 16, microBatchSize: 8, labelSmoothing: 0.1, precision: bfloat16,
     gradientCheckpointing: true, compile: Never, learningRate: 1.0e-3, learningRateSchedule: cosine, warmupSteps: 20,
     weightDecay: 0.1, maxGradientNorm: 1.0, seed: 1}
  evaluateEverySteps: 30
  earlyStopping: {patience: 3, minImprovement: 0.002}
  checkpoints: {everySteps: 100, historyLimit: 2}
  compute:
    {nodes: 2, gpusPerNode: 1, gpuResource: amd.com/gpu, sharding: FSDP,
     resources: {requests: {cpu: 1, memory: 2Gi}, limits: {memory: 2Gi}}}
  runtime: {image: "registry.example/training:1"}
  queueName: research
  activeDeadlineSeconds: 9000
  backoffLimit: 3
  tracking:
    mlflow:
      {uri: "https://mlflow.example/path", experiment: docs, registeredModel: writer, alias: candidate,
       secretName: mlflow}
"""
# Any program in any image.
_OWN_PROGRAM = """
  runtime: {image: "registry.example/own:1", command: [python, train.py], args: [--fast], parameters: {units: "64"}}
"""
_MODEL = """
  task: text-generation
  architecture:
    {family: transformer, tokenizer: bpe, layers: 4, hiddenSize: 128, heads: 4, contextLength: 128,
     vocabularySize: 2048, dropout: 0.1}
"""
_HUB_MODEL = {"uri": "hf://Qwen/Qwen3-0.6B", "revision": "main", "credentials": {"secretName": "hub"}}
_CONTINUED = {
    "task": "text-generation",
    "languageModelRef": {"name": "base", "version": 3},
    "tuning": {"lora": {"rank": 8}},
}
_ADAPTED = {
    "task": "text-generation",
    "pretrained": _HUB_MODEL,
    "tuning": {"lora": {"rank": 8, "alpha": 16, "dropout": 0.1, "keepAdapter": True}},
}
_DATA = """
  train:
  - {uri: "pvc://corpus/train.jsonl", weight: 2.5}
  - {uri: "https://example.org/a.txt"}
  - {uri: "s3://corpus/folder/", credentials: {secretName: storage}}
  validation: {fraction: 0.1}
  fields: {text: text, label: l, source: s, target: t, question: q, context: c, answer: a}
  preprocessing:
    {normalizeUnicode: NFKC, stripMarkup: true, lowercase: true, minCharacters: 20, maxCharacters: 5000,
     deduplicate: true, nearDuplicates: 0.8}
  augmentation: {copies: 2, deleteWords: 0.1, swapWords: 0.05}
"""
_POD = """
  labels: {team: docs}
  annotations: {example.org/owner: docs}
  nodeSelector: {gpu: h200}
  tolerations: [{key: gpu, operator: Equal, value: h200, effect: NoExecute, tolerationSeconds: 60}]
  affinity:
    podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: host, labelSelector: {}}]}
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway, labelSelector: {}}]
  priorityClassName: high
  runtimeClassName: nvidia
  schedulerName: gang
  serviceAccountName: trainer
  imagePullSecrets: [{name: registry}]
  volumes: [{name: shm, emptyDir: {medium: Memory}}, {name: cache, ephemeral: {volumeClaimTemplate: {}}}]
  volumeMounts: [{name: shm, mountPath: /dev/shm}, {name: cache, mountPath: /cache, subPath: hub, readOnly: true}]
  env: [{name: NCCL_DEBUG, value: INFO}, {name: TOKEN, valueFrom: {secretKeyRef: {name: hub, key: token}}}]
  envFrom: [{prefix: S3_, secretRef: {name: bucket}}]
"""
_AUTOSCALING = """
  minReplicas: 1
  maxReplicas: 4
  metrics: [{name: queue-depth, target: 4}, {name: mine, query: "sum(x)", target: 1.5}]
  tolerance: 0.2
  scaleUpStabilization: 15s
  scaleDownStabilization: 1h5m
"""
_NETWORK = """
  allowFrom:
  - {podSelector: {}, namespaceSelector: {matchLabels: {team: docs}}}
  - {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}
"""
_RUNTIME = """
  {name: transformers, image: "registry.example/serving:1",
   transformers: {maxBatchSize: 4, maxQueuedRequests: 100, apiKeys: {secretName: keys}},
   resources: {requests: {cpu: 500m}, limits: {memory: 1Gi}}}
"""

_HUB_DATA = {"uri": "hf://datasets/a/b@main/*.txt"}
_HELD_OUT = {"uri": "s3://corpus/held-out.txt", "credentials": {"secretName": "storage"}}

# By kind, specs in which together every field is set.
FULL: dict[str, list[Manifest]] = {
    "LanguageModel": [
        {
            "model": yaml.safe_load(_MODEL),
            "data": yaml.safe_load(_DATA),
            "training": yaml.safe_load(_TRAINING) | {"pod": yaml.safe_load(_POD)},
            **yaml.safe_load("""
                evaluation:
                  gates:
                  - {metric: loss, max: 6.0}
                  - {metric: perplexity, min: 1.0}
                  - {metric: bitsPerByte, betterThanServed: {by: 0.005}}
                storage: {uri: "s3://models/some/folder", credentials: {secretName: storage}}
                import: {uri: "s3://lab/writer", credentials: {secretName: lab}}
                retraining:
                  triggers:
                  - {name: weekly, schedule: {cron: "0 3 * * 0", timeZone: Europe/Berlin, jitter: 30m}}
                  - {name: accepted, metric: {query: "avg(x)", below: 0.8, for: 30m}}
                  - {name: errors, metric: {query: "avg(y)", above: 0.1}}
                  - {name: by-hand, request: "2026-12-01"}
                  cooldown: 6h
                  maxRunsPerDay: 2
                  backoffLimit: 1
                  seedPolicy: Varied
                suspend: true
                versionHistoryLimit: 5
                promotion: {policy: Manual, approve: {version: 2}, pin: {version: 3}}
            """),
            "deployment": {
                "runtime": yaml.safe_load(_RUNTIME), "autoscaling": yaml.safe_load(_AUTOSCALING),
                "rollout": {"maxSurge": 0}, "pod": yaml.safe_load(_POD), "network": yaml.safe_load(_NETWORK),
            },
        },
        SMALL["LanguageModel"]
        | {
            "model": _ADAPTED,
            "data": {"train": [{"uri": "configmap://a/b"}, _HUB_DATA], "validation": _HELD_OUT},
            "deployment": {"replicas": 2},
        },
        SMALL["LanguageModel"] | {"model": {"task": "own-task"}, "training": yaml.safe_load(_OWN_PROGRAM)},
        SMALL["LanguageModel"] | {"model": _CONTINUED},
    ],
    "TrainingJob": [
        {
            "model": yaml.safe_load(_MODEL),
            "data": yaml.safe_load(_DATA),
            "training": yaml.safe_load(_TRAINING) | {"pod": yaml.safe_load(_POD)},
            "compareWith": {
                "version": 1, "uri": "s3://models/v1", "digest": DIGEST, "credentials": {"secretName": "storage"},
            },
            "output": {"uri": "s3://models/docs/v2", "credentials": {"secretName": "storage"}},
            "suspend": True,
            "ttlSecondsAfterFinished": 3600,
        },
        SMALL["TrainingJob"]
        | {
            "model": _ADAPTED,
            "data": {"train": [{"uri": "configmap://a/b"}, _HUB_DATA], "validation": _HELD_OUT},
        },
        SMALL["TrainingJob"] | {"model": {"task": "own-task"}, "training": yaml.safe_load(_OWN_PROGRAM)},
        SMALL["TrainingJob"] | {"model": _CONTINUED},
    ],
    "Deployment": [
        {
            "model": {
                "name": "writer", "version": 2, "task": "text-generation", "uri": "s3://models/one", "digest": DIGEST,
                "credentials": {"secretName": "storage"},
            },
            "runtime": yaml.safe_load(_RUNTIME),
            "autoscaling": yaml.safe_load(_AUTOSCALING),
            "rollout": {"maxSurge": 0},
            "pod": yaml.safe_load(_POD),
            "network": yaml.safe_load(_NETWORK),
        },
        SMALL["Deployment"] | {"replicas": 0},
    ],
}  # fmt: skip


def manifest(kind: str, name: str, spec: Manifest) -> Manifest:
    return {"apiVersion": "perennial.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def merged(base: Manifest, more: Manifest) -> Manifest:
    """The dictionary with another one laid over it; None takes a field away."""
    result = dict(base)
    for key, value in more.items():
        inner = result.get(key)
        result[key] = merged(inner if isinstance(inner, dict) else {}, value) if isinstance(value, dict) else value
    return {key: value for key, value in result.items() if value is not None}
