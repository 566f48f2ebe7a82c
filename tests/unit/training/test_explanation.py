"""The report that goes with a model: complete, the same in both forms, and harmless."""

import json

import numpy as np
import pytest

from perennial_testing.training.task_corpora import ROWS, give, learned
from perennial_training.report.page import page
from perennial_training.tasks.sentiment_analysis.calibration import calibration


def report(pod) -> tuple[dict, str]:
    folder = pod.output / "explanation"
    return json.loads((folder / "explanation.json").read_text()), (folder / "index.html").read_text()


@pytest.mark.parametrize("task", ["text-generation", *ROWS])
def test_every_task_is_explained(pod, task):
    if task != "text-generation":
        give(pod, task)
    result, facts = learned(pod)
    found, html = report(pod)
    assert found["notes"] == []
    assert found["metrics"] == result["metrics"]
    assert {"explanation/explanation.json", "explanation/index.html"} <= facts["files"].keys()
    assert "explanation/index.html" in (pod.output / "README.md").read_text()
    assert len(html) < 2**21
    for value in result["metrics"].values():
        assert f"<td>{value}</td>" in html
    assert html.count("<svg") >= 2
    for told in found["attributions"]:
        assert told["complete"], told
        assert sum(token["share"] for token in told["tokens"]) == pytest.approx(told["difference"], rel=0.06, abs=0.01)
    assert found["findings"]["samples"] or task == "sentiment-analysis"


@pytest.mark.parametrize("family", ["rnn", "cnn", "mlp"])
def test_our_own_networks_are_explained_too(pod, family):
    give(pod, "sentiment-analysis")
    pod.job["model"]["architecture"]["family"] = family
    learned(pod)
    found, _ = report(pod)
    assert found["notes"] == []
    assert all(told["complete"] for told in found["attributions"])


def test_the_classes_add_up(pod):
    give(pod, "sentiment-analysis")
    pod.job["training"]["hyperparameters"]["maxSteps"] = 4  # so that there are mistakes
    result, facts = learned(pod)
    found = report(pod)[0]["findings"]
    confusion = np.array(found["confusion"])
    assert confusion.sum() == facts["data"]["validationExamples"]
    assert confusion.trace() / confusion.sum() == pytest.approx(result["metrics"]["accuracy"], rel=1e-4)
    assert sum(b["examples"] for b in found["calibration"]["bins"]) == confusion.sum()
    assert all(sample["model"] != sample["label"] for sample in found["samples"])


def test_calibration_by_hand():
    chances = np.array([[0.95, 0.05], [0.95, 0.05], [0.35, 0.65], [0.5, 0.5]])
    found = calibration(chances, np.array([0, 1, 1, 0]))
    # two at 0.95 of which half is right, one at 0.65 that is right, one at 0.5 that is right
    assert found["ece"] == pytest.approx((2 * 0.45 + 0.35 + 0.5) / 4)
    assert found["brier"] == pytest.approx((2 * 0.05**2 + 2 * 0.95**2 + 2 * 0.35**2 + 2 * 0.5**2) / 4)


def test_a_class_that_the_model_never_heard_of_is_all_wrong():
    found = calibration(np.array([[0.75, 0.25]]), np.array([-1]))
    assert found["brier"] == pytest.approx(0.75**2 + 0.25**2)


def test_texts_of_the_data_are_no_html():
    evil = "<script>alert(1)</script>"
    html = page(
        {
            "model": evil, "task": "translation", "metrics": {"loss": 1.0}, "trainingLoss": 1.0, "bestStep": 1,
            "baseline": {"name": evil, "metrics": {}}, "curve": [{"step": 1, "eval_loss": 1.0}], "notes": [evil],
            "findings": {"samples": [{"source": evil, "model": evil}]},
            "attributions": [
                {"says": evil, "difference": 1, "error": 0, "steps": 1, "complete": True,
                 "tokens": [{"token": evil, "share": 1.0}]}
            ],
        }
    )  # fmt: skip
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 6
