"""Text generation, through OpenAI's API."""

from torch import Tensor
from transformers import AutoModelForCausalLM

from perennial_serving.engine.metrics import Metrics
from perennial_serving.engine.task import Task
from perennial_serving.generation.decoding import Decoding, warm_up
from perennial_serving.openai.routes import API


class TextGeneration(Task):
    api = API
    auto = AutoModelForCausalLM
    reads_beyond_training = True

    def computation(self, places: int, metrics: Metrics) -> Decoding:
        return Decoding(self.loaded.model, metrics)

    def warm_up(self) -> Tensor:
        return warm_up(self.loaded.model)
