"""Hypothesis strategies for what a user does to one object, for good and for bad: sequences of steps.

A step is a dictionary that can be printed: `do` and what it needs; `settle` says whether its user waits until all
is at rest before the next one. OBJECT stands for the object's name.
"""

from copy import deepcopy
from functools import cache
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as with_seed
from hypothesis import strategies as st

from perennial.api import KINDS
from perennial.api.crd import definition
from perennial.api.kind import Kind
from perennial_testing.misoperation.nodes import BROKEN_IMAGE, MISSING_IMAGE
from perennial_testing.specs.broken_specs import broken
from perennial_testing.specs.schemas import specs
from perennial_testing.specs.small_manifests import SMALL

Spec = dict[str, Any]
Step = dict[str, Any]
Sequence = dict[str, Any]

OBJECT = "OBJECT"
CLAIMS, TEXTS = (f"{OBJECT}-corpus", f"{OBJECT}-models"), f"{OBJECT}-texts"
ABSENT = f"{OBJECT}-absent"
_RESOURCES: list[Any] = [
    None, None, {"requests": {"cpu": "500m", "memory": "1Gi"}}, {"limits": {"memory": "2Gi"}},
    {"requests": {"cpu": "1000"}},
    {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}},
    {"requests": {"floppy": "1"}},
    {"limits": {"memory": "9e99"}},
]  # fmt: skip
_IMAGES = [None, None, None, "registry.example/own:1", MISSING_IMAGE, "Not An Image", BROKEN_IMAGE]
_PINS = [None, None, None, None, {"version": 1}, {"version": 999999}]
# What a user may do to a child, by its kind: None deletes it, the rest is merged into it. Nothing that would be added
# to what we say, as another port: it is another's, and stays.
_EDITS: dict[str, dict[str, list[Any]]] = {
    "Deployment": {
        "apps/v1 Deployment": [
            None, {"spec": {"replicas": 0}}, {"spec": {"paused": True}}, {"metadata": {"labels": None}},
            {"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": "100%"}}}},
        ],
        "v1 Service": [None, {"spec": {"selector": {"app": "mine"}}}, {"spec": {"ports": [{"name": "x", "port": 80}]}}],
        "policy/v1 PodDisruptionBudget": [None, {"spec": {"maxUnavailable": 0}}, {"metadata": {"labels": None}}],
    },
    "TrainingJob": {
        "batch/v1 Job": [
            None, {"spec": {"suspend": True}}, {"spec": {"parallelism": 0}}, {"metadata": {"labels": None}},
        ],
        "v1 ConfigMap": [None, {"metadata": {"labels": None}}],
    },
    "LanguageModel": {
        "perennial.dev/v1alpha1 TrainingJob": [None],
        "perennial.dev/v1alpha1 Deployment": [
            None, {"spec": {"model": {"name": "mine"}}}, {"spec": {"rollout": {"maxSurge": 0}}},
        ],
    },
}  # fmt: skip
_FOREIGN = {
    "Deployment": ["apps/v1 Deployment", "v1 Service", "policy/v1 PodDisruptionBudget"],
    "TrainingJob": ["batch/v1 Job", "v1 ConfigMap"],
    "LanguageModel": ["perennial.dev/v1alpha1 Deployment", "perennial.dev/v1alpha1 TrainingJob"],
}


@st.composite
def sequences(draw: st.DrawFn) -> Sequence:
    """A kind, and steps on one object of it; the first one creates it, or fails to."""
    kind = draw(st.sampled_from(KINDS))
    steps: list[Step] = [draw(environment(kind.KIND))] if draw(st.booleans()) else []
    spec = draw(spec_of(kind))
    steps.append({"do": "apply", "spec": spec})
    for _ in range(draw(st.integers(1, 5))):
        step, spec = draw(changes(kind, spec))
        steps.append(step)
    if draw(st.booleans()):
        steps.append({"do": "apply", "spec": draw(good(kind.KIND))})
    return {
        "kind": kind.KIND,
        "steps": [step | {"settle": draw(st.sampled_from([True, True, False]))} for step in steps],
    }


@cache
def spec_of(kind: type[Kind]) -> st.SearchStrategy[Spec]:
    """Specs that the API server accepts: most of what a user could mean, some of anything."""
    sane = specs(kind).flatmap(lambda spec: _sane(kind.KIND, spec))
    return st.one_of(sane, sane, sane, good(kind.KIND), specs(kind).map(_few_replicas))


@cache
def schema_of(kind: type[Kind]) -> dict[str, Any]:
    schema: dict[str, Any] = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema["properties"]["spec"]


@st.composite
def good(draw: st.DrawFn, kind: str) -> Spec:
    """Small specs with which all is well."""
    spec = _renamed(deepcopy(SMALL[kind]))
    if kind == "Deployment":
        return spec | {"replicas": draw(st.integers(1, 3))}
    return spec | {"training": {"hyperparameters": {"seed": draw(st.integers(0, 6))}}}


def for_bystanders() -> dict[str, Spec]:
    """By kind a spec with which all is well."""
    return {kind: _renamed(deepcopy(spec)) for kind, spec in SMALL.items()}


@st.composite
def _sane(draw: st.DrawFn, kind: str, raw: Spec) -> Spec:
    spec: Spec = _few_replicas(_renamed(raw))
    runs = [spec] if kind == "Deployment" else [spec.setdefault("training", {})]
    runs += [spec["deployment"]] if "deployment" in spec else []
    for run in runs:
        runtime = run.setdefault("runtime", {})
        runtime.pop("image", None)
        if image := draw(st.sampled_from(_IMAGES)):
            runtime["image"] = image
        holder = runtime if "model" in spec and run is not spec.get("training") else run.setdefault("compute", {})
        holder.pop("resources", None)
        if run is spec.get("training"):
            run.setdefault("hyperparameters", {})["seed"] = draw(st.integers(0, 9))
        if resources := draw(st.sampled_from(_RESOURCES)):
            holder["resources"] = resources
    if kind == "LanguageModel":
        spec.pop("suspend", None)  # a fresh object would never be trained, nor serve what is not approved
        spec["promotion"] = {}
        if pin := draw(st.sampled_from(_PINS)):
            spec["promotion"]["pin"] = pin
        for trigger in spec.get("retraining", {}).get("triggers", []):
            if "schedule" in trigger and draw(st.booleans()):
                trigger["schedule"] = {"cron": "0 3 1 1 *"}
    if draw(st.integers(0, 9)) == 0:
        return _moved(spec)
    return spec


def _renamed(value: Any) -> Any:
    """With URIs that the object's own claims and ConfigMap answer."""
    if isinstance(value, dict):
        return {key: _renamed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item) for item in value]
    if isinstance(value, str) and "://" in value:
        scheme, _, rest = value.partition("://")
        hub = "datasets/org/name/a.txt" if rest.startswith("datasets/") else "org/name"
        known = {"configmap": f"{TEXTS}/a.txt", "https": "example.org/a.txt", "hf": hub, "file": "/a/b.txt"}
        path = "".join(c for c in rest.partition("/")[2] if c.isascii() and c.isalnum()) or "a"
        return f"{scheme}://{known.get(scheme, f'{CLAIMS[len(path) % 2]}/{path}')}"
    return value


# What ends, hides or holds back a run for reasons of its own; tests/api/test_api_scale.py has them.
_OTHER_STORIES = ("pod", "queueName", "activeDeadlineSeconds")


def _few_replicas(spec: Spec) -> Spec:
    """With at most three replicas and two nodes, trained by the built-in program: the rest is other tests' matter."""
    spec = deepcopy(spec)
    spec.pop("ttlSecondsAfterFinished", None)
    if "data" in spec:
        if (
            len(spec["model"]) == 1 or "languageModelRef" in spec["model"]
        ):  # who waits for another model is another story
            spec["model"] = {"architecture": {}}
        spec["model"]["task"] = "text-generation"
    training = spec.get("training", {})
    for name in _OTHER_STORIES:
        training.pop(name, None)
    for name in ("command", "args", "parameters"):
        training.get("runtime", {}).pop(name, None)
    if compute := training.get("compute"):
        compute |= {"nodes": 1 + compute.get("nodes", 1) % 2}
        compute.pop("sharding", None)
        share = compute["nodes"] * max(1, compute.get("gpusPerNode", 0))
        if (parameters := training.get("hyperparameters", {})) or 16 % share:
            training["hyperparameters"] = {n: v for n, v in parameters.items() if n != "microBatchSize"}
            training["hyperparameters"]["batchSize"] = share * (1 + parameters.get("batchSize", 16) % 64)
    for run in (spec, spec.get("deployment", {})):
        if "replicas" in run:
            run["replicas"] %= 4
        if scaling := run.get("autoscaling"):
            run.pop("replicas", None)  # of a Deployment it may not change while there is autoscaling
            scaling["minReplicas"] = 1 + scaling.get("minReplicas", 1) % 2
            scaling["maxReplicas"] = 2 + scaling["maxReplicas"] % 2
    return spec


def _moved(spec: Spec) -> Spec:
    """With its storage in a claim that nobody has made."""
    place = spec.get("storage") or spec.get("output") or spec["model"]
    place["uri"] = f"pvc://{ABSENT}/a"
    return spec


@st.composite
def changes(draw: st.DrawFn, kind: type[Kind], spec: Spec) -> tuple[Step, Spec]:
    """The next step, and the spec as it is meant to be after it."""
    match draw(
        st.sampled_from(["apply", "apply", "apply", "adjust", "adjust", "refuse", "child", "environment", "replace"])
    ):
        case "apply":
            new = draw(spec_of(kind))
            return {"do": "apply", "spec": new}, new
        case "adjust":
            new = draw(adjusted(kind.KIND, spec))
            return {"do": "apply", "spec": new}, new
        case "refuse":
            what, worse = draw(broken(schema_of(kind), spec))
            return {"do": "refuse", "what": what, "spec": worse}, spec
        case "child":
            target = draw(st.sampled_from(sorted(_EDITS[kind.KIND])))
            return {"do": "child", "child": target, "edit": draw(st.sampled_from(_EDITS[kind.KIND][target]))}, spec
        case "replace":
            foreign = draw(st.sampled_from([None, *_FOREIGN[kind.KIND]]))
            new = draw(st.one_of(st.just(spec), spec_of(kind)))
            return {"do": "replace", "foreign": foreign, "spec": new}, new
    return draw(environment(kind.KIND)), spec


@st.composite
def adjusted(draw: st.DrawFn, kind: str, spec: Spec) -> Spec:
    """The same spec but for one thing."""
    spec = deepcopy(spec)
    if kind == "TrainingJob":
        return spec | {"suspend": not spec.get("suspend", False)}
    if kind == "LanguageModel":
        what = draw(st.sampled_from(["pin", "image", "resources", "storage", "replicas"]))
        if what == "pin":
            return spec | {
                "promotion": draw(st.sampled_from([{}, {"pin": {"version": 1}}, {"pin": {"version": 999999}}]))
            }
        if what == "storage":
            return spec | {"storage": {"uri": draw(st.sampled_from([f"pvc://{CLAIMS[1]}", f"pvc://{ABSENT}"]))}}
        if what == "replicas":
            runtime = spec.get("deployment", {}).get("runtime", {})
            return spec | {"deployment": {"replicas": draw(st.integers(0, 3)), "runtime": runtime}}
        training = spec.setdefault("training", {})
        if what == "image":
            return spec | {
                "training": training | {"runtime": {"image": draw(st.sampled_from([i for i in _IMAGES if i]))}}
            }
        resources = draw(st.sampled_from([some for some in _RESOURCES if some]))
        return spec | {"training": training | {"compute": {"resources": resources}}}
    if draw(st.booleans()):
        spec.pop("autoscaling", None)
        return spec | {"replicas": draw(st.integers(0, 3))}
    return spec | {"model": spec["model"] | {"version": draw(st.integers(1, 5))}}


@cache
def environment(kind: str) -> st.SearchStrategy[Step]:
    """What happens around the object."""
    things = [*CLAIMS, TEXTS]
    return st.one_of(
        st.sampled_from(things).map(lambda thing: {"do": "take", "thing": thing}),
        st.sampled_from(things).map(lambda thing: {"do": "give", "thing": thing}),
        st.sampled_from(_FOREIGN[kind]).map(lambda child: {"do": "foreign", "child": child}),
        st.just({"do": "no foreign"}),
        st.booleans().map(lambda on: {"do": "quota", "on": on}),
    )


def drawn(number: int, seed: int) -> list[Sequence]:
    """So many sequences, the same ones for the same seed."""
    found: list[Sequence] = []

    @with_seed(seed)
    @settings(
        max_examples=2 * number, phases=[Phase.generate], database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(sequences())
    def collect(sequence: Sequence) -> None:
        if sequence not in found:
            found.append(sequence)

    collect()  # it draws some more than once
    return found[:number]
