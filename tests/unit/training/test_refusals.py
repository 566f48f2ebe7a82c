"""Bad input: a reason, a sentence that says what to do, an exit code, and no time lost on torch."""

import json
import time

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


def no_served_artifact(pod):
    pod.job["compareWith"] = {"version": 1, "uri": "pvc://models/gone", "digest": "sha256:" + "0" * 64}


def no_base(pod):
    pod.job["model"] = {"pretrained": {"uri": "pvc://models/base"}}


def base_without_weights(pod):
    (pod.claims / "models" / "base").mkdir()
    (pod.claims / "models" / "base" / "config.json").write_text("{}")
    no_base(pod)


REFUSALS = [
    (empty, "EmptyCorpus", BAD_DATA, "no text is left of pvc://corpus/train.txt"),
    (all_too_short, "EmptyCorpus", BAD_DATA, "minCharacters: 20"),
    (few_characters, "ContextLongerThanData", BAD_DATA, "a smaller contextLength"),
    (one_context_only, "CorpusTooSmall", BAD_DATA, "(60000 contexts of 16); give more data or a smaller batchSize"),
    (long_context, "ContextLongerThanData", BAD_DATA, "one context needs 100,000"),
    (latin1, "UnreadableEncoding", BAD_DATA, "pvc://corpus/train.txt is not UTF-8: byte 1 is 0xe9"),
    (no_file, "InputNotFound", MISSING_INPUT, "pvc://corpus/trian.txt doesn't exist; there is: train.txt"),
    (folder, "InputNotFound", MISSING_INPUT, "is a folder; name a file in it; there is: a.txt"),
    (missing_column, "MissingColumn", BAD_DATA, "line 2: no column 'text'; there are: body, title"),
    (broken_line, "BrokenRecord", BAD_DATA, "pvc://corpus/train.jsonl, line 3 is not JSON"),
    (not_an_object, "BrokenRecord", BAD_DATA, "line 1 is not a JSON object"),
    (not_text, "BrokenRecord", BAD_DATA, "line 1: text is not text but null"),
    (half_a_character, "BrokenRecord", BAD_DATA, "line 1: surrogates"),
    (nothing_held_out, "EmptyValidation", BAD_DATA, "a larger fraction"),
    (everything_held_out, "EmptyCorpus", BAD_DATA, "all 120 examples are held out"),
    (no_claim, "ClaimNotMounted", MISSING_INPUT, "the claim of pvc://elsewhere/v1 is not mounted"),
    (output_with_files, "OutputTaken", BAD_CONFIGURATION, "choose another output"),
    (no_served_artifact, "ArtifactNotFound", MISSING_INPUT, "pvc://models/gone doesn't exist"),
    (no_base, "InputNotFound", MISSING_INPUT, "pvc://models/base is not a folder with a model"),
    (base_without_weights, "UnknownModel", BAD_DATA, "weights as *.safetensors"),
]


@pytest.mark.parametrize(("spoil", "reason", "code", "message"), REFUSALS, ids=[row[0].__name__ for row in REFUSALS])
def test_a_refusal(pod, spoil, reason, code, message):
    spoil(pod)
    ended = pod.run()
    assert ended.message["reason"] == reason
    assert message in ended.message["message"]
    assert ended.code == code
    assert f"{reason}: " in ended.output


def test_bad_data_fails_before_torch_is_loaded(pod):
    few_characters(pod)
    began = time.monotonic()
    process = pod.start("-X", "importtime")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == BAD_DATA, output
    assert " tokenizers\n" in output
    assert " torch\n" not in output
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
