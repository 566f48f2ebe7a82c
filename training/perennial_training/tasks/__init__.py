"""The tasks by name: one package each. Importing them does not load torch; their objectives do."""

from typing import Any

from perennial_training.tasks.question_answering import QuestionAnswering
from perennial_training.tasks.sentiment_analysis import SentimentAnalysis
from perennial_training.tasks.task import Task
from perennial_training.tasks.text_generation import TextGeneration
from perennial_training.tasks.translation import Translation

TASKS: dict[str, Task[Any]] = {
    "text-generation": TextGeneration(),
    "translation": Translation(),
    "sentiment-analysis": SentimentAnalysis(),
    "question-answering": QuestionAnswering(),
}
