"""Which requests go through the proxy of the environment."""

import pytest

from perennial.kube.proxy import proxy_to

PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("url", "no_proxy", "expected"),
    [
        pytest.param("https://10.96.0.1:443", "", PROXY, id="nothing is excepted"),
        pytest.param("https://10.96.0.1:443", "10.96.0.1", None, id="an address"),
        pytest.param("https://10.96.0.1:443", "10.96.0.1:443", None, id="an address with its port"),
        pytest.param("https://10.96.0.1:443", "localhost, 10.96.0.0/12", None, id="a network"),
        pytest.param("https://10.112.0.1:443", "10.96.0.0/12,.svc", PROXY, id="another network"),
        pytest.param("https://[fd00::1]:443", "fd00::/8", None, id="an IPv6 network"),
        pytest.param("https://[fd00::1]:443", "10.0.0.0/8", PROXY, id="a network of the other family"),
        pytest.param("https://user:word@prometheus.monitoring.svc/x", ".svc", None, id="a suffix"),
        pytest.param("https://prometheus.example", ".svc", PROXY, id="another suffix"),
        pytest.param("https://prometheus.example", "*", None, id="all"),
        pytest.param("http://prometheus.monitoring:9090", "", None, id="no proxy for http"),
        pytest.param("", "", None, id="no address"),
    ],
)
def test_the_proxy_of_a_url(url: str, no_proxy: str, expected: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_to(url) == expected
