"""A new task is one class and one entry of the registry: a job of it is prepared, and its card has its name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from perennial_contract.exits import BAD_DATA, Failure
from perennial_training.config import load
from perennial_training.data.example import Example
from perennial_training.data.roles import Roles
from perennial_training.encoding.rows import Rows, encode_texts
from perennial_training.encoding.tokenizer import Layout, Vocabulary
from perennial_training.preparation import prepare
from perennial_training.prepared import Prepared
from perennial_training.tasks import TASKS
from perennial_training.tasks.task import RowTask


class Echo(RowTask):
    """A task that does nothing: its examples are texts, and it has no objective."""

    roles: ClassVar[Roles] = Roles(texts=("text",))
    layout = Layout.ENDED
    pipeline = "echo"

    def encode(self, examples: list[Example], vocabulary: Vocabulary, context: int, labels: list[str] | None) -> Rows:
        return Rows(encode_texts([example.roles["text"] for example in examples], vocabulary, context), examples)

    def objective(self, prepared: Prepared[Rows]) -> Any:
        raise NotImplementedError


@pytest.fixture
def prepare_echo(pod: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Prepared[Rows]]:
    monkeypatch.setitem(TASKS, "echo", Echo())

    def run() -> Prepared[Rows]:
        pod.arguments()  # writes job.json
        config = load(pod.root / "job.json").model_copy(update={"task": "echo"})
        return prepare(config, pod.root, Path(pod.root, "work"), lambda line: None)

    return run


def test_its_examples_are_read_split_and_encoded(prepare_echo: Callable[[], Prepared[Rows]]) -> None:
    prepared = prepare_echo()
    assert len(prepared.train.rows) + len(prepared.validation.rows) == 120
    ends = {row["input_ids"][-1] for row in prepared.train.rows if len(row["input_ids"]) < prepared.context}
    assert ends <= {prepared.vocabulary.end}
    assert prepared.labels is None


def test_too_few_examples_are_refused(pod: Any, prepare_echo: Callable[[], Prepared[Rows]]) -> None:
    pod.job["training"]["hyperparameters"]["batchSize"] = 500
    with pytest.raises(Failure, match="one batch needs 500") as refusal:
        prepare_echo()
    assert refusal.value.code == BAD_DATA
