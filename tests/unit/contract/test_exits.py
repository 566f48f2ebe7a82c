"""Termination messages: JSON, and never longer than what the kubelet keeps."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial_contract import exits


def test_a_failure_is_reported(tmp_path):
    path = tmp_path / "log"
    exits.report(exits.Failure("EmptyCorpus", "There is no text in é.", exits.BAD_DATA), path)
    assert json.loads(path.read_bytes()) == {
        "perennial": "failure",
        "reason": "EmptyCorpus",
        "message": "There is no text in é.",
    }


@given(st.text(max_size=5000))
def test_any_message_fits(tmp_path_factory, message):
    path = tmp_path_factory.getbasetemp() / "log"
    exits.report(exits.Failure("X", message * 3, exits.BAD_DATA), path)
    assert len(path.read_bytes()) <= exits.MAX_MESSAGE_BYTES
    assert json.loads(path.read_bytes())["perennial"] == "failure"


def test_a_document_that_is_too_long_is_not_cut_in_silence(tmp_path):
    with pytest.raises(ValueError, match="more than 4096"):
        exits.leave({"x": "y" * 5000}, tmp_path / "log")


@pytest.mark.parametrize(
    ("error", "quoted"),
    [
        (ValueError("  one\ntwo"), "one"),
        (ValueError(), "ValueError"),
        (ValueError("x" * 300), "x" * 300),
        (ValueError("x" * 301), "x" * 299 + "…"),
    ],
    ids=["the first line", "says nothing", "just fits", "long"],
)
def test_an_error_of_another_library_is_quoted_by_a_line(error, quoted):
    assert exits.first_line(error) == quoted
