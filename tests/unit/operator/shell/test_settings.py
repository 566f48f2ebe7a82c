"""Flags and the environment."""

import pytest

from perennial.process.settings import parse


def test_the_defaults_serve_the_whole_cluster_without_prometheus():
    settings = parse([], {})
    assert settings.namespaces == ()
    assert settings.prometheus_url is None
    assert (settings.workers, settings.metrics_port) == (16, 8080)


def test_a_flag_wins_over_the_environment():
    environment = {"PERENNIAL_WORKERS": "4", "PERENNIAL_LOG_FORMAT": "json", "PERENNIAL_TRAINING_IMAGE": "a:1"}
    settings = parse(["--workers", "8"], environment)
    assert settings.workers == 8
    assert settings.log_format == "json"
    assert settings.defaults.training_image == "a:1"


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--namespace", "b", "--namespace", "a"], {}),
        ([], {"PERENNIAL_NAMESPACE": "b, a,"}),
        (["--namespace", "a", "--namespace", "b", "--namespace", "a"], {"PERENNIAL_NAMESPACE": "c"}),
    ],
)
def test_namespaces_can_be_several(arguments, environment):
    assert parse(arguments, environment).namespaces == ("a", "b")


@pytest.mark.parametrize(
    ("arguments", "environment", "advice"),
    [
        (["--workers", "0"], {}, "no number from 1 to 1000"),
        ([], {"PERENNIAL_METRICS_PORT": "http"}, "no number from 0 to 65535"),
        ([], {"PERENNIAL_LOG_FORMAT": "xml"}, "none of text, json"),
        (["--namespace", "Demo"], {}, "no name of a namespace"),
        ([], {"PERENNIAL_NAMESPACE": "a,B"}, "no name of a namespace"),
        (["--prometheus-url", "prometheus:9090"], {}, "no URL such as"),
        (["--colour"], {}, "unrecognized arguments"),
    ],
)
def test_what_is_wrong_is_refused_with_advice(arguments, environment, advice, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(arguments, environment)
    assert ended.value.code == 2
    assert advice in capsys.readouterr().err
