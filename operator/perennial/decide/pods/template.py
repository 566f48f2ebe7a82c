"""The pod skeleton that all kinds share: the restricted profile and volumes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from perennial.decide.outcome import Manifest
from perennial_contract import uri as uris
from perennial_contract.job.storage import Credentials
from perennial_contract.pod import CLAIMS, CONFIG_MAPS, MOUNTS, SECRETS

USER = 10001

POD_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
# The group of the pod reads them.
SECRET_MODE = 0o440


def pod_template(
    labels: dict[str, str], containers: list[Manifest], volumes: list[Manifest], **fields: Any
) -> Manifest:
    """A pod template under the restricted profile, without a service account token; `fields` are further pod fields."""
    spec = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": POD_SECURITY,
        "containers": containers,
        "volumes": volumes,
    }
    return {"metadata": {"labels": labels}, "spec": spec | fields}


def container(
    name: str, image: str, command: list[str], mounts: list[Manifest], resources: Manifest, **fields: Any
) -> Manifest:
    """A container under the restricted profile; `fields` are further container fields, or replace those here."""
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "env": environment(),
        "resources": resources,
        "securityContext": CONTAINER_SECURITY,
        "terminationMessagePolicy": "File",
        "volumeMounts": mounts,
    } | fields


def environment(**variables: str) -> list[Manifest]:
    """Environment variables of a container; its home is /tmp, the only writable folder."""
    return [{"name": name, "value": value} for name, value in ({"HOME": "/tmp"} | variables).items()]


@dataclass(frozen=True)
class Volumes:
    """The claims, ConfigMaps and Secrets that the URIs of a spec need, and their mount paths.

    optional: Secrets without which the pod starts all the same.
    """

    claims: tuple[str, ...]
    config_maps: tuple[str, ...]
    secrets: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        locations: Iterable[str],
        credentials: Iterable[Credentials | None] = (),
        optional: Iterable[Credentials | None] = (),
    ) -> "Volumes":
        """The volumes for these URIs and their credentials; raises ValueError for an invalid URI."""
        parsed = [uris.parse(location) for location in locations]
        names = {scheme: tuple(sorted({p.name for p in parsed if p.scheme == scheme})) for scheme in _SCHEMES}
        needed = {entry.secret_name for entry in credentials if entry}
        others = {entry.secret_name for entry in optional if entry} - needed
        return cls(names["pvc"], names["configmap"], tuple(sorted(needed | others)), frozenset(others))

    def volumes(self, read_only: bool = False) -> list[Manifest]:
        """`spec.volumes` of the pod; every pod has /tmp, since its root file system is read-only."""
        claims = [
            {"name": f"claim-{i}", "persistentVolumeClaim": {"claimName": name} | _read_only(read_only)}
            for i, name in enumerate(self.claims)
        ]
        maps = [{"name": f"configmap-{i}", "configMap": {"name": name}} for i, name in enumerate(self.config_maps)]
        secrets = [
            {
                "name": f"secret-{i}",
                "secret": {"secretName": name, "optional": name in self.optional, "defaultMode": SECRET_MODE},
            }
            for i, name in enumerate(self.secrets)
        ]
        return [{"name": "tmp", "emptyDir": {}}, *claims, *maps, *secrets]

    def mounts(self, read_only: bool = False) -> list[Manifest]:
        """`volumeMounts` of a container."""
        claims = [
            {"name": f"claim-{i}", "mountPath": f"{MOUNTS}/{CLAIMS}/{name}"} | _read_only(read_only)
            for i, name in enumerate(self.claims)
        ]
        maps = [
            {"name": f"configmap-{i}", "mountPath": f"{MOUNTS}/{CONFIG_MAPS}/{name}", "readOnly": True}
            for i, name in enumerate(self.config_maps)
        ]
        secrets = [
            {"name": f"secret-{i}", "mountPath": f"{MOUNTS}/{SECRETS}/{name}", "readOnly": True}
            for i, name in enumerate(self.secrets)
        ]
        return [{"name": "tmp", "mountPath": "/tmp"}, *claims, *maps, *secrets]


_SCHEMES = ("pvc", "configmap")


def _read_only(read_only: bool) -> Manifest:
    return {"readOnly": True} if read_only else {}
