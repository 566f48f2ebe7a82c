"""The registry of the served tasks, by their name in an artifact's manifest."""

from perennial_serving.engine.task import Task
from perennial_serving.inference.question_answering import QuestionAnswering
from perennial_serving.inference.sentiment_analysis import SentimentAnalysis
from perennial_serving.inference.translation import Translation
from perennial_serving.openai.task import TextGeneration

TASKS: dict[str, type[Task]] = {
    "text-generation": TextGeneration,
    "translation": Translation,
    "sentiment-analysis": SentimentAnalysis,
    "question-answering": QuestionAnswering,
}
