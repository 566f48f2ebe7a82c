"""Overrides for pods of training, service and cleanup: scheduling, metadata, volumes, environment.

Only shallow fields have a schema here. Deep ones (affinity, volumes, sources of variables) are passed on unchanged: the
API server validates them when the Job is applied, and the conditions repeat its message.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from perennial.api.schema import ApiModel, list_map
from perennial_contract import exits, pod
from perennial_contract.job.block import cel
from perennial_contract.job.storage import PART

FREE_FORM: dict[str, Any] = {"x-kubernetes-preserve-unknown-fields": True}
ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
VolumeName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
# Variables for the rendezvous of the processes of a training, and the writable home.
_OWN_VARIABLES = (
    "HOME", pod.NODE_INDEX, pod.MASTER_ADDRESS, pod.MASTER_PORT, "RANK", "LOCAL_RANK", "WORLD_SIZE",
)  # fmt: skip
_OWN_VOLUMES = ("tmp", "config", "work", "model")
_PREFIXES = ("claim-", "configmap-", "secret-")
_OWN_MOUNTS = ("/dev", str(exits.TERMINATION_LOG), "/etc", str(pod.CONFIGURATION_FOLDER), str(pod.MOUNTS), "/tmp")
_OWN_LABELS = ("app.kubernetes.io/managed-by", "controller-uid", "job-name")
_OWN_PREFIXES = ("perennial.dev/", "batch.kubernetes.io/", "kueue.x-k8s.io/")


class Toleration(ApiModel):
    """Toleration of a taint, as in a Pod."""

    key: Annotated[str, Field(max_length=316)] | None = Field(None, description="Key of the taint; empty for any.")
    operator: Literal["Exists", "Equal"] | None = Field(
        None, description="Relation of key and value; Equal by default."
    )
    value: Annotated[str, Field(max_length=63)] | None = Field(None, description="Value of the taint.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Effect of the taint; empty for any."
    )
    toleration_seconds: int | None = Field(
        None, ge=0, le=2147483647, description="Seconds to tolerate a NoExecute taint; empty for no limit."
    )


class Volume(ApiModel):
    """Volume as in a Pod: a name and one source."""

    model_config = ConfigDict(extra="allow") | cel(
        (
            " && ".join(
                [f"!(self.name in {list(_OWN_VOLUMES)})", *(f"!self.name.startsWith('{p}')" for p in _PREFIXES)]
            ),
            f"{', '.join([*_OWN_VOLUMES, *(f'{p}…' for p in _PREFIXES)])} are names of the operator's volumes",
        ),
        **FREE_FORM,
    )

    name: VolumeName = Field(description="Name of the volume, for `volumeMounts`.")


class VolumeMount(ApiModel):
    """Mount of a volume in the containers of the pod."""

    model_config = cel(
        (
            f"!(self.mountPath in {list(_OWN_MOUNTS)}) && !self.mountPath.startsWith('{pod.MOUNTS}/') && "
            f"!self.mountPath.startsWith('{pod.CONFIGURATION_FOLDER}/')",
            "/tmp, /etc, /dev, /perennial and /etc/perennial are paths of the operator's mounts",
        ),
    )

    name: VolumeName = Field(description="Name of one of `volumes`.")
    mount_path: Annotated[str, Field(pattern=rf"^(/{PART})+$", max_length=512)] = Field(
        description="Absolute path in the container, without `.`, `..` or a trailing slash."
    )
    sub_path: Annotated[str, Field(min_length=1, max_length=512)] | None = Field(
        None, description="Path in the volume to mount; its root by default."
    )
    read_only: bool = Field(False, description="Whether the volume is mounted read-only.")


class Variable(ApiModel):
    """Environment variable of the containers, as in a Pod."""

    model_config = cel(
        (
            f"!(self.name in {list(_OWN_VARIABLES)}) && !self.name.startsWith('PERENNIAL_')",
            f"{', '.join(_OWN_VARIABLES)} and PERENNIAL_… are set by the operator",
        ),
        ("!(has(self.value) && has(self.valueFrom))", "value and valueFrom exclude each other"),
    )

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=253)] = Field(
        description="Name of the variable."
    )
    value: Annotated[str, Field(max_length=4096)] | None = Field(
        None, description="Value of the variable; empty by default."
    )
    value_from: Annotated[dict[str, Any], Field(json_schema_extra=FREE_FORM)] | None = Field(
        None, description="Source of the value: secretKeyRef, configMapKeyRef, fieldRef, resourceFieldRef."
    )


class VariableSource(ApiModel):
    """All entries of a ConfigMap or Secret as environment variables, as in a Pod."""

    model_config = ConfigDict(extra="allow") | cel(**FREE_FORM)

    prefix: Annotated[str, Field(max_length=253)] | None = Field(
        None, description="Prefix of the name of each variable, next to configMapRef or secretRef."
    )


class PullSecret(ApiModel):
    """Secret with the credentials of an image registry."""

    name: ObjectName = Field(description="Name of the Secret.")


_Labels = Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=16)]
_Annotations = Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=16)]
_RESERVED_LABELS = " || ".join([f"key in {list(_OWN_LABELS)}", *(f"key.startsWith('{p}')" for p in _OWN_PREFIXES)])


class PodOverlay(ApiModel):
    """Overrides for the pods. They add to what the pods themselves need and can't replace it.

    They take precedence over the operator's own defaults for all pods (`podDefaults` of the chart).
    """

    model_config = cel(
        (
            "!has(self.volumeMounts) || self.volumeMounts.all(mount, "
            "has(self.volumes) && self.volumes.exists(volume, volume.name == mount.name))",
            "each of volumeMounts must name one of volumes",
        ),
        (
            f"!has(self.labels) || !self.labels.exists(key, {_RESERVED_LABELS})",
            "labels of perennial.dev, batch.kubernetes.io, kueue.x-k8s.io and the Job's own are set by the operator",
        ),
    )

    labels: _Labels | None = Field(None, description="Additional labels of the pods.")
    annotations: _Annotations | None = Field(None, description="Annotations of the pods.")
    node_selector: _Labels | None = Field(None, description="Labels that a node must have to run the pods.")
    tolerations: Annotated[list[Toleration], Field(max_length=32)] | None = Field(
        None, description="Tolerations of the pods."
    )
    affinity: Annotated[dict[str, Any], Field(json_schema_extra=FREE_FORM)] | None = Field(
        None, description="Affinity of the pods, as in a Pod."
    )
    topology_spread_constraints: (
        Annotated[list[Annotated[dict[str, Any], Field(json_schema_extra=FREE_FORM)]], Field(max_length=8)] | None
    ) = Field(None, description="Spread of the pods over nodes and zones, as in a Pod.")
    priority_class_name: ObjectName | None = Field(None, description="PriorityClass of the pods.")
    runtime_class_name: ObjectName | None = Field(None, description="RuntimeClass of the pods, such as nvidia.")
    scheduler_name: ObjectName | None = Field(None, description="Name of the scheduler of the pods.")
    service_account_name: ObjectName | None = Field(
        None, description="ServiceAccount of the pods, for workload identity; its token is not mounted."
    )
    image_pull_secrets: Annotated[list[PullSecret], Field(max_length=8, json_schema_extra=list_map("name"))] | None = (
        Field(None, description="Secrets with the credentials for pulling the image.")
    )
    volumes: Annotated[list[Volume], Field(max_length=16, json_schema_extra=list_map("name"))] | None = Field(
        None, description="Additional volumes."
    )
    volume_mounts: (
        Annotated[list[VolumeMount], Field(max_length=16, json_schema_extra=list_map("mountPath"))] | None
    ) = Field(None, description="Mounts of these volumes in each container.")
    env: Annotated[list[Variable], Field(max_length=64, json_schema_extra=list_map("name"))] | None = Field(
        None, description="Additional environment variables of each container."
    )
    env_from: Annotated[list[VariableSource], Field(max_length=8)] | None = Field(
        None, description="ConfigMaps and Secrets whose entries become environment variables."
    )
