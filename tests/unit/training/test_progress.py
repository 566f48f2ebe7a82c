"""What Prometheus sees of a training."""

import socket
import urllib.request

import pytest

from perennial_contract.exits import Failure
from perennial_training.telemetry.progress import Gauges


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


def test_a_port_that_is_taken_is_said():
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        with pytest.raises(Failure, match="choose another by --metrics-port"):
            Gauges(taken.getsockname()[1])
