"""The tokenizer. Needs no torch, so bad data is refused before that is loaded."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from perennial_contract.exits import BAD_DATA, Failure
from perennial_contract.job import Architecture
from perennial_contract.report import Report

END = "<|end|>"  # after each text; in a stream of texts before the first as well
PAD = "<|pad|>"
START = "<|start|>"  # before what is to be classified; its place stands for the whole
UNKNOWN = "<|unknown|>"  # a character that no training text has
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | capitalize }}: {{ message['content'] }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)


class Layout(Enum):
    """Where special tokens stand."""

    STREAM = "END between texts, set where the stream is made"
    ENDED = "END after each text"
    ENCLOSED = "START before and END after each text, or each pair of texts"


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer, and the ids of the tokens that end a text and that pad a batch (None: it has none)."""

    tokenizer: Tokenizer
    end: int
    pad: int | None = None

    def __post_init__(self) -> None:
        """A special token spelled out in a text is encoded as the plain text that it is."""
        self.tokenizer.encode_special_tokens = True
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()

    @property
    def size(self) -> int:
        return self.tokenizer.get_vocab_size()


def train(texts: Iterable[str], architecture: Architecture, layout: Layout, report: Report) -> Vocabulary:
    """A byte-level BPE tokenizer, which can encode any text, or one of characters.

    A small corpus may yield fewer tokens than `vocabulary_size`; the model then follows the tokenizer.
    """
    make = _of_characters if architecture.tokenizer == "characters" else _byte_pairs
    specials = [END, PAD] if layout is Layout.STREAM else [END, PAD, START]
    tokenizer = make(texts, architecture.vocabulary_size, specials)
    _surround(tokenizer, layout)
    size = tokenizer.get_vocab_size()
    if size < architecture.vocabulary_size:
        report(f"the corpus yields {size:,} tokens, fewer than vocabularySize {architecture.vocabulary_size:,}")
    return _vocabulary(tokenizer)


def _vocabulary(tokenizer: Tokenizer) -> Vocabulary:
    end = tokenizer.token_to_id(END)
    assert end is not None
    return Vocabulary(tokenizer, end, tokenizer.token_to_id(PAD))


def _byte_pairs(texts: Iterable[str], size: int, specials: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=specials,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _of_characters(texts: Iterable[str], size: int, specials: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    trainer = trainers.WordLevelTrainer(vocab_size=size, special_tokens=[*specials, UNKNOWN], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _surround(tokenizer: Tokenizer, layout: Layout) -> None:
    """Part of the tokenizer itself, so that everyone who loads it does the same."""
    if layout is Layout.STREAM:
        return
    end, start = ((name, tokenizer.token_to_id(name)) for name in (END, START))
    if layout is Layout.ENDED:
        tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[end])
    else:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{START} $A {END}", pair=f"{START} $A {END} $B:1 {END}:1", special_tokens=[start, end]
        )


def save(vocabulary: Vocabulary, layout: Layout, context_length: int, folder: Path) -> None:
    """Writes the tokenizer as transformers and vLLM load it; for text generation with a plain chat template."""
    from transformers import PreTrainedTokenizerFast

    names = {"bos_token": END, "eos_token": END, "pad_token": PAD}
    if layout is Layout.STREAM:
        names["chat_template"] = CHAT_TEMPLATE
    elif layout is Layout.ENCLOSED:
        names |= {"cls_token": START, "sep_token": END}
    if vocabulary.tokenizer.token_to_id(UNKNOWN) is not None:
        names["unk_token"] = UNKNOWN
    PreTrainedTokenizerFast(
        tokenizer_object=vocabulary.tokenizer,
        model_max_length=context_length,
        clean_up_tokenization_spaces=False,
        **names,
    ).save_pretrained(folder)


def load(folder: Path) -> Vocabulary:
    """The tokenizer in a model's folder (tokenizer.json, tokenizer_config.json)."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise Failure("UnknownTokenizer", f"{folder} has no tokenizer.json; convert its tokenizer to one", BAD_DATA)
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises nothing more precise
        raise Failure("UnknownTokenizer", f"{path} can't be read: {error}", BAD_DATA) from None
    found = [number for kind in ("eos", "sep") if (number := _special(tokenizer, folder, kind)) is not None]
    if not found:
        raise Failure("UnknownTokenizer", f"the tokenizer in {folder} has no end-of-text token (eos_token)", BAD_DATA)
    return Vocabulary(tokenizer, found[0], _special(tokenizer, folder, "pad"))


def _special(tokenizer: Tokenizer, folder: Path, kind: str) -> int | None:
    name = _json(folder / "tokenizer_config.json").get(f"{kind}_token")
    name = name.get("content") if isinstance(name, dict) else name
    if isinstance(name, str):
        return tokenizer.token_to_id(name)
    number = _json(folder / "config.json").get(f"{kind}_token_id")
    return number if isinstance(number, int) else None


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Failure("UnknownTokenizer", f"{path} is not JSON: {error}", BAD_DATA) from None
    return content if isinstance(content, dict) else {}
