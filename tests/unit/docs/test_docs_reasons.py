"""The page of reasons has each reason that a pod can leave, and no reason that is gone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from perennial.decide.reasons import REASONS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "reference" / "reasons.md").read_text()
PACKAGES = ["contract", "training", "serving", "networks", "operator"]
_ROW = re.compile(r"^\| ((?:`[A-Za-z]+`(?:, )?)+) \|", re.MULTILINE)


def listed() -> set[str]:
    return {reason for row in _ROW.finditer(PAGE) for reason in re.findall(r"`(\w+)`", row[1])}


def sources() -> Iterator[ast.Module]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield ast.parse(path.read_text())


def failures() -> set[str]:
    """Reasons of every `Failure("Reason", …)`."""
    return {
        call.args[0].value
        for module in sources()
        for call in ast.walk(module)
        if isinstance(call, ast.Call)
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
        and ast.unparse(call.func).rpartition(".")[2] == "Failure"
    }


def words() -> set[str]:
    """Every text constant of one word."""
    return {
        node.value
        for module in sources()
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier()
    }


def test_each_failure_of_a_pod_is_listed() -> None:
    reasons = failures()
    assert len(reasons) > 40
    assert reasons - listed() - set(REASONS) == set(), "add them to docs/reference/reasons.md"


def test_no_reason_is_listed_that_is_gone() -> None:
    assert listed() - words() == set()


def test_the_page_includes_the_reasons_of_the_operator() -> None:
    assert "<!-- generated: reasons of the operator -->" in PAGE
