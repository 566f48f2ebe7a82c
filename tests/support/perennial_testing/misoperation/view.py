"""What became of an object, so far as it must not depend on what was before.

What rightly depends on it, and is not compared:
- names that the server gives (uids, addresses, times), the numbers of versions and what began them;
- of a LanguageModel: versions before the newest, decisions, what was compared with; a verdict, where the gates have
  changed since or look at the version in service; where and how a training runs that has begun, and so where its
  artifact lies; a pinned version;
- what is left to delete of earlier versions (`Collected`);
- what is in service while the newest spec can't be: its children, `Available`, `status.version`;
- of a Deployment with autoscaling: its number of replicas, which begins with the number before;
- labels that the API server gives to a Job without labels; which of two obstacles is told.
A TrainingJob that has ended stays as it ended: whoever compares takes care of that.
"""

import json
import re
from typing import Any

from perennial.kube.resources import APPS_DEPLOYMENT, CHILDREN, JOB, OWN, POD, Resource
from perennial_testing.misoperation.cluster import Manifest, Mirror

# With these reasons some child is not there in a fresh object; one that had it before keeps it.
BLOCKED = {"InputMissing", "InvalidUri", "ApplyRefused"}
_OURS = "perennial.dev/owner-kind"
_COMPARED = [resource for resource in (*OWN.values(), *CHILDREN) if resource != POD]
_KEPT = " The pods that are ready keep serving."


def root(mirror: Mirror, kind: str, namespace: str, name: str) -> Manifest:
    return mirror.get(OWN[kind], namespace, name) or {}


def conditions(manifest: Manifest) -> dict[str, dict[str, Any]]:
    return {c["type"]: c for c in manifest.get("status", {}).get("conditions", [])}


def is_ready(manifest: Manifest) -> bool:
    return conditions(manifest).get("Ready", {}).get("status") == "True"


def view(mirror: Mirror, kind: str, namespace: str, name: str) -> dict[str, Any]:
    """By path of what is compared its value."""
    manifest = root(mirror, kind, namespace, name)
    if kind == "LanguageModel":
        return _language_model(mirror, manifest, namespace, name)
    told = _told(manifest, namespace)
    blocked = told["Ready"][1] in BLOCKED
    if blocked:
        told |= {type_: (told[type_][0], "blocked", "") for type_ in ("Ready", "Stalled")}
    seen = {f"condition {type_}": said for type_, said in told.items() if type_ != "Available"}
    if kind == "TrainingJob":
        seen |= {"state": manifest["status"]["state"], "result": _plain(manifest["status"].get("result"), namespace)}
        blocked |= manifest["status"]["state"] in ("Complete", "Failed")
    else:
        seen |= {"pods": _pods(mirror, namespace, name)} if is_ready(manifest) else {}
    if not blocked:
        seen |= _children(mirror, namespace, name, "autoscaling" in manifest["spec"])
    return seen


def newest(manifest: Manifest) -> Manifest:
    versions: list[Manifest] = manifest.get("status", {}).get("versions", [])
    return max(versions, key=lambda version: version["number"], default={})


def _language_model(mirror: Mirror, manifest: Manifest, namespace: str, name: str) -> dict[str, Any]:
    version, spec, status = newest(manifest), manifest["spec"], manifest["status"]
    wanted = spec.get("import", {}).get("uri")
    imports = wanted is not None and wanted != status.get("import", {}).get("uri")
    # What was suspended, or could not import, from the start has no version; what was so later has.
    if not version or spec.get("suspend") or imports:
        return {}
    served = status.get("servingVersion")
    gates = spec.get("evaluation", {}).get("gates", [])
    seen: dict[str, Any] = {
        "fingerprint": version["fingerprint"],
        "run": version["runFingerprint"],
        "metrics": version["metrics"],
        "is trained": version["state"] != "Training",
    }
    relative = any("betterThanServed" in gate for gate in gates)
    if relative or "pin" in spec.get("promotion", {}):
        return seen
    told = {type_: numberless(said) for type_, said in _told(manifest, namespace).items() if type_ != "Collected"}
    seen |= {"verdict": version["state"], "condition Trained": told["Trained"]}
    if version["state"] == "Accepted":
        seen |= {f"condition {type_}": said for type_, said in told.items()}
        seen |= {"serves the newest": served == version["number"]}
        service = _service(mirror, namespace, name, spec)
        seen |= {what: _placeless(numberless(said), name) for what, said in service.items()}
    elif told["Stalled"][0] == "True" and version["state"] == "Training":
        seen |= {"condition Stalled": told["Stalled"]}
    return seen


def _service(mirror: Mirror, namespace: str, name: str, spec: Manifest) -> dict[str, Any]:
    return {
        what: said
        for what, said in _children(mirror, namespace, name, "autoscaling" in spec.get("deployment", {})).items()
        if what.endswith(f" {name}")  # not those of its trainings, which have the numbers of versions in their names
    }


def _told(manifest: Manifest, namespace: str) -> dict[str, tuple[str, str, str]]:
    """By type the status, the reason and the message without its counts."""
    return {
        type_: (c["status"], c["reason"], countless(_plain(c["message"], namespace).replace(_KEPT, "")))
        for type_, c in conditions(manifest).items()
    }


def _children(mirror: Mirror, namespace: str, name: str, autoscaled: bool) -> dict[str, Any]:
    found = {}
    for (resource, child), manifest in mirror.of(namespace, name).items():
        if resource in _COMPARED and _OURS in (manifest["metadata"].get("labels") or {}):
            found[f"{resource.api_version} {resource.kind} {child}"] = _plain(
                _made(resource, manifest, autoscaled), namespace
            )
    return found


def _made(resource: Resource, manifest: Manifest, autoscaled: bool) -> Manifest:
    """What was made of a child: not what the server or its controller add."""
    spec = {k: v for k, v in manifest.get("spec", {}).items() if k not in ("clusterIP", "clusterIPs")}
    if resource == APPS_DEPLOYMENT and autoscaled:
        spec.pop("replicas")
    at = manifest["metadata"]
    given = spec.get("template", {}).get("metadata", {}).get("labels", {}) if resource == JOB else {}
    return {
        "labels": {name: value for name, value in at["labels"].items() if name == _OURS or name not in given},
        "owners": at.get("ownerReferences"), "spec": spec,
        "data": manifest.get("data"), "immutable": manifest.get("immutable"),
    }  # fmt: skip


def _pods(mirror: Mirror, namespace: str, name: str) -> list[Any]:
    return sorted(
        (manifest["metadata"]["labels"].get("perennial.dev/version"), manifest["status"]["phase"])
        for (resource, _), manifest in mirror.of(namespace, name).items()
        if resource == POD and "perennial.dev/deployment" in manifest["metadata"]["labels"]
    )


def _plain(value: Any, namespace: str) -> Any:
    """Without uids and the namespace's name."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID", json.dumps(value))
    return json.loads(text.replace(namespace, "NAMESPACE"))


def countless(message: str) -> str:
    """Without its counts: "1 pod" is as good as "2 pods"."""
    return re.sub(r"\d+( (pod|replica|node)s?\b)?", "#", message)


def numberless(value: Any) -> str:
    """As text without the numbers of versions, and the part of a uid in the names of their folders."""
    text = re.sub(r"\bv\d+-[0-9a-f]{8}", "v#", json.dumps(value)).replace("(SpecChanged)", "(Initial)")
    text = re.sub(r"\bv\d+\b", "v#", text)
    text = re.sub(r'("(perennial.dev/)?version": )"?\d+"?', r"\1#", text)
    text = re.sub(r'("perennial.dev/pod-(spec|template)": )"\w+"', r'\1"#"', text)  # digests of such numbers
    return re.sub(r"--version=\d+", "--version", text)


def _placeless(text: str, name: str) -> str:
    """Without the storage that holds an artifact."""
    return re.sub(r'pvc://CLAIM[^\s"]*', "ARTIFACT", re.sub(rf"{name}-(corpus|models|absent)", "CLAIM", text))


def differences(played: dict[str, Any], fresh: dict[str, Any]) -> list[str]:
    """What is not the same, in words; empty if nothing."""
    compared = played.keys() | fresh.keys()
    if played.get("run") != fresh.get("run"):  # it was trained where and how an earlier spec said
        compared = {"fingerprint"} if not fresh.get("is trained") else compared - {"run"}
    return [
        f"{what}:\n  played {_text(played, what)}\n  fresh  {_text(fresh, what)}"
        for what in sorted(compared)
        if played.get(what) != fresh.get(what)
    ]


def _text(seen: dict[str, Any], what: str) -> str:
    return json.dumps(seen.get(what), sort_keys=True)
