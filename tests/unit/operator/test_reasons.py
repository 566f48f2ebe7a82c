"""The table of reasons is complete: the code sets every reason in it, and none that is missing from it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from perennial import decide, loop
from perennial.decide.outcome import Event
from perennial.decide.reasons import CONDITION_TYPES, REASONS

CAMEL_CASE = re.compile(r"[A-Z][A-Za-z]+")
# Calls that take a reason, by the name of the class or function.
SETTERS = {"State", "Trouble", "Event", "Scaling", "record", "summary", "Decision"}
# States of a TrainingJob and versions: arguments of State that are no reasons.
STATES = {"Pending", "Running", "Suspended", "Complete", "Failed", "Accepted", "Refused", "Superseded"}


def modules() -> Iterator[ast.Module]:
    for package in (decide, loop):
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
            if path.name != "reasons.py":
                yield ast.parse(path.read_text(), str(path))


def constants(node: ast.AST) -> Iterator[str]:
    """CamelCase strings; of an f-string its beginning, marked by a star."""
    match node:
        case ast.Constant(value=str(text)) if CAMEL_CASE.fullmatch(text):
            yield text
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]) if CAMEL_CASE.fullmatch(text):
            yield f"{text}*"
        case ast.JoinedStr() | ast.Call() | ast.Compare():
            pass
        case _:
            for child in ast.iter_child_nodes(node):
                yield from constants(child)


def is_setter(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in SETTERS


def set_reasons() -> set[str]:
    """Every reason that the code passes to something that takes one."""
    calls = [node for module in modules() for node in ast.walk(module) if isinstance(node, ast.Call)]
    arguments = [argument for call in calls if is_setter(call) for argument in _arguments(call)]
    texts = {text for argument in arguments for text in constants(argument)}
    return {text for text in texts if text in REASONS or text not in STATES | set(CONDITION_TYPES)}


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "reason")]


def all_strings() -> set[str]:
    return {text for module in modules() for node in ast.walk(module) for text in constants(node)}


def test_the_code_sets_no_reason_that_the_table_lacks() -> None:
    reasons = set_reasons()
    assert len(reasons) > 30, "the search for reasons finds hardly any"
    beginnings = tuple(reason[:-1] for reason in reasons if reason.endswith("*"))
    assert {reason for reason in reasons if not reason.endswith("*")} <= set(REASONS)
    assert all(any(reason.startswith(beginning) for reason in REASONS) for beginning in beginnings)


def test_the_table_has_no_reason_that_the_code_never_sets() -> None:
    strings = all_strings()
    beginnings = tuple(text[:-1] for text in strings if text.endswith("*"))
    assert [reason for reason in REASONS if reason not in strings and not reason.startswith(beginnings)] == []


@pytest.mark.parametrize("name", REASONS)
def test_each_reason_is_explained(name: str) -> None:
    reason = REASONS[name]
    assert CAMEL_CASE.fullmatch(name)
    assert reason.meaning.endswith(".")
    assert reason.action.endswith(".") or not reason.action
    assert reason.kinds
    assert reason.action or reason.severity == "Normal", "a warning says what to do"


def test_the_severity_of_an_event_is_that_of_its_reason() -> None:
    assert Event("VersionPromoted", "").type == "Normal"
    assert Event("VersionRolledBack", "").type == "Warning"


def test_the_reason_of_a_failed_pod_is_a_warning() -> None:
    assert "EmptyCorpus" not in REASONS
    assert Event("EmptyCorpus", "").type == "Warning"
