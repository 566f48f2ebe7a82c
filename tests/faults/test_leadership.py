"""Who leads: two replicas and one Lease, clocks that are wrong, and the end of a process at any moment."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kubernetes import client, config

from perennial.kube.lease import LEASE_SECONDS, RENEW_SECONDS, RETRY_SECONDS
from perennial_testing.cluster.control_plane import ControlPlane
from perennial_testing.cluster.node import eventually
from perennial_testing.cluster.operator_process import Operator, handles_sigterm
from perennial_testing.faults.proxy import Answer, Delay, Request
from perennial_testing.faults.stage import Case, Stage, title

# A standby looks every RETRY_SECONDS: it sees the last renewal late, and its expiry too.
TAKEOVER = LEASE_SECONDS + 2 * RETRY_SECONDS
# Of a busy machine: other tests run beside these.
MARGIN = 10.0
LEADS = "this replica leads"


def replicas(stage: Stage, *control_planes: ControlPlane) -> list[Operator]:
    """Operators that share one Lease; the first one leads."""
    lease = ("--lease-namespace", stage.namespace, "--lease-name", "shared")
    started = []
    for control_plane in control_planes:
        operator = stage.operator(control_plane, *lease).start()
        eventually(lambda operator=operator: "waiting for the Lease" in operator.log, "it stands by")
        if not started:
            operator.wait_until_it_leads()
        started.append(operator)
    return started


def seconds_until(what: Any, why: str, limit: float) -> float:
    """How long it takes until something is so, to 50 ms."""
    start = time.monotonic()
    while not what():
        assert time.monotonic() - start < limit, f"{why}: not within {limit:.0f} s"
        time.sleep(0.05)
    return time.monotonic() - start


def the_leader_is_killed(stage: Stage) -> None:
    stage.node()
    story = stage.story()
    first, second = replicas(stage, stage.control_plane, stage.control_plane)
    story.train(3.0)
    story.wait({1: "Accepted"}, 1)
    first.kill()
    story.train(2.5)
    stage.recovered(seconds_until(lambda: LEADS in second.log, "the other leads", TAKEOVER + MARGIN), "until it leads")
    story.wait({1: "Accepted", 2: "Accepted"}, 2)


def the_leader_is_asked_to_end(stage: Stage) -> None:
    first, second = replicas(stage, stage.control_plane, stage.control_plane)
    start = time.monotonic()
    os.kill(first.pid, signal.SIGTERM)
    seconds_until(lambda: LEADS in second.log, "the other leads", RETRY_SECONDS + MARGIN)
    stage.recovered(time.monotonic() - start, "until the other leads")
    assert first.stop() == 0


def the_leader_is_cut_off(stage: Stage, refusal: Answer | Delay) -> None:
    """It ends before the other begins, whether it is refused or hears nothing."""
    stage.node()
    story, proxy = stage.story(), stage.proxy()
    first, second = replicas(stage, proxy.control_plane, stage.control_plane)
    story.train(3.0)
    story.wait({1: "Accepted"}, 1)
    proxy.rule = lambda request: refusal
    proxy.silence_watches()
    start = time.monotonic()
    story.train(2.5)
    seconds_until(lambda: not first.lives, "it ends itself", RENEW_SECONDS + RETRY_SECONDS + MARGIN)
    stage.recovered(time.monotonic() - start, "until it has ended itself")
    assert LEADS not in second.log
    assert "lost the Lease; exiting at once" in first.log
    seconds_until(lambda: LEADS in second.log, "the other leads", TAKEOVER + MARGIN)
    stage.recovered(time.monotonic() - start, "until the other leads")
    story.wait({1: "Accepted", 2: "Accepted"}, 2)


def the_leader_is_refused_by_the_server(stage: Stage) -> None:
    the_leader_is_cut_off(stage, Answer(503, "ServiceUnavailable"))


def the_leader_hears_nothing_from_the_server(stage: Stage) -> None:
    the_leader_is_cut_off(stage, Delay(3600))


def the_leader_is_frozen_before_a_write_and_wakes_up_late(stage: Stage) -> None:
    """What it was about to write must not be written: another leads by then."""
    node = stage.node()
    story, proxy = stage.story(), stage.proxy()
    first, second = replicas(stage, proxy.control_plane, stage.control_plane)
    story.train(3.0)
    story.wait({1: "Accepted"}, 1)
    proxy.rule = lambda request: Delay(1) if request.method == "GET" and not request.is_watch else None
    story.train(2.5)  # before it creates the TrainingJob it asks for the model's newest version
    asked = lambda: any(request.path.endswith("/languagemodels/writer") for request, _ in proxy.faults)  # noqa: E731
    eventually(asked, "it is about to create the TrainingJob")
    os.kill(first.pid, signal.SIGSTOP)
    start = time.monotonic()
    try:
        seconds_until(lambda: LEADS in second.log, "the other leads", TAKEOVER + MARGIN)
        stage.recovered(time.monotonic() - start, "until the other leads")
        story.wait({1: "Accepted", 2: "Accepted"}, 2)
        written = len(proxy.writes)
    finally:
        os.kill(first.pid, signal.SIGCONT)
    seconds_until(lambda: not first.lives, "it ends itself", MARGIN)
    assert len(proxy.writes) == written
    assert node.trained == ["writer-v1", "writer-v2"]


# --- clocks


class Holder(threading.Thread):
    """Another replica that holds the Lease and renews it until it dies, by its own clock."""

    def __init__(self, stage: Stage, clock: timedelta, spec: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self._leases = client.CoordinationV1Api(config.new_client_from_config(stage.control_plane.kubeconfig))
        self._namespace, self._clock = stage.namespace, clock
        self._dead = threading.Event()
        first = {"holderIdentity": "other", "leaseDurationSeconds": 15, "leaseTransitions": 4, "acquireTime": self._now}
        self._leases.create_namespaced_lease(
            stage.namespace, {"metadata": {"name": "shared"}, "spec": first | {"renewTime": self._now} | spec}
        )

    @property
    def _now(self) -> str:
        return (datetime.now(UTC) + self._clock).isoformat(timespec="microseconds")

    @property
    def lease(self) -> client.V1LeaseSpec:
        return self._leases.read_namespaced_lease("shared", self._namespace).spec

    def run(self) -> None:
        while not self._dead.wait(RETRY_SECONDS):
            self._leases.patch_namespaced_lease("shared", self._namespace, {"spec": {"renewTime": self._now}})

    def die(self) -> None:
        self._dead.set()
        if self.is_alive():
            self.join()


def a_standby_waits_for(stage: Stage, *, lives: bool, clock: timedelta = timedelta(), **spec: Any) -> None:
    """As long as the holder renews, and then as long as the Lease lasts: by its own time, not by the holder's."""
    holder = Holder(stage, clock, spec)
    operator = stage.operator(stage.control_plane, "--lease-namespace", stage.namespace, "--lease-name", "shared")
    operator.start()
    eventually(lambda: "waiting for the Lease" in operator.log, "it stands by")
    if lives:
        holder.start()
        time.sleep(LEASE_SECONDS + 2 * RETRY_SECONDS)
        holder.die()
        assert LEADS not in operator.log, f"it has taken the Lease from a living holder: {holder.lease}"
    took = seconds_until(lambda: LEADS in operator.log, "it leads", TAKEOVER + MARGIN)
    assert took > LEASE_SECONDS - 5.0, f"{took:.1f} s are less than the Lease lasts"
    stage.recovered(took)
    lease = holder.lease
    assert (lease.lease_transitions, lease.lease_duration_seconds) == (5, LEASE_SECONDS)
    assert lease.holder_identity != "other"
    assert abs(lease.acquire_time - datetime.now(UTC)) < timedelta(seconds=10)


HOUR = timedelta(hours=1)


def a_living_holder_is_an_hour_ahead(stage: Stage) -> None:
    a_standby_waits_for(stage, lives=True, clock=HOUR)


def a_living_holder_is_an_hour_behind(stage: Stage) -> None:
    a_standby_waits_for(stage, lives=True, clock=-HOUR)


def a_living_holder_never_says_since_when(stage: Stage) -> None:
    a_standby_waits_for(stage, lives=True, acquireTime=None)


def a_dead_holder_was_an_hour_ahead(stage: Stage) -> None:
    a_standby_waits_for(stage, lives=False, clock=HOUR)


def a_dead_holder_was_minutes_behind(stage: Stage) -> None:
    a_standby_waits_for(stage, lives=False, clock=timedelta(minutes=-5))


def a_dead_holder_left_no_times(stage: Stage) -> None:
    a_standby_waits_for(stage, lives=False, acquireTime=None, renewTime=None, leaseDurationSeconds=None)


def a_dead_holder_wanted_it_for_a_year(stage: Stage) -> None:
    a_standby_waits_for(stage, lives=False, leaseDurationSeconds=31_536_000)


def a_lease_of_nobody_is_taken_at_once(stage: Stage) -> None:
    Holder(stage, HOUR, {"holderIdentity": ""})
    operator = stage.operator(stage.control_plane, "--lease-namespace", stage.namespace, "--lease-name", "shared")
    operator.start()
    eventually(lambda: "waiting for the Lease" in operator.log, "it stands by")
    stage.recovered(seconds_until(lambda: LEADS in operator.log, "it leads", MARGIN))


# --- the end


def is_of_version_2(request: Request) -> bool:
    return request.is_write and request.path.endswith("/trainingjobs/writer-v2")


def an_end_in_the_middle_of_a_write(stage: Stage, takes: float) -> float:
    """Returns how long the end took."""
    node = stage.node()
    story, proxy = stage.story(), stage.proxy()
    operator = stage.operator(proxy.control_plane, "--lease-namespace", stage.namespace).start()
    story.train(3.0)
    story.wait({1: "Accepted"}, 1)
    proxy.rule = lambda request: Delay(takes) if is_of_version_2(request) else None
    story.train(2.5)
    eventually(lambda: proxy.faults, "the write is on its way")
    start = time.monotonic()
    assert operator.stop() == 0
    ended = time.monotonic() - start
    assert "released the Lease" in operator.log
    proxy.rule = lambda request: None
    start = time.monotonic()
    operator.start()
    story.wait({1: "Accepted", 2: "Accepted"}, 2)
    stage.recovered(time.monotonic() - start, "until the next one has done it")
    assert node.trained == ["writer-v1", "writer-v2"]
    return ended


def a_write_of_3_s_ends_before_the_process(stage: Stage) -> None:
    ended = an_end_in_the_middle_of_a_write(stage, 3)
    stage.recovered(ended, "until it has ended")
    assert 1.5 < ended < 10


def a_write_of_an_hour_does_not_keep_the_process(stage: Stage) -> None:
    ended = an_end_in_the_middle_of_a_write(stage, 3600)
    stage.recovered(ended, "until it has ended")
    assert ended < 25


@contextmanager
def a_leader_without_server(stage: Stage) -> Iterator[Operator]:
    proxy = stage.proxy()
    operator = stage.operator(proxy.control_plane).start()
    operator.wait_until_it_leads()
    time.sleep(1)
    proxy.rule = lambda request: Delay(3600)
    proxy.silence_watches()
    yield operator


def the_server_is_silent_at_the_end(stage: Stage) -> None:
    with a_leader_without_server(stage) as operator:
        start = time.monotonic()
        assert operator.stop() == 0
        stage.recovered(time.monotonic() - start, "until it has ended")
    assert "failed to release the Lease" in operator.log


def the_server_is_silent_from_the_start(stage: Stage) -> None:
    proxy = stage.proxy()
    proxy.rule = lambda request: Delay(3600)
    operator = stage.operator(proxy.control_plane).start()
    eventually(lambda: proxy.requests, "it asks")
    start = time.monotonic()
    assert operator.stop() == 0
    stage.recovered(time.monotonic() - start, "until it has ended")


def an_end_at_any_moment_of_the_start(stage: Stage) -> None:
    """From the moment at which the process handles signals; before that one has its usual effect."""
    flags = ["--metrics-port", "0", "--namespace", stage.namespace, "--lease-namespace", stage.namespace]
    environment = os.environ | {"KUBECONFIG": stage.control_plane.kubeconfig}
    longest = 0.0
    for tenths in (0, 1, 2, 4, 6, 8, 11, 15, 20, 30):
        with (stage.folder / f"log-{tenths}").open("w") as log:
            command = [sys.executable, "-m", "perennial", *flags]
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        eventually(lambda process=process: handles_sigterm(process.pid), "it handles signals")
        time.sleep(tenths / 10)
        process.terminate()
        start = time.monotonic()
        assert process.wait(timeout=30) == 0, f"after {tenths / 10} s: {(stage.folder / f'log-{tenths}').read_text()}"
        longest = max(longest, time.monotonic() - start)
        assert "Traceback" not in (stage.folder / f"log-{tenths}").read_text()
    stage.recovered(longest, "until it has ended, at the most")


CASES: list[Case] = [
    a_living_holder_is_an_hour_ahead,
    a_living_holder_is_an_hour_behind,
    a_living_holder_never_says_since_when,
    the_leader_is_killed,
    the_leader_is_asked_to_end,
    the_leader_is_refused_by_the_server,
    the_leader_hears_nothing_from_the_server,
    the_leader_is_frozen_before_a_write_and_wakes_up_late,
    a_dead_holder_was_an_hour_ahead,
    a_dead_holder_was_minutes_behind,
    a_dead_holder_left_no_times,
    a_dead_holder_wanted_it_for_a_year,
    a_lease_of_nobody_is_taken_at_once,
    a_write_of_3_s_ends_before_the_process,
    a_write_of_an_hour_does_not_keep_the_process,
    the_server_is_silent_at_the_end,
    the_server_is_silent_from_the_start,
    an_end_at_any_moment_of_the_start,
]
AT_ONCE = len(CASES)


@pytest.mark.parametrize("case", CASES, ids=title)
def test_leadership(case: Case, outcomes: dict[Case, "Future[None]"]) -> None:
    outcomes[case].result(200)
