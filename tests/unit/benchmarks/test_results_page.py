"""The pure parts of the benchmark: percentiles, the table, the plot, the page."""

from xml.etree import ElementTree

import pytest

import results_page
from percentiles import percentile

MACHINE = {"date": "2026-11-24T00:00:00+00:00", "cores": 2, "processor": "X", "memory_bytes": 2**35, "system": "6.1"}
RUN = {
    "system": "perennial",
    "objects": 1000,
    "objects_per_second": 51.26,
    "rss_bytes": 101_400_000,
    "restart_s": None,
    "idle_writes": 0,
    "machine": MACHINE | {"python": "3.11.7"},
}
DIRECT = RUN | {"system": "direct", "objects_per_second": 80.0, "rss_bytes": None}


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        pytest.param((), 50, None, id="no value"),
        pytest.param((3.0,), 99, 3.0, id="one value"),
        pytest.param((4, 1, 3, 2), 50, 2, id="unsorted values"),
        pytest.param(range(1, 101), 99, 99, id="a hundred values"),
        pytest.param(range(1, 11), 99, 10, id="fewer values than percents"),
    ],
)
def test_a_percentile_is_a_value_that_was_measured(values, percent, expected):
    assert percentile(list(values), percent) == expected


def test_the_table_leaves_empty_what_was_not_measured():
    titles, _, line = (row.split(" | ") for row in results_page.table([RUN]).splitlines())
    shown = dict(zip(titles, line, strict=True))
    assert (shown["objects/s"], shown["RSS"], shown["idle writes"], shown["restart"]) == ("51.3", "101 MB", "0", "")


def test_the_page_keeps_what_is_around_the_results(tmp_path):
    page, plot = tmp_path / "page.md", tmp_path / "plot.svg"
    page.write_text(f"before\n{results_page.BEGIN}\nold\n{results_page.END}\nafter\n")
    for _ in range(2):
        results_page.write([RUN, DIRECT], page, plot)
    text = page.read_text()
    assert text.startswith(f"before\n{results_page.BEGIN}\n")
    assert text.endswith(f"{results_page.END}\nafter\n")
    assert "old" not in text
    assert text.count("| 1,000 | perennial | 51.3 |") == 1
    assert "2 cores (X), 32 GiB, Linux 6.1, Python 3.11.7." in text


def test_the_plot_has_a_bar_for_each_run_as_long_as_it_is_fast(tmp_path):
    tree = ElementTree.fromstring(results_page.svg([DIRECT, RUN]))
    bars = [float(bar.get("width")) for bar in tree.iter("{http://www.w3.org/2000/svg}rect") if bar.get("x")]
    assert bars[1] / bars[0] == pytest.approx(51.26 / 80, abs=0.001)


def test_a_page_without_markers_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    with pytest.raises(ValueError, match="between which the results go"):
        results_page.write([RUN], page, tmp_path / "plot.svg")
