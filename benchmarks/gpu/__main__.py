"""Measures on a GPU what a CPU can't show: speed, the batch-size trial, float16, FSDP, resuming, serving.

Each part runs in processes of its own, as in a pod, and needs neither a network nor a cluster. Without a GPU a tiny
model is taken and nothing is written: that only tries the script. Nothing else should run on the machine. Where the
disk is slow, TMPDIR=/dev/shm spares the waiting for checkpoints, of which nothing is measured.
"""

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from jobs import Jobs
from serving import measure_serving
from training import measure_modes, measure_resume, measure_speed, measure_trial

RESULTS = Path(__file__).resolve().parents[1] / "results/gpu.json"
PARTS = {
    "speed": measure_speed,
    "trial": measure_trial,
    "modes": measure_modes,
    "resume": measure_resume,
    "serving": measure_serving,
}


def main() -> None:
    options = _parser().parse_args()
    results: dict[str, Any] = json.loads(options.output.read_text()) if options.output.exists() else {}
    machine = _machine()
    with tempfile.TemporaryDirectory() as folder:
        jobs = Jobs(Path(folder))
        for name in options.parts:
            began = time.monotonic()
            figures = PARTS[name](jobs)
            results[name] = {"machine": machine, **figures}
            print(json.dumps({name: figures}, indent=1), flush=True)
            print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
            if torch.cuda.is_available():
                options.output.write_text(json.dumps(results, indent=1) + "\n")


def _machine() -> dict[str, Any]:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "gpu": gpu,
        "torch": torch.__version__,
        "cudnn": torch.backends.cudnn.version(),
        "python": platform.python_version(),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks/gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS), help="default: all")
    parser.add_argument("--output", type=Path, default=RESULTS, help="parts not measured stay (default: %(default)s)")
    return parser


if __name__ == "__main__":
    main()
