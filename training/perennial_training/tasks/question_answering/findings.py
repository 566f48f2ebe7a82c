"""Answers to held-out questions."""

from perennial_training.data.example import Example
from perennial_training.tasks.question_answering.scores import f1
from perennial_training.tasks.samples import Sample, shortened, worst_and_best


def samples(examples: list[Example], answers: list[str]) -> list[Sample]:
    """The best and the worst by F1."""
    samples: list[Sample] = []
    for example, answer in zip(examples, answers, strict=True):
        roles = example.roles
        texts = {"question": roles["question"], "context": roles["context"], "model": answer, "answer": roles["answer"]}
        score = round(f1(answer, roles["answer"]), 3)
        samples.append({"f1": score} | {name: shortened(text) for name, text in texts.items()})
    return worst_and_best(samples, "f1")
