"""Pieces of text: whatever way the tokens fall, the pieces joined are the whole text up to a stop sequence."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from perennial_serving.generation.sampling import Sampler, choose
from perennial_serving.generation.text_stream import TextStream

STOPS = st.lists(st.text(alphabet="abé", min_size=1, max_size=4), max_size=3)


def decode_bytes(tokens: list[int]) -> str:
    return bytes(tokens).decode(errors="replace")


@given(text=st.text(alphabet="abcé漢🦊", max_size=30), stops=STOPS)
def test_bytes_as_tokens_come_out_as_the_text_before_the_first_stop(text: str, stops: list[str]) -> None:
    stream = TextStream(decode_bytes, stops=stops)
    pieces = []
    for token in text.encode():
        pieces.append(stream.push(token))
        if stream.stopped:
            break
    else:
        pieces.append(stream.finish())
    cuts = [text.find(stop) for stop in stops if stop in text]
    # The stop that is complete first wins; any that begins before it would be cut there as well.
    assert text.startswith("".join(pieces))
    assert stream.stopped == bool(cuts)
    assert len("".join(pieces)) == _expected_length(text, stops)


def _expected_length(text: str, stops: list[str]) -> int:
    for end in range(len(text) + 1):
        found = [text[:end].find(stop) for stop in stops if stop in text[:end]]
        if found:
            return min(found)
    return len(text)


def test_a_character_is_never_sent_in_parts() -> None:
    stream = TextStream(decode_bytes)
    assert [stream.push(token) for token in "a🦊".encode()] == ["a", "", "", "", "🦊"]


def test_bytes_that_are_no_text_come_at_the_end() -> None:
    stream = TextStream(decode_bytes)
    assert stream.push(0xF0) == ""
    assert stream.finish() == "\ufffd"


def test_what_may_begin_a_stop_is_held_back_until_it_is_none() -> None:
    stream = TextStream(decode_bytes, stops=["END"])
    assert [stream.push(ord(letter)) for letter in "xEN."] == ["x", "", "", "EN."]


def test_a_decoder_that_drops_a_leading_space_keeps_it_after_the_prompt() -> None:
    words = [" Hello", " world", " again"]
    stream = TextStream(lambda tokens: "".join(words[token] for token in tokens).removeprefix(" "), context=[0])
    assert stream.push(1) + stream.push(2) == " world again"


LOGITS = torch.tensor([[0.0, 3.0, 2.0, -1.0]])


@pytest.mark.parametrize("temperature", [0.0, 1e-9, 1e-4])
def test_next_to_no_temperature_takes_the_best_token(temperature: float) -> None:
    assert choose(LOGITS, [Sampler(temperature)]) == [1]


def test_top_p_leaves_only_the_best_tokens_that_reach_it() -> None:
    sampler = Sampler(1.0, top_p=0.9, seed=1)
    drawn = {choose(LOGITS, [sampler])[0] for _ in range(300)}
    assert drawn == {1, 2}


def test_samples_follow_the_probabilities() -> None:
    sampler = Sampler(1.0, seed=2)
    share = sum(choose(LOGITS, [sampler]) == [1] for _ in range(4000)) / 4000
    assert share == pytest.approx(float(LOGITS.softmax(-1)[0, 1]), abs=0.03)


def test_a_seed_draws_the_same_in_any_row() -> None:
    alone, other, third = Sampler(1.0, seed=3), Sampler(1.0, seed=4), Sampler(0.0)
    first = [choose(LOGITS, [alone])[0] for _ in range(20)]
    again = Sampler(1.0, seed=3)
    assert [choose(LOGITS.expand(3, -1), [other, third, again])[2] for _ in range(20)] == first
