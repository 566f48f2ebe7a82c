"""The tokenizer, and texts as streams of tokens. Needs no torch, so bad data is refused before that is loaded."""

import json
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from perennial_artifact.exits import BAD_DATA, Failure
from perennial_training.config import MIN_VOCABULARY
from perennial_training.data.sources import Say

END = "<|end|>"  # before the first text, and after each
PAD = "<|pad|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | capitalize }}: {{ message['content'] }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
_BATCH = 1000  # texts encoded at a time


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer, and the id of the token that ends a text."""

    tokenizer: Tokenizer
    end: int

    def encode(self, texts: list[str]) -> array:
        """All texts as one array of token ids (uint32): end, text, end, text, …, end.

        A special token spelled out in a text is encoded as the plain text that it is.
        """
        self.tokenizer.encode_special_tokens = True
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        ids = array("I", [self.end])
        for start in range(0, len(texts), _BATCH):
            batch = texts[start : start + _BATCH]
            for encoding in self.tokenizer.encode_batch_fast(batch, add_special_tokens=False):
                ids.extend(encoding.ids)
                ids.append(self.end)
        return ids


def train(texts: Iterable[str], vocabulary_size: int, say: Say) -> Vocabulary:
    """A byte-level BPE tokenizer: it can write any text, and what it learned makes texts shorter.

    A small corpus may yield fewer tokens than `vocabulary_size`; the model then follows the tokenizer.
    """
    assert vocabulary_size >= MIN_VOCABULARY
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=[END, PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    found = tokenizer.get_vocab_size()
    if found < vocabulary_size:
        say(f"the corpus yields a vocabulary of {found:,} tokens, fewer than the {vocabulary_size:,} asked for")
    return Vocabulary(tokenizer, tokenizer.token_to_id(END))


def save(vocabulary: Vocabulary, context_length: int, folder: Path) -> None:
    """Writes the tokenizer as transformers and vLLM load it, with a plain-text chat template."""
    from transformers import PreTrainedTokenizerFast

    PreTrainedTokenizerFast(
        tokenizer_object=vocabulary.tokenizer,
        bos_token=END,
        eos_token=END,
        pad_token=PAD,
        model_max_length=context_length,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
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
    name = _json(folder / "tokenizer_config.json").get("eos_token")
    name = name.get("content") if isinstance(name, dict) else name
    end = tokenizer.token_to_id(name) if isinstance(name, str) else _json(folder / "config.json").get("eos_token_id")
    if not isinstance(end, int):
        raise Failure("UnknownTokenizer", f"the tokenizer in {folder} has no end-of-text token (eos_token)", BAD_DATA)
    return Vocabulary(tokenizer, end)


def refuse_too_few(tokens: int, context_length: int, batch_size: int) -> None:
    """The training texts must fill one context and one batch; exits.Failure says how much they hold."""
    if tokens < context_length:
        raise Failure(
            "ContextLongerThanData",
            f"the training data has {tokens:,} tokens, and one context needs {context_length:,}; "
            "give more data or a smaller contextLength",
            BAD_DATA,
        )
    if tokens < context_length * batch_size:
        raise Failure(
            "CorpusTooSmall",
            f"the training data has {tokens:,} tokens, and one batch needs {context_length * batch_size:,} "
            f"({batch_size} contexts of {context_length}); give more data or a smaller batchSize",
            BAD_DATA,
        )


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Failure("UnknownTokenizer", f"{path} is not JSON: {error}", BAD_DATA) from None
    return content if isinstance(content, dict) else {}
