"""Flags and the environment."""

import pytest

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


def test_a_refused_url_is_told_without_its_userinfo(capsys):
    with pytest.raises(SystemExit):
        parse(["--prometheus-url", "user:s3cret@prometheus:9090"], {})
    error = capsys.readouterr().err
    assert "'prometheus:9090' is not a URL such as" in error
    assert "s3cret" not in error
