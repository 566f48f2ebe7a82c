"""Serves the Keras model in the shape of Hugging Face's text classification: POST / {"inputs": "…" or ["…"]}.

The answer holds for each text its labels, the likeliest first: [[{"label": "positive", "score": 0.98}, …], …].
"""

import argparse
import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

LONGEST_BODY = 1 << 20  # bytes
MOST_TEXTS = 256


class Refusal(Exception):
    """A request that can't be answered: HTTP status and a sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Classifier:
    """The model of an artifact's folder, which is trusted no further than safe_mode goes: no code in it runs."""

    def __init__(self, folder: Path) -> None:
        import keras
        import tensorflow as tf

        self._tf = tf
        self._model = keras.models.load_model(folder / "model.keras", safe_mode=True)
        self._labels = json.loads((folder / "labels.json").read_text())
        self.classify([""])  # the first call compiles

    def classify(self, texts: list[str]) -> list[list[dict[str, Any]]]:
        scores = self._model(self._tf.constant(texts)).numpy().tolist()
        named = [[{"label": label, "score": score} for label, score in zip(self._labels, row, strict=True)]
                 for row in scores]  # fmt: skip
        return [sorted(row, key=lambda one: -one["score"]) for row in named]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    classifier: Classifier

    def do_GET(self) -> None:
        healthy = self.path in ("/health/live", "/health/ready")
        self._answer(200 if healthy else 404, {"status": "ok"} if healthy else {"error": "not found"})

    def do_POST(self) -> None:
        try:
            texts = texts_of(self._body())
            self._answer(200, self.classifier.classify(texts))
        except Refusal as refusal:
            self.close_connection = True
            self._answer(refusal.status, {"error": str(refusal)})

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            raise Refusal(411, "Content-Length is missing")
        if int(length) > LONGEST_BODY:
            raise Refusal(413, f"the body is longer than {LONGEST_BODY} bytes")
        return self.rfile.read(int(length))

    def _answer(self, status: int, document: Any) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Says nothing of a request: its text is the user's."""


def texts_of(body: bytes) -> list[str]:
    """The texts of a request; raises Refusal."""
    try:
        inputs = json.loads(body)["inputs"]
    except (ValueError, KeyError, TypeError):
        raise Refusal(400, 'the body must be JSON with "inputs"') from None
    texts = [inputs] if isinstance(inputs, str) else inputs
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts) or not texts:
        raise Refusal(422, '"inputs" must be a text or a list of texts')
    if len(texts) > MOST_TEXTS:
        raise Refusal(422, f"more than {MOST_TEXTS} texts in a request")
    return texts


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True, help="folder of the artifact")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    Handler.classifier = Classifier(options.model)
    server = ThreadingHTTPServer(("", options.port), Handler)
    server.daemon_threads = False  # requests that were accepted are answered
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"serves {options.model} on port {options.port}", flush=True)
    server.serve_forever()
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
