"""Extractive question answering: where in the context the answer begins and ends (Rajpurkar et al. 2016)."""

import inspect
from typing import Any, ClassVar

import torch
from transformers import AutoModelForQuestionAnswering, DataCollatorWithPadding, PreTrainedModel

from perennial_contract.result import Baseline, Metrics
from perennial_training.encoding.rows import Rows
from perennial_training.tasks.architectures import encoder
from perennial_training.tasks.objective import Collator, RowObjective, finite, rounded
from perennial_training.tasks.question import Question
from perennial_training.tasks.question_answering import attribution, baseline, findings
from perennial_training.tasks.question_answering.encode import encode
from perennial_training.tasks.question_answering.scores import f1, normalized

_LONGEST_ANSWER = 30  # tokens
Spans = list[tuple[int, int] | None]


class QuestionAnsweringObjective(RowObjective):
    auto = AutoModelForQuestionAnswering
    families: ClassVar = {"transformer": encoder}
    peft = "QUESTION_ANS"

    def collator(self, model: PreTrainedModel) -> Collator:
        pad = DataCollatorWithPadding(self.tokenizer())
        known = inspect.signature(type(model).forward).parameters
        if "token_type_ids" in known or "input_ids" not in known:  # a wrapper of peft hands on what it gets
            return pad
        return lambda batch: pad([{k: v for k, v in row.items() if k != "token_type_ids"} for row in batch])

    def held_out(self) -> Rows:
        return encode(self.prepared.corpus.validation, self.prepared.vocabulary, self.prepared.context)

    def picked(self, rows: Rows, numbers: range) -> Rows:
        """Whole examples, with all of their windows."""
        assert rows.places is not None
        step = numbers.step
        chosen = [i for i, (number, _) in enumerate(rows.places) if number % step == 0]
        places = [(rows.places[i][0] // step, rows.places[i][1]) for i in chosen]
        return Rows([rows.rows[i] for i in chosen], rows.examples[::step], places)

    def measure(self, model: PreTrainedModel, held_out: Rows) -> Metrics:
        """loss (nats per window, the mean of start and end), exactMatch and f1 of the answers, 0 to 1."""
        loss, answers = self._read(model, held_out)
        pairs = [(answer, example.roles["answer"]) for answer, example in zip(answers, held_out.examples, strict=True)]
        return {
            "loss": rounded(finite(loss)),
            "exactMatch": rounded(sum(normalized(answer) == normalized(right) for answer, right in pairs) / len(pairs)),
            "f1": rounded(sum(f1(answer, right) for answer, right in pairs) / len(pairs)),
        }

    def baseline(self) -> Baseline:
        return baseline.first_sentences(self.prepared)

    def findings(self, model: PreTrainedModel, held_out: Rows) -> dict[str, Any]:
        return {"samples": findings.samples(held_out.examples, self.answers(model, held_out))}

    def questions(self, model: PreTrainedModel, held_out: Rows) -> list[Question]:
        return attribution.best_spans(self.prepared, self.collator(model), model, held_out)

    def answers(self, model: PreTrainedModel, held_out: Rows) -> list[str]:
        """The best span of each example's context."""
        return self._read(model, held_out)[1]

    def _read(self, model: PreTrainedModel, held_out: Rows) -> tuple[float, list[str]]:
        assert held_out.places is not None
        total = 0.0
        best: dict[int, tuple[float, str]] = {}
        for numbers, batch, output in self.outputs(model, held_out):
            starts, ends = output.start_logits.float().cpu(), output.end_logits.float().cpu()
            for logits, name in ((starts, "start_positions"), (ends, "end_positions")):
                positions = batch[name].cpu()
                total += torch.nn.functional.cross_entropy(logits, positions, reduction="sum").item() / 2
            for number, start, end in zip(numbers, starts, ends, strict=True):
                example, spans = held_out.places[number]
                candidate = best_span(start, end, spans, held_out.examples[example].roles["context"])
                best[example] = max(best.get(example, candidate), candidate)
        return total / len(held_out.rows), [best[number][1] for number in range(len(held_out.examples))]


def best_span(start: torch.Tensor, end: torch.Tensor, spans: Spans, context: str) -> tuple[float, str]:
    """The score and the text of the span in the context whose logits have the highest sum."""
    length = len(spans)
    inside = torch.tensor([span is not None for span in spans])
    scores = start[:length, None] + end[None, :length]
    possible = torch.ones(length, length).triu().tril(_LONGEST_ANSWER - 1).bool() & inside[:, None] & inside[None, :]
    best = int(scores.masked_fill(~possible, -torch.inf).argmax())
    first, last = spans[best // length], spans[best % length]
    return (float(scores.flatten()[best]), context[first[0] : last[1]].strip()) if first and last else (-torch.inf, "")
