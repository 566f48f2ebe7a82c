"""Bad input: a reason, a sentence that says what to do, an exit code, and no time lost on torch."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from perennial_contract.exits import BAD_CONFIGURATION, BAD_DATA, MISSING_INPUT
from perennial_training import __main__ as command


def empty(pod):
    pod.corpus.write_text("\n \n\n")


def few_characters(pod):
    pod.corpus.write_text("a few characters only, of them many\n\nand some more of them in here\n\nmore of this text")


def all_too_short(pod):
    pod.corpus.write_text("a\n\nb\n\nc")


def one_context_only(pod):
    pod.job["training"]["hyperparameters"]["batchSize"] = 60000


def long_context(pod):
    pod.job["model"]["architecture"]["contextLength"] = 100_000


def latin1(pod):
    pod.corpus.write_bytes("déjà vu ".encode("latin-1") * 100)


def no_file(pod):
    pod.job["data"]["train"] = [{"uri": "pvc://corpus/trian.txt"}]


def folder(pod):
    (pod.claims / "corpus" / "sub").mkdir()
    (pod.claims / "corpus" / "sub" / "a.txt").write_text("a")
    pod.job["data"]["train"] = [{"uri": "pvc://corpus/sub"}]


def jsonl(pod, *lines):
    (pod.claims / "corpus" / "train.jsonl").write_text("\n".join(lines))
    pod.job["data"]["train"] = [{"uri": "pvc://corpus/train.jsonl"}]


def missing_column(pod):
    jsonl(pod, '{"text": "a"}', '{"body": "b", "title": "c"}')


def broken_line(pod):
    jsonl(pod, '{"text": "a"}', "", '{"text": ')


def not_an_object(pod):
    jsonl(pod, "[1]")


def not_text(pod):
    jsonl(pod, '{"text": null}')


def half_a_character(pod):
    jsonl(pod, '{"text": "\\ud800"}')


def nothing_held_out(pod):
    pod.job["data"]["validation"] = {"fraction": 0.000001}


def everything_held_out(pod):
    pod.job["data"]["validation"] = {"uri": "pvc://corpus/train.txt"}


def no_claim(pod):
    pod.job["output"]["uri"] = "pvc://elsewhere/v1"


def output_with_files(pod):
    pod.output.mkdir(parents=True)
    (pod.output / "notes.txt").write_text("mine")


def no_base(pod):
    pod.job["model"] = {"pretrained": {"uri": "pvc://models/base"}}


def base_without_weights(pod):
    (pod.claims / "models" / "base").mkdir()
    (pod.claims / "models" / "base" / "config.json").write_text("{}")
    no_base(pod)


@dataclass(frozen=True)
class Refusal:
    """What spoils the job, and how the training refuses it."""

    spoil: Callable[[Any], None]
    reason: str
    message: str
    code: int = BAD_DATA


REFUSALS = [
    Refusal(empty, reason="EmptyCorpus", message="no text is left of pvc://corpus/train.txt"),
    Refusal(all_too_short, reason="EmptyCorpus", message="minCharacters: 20"),
    Refusal(few_characters, reason="ContextLongerThanData", message="a smaller contextLength"),
    Refusal(
        one_context_only,
        reason="CorpusTooSmall",
        message="(60000 contexts of 16); give more data or a smaller batchSize",
    ),
    Refusal(long_context, reason="ContextLongerThanData", message="one context needs 100,000"),
    Refusal(latin1, reason="UnreadableEncoding", message="pvc://corpus/train.txt is not UTF-8: byte 1 is 0xe9"),
    Refusal(
        no_file,
        reason="InputNotFound",
        code=MISSING_INPUT,
        message="pvc://corpus/trian.txt doesn't exist; there is: train.txt",
    ),
    Refusal(
        folder, reason="InputNotFound", code=MISSING_INPUT, message="is a folder; name a file in it; there is: a.txt"
    ),
    Refusal(missing_column, reason="MissingColumn", message="line 2: no column 'text'; there are: body, title"),
    Refusal(broken_line, reason="BrokenRecord", message="pvc://corpus/train.jsonl, line 3 is not JSON"),
    Refusal(not_an_object, reason="BrokenRecord", message="line 1 is not a JSON object"),
    Refusal(not_text, reason="BrokenRecord", message="line 1: text is not text but null"),
    Refusal(half_a_character, reason="BrokenRecord", message="line 1: surrogates"),
    Refusal(nothing_held_out, reason="EmptyValidation", message="a larger fraction"),
    Refusal(everything_held_out, reason="EmptyCorpus", message="all 120 examples are held out"),
    Refusal(
        no_claim, reason="ClaimNotMounted", code=MISSING_INPUT, message="the claim of pvc://elsewhere/v1 is not mounted"
    ),
    Refusal(output_with_files, reason="OutputTaken", code=BAD_CONFIGURATION, message="choose another output"),
    Refusal(
        no_base, reason="InputNotFound", code=MISSING_INPUT, message="pvc://models/base is not a folder with a model"
    ),
    Refusal(base_without_weights, reason="UnknownModel", message="weights as *.safetensors"),
]


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.spoil.__name__)
def test_a_refusal(pod, case):
    case.spoil(pod)
    ended = pod.run()
    assert ended.message["reason"] == case.reason
    assert case.message in ended.message["message"]
    assert ended.code == case.code
    assert f"{case.reason}: " in ended.output


def test_bad_data_fails_before_torch_is_loaded(pod):
    few_characters(pod)
    began = time.monotonic()
    command = [sys.executable, "-X", "importtime", "-m", "perennial_training", *pod.arguments()]
    ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60)
    assert ended.returncode == BAD_DATA, ended.stderr
    assert " tokenizers\n" in ended.stderr
    assert " torch\n" not in ended.stderr
    assert time.monotonic() - began < 10  # half a second on an idle machine


def test_without_a_configuration_it_says_what_to_do(tmp_path, capsys):
    code = command.main(["train", "--config", str(tmp_path / "none.json"), "--termination-log", str(tmp_path / "log")])
    assert code == BAD_CONFIGURATION
    assert "--config FILE" in json.loads((tmp_path / "log").read_text())["message"]


@pytest.mark.parametrize("arguments", [[], ["train", "--steps", "3"], ["destroy"]])
def test_a_wrong_command_line_shows_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert "usage: python -m perennial_training" in capsys.readouterr().err


def test_help_tells_the_exit_codes(capsys):
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "65 bad data" in shown
    assert "delete-artifact" in shown
