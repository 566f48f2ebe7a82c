"""The part of the benchmark that serves: the time of an answer at lengths that are new to the server, and its speed."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jobs import GPU, Jobs
from training import plain_job
from transformers import AutoModelForCausalLM

from perennial_contract import manifest

TOKENS = 128 if GPU else 8
START_SECONDS = 120


def measure_serving(jobs: Jobs) -> dict[str, Any]:
    """Of an artifact as it is published, in float32, and of the same in bfloat16."""
    job = plain_job(jobs)
    published = jobs.artifact(job)
    if not published.is_dir() and (ran := jobs.train(job)).code:
        raise SystemExit("\n".join(ran.output[-40:]))
    with _served(published) as whole, _served(_in_bfloat16(published)) as half:
        return {"float32": _of(whole), "bfloat16": _of(half), "tokens_per_request": TOKENS}


def _of(url: str) -> dict[str, Any]:
    _wait(url)
    seconds = {f"{words}_words": [_timed(url, words) for _ in range(3)] for words in ((8, 300) if GPU else (2,))}
    return {
        "seconds_of_first_and_later_requests": seconds,
        "tokens_per_second_of_1_client": [_speed(url, 1)],
        "tokens_per_second_of_8_clients": [_speed(url, 8) for _ in range(2)],
    }


def _in_bfloat16(artifact: Path) -> Path:
    folder = artifact.with_name("in-bfloat16")
    shutil.copytree(artifact, folder)
    facts = json.loads((folder / manifest.NAME).read_bytes())
    AutoModelForCausalLM.from_pretrained(artifact, dtype=torch.bfloat16).save_pretrained(folder)
    manifest.write(folder, {name: value for name, value in facts.items() if name not in ("files", "schema")})
    return folder


@contextmanager
def _served(artifact: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["-m", "perennial_serving", "serve", "--model", str(artifact), "--name", "served", "--version", "1"]
    process = subprocess.Popen(
        [sys.executable, *command, "--host", "127.0.0.1", "--port", str(port), "--linger", "0"],
        stdout=subprocess.DEVNULL,
        env=os.environ | {"TRANSFORMERS_VERBOSITY": "error"},
    )
    try:
        yield f"http://127.0.0.1:{port}/v1/completions"
    finally:
        process.terminate()
        process.wait()


def _wait(url: str) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            _ask(url, 1, 1)
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    raise SystemExit("the server did not start; it says above why")


def _ask(url: str, words: int, tokens: int) -> int:
    """The number of tokens of the answer."""
    body = {"model": "served", "prompt": "import os " * (words // 2 + 1), "max_tokens": tokens, "temperature": 0}
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return int(json.loads(answer.read())["usage"]["completion_tokens"])


def _timed(url: str, words: int) -> float:
    began = time.monotonic()
    _ask(url, words, TOKENS)
    return round(time.monotonic() - began, 3)


def _speed(url: str, clients: int) -> float:
    """Of so many clients with three requests each, one behind the other."""
    began = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        tokens = sum(pool.map(lambda _: _ask(url, 8, TOKENS), range(3 * clients)))
    return round(tokens / (time.monotonic() - began), 1)
