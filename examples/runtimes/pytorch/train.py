"""Sentiment analysis in plain PyTorch: words, an embedding, a convolution, the strongest answer of each filter.

It goes on from its last checkpoint when it is started again.
"""

import collections
import json
import re
import sys
from pathlib import Path

import contract
import torch
from contract import Example, Job
from safetensors.torch import load_file, save_file
from torch import nn

UNKNOWN, PADDING = 1, 0
WIDTH = 3  # words that a filter sees at once


class Classifier(nn.Module):
    """Token numbers (batch, length) to logits (batch, classes)."""

    def __init__(self, words: int, units: int, classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, units, padding_idx=PADDING)
        self.filters = nn.Conv1d(units, units, WIDTH, padding=WIDTH - 1)
        self.answer = nn.Linear(units, classes)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        found = self.filters(self.embedding(tokens).transpose(1, 2)).amax(dim=2)
        return self.answer(torch.relu(found))


def words(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text.lower())


class Encoder:
    """Texts to token numbers and labels to classes, learnt from the training data."""

    def __init__(self, vocabulary: list[str], labels: list[str]) -> None:
        self.labels = labels
        self.vocabulary = vocabulary
        self._numbers = {word: number for number, word in enumerate(vocabulary, 2)}

    @classmethod
    def of(cls, examples: list[Example], size: int) -> "Encoder":
        counts = collections.Counter(word for example in examples for word in words(example.text))
        common = [word for word, _ in counts.most_common(size)]
        return cls(common, sorted({example.label for example in examples}))

    def batch(self, examples: list[Example]) -> tuple[torch.Tensor, torch.Tensor]:
        numbers = [[self._numbers.get(word, UNKNOWN) for word in words(example.text)] for example in examples]
        length = max(1, *map(len, numbers))
        padded = [row + [PADDING] * (length - len(row)) for row in numbers]
        return torch.tensor(padded), torch.tensor([self.labels.index(example.label) for example in examples])


def train(job: Job) -> None:
    wanted = job.hyperparameters
    torch.manual_seed(wanted["seed"])
    learnt, held_out = job.examples()
    encoder = Encoder.of(learnt, size=int(job.parameters.get("vocabulary", "5000")))
    units = int(job.parameters.get("units", "32"))
    model = Classifier(len(encoder.vocabulary) + 2, units, len(encoder.labels))
    optimizer = torch.optim.AdamW(model.parameters(), lr=wanted["learningRate"], weight_decay=wanted["weightDecay"])
    checkpoint = job.work / "checkpoint.safetensors"
    first = resume(checkpoint, model)
    for step in range(first + 1, wanted["maxSteps"] + 1):
        generator = torch.Generator().manual_seed(wanted["seed"] + step)
        chosen = torch.randint(len(learnt), (wanted["batchSize"],), generator=generator).tolist()
        tokens, classes = encoder.batch([learnt[number] for number in chosen])
        loss = nn.functional.cross_entropy(model(tokens), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % job.config["training"]["evaluateEverySteps"] == 0:
            found = judge(model, encoder, held_out)
            job.progress(step, loss=round(loss.item(), 4), validationLoss=found["loss"])
        if job.terminated or step % job.config["training"]["checkpoints"]["everySteps"] == 0:
            save(checkpoint, model, step)
        if job.terminated:
            raise contract.stopped()
    finish(job, model, encoder, held_out)


def judge(model: Classifier, encoder: Encoder, examples: list[Example]) -> dict[str, float]:
    """Loss in nats per example, accuracy and F1."""
    tokens, classes = encoder.batch(examples)
    with torch.no_grad():
        logits = model(tokens)
    loss = nn.functional.cross_entropy(logits, classes).item()
    found = contract.scores(classes.tolist(), logits.argmax(1).tolist(), len(encoder.labels))
    return {name: round(number, 4) for name, number in {"loss": loss, **found}.items()}


def save(path: Path, model: Classifier, step: int) -> None:
    """Whole or not at all: a kill leaves the checkpoint before."""
    partial = path.with_suffix(".partial")
    save_file(model.state_dict() | {"step": torch.tensor(step)}, partial)
    partial.replace(path)


def resume(path: Path, model: Classifier) -> int:
    """The step of the checkpoint, 0 if there is none. The optimiser begins anew."""
    if not path.exists():
        return 0
    state = load_file(path)
    step = int(state.pop("step"))
    model.load_state_dict(state)
    print(f"goes on from step {step}", flush=True)
    return step


def load(folder: Path) -> tuple[Classifier, Encoder]:
    """The model of an artifact, and how it reads a text."""
    config = json.loads((folder / "config.json").read_text())
    encoder = Encoder(config["vocabulary"], config["labels"])
    model = Classifier(len(encoder.vocabulary) + 2, config["units"], len(encoder.labels))
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model, encoder


def finish(job: Job, model: Classifier, encoder: Encoder, held_out: list[Example]) -> None:
    folder = job.work / "artifact"
    folder.mkdir(exist_ok=True)
    save_file(model.state_dict(), folder / "model.safetensors")
    config = {"labels": encoder.labels, "units": model.filters.out_channels, "vocabulary": encoder.vocabulary}
    (folder / "config.json").write_text(json.dumps(config))
    metrics = judge(model, encoder, held_out)
    comparison = job.judge_served(lambda served: judge(*load(served), held_out))
    job.publish(folder, metrics, job.hyperparameters["maxSteps"], madeWith={"torch": torch.__version__}, **comparison)


if __name__ == "__main__":
    sys.exit(contract.run(train))
