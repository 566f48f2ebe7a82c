"""The writes of the benchmark's limit: those of the operator."""

from direct_writes import record


def test_the_operator_s_own_writes_are_recorded() -> None:
    ends = [write.path.partition("?")[0].rpartition("/")[2] for write in record()]
    assert ends == ["recorded-name-config", "recorded-name", "status"]
