"""The progress in a pod's log."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.loop.observe.sources.pod_log import last_progress
from perennial_contract.result import Progress


def line(**fields):
    return json.dumps({"perennial": "progress", "step": 30, "maxSteps": 300} | fields)


def test_the_last_report_counts_with_the_last_validation_loss():
    log = "\n".join(["loading", line(step=10, validationLoss=5.0), line(step=20, loss=4.5), "100%|####", ""])
    assert last_progress(log) == Progress(step=20, max_steps=300, loss=4.5, validation_loss=5.0)


def test_the_validation_loss_of_the_report_before_is_kept():
    before = Progress(step=1, max_steps=300, validation_loss=6.0)
    assert last_progress(line(), before).validation_loss == 6.0


@pytest.mark.parametrize(
    "log",
    [
        pytest.param("", id="an empty log"),
        pytest.param("{", id="broken JSON"),
        pytest.param("{}", id="an empty object"),
        pytest.param("[1]", id="a list"),
        pytest.param('{"perennial": []}', id="a kind that is a list"),
        pytest.param(line(step="many"), id="text for a number"),
        pytest.param(line(step=None), id="null for a number"),
        pytest.param(line(loss="low"), id="text for a loss"),
        pytest.param('{"perennial":"progress"}', id="no field"),
        pytest.param("{" * 10_000, id="many braces"),
        pytest.param('{"a":' * 10_000, id="deep nesting"),
    ],
)
def test_a_line_that_is_not_a_report_is_skipped(log):
    assert last_progress(log) is None
    assert last_progress(f"{line()}\n{log}").step == 30


def test_not_a_number_is_no_value():
    assert last_progress(line(loss=float("nan"), tokensPerSecond=float("inf"))).loss is None


@given(st.text())
def test_no_log_raises(log):
    last_progress(log)
