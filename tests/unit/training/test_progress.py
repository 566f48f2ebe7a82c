"""What Prometheus sees of a training."""

import json
import socket
import urllib.request
from types import SimpleNamespace

import pytest

from perennial_contract.exits import Failure
from perennial_training.telemetry import progress
from perennial_training.telemetry.progress import Gauges, Progress


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_gauges_are_served():
    port = free_port()
    gauges = Gauges(port)
    gauges.validation_loss.set(4.56613)
    gauges.step.set(400)
    shown = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    assert "perennial_training_validation_loss 4.56613\n" in shown
    assert "perennial_training_step 400.0\n" in shown
    assert "perennial_training_loss " in shown
    assert "perennial_training_tokens_per_second " in shown


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_the_gauges_are_served_to_both_families():
    port = free_port()
    Gauges(port)
    for address in ("127.0.0.1", "[::1]"):
        assert "perennial_training_step" in urllib.request.urlopen(f"http://{address}:{port}/metrics").read().decode()


def test_a_port_that_is_taken_is_said():
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        with pytest.raises(Failure, match="choose another by --metrics-port"):
            Gauges(taken.getsockname()[1])


def test_the_speed_is_that_of_steps_that_are_done_not_of_those_that_were_launched(monkeypatch, capsys):
    """On a GPU a step returns at once, and the wait is in the reading of the loss before `on_log`."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    arguments, control = SimpleNamespace(fp16=False), SimpleNamespace(should_evaluate=True, should_save=False)
    state = SimpleNamespace(global_step=0, max_steps=20)
    told = Progress(Gauges(0), tokens_per_step=100)
    told.on_train_begin(arguments, state, control)
    for evaluated in (5.0, 7.0):
        for _ in range(10):
            told.on_step_begin(arguments, state, control)
            state.global_step += 1
            told.on_step_end(arguments, state, control)
        clock.now += 4.0
        told.on_log(arguments, state, control, logs={"loss": 2.0})
        clock.now += evaluated
        told.on_evaluate(arguments, state, control, metrics={"eval_loss": 2.0})
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["tokensPerSecond"] for line in lines] == [250, 250]
