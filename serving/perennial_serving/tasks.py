"""The tasks that are served, by the name that an artifact's manifest gives them."""

from perennial_serving.model import Task
from perennial_serving.rows.question_answering import QuestionAnswering
from perennial_serving.rows.sentiment_analysis import SentimentAnalysis
from perennial_serving.rows.translation import Translation
from perennial_serving.text_generation.task import TextGeneration

TASKS: dict[str, type[Task]] = {
    "text-generation": TextGeneration,
    "translation": Translation,
    "sentiment-analysis": SentimentAnalysis,
    "question-answering": QuestionAnswering,
}
