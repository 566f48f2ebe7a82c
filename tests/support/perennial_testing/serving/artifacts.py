"""A tiny text generation artifact with random weights; and artifacts that are built once and shared by all workers."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from perennial_contract import manifest

NAME, VERSION = "docs-writer", "2"
CONTEXT = 4096
TEXT = [
    "The quick brown fox jumps over the lazy dog.",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
    "Un éléphant ça trompe énormément, et 3 × 3 = 9.",
]


@dataclass(frozen=True)
class Artifact:
    folder: Path

    @property
    def digest(self) -> str:
        return manifest.digest_of(self.folder)


def build_text_generation(folder: Path) -> None:
    """Weights are large, so that no two tokens are nearly equally likely."""
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(TEXT, vocab_size=320, special_tokens=["<|end|>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, eos_token="<|end|>")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=320,
        max_position_embeddings=CONTEXT,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        initializer_range=0.4,
        eos_token_id=0,
        bos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    model.lm_head.weight.data[0] = 0  # the end token is never the best one, so that long answers are long
    model.save_pretrained(folder)
    manifest.write(folder, {"name": NAME, "task": "text-generation", "createdAt": "2026-01-01T00:00:00Z"})


class SharedArtifacts:
    """Artifacts by name, each built on first use, once for all workers of the test run."""

    def __init__(self, tmp_path_factory: pytest.TempPathFactory, builders: dict[str, Callable[[Path], None]]) -> None:
        base = tmp_path_factory.getbasetemp()
        self._root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "artifacts"
        self._root.mkdir(exist_ok=True)
        self._builders = builders

    def __getitem__(self, name: str) -> Path:
        folder = self._root / name.replace(" ", "-")
        with _locked(folder.with_suffix(".lock")):
            if not (folder / manifest.NAME).exists():
                folder.mkdir(exist_ok=True)
                self._builders[name](folder)
        return folder


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
