"""Processes forked from one that has imported what they need: each is there at once, and not after 15 s of imports.

The forkserver is one for all of a pytest process, and so is what it imports first.
"""

import multiprocessing
import os

# Installed modules only: Python 3.11's forkserver does not know pytest's `pythonpath`, and ignores a failed preload.
TORCH = [
    "perennial_serving.server",
    "perennial_training.fitting.fitting",
    "perennial_training.report",
    "transformers.models.llama.modeling_llama",
]
OPERATOR = ["__main__", "perennial.process.process", "pytest", "kubernetes.client.api", "kubernetes.client.models"]


def forking(*modules: str) -> multiprocessing.context.ForkServerContext:
    """The forkserver's context; its server starts with the first process, and imports the modules."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(modules))
    return context


def write_output_to(descriptor: int) -> None:
    """Leads what this process prints, errors included, to a file descriptor."""
    for stream in (1, 2):
        os.dup2(descriptor, stream)
