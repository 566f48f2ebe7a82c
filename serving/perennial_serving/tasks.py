"""The tasks that are served, by the name that an artifact's manifest gives them."""

from perennial_serving.engine.task import Task
from perennial_serving.generation.task import TextGeneration
from perennial_serving.inference.question_answering import QuestionAnswering
from perennial_serving.inference.sentiment_analysis import SentimentAnalysis
from perennial_serving.inference.translation import Translation

TASKS: dict[str, type[Task]] = {
    "text-generation": TextGeneration,
    "translation": Translation,
    "sentiment-analysis": SentimentAnalysis,
    "question-answering": QuestionAnswering,
}
