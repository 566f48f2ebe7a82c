"""Text generation as a task of the server."""

from torch import Tensor
from transformers import AutoModelForCausalLM

from perennial_serving.engine.metrics import Metrics
from perennial_serving.engine.task import Task
from perennial_serving.generation.decoding import Decoding, try_out


class TextGeneration(Task):
    auto = AutoModelForCausalLM
    route = "ask POST /v1/completions or /v1/chat/completions, OpenAI's API"
    beyond_training = True

    def computation(self, places: int, metrics: Metrics) -> Decoding:
        return Decoding(self.loaded.model, metrics)

    def try_out(self) -> Tensor:
        return try_out(self.loaded.model)
