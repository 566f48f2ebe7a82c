"""Flags and the environment."""

from pathlib import Path

import pytest

from perennial.decide.defaults import PodDefaults
from perennial.process.settings import parse


def test_the_defaults_watch_the_whole_cluster_without_prometheus():
    settings = parse([], {})
    assert settings.namespaces == ()
    assert settings.prometheus_url is None
    assert (settings.workers, settings.metrics_port) == (16, 8080)


def test_a_flag_takes_precedence_over_the_environment():
    environment = {"PERENNIAL_WORKERS": "4", "PERENNIAL_LOG_FORMAT": "json", "PERENNIAL_TRAINING_IMAGE": "a:1"}
    settings = parse(["--workers", "8"], environment)
    assert settings.workers == 8
    assert settings.log_format == "json"
    assert settings.defaults.training_image == "a:1"


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        pytest.param(["--namespace", "b", "--namespace", "a"], {}, id="by flags"),
        pytest.param([], {"PERENNIAL_NAMESPACE": "b, a,"}, id="by the environment"),
        pytest.param(
            ["--namespace", "a", "--namespace", "b", "--namespace", "a"],
            {"PERENNIAL_NAMESPACE": "c"},
            id="flags take precedence, duplicates count once",
        ),
    ],
)
def test_namespaces_can_be_several(arguments, environment):
    assert parse(arguments, environment).namespaces == ("a", "b")


@pytest.mark.parametrize(
    ("arguments", "environment", "advice"),
    [
        pytest.param(["--workers", "0"], {}, "not a number from 1 to 1000", id="too small"),
        pytest.param([], {"PERENNIAL_METRICS_PORT": "http"}, "not a number from 0 to 65535", id="not a number"),
        pytest.param([], {"PERENNIAL_LOG_FORMAT": "xml"}, "not one of text, json", id="not in the list"),
        pytest.param(["--namespace", "Demo"], {}, "not a name of a namespace", id="a bad namespace"),
        pytest.param([], {"PERENNIAL_NAMESPACE": "a,B"}, "not a name of a namespace", id="a bad namespace of two"),
        pytest.param(["--prometheus-url", "prometheus:9090"], {}, "not a URL such as", id="a URL without a scheme"),
        pytest.param(["--colour"], {}, "unrecognized arguments", id="an unknown flag"),
    ],
)
def test_an_invalid_setting_is_refused_with_advice(arguments, environment, advice, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(arguments, environment)
    assert ended.value.code == 2
    assert advice in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        pytest.param("http://user:s3cret@prometheus:9090", "set basicAuth in --prometheus-config", id="a password"),
        pytest.param("http://user:s3c/ret@prometheus:9090", "set basicAuth in --prometheus-config", id="with a slash"),
        pytest.param("user:s3cret@prometheus:9090", "of 'prometheus:9090' must not contain a user", id="no scheme"),
        pytest.param("http://prometheus:9090/?tenant=a", "set parameters in --prometheus-config", id="a query"),
        pytest.param("http://prometheus:9090/#a", "set parameters in --prometheus-config", id="a fragment"),
        pytest.param("http://prometheus:port", "is not a URL such as", id="a port that is none"),
    ],
)
@pytest.mark.parametrize("way", ["a flag", "the environment"])
def test_a_url_that_holds_more_than_an_address_is_refused_without_repeating_a_secret(url, advice, way, capsys):
    with pytest.raises(SystemExit):
        parse(["--prometheus-url", url], {}) if way == "a flag" else parse([], {"PERENNIAL_PROMETHEUS_URL": url})
    error = capsys.readouterr().err
    assert advice in error
    assert not [secret for secret in ("user:", "s3cret", "s3c") if secret in error]


# --- --prometheus-config


def configured(tmp_path, text, url="https://prometheus:9090"):
    path = tmp_path / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return parse(["--prometheus-url", url, "--prometheus-config", str(path)], {}).prometheus_access


def test_the_access_to_prometheus_is_in_a_file(tmp_path):
    access = configured(tmp_path, "{tls: {caFile: ca.crt}, parameters: {dedup: 'true'}, enforceNamespace: true}")
    assert access.tls.ca_file == tmp_path / "ca.crt"
    assert access.parameters == {"dedup": "true"}
    assert access.enforce_namespace
    assert parse([], {}).prometheus_access == configured(tmp_path, "")


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        pytest.param("bearerToken: s3cret", "config.yaml: bearerToken: not a known key", id="an unknown key"),
        pytest.param("tls: {ca: s3cret}", "config.yaml: tls.ca: not a known key", id="an unknown key within"),
        pytest.param("headers: {A: [s3cret]}", "headers.A: Input should be a valid string", id="a wrong type"),
        pytest.param("parameters: {dedup: true}", "parameters.dedup: Input should be a valid", id="a bare true"),
        pytest.param("headers: {Authorization: s3cret}", "config.yaml: the header Authorization", id="a credential"),
        pytest.param("a: b\ns3cret: 'x", "line 2 is not YAML", id="no YAML"),
        pytest.param("- s3cret", "config.yaml: Input should be", id="a list"),
        pytest.param(b"\xff\xfes", "the file is not text", id="no text"),
    ],
)
def test_a_bad_configuration_is_refused_with_advice_and_without_its_values(tmp_path, text, advice, capsys):
    with pytest.raises(SystemExit) as ended:
        configured(tmp_path, text)
    error = capsys.readouterr().err
    assert ended.value.code == 2
    assert "--prometheus-config" in error
    assert advice in error
    assert "s3cret" not in error


@pytest.mark.parametrize(
    ("text", "url", "advice"),
    [
        pytest.param("enforceNamespace: true", "", "the URL is missing; set --prometheus-url", id="no URL"),
        pytest.param("tls: {caFile: a}", "http://p:9090", "tls needs a URL that begins with https://", id="no TLS"),
    ],
)
def test_a_configuration_without_effect_is_refused(tmp_path, text, url, advice, capsys):
    with pytest.raises(SystemExit):
        configured(tmp_path, text, url)
    assert advice in capsys.readouterr().err


def test_a_configuration_that_is_not_there_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        parse(["--prometheus-config", str(tmp_path / "none")], {})
    assert "none: the file can't be read: No such file or directory" in capsys.readouterr().err


def _pod_defaults(folder: Path, text: str) -> PodDefaults:
    file = folder / "pods.yaml"
    file.write_text(text)
    return parse(["--pod-defaults", str(file)], {}).defaults.pods


def test_defaults_of_pods_come_from_a_file(tmp_path: Path) -> None:
    found = _pod_defaults(
        tmp_path,
        "labels: {team: a}\nvolumes: [{name: ca, configMap: {name: ca}}]\nsecurityContext: {runAsNonRoot: true}\n",
    )
    assert found.labels == {"team": "a"}
    assert found.security_context == {"runAsNonRoot": True}
    assert found.to_wire()["volumes"] == [{"name": "ca", "configMap": {"name": "ca"}}]
    assert _pod_defaults(tmp_path, "") == PodDefaults() == parse([], {}).defaults.pods


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("label: {a: b}", "label: not a known key"),
        ("tolerations: [{keyy: gpu}]", "tolerations.0.keyy: not a known key"),
        ("labels: [a]", "labels: Input should be a valid dictionary"),
        ("- a", "pods.yaml: Input should be a valid dictionary"),
        ("labels: {a: [", "is not YAML"),
        ("cleanupResources: {limits: {memory: []}}", "cleanupResources.limits.memory"),
    ],
)
def test_a_wrong_file_of_pod_defaults_is_refused_by_field(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, advice: str
) -> None:
    with pytest.raises(SystemExit) as exited:
        _pod_defaults(tmp_path, text)
    assert exited.value.code == 2
    assert advice in capsys.readouterr().err


def test_a_file_of_pod_defaults_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse([], {"PERENNIAL_POD_DEFAULTS": "/absent.yaml"})
    assert "/absent.yaml: the file can't be read: No such file or directory" in capsys.readouterr().err
