"""A client that asks a served model without a pause and counts what it gets; needs nothing but Python.

    python3 examples/client.py --url http://docs-writer.default.svc/v1 --model docs-writer --clients 4 --seconds 60

The environment variable OPENAI_API_KEY is the key, where the service asks for one, as for the client of OpenAI.
No request is tried again, so each one that the service loses is counted. The last line is a summary as JSON.
"""

import argparse
import collections
import json
import os
import threading
import time
import urllib.request


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="base URL of the API, ending in /v1")
    parser.add_argument("--model", required=True, help="name of the model")
    parser.add_argument("--clients", type=int, default=1, help="requests at the same time (default: 1)")
    parser.add_argument("--seconds", type=float, default=60, help="for how long, at most (default: 60)")
    parser.add_argument("--until-version", help="end earlier: once 50 answers in a row came from this version")
    parser.add_argument("--pause", type=float, default=0, help="seconds between an answer and the next request")
    parser.add_argument("--max-tokens", type=int, default=16, help="tokens per answer (default: 16)")
    options = parser.parse_args()
    print(json.dumps(Client(options).run()))


class Client:
    """Counts answers by version of the model, and failures by what was said."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.versions: collections.Counter[str] = collections.Counter()
        self.failures: collections.Counter[str] = collections.Counter()
        self.latencies: list[float] = []
        self.in_a_row = 0
        self.lock = threading.Lock()
        key = os.environ.get("OPENAI_API_KEY")
        self.headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self.end = time.monotonic() + options.seconds

    def run(self) -> dict:
        threads = [threading.Thread(target=self._ask_on) for _ in range(self.options.clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        latencies = sorted(self.latencies)
        return {
            "requests": sum(self.versions.values()) + sum(self.failures.values()),
            "failed": sum(self.failures.values()),
            "answers_by_version": dict(self.versions),
            "failures": dict(self.failures),
            "median_seconds": round(latencies[len(latencies) // 2], 3) if latencies else None,
        }

    def _ask_on(self) -> None:
        while time.monotonic() < self.end and self.in_a_row < 50:
            before = time.monotonic()
            try:
                version = self._ask()
            except (OSError, ValueError) as error:
                with self.lock:
                    self.failures[f"{type(error).__name__}: {error}"] += 1
                    self.in_a_row = 0
                time.sleep(0.1)
                continue
            with self.lock:
                self.versions[version] += 1
                self.latencies.append(time.monotonic() - before)
                self.in_a_row = self.in_a_row + 1 if version == self.options.until_version else 0
            time.sleep(self.options.pause)

    def _ask(self) -> str:
        """One completion; returns the version that answered."""
        body = {"model": self.options.model, "prompt": "The for statement", "max_tokens": self.options.max_tokens}
        request = urllib.request.Request(f"{self.options.url}/completions", json.dumps(body).encode(), self.headers)
        with urllib.request.urlopen(request, timeout=120) as answer:
            json.load(answer)["choices"][0]["text"]
            return answer.headers["x-perennial-version"]


if __name__ == "__main__":
    main()
