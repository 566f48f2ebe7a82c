"""Processes forked from one that has imported torch: each is there at once, where an import takes 15 s of a CPU.

The forkserver is one for all of a pytest process, and so is what it imports first.
"""

import multiprocessing

# Installed modules only: Python 3.11's forkserver does not know pytest's `pythonpath`, and ignores a failed preload.
PRELOAD = [
    "perennial_serving.server",
    "perennial_training.fitting.fitting",
    "perennial_training.report",
    "transformers.models.llama.modeling_llama",
]


def torch_context() -> multiprocessing.context.ForkServerContext:
    """The forkserver's context; its server starts with the first process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    return context
