"""The tokenizer: what it reads it can write, also after it was saved and loaded by transformers."""

import pytest
from transformers import AutoTokenizer

from perennial_contract.job import Architecture
from perennial_training.encoding import tokenizer
from perennial_training.encoding.tokenizer import Layout

TEXTS = ["A line.\nAnother: ähm, 字!\r\n\tA third, with  two spaces."]


def trained(kind, said=None, size=300):
    wanted = Architecture(
        family="transformer", layers=1, hiddenSize=8, heads=1, contextLength=64, dropout=0.0,
        vocabularySize=size, tokenizer=kind,
    )  # fmt: skip
    return tokenizer.train(TEXTS, wanted, Layout.STREAM, said or (lambda line: None))


@pytest.mark.parametrize("kind", ["bpe", "characters"])
def test_a_text_that_was_trained_on_comes_back_whole(kind, tmp_path):
    vocabulary = trained(kind)
    tokenizer.save(vocabulary, Layout.STREAM, 64, tmp_path)
    ids = vocabulary.tokenizer.encode(TEXTS[0]).ids
    assert vocabulary.tokenizer.decode(ids) == TEXTS[0]
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded(TEXTS[0], add_special_tokens=False)["input_ids"] == ids
    assert loaded.decode(ids, skip_special_tokens=True) == TEXTS[0]
    again = tokenizer.load(tmp_path)
    assert (again.end, again.pad, again.size) == (vocabulary.end, vocabulary.pad, vocabulary.size)


def test_characters_are_one_token_each_and_an_unseen_one_is_unknown():
    said = []
    vocabulary = trained("characters", said.append)
    encoded = vocabulary.tokenizer.encode("An Ω\n")
    assert encoded.tokens == ["A", "n", " ", tokenizer.UNKNOWN, "\n"]
    assert vocabulary.size == len(set(TEXTS[0])) + 3
    assert "fewer than vocabularySize 300" in said[0]


def test_bytes_know_every_character():
    vocabulary = trained("bpe")
    assert vocabulary.tokenizer.decode(vocabulary.tokenizer.encode("Ω 🌱").ids) == "Ω 🌱"


def test_a_special_token_in_a_text_is_plain_text():
    vocabulary = trained("bpe")
    assert vocabulary.end not in vocabulary.tokenizer.encode(f"so it ends {tokenizer.END} here").ids
