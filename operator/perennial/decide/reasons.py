"""All reasons of conditions, Events and decisions that the operator sets: severity, meaning, and what to do.

Reasons are API. A failed pod of the training or serving image brings a reason of its own, with its own message.
"""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["Normal", "Warning"]
KindName = Literal["LanguageModel", "TrainingJob", "Deployment"]

_LM: tuple[KindName, ...] = ("LanguageModel",)
_TJ: tuple[KindName, ...] = ("TrainingJob",)
_LMD: tuple[KindName, ...] = ("Deployment",)
_PODS: tuple[KindName, ...] = ("LanguageModel", "TrainingJob", "Deployment")


@dataclass(frozen=True)
class Reason:
    """One reason; `action` is empty where nothing needs to be done."""

    severity: Severity
    kinds: tuple[KindName, ...]
    meaning: str
    action: str = ""


def _normal(kinds: tuple[KindName, ...], meaning: str, action: str = "") -> Reason:
    return Reason("Normal", kinds, meaning, action)


def _warning(kinds: tuple[KindName, ...], meaning: str, action: str) -> Reason:
    return Reason("Warning", kinds, meaning, action)


REASONS: dict[str, Reason] = {
    # --- all kinds
    "Idle": _normal(_PODS, "Not reconciling: the status agrees with the spec, or a person has to act."),
    "NotStalled": _normal(_PODS, "Not stalled."),
    "ApplyRefused": _warning(
        _PODS,
        "The API server or an admission webhook refused a child object, or another object has its name.",
        "Follow the message: correct the spec, raise the quota, grant the permission, or rename the other object.",
    ),
    "ChildRewritten": _warning(
        _PODS,
        "An admission webhook, a policy or another client changes a field of a child object after each write of the "
        "operator, which repeats its write ever less often.",
        "Exempt objects with the label `app.kubernetes.io/managed-by: perennial` from what the message names, or set "
        "the same value in the spec.",
    ),
    "Unreadable": _warning(
        _PODS,
        "This version of the operator can't parse the object.",
        "Update the operator, or correct the field that the message names.",
    ),
    # --- pods of all kinds
    "Unschedulable": _normal(
        _PODS,
        "No node can run the pod.",
        "Free or add the resources that the message names, or correct node selector, affinity and tolerations.",
    ),
    "NodeLost": _warning(
        _PODS,
        "The node of a pod does not report, or no longer exists. Kubernetes replaces a pod after 5 minutes without a "
        "report; the pod of a training only when the node reports again or is deleted.",
        "Repair the node that the message names, or delete it: `kubectl delete node`.",
    ),
    "PodEvicted": _normal(_PODS, "A pod is evicted from its node, as by a drain; another one follows by itself."),
    "PodPreempted": _normal(
        _PODS,
        "A pod makes room for one with a higher priority; another one follows by itself.",
        "Set `pod.priorityClassName` if it is to stay.",
    ),
    "ImagePullFailed": _warning(
        _PODS, "The kubelet can't pull the image.", "Correct the image's name, its registry or the pull secret."
    ),
    "ContainerNotStarted": _warning(
        _PODS,
        "The kubelet can't create the container.",
        "Create what the message names, such as a Secret or ConfigMap.",
    ),
    "VolumesNotMounted": _warning(
        _PODS,
        "The node has been mounting the pod's volumes for too long: 30 seconds with a Secret, 5 minutes with a claim.",
        "Create the Secret that the message names, or free the claim on the other node; run `kubectl describe pod` for "
        "the kubelet's Events.",
    ),
    "OutOfMemory": _warning(
        _PODS, "A container exceeded its memory limit.", "Raise `resources.limits.memory`, or lower the batch size."
    ),
    "ContainerFailed": _warning(
        _PODS, "A container ended with an error and left no failure message.", "Read the pod's log: `kubectl logs`."
    ),
    "InvalidUri": _warning(
        ("TrainingJob", "Deployment"), "A URI of the spec can't be parsed.", "Correct the URI that the message names."
    ),
    "InputMissing": _warning(
        ("TrainingJob", "Deployment"),
        "A PersistentVolumeClaim or ConfigMap of the spec does not exist.",
        "Create it in the same namespace; the operator then continues by itself.",
    ),
    # --- TrainingJob
    "Starting": _normal(_TJ, "The pods of the training are starting."),
    "Training": _normal(("LanguageModel", "TrainingJob"), "The training is running."),
    "Finishing": _normal(_TJ, "The training has ended, and its Job is completing."),
    "Trained": _normal(_TJ, "The training is complete, and the result has its metrics."),
    "Suspended": _normal(
        ("LanguageModel", "TrainingJob"), "`spec.suspend` is true.", "Set `spec.suspend` to false to resume."
    ),
    "Queued": _normal(
        _TJ, "Kueue has not admitted the Job yet.", "Run the `kubectl describe workloads` command of the message."
    ),
    "WaitingForPod": _normal(
        _TJ,
        "The Job has started, but not all of its pods exist after 30 seconds.",
        "Run the `kubectl describe job` command of the message.",
    ),
    "BaseNotFound": _warning(
        _TJ,
        "The LanguageModel or the version to continue from does not exist, or has no artifact yet.",
        "Create the LanguageModel, wait for its version, or name a version that has an artifact.",
    ),
    "PodRefused": _warning(
        ("LanguageModel", "TrainingJob"),
        "The API server or an admission webhook refused a pod of the Job.",
        "Correct the spec, or the policy that refuses its pods.",
    ),
    "QuotaExceeded": _warning(
        ("LanguageModel", "TrainingJob"),
        "A ResourceQuota of the namespace leaves no room for a pod.",
        "Raise the quota, or request less in the field that the message names.",
    ),
    "DeadlineExceeded": _warning(
        _TJ,
        "The training ran for longer than its deadline.",
        "Start another one with a later deadline, fewer steps or more compute.",
    ),
    "JobFailed": _warning(_TJ, "The Job failed and gives no reason.", "Run `kubectl describe job`."),
    "NoResult": _warning(
        _TJ,
        "The pod succeeded but left no valid result in its termination message.",
        "Correct the image: the contract in the guide to runtimes says what it must write.",
    ),
    "WrongResult": _warning(
        _TJ,
        "The result names an artifact at another URI than the spec.",
        "Correct the image: it must write the artifact to the URI of its configuration.",
    ),
    # --- Deployment
    "RollingOut": _normal(("LanguageModel", "Deployment"), "A revision is rolling out."),
    "InService": _normal(("LanguageModel", "Deployment"), "All replicas of the current revision are ready."),
    "ScaledToZero": _normal(
        ("LanguageModel", "Deployment"), "The number of replicas is 0.", "Raise `spec.replicas` to serve requests."
    ),
    "MinimumReplicasAvailable": _normal(_LMD, "At least one replica is ready."),
    "NoReplicaAvailable": _normal(_LMD, "No replica is ready.", "See the message of the condition Ready."),
    "PodsRefused": _warning(
        _LMD,
        "The API server or an admission webhook refused a pod.",
        "Raise the quota, or correct the spec or the policy that refuses its pods.",
    ),
    "ProgressDeadlineExceeded": _warning(
        _LMD,
        "The rollout made no progress for 10 minutes.",
        "Read the log of the newest pod; correct the spec, or give it more resources.",
    ),
    "UpToDate": _normal(_LMD, "The pod template has the operator's current defaults."),
    "UpdateHeld": _normal(
        _LMD,
        "The operator's defaults (the serving image, `podDefaults`, its own version) have changed, and "
        "`servingRollout.policy` of the chart is NewVersionsOnly: the pods stay as they are.",
        "Nothing, or set `runtime.image`: another version or spec brings the current defaults.",
    ),
    "UpdateWaiting": _normal(
        _LMD,
        "The operator's defaults have changed, and as many other Deployments roll them out as "
        "`servingRollout.maxConcurrent` of the chart allows.",
        "Wait; if it lasts, look for Deployments that are stalled: a wrong image stops here.",
    ),
    "Scaling": _normal(_LMD, "All metrics of the autoscaler have a value."),
    "MetricsMissing": _warning(
        _LMD,
        "A metric of the autoscaler has no value; the number of replicas does not fall meanwhile.",
        "Correct the query, or the operator's `--prometheus-url` or `--prometheus-config`.",
    ),
    "ScaledUp": _normal(_LMD, "The autoscaler raised the number of replicas."),
    "ScaledDown": _normal(_LMD, "The autoscaler lowered the number of replicas."),
    # --- LanguageModel
    "NoVersion": _normal(_LM, "No version has been started, or none has been accepted yet."),
    "InvalidSpec": _warning(
        _LM,
        "The spec has an error that the API server can't detect. No version starts.",
        "Correct the field that the message names.",
    ),
    "Promoted": _normal(_LM, "The newest accepted version is the promoted one."),
    "Pinned": _normal(
        _LM,
        "`spec.promotion.pin` names another version than the newest accepted one.",
        "Remove the pin to serve the newest accepted version.",
    ),
    "AwaitingApproval": _normal(
        _LM,
        "Under the policy Manual, the newest accepted version is not approved.",
        "Set `spec.promotion.approve.version` to its number to serve it.",
    ),
    "NotSuspended": _normal(_LM, "`spec.suspend` is false."),
    "VersionStarted": _normal(_LM, "The training of a version started; the message names the trigger."),
    "VersionAccepted": _normal(_LM, "The version passed all gates."),
    "VersionRefused": _warning(
        _LM,
        "The version missed a gate; the served version stays.",
        "Improve data or training, or relax the gate that the message names. A pin serves the version all the same.",
    ),
    "VersionFailed": _warning(
        _LM,
        "The training of the version failed; the served version stays.",
        "Follow the message of its TrainingJob. A corrected spec starts another version at once; without a correction "
        "`retraining.backoffLimit` versions follow in growing intervals.",
    ),
    "VersionSuperseded": _normal(_LM, "The spec changed during the training of the version, which was canceled."),
    "VersionPromoted": _normal(_LM, "The version replaces the served one."),
    "VersionRolledBack": _warning(
        _LM,
        "An earlier version replaces the served one.",
        "Find out why before the next promotion; remove the pin to serve the newest accepted version again.",
    ),
    "ArtifactMissing": _warning(
        _LM,
        "The serving pods do not find the artifact of the version. The newest accepted version that has its artifact "
        "is served instead, unless another one is pinned or approved.",
        "Restore the folder and import it (spec.import.uri), or train again.",
    ),
    "Importing": _normal(_LM, "The artifacts at spec.import are being imported."),
    "ArtifactsImported": _normal(_LM, "Artifacts in storage have become versions."),
    "NothingImported": _warning(
        _LM,
        "No artifact at spec.import could become a version. The training begins as usual.",
        "Correct spec.import.uri if there should be one.",
    ),
    "ImportFailed": _warning(
        _LM,
        "The Job that looks for the artifacts at spec.import failed.",
        "Read its log, fix the cause and delete the Job; the operator retries.",
    ),
    "VersionCollected": _normal(
        _LM,
        "The history limit no longer covers the version, and its artifact is deleted, or left in its place if it was "
        "imported; or it failed, newer versions have ended, and its unfinished files are deleted.",
    ),
    "Collected": _normal(_LM, "No files of collected versions are left."),
    "Collecting": _normal(_LM, "Files of collected versions are being deleted."),
    "VersionCollectionFailed": _warning(
        _LM,
        "The Job that deletes an artifact failed.",
        "Read its log, fix the cause and delete the Job; the operator retries. Delete an artifact by hand if the "
        "message says that its version is dropped from the status.",
    ),
    "RetrainingHeld": _warning(
        _LM,
        "A trigger is due but held back by a running training, the cooldown, `maxRunsPerDay` or `spec.suspend`.",
        "Wait, or relax the limit that the message names.",
    ),
}

# Types of conditions, with the statement that status True makes.
CONDITION_TYPES: dict[str, tuple[tuple[KindName, ...], str]] = {
    "Ready": (_PODS, "The object is as its spec says: trained, in service, or serving the promoted version."),
    "Reconciling": (_PODS, "The operator is working on the object (kstatus)."),
    "Stalled": (_PODS, "The operator can't continue without a person (kstatus)."),
    "Complete": (_TJ, "The training ended with an artifact."),
    "Failed": (_TJ, "The training ended without an artifact and is not retried."),
    "Suspended": (("LanguageModel", "TrainingJob"), "`spec.suspend` pauses the training and starts none."),
    "Running": (_TJ, "All pods of the training are running."),
    "Available": (_LMD, "At least one replica is ready."),
    "Progressing": (_LMD, "A revision is rolling out."),
    "UpToDate": (_LMD, "The pod template has the operator's current defaults."),
    "Scaling": (_LMD, "The autoscaler has a value of each of its metrics."),
    "Trained": (_LM, "The newest version was trained and accepted."),
    "Promoted": (_LM, "The newest accepted version is the promoted one."),
    "Collected": (_LM, "No files of collected versions are left in the storage."),
    "Served": (_LM, "The promoted version is in service on all replicas."),
}


def severity(reason: str) -> Severity:
    """Type of an Event with this reason; one that is not in the table comes from a failed pod or Job."""
    return REASONS[reason].severity if reason in REASONS else "Warning"
