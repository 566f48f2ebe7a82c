"""What learning and judging mean for each task. Loads torch."""

from perennial_training.config import Task
from perennial_training.preparation import Prepared
from perennial_training.tasks.objective import Objective
from perennial_training.tasks.question_answering import QuestionAnswering
from perennial_training.tasks.sentiment_analysis import SentimentAnalysis
from perennial_training.tasks.text_generation import TextGeneration
from perennial_training.tasks.translation import Translation

OBJECTIVES: dict[Task, type[Objective]] = {
    "text-generation": TextGeneration,
    "translation": Translation,
    "sentiment-analysis": SentimentAnalysis,
    "question-answering": QuestionAnswering,
}


def objective(task: Task, prepared: Prepared) -> Objective:
    return OBJECTIVES[task](prepared)
