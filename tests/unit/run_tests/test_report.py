"""The end of the log of all tests names what failed and why: often only that end is kept."""

from pathlib import Path

import pytest

from run_tests import report

WRITTEN = """<testsuites><testsuite>
  <testcase classname="tests.a" name="test_passes" time="1.5"/>
  <testcase classname="tests.a" name="test_fails" time="2"><failure message="assert 1 == 2&#10;more"/></testcase>
  <testcase classname="tests.a" name="test_has_no_cluster" time="120"><error message="failed on setup"/></testcase>
</testsuite></testsuites>"""


def test_each_failure_is_a_line_with_the_first_line_of_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "api.xml").write_text(WRITTEN)
    report.print_failures(tmp_path)
    assert capsys.readouterr().out.splitlines()[1:] == [
        "Failures:",
        "  api: tests.a::test_fails: failure: assert 1 == 2",
        "  api: tests.a::test_has_no_cluster: error: failed on setup",
    ]


def test_where_nothing_failed_nothing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "api.xml").write_text("<testsuites><testcase classname='a' name='b'/></testsuites>")
    report.print_failures(tmp_path)
    assert not capsys.readouterr().out
