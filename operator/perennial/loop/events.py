"""Kubernetes Events about our objects."""

import hashlib
import json
import logging
from datetime import UTC, datetime

from perennial.decide.outcome import Event, Manifest
from perennial.kube.client import ApiError, Cluster
from perennial.kube.keys import key_of
from perennial.kube.resources import EVENT
from perennial.loop import logs
from perennial.loop.metrics import Metrics
from perennial_contract.text import shortened

logger = logging.getLogger(__name__)

_LONGEST_NOTE = 1024


class Events:
    """Posts Events. One that can't be posted is logged and dropped."""

    def __init__(self, cluster: Cluster, metrics: Metrics) -> None:
        self._cluster = cluster
        self._metrics = metrics

    async def post(self, regarding: Manifest, event: Event) -> None:
        """Creates the Event; the same event on the same version of the object exists once (409)."""
        try:
            await self._cluster.create(EVENT, manifest(regarding, event, datetime.now(UTC)))
            self._metrics.wrote("create", EVENT.plural)
        except ApiError as error:
            if error.status != 409:
                logs.of(logger, key_of(regarding)).warning("event %s not posted: %s", event.reason, error)


def manifest(regarding: Manifest, event: Event, now: datetime) -> Manifest:
    """The events.k8s.io/v1 Event, with a name that follows from object and content."""
    at = regarding["metadata"]
    content = json.dumps([at["uid"], at["resourceVersion"], event.type, event.reason, event.message])
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {
            "name": f"{at['name'][:200]}.{hashlib.sha256(content.encode()).hexdigest()[:16]}",
            "namespace": at["namespace"],
        },
        "eventTime": now.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "type": event.type,
        "reason": event.reason,
        "note": shortened(event.message, _LONGEST_NOTE),
        "action": "Reconcile",
        "reportingController": "perennial.dev/operator",
        "reportingInstance": "perennial-operator",
        "regarding": {
            "apiVersion": regarding["apiVersion"],
            "kind": regarding["kind"],
            "namespace": at["namespace"],
            "name": at["name"],
            "uid": at["uid"],
            "resourceVersion": at["resourceVersion"],
        },
    }
