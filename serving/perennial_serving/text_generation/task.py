"""Text generation as a task of the server."""

from torch import Tensor
from transformers import AutoModelForCausalLM

from perennial_serving.metrics import Metrics
from perennial_serving.model import Task
from perennial_serving.text_generation.decoding import Decoding, try_out


class TextGeneration(Task):
    auto = AutoModelForCausalLM
    route = "ask POST /v1/completions or /v1/chat/completions, OpenAI's API"
    beyond_training = True

    def computation(self, places: int, metrics: Metrics) -> Decoding:
        return Decoding(self.loaded.model, metrics)

    def try_out(self) -> Tensor:
        return try_out(self.loaded.model)
