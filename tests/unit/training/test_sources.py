"""Data from elsewhere: https as it goes wrong, against a real TLS server; a hub that says no."""

import http.server
import ssl
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from perennial_contract.exits import BAD_CONFIGURATION, BAD_DATA, MISSING_INPUT, TEMPORARY, Failure
from perennial_contract.job import StartingModel
from perennial_training import starting_model
from perennial_training.data import sources
from perennial_training.data.sources import https


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the path; /later fails once, then answers."""

    asked: list[str]

    def do_GET(self):
        self.asked.append(self.path)
        match self.path.partition("?")[0]:
            case "/corpus.txt":
                self.answer(200, b"some text")
            case "/later" if len(self.asked) > 1:
                self.answer(200, b"in the end")
            case "/moved":
                self.answer(302, b"", Location="/corpus.txt")
            case "/plain":
                self.answer(302, b"", Location="http://127.0.0.1/corpus.txt")
            case "/round":
                self.answer(302, b"", Location="/round")
            case "/huge":
                self.answer(200, b"", **{"Content-Length": str(2**60)})
            case "/cut":
                self.answer(200, b"some", **{"Content-Length": "100"})
            case "/gone" | "/api/models/org/none/revision/main":
                self.answer(404, b"")
            case _:
                self.answer(503, b"")

    def answer(self, code, body, **headers):
        self.send_response(code)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def serve(certificate: Path | None):
    handler = type("Recording", (Handler,), {"asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, handler.asked


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A key and a certificate for this machine's loopback, signed by itself."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command.split(), *names, "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.fixture
def site(certificate, monkeypatch):
    """URL of a TLS server that is trusted, and the paths it was asked for."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setattr(https, "FIRST_WAIT_SECONDS", 0.01)
    server, asked = serve(certificate)
    yield f"https://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def fetch(url, tmp_path, said=None):
    found = sources.fetch(url, tmp_path, tmp_path, (said if said is not None else []).append)
    assert list(found) == [url]
    return found[url]


def test_a_file_is_downloaded_under_its_own_name(site, tmp_path):
    path = fetch(f"{site[0]}/corpus.txt?version=2", tmp_path)
    assert path == tmp_path / "corpus.txt"
    assert path.read_text() == "some text"


def test_a_redirect_is_followed(site, tmp_path):
    assert fetch(f"{site[0]}/moved", tmp_path).read_text() == "some text"


def test_what_passes_by_itself_is_tried_again(site, tmp_path):
    said = []
    assert fetch(f"{site[0]}/later", tmp_path, said).read_text() == "in the end"
    assert "answers 503 Service Unavailable; retrying in 0.01 s" in said[1]


@dataclass(frozen=True)
class Refusal:
    """A path of the site, how its download fails, and how many requests the site sees."""

    path: str
    reason: str
    code: int
    message: str
    requests: int = 1


REFUSALS = {
    "no such file": Refusal(
        "/gone", reason="InputNotFound", code=MISSING_INPUT, message="/gone answers 404 Not Found; check the address"
    ),
    "a server that stays broken": Refusal(
        "/broken",
        reason="InputUnreachable",
        code=TEMPORARY,
        message="answers 503 Service Unavailable, after 4 attempts",
        requests=4,
    ),
    "an answer that is cut": Refusal(
        "/cut", reason="InputUnreachable", code=TEMPORARY, message="can't be read (peer closed connection", requests=4
    ),
    "a redirect without TLS": Refusal(
        "/plain",
        reason="InputNotFound",
        code=MISSING_INPUT,
        message="redirects to http://127.0.0.1/corpus.txt, which isn't https",
    ),
    "more than the disk holds": Refusal(
        "/huge", reason="InputTooLarge", code=BAD_DATA, message="1,152,921,504,606,846,976 more bytes"
    ),
}


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal(site, tmp_path, case):
    url, asked = site
    with pytest.raises(Failure) as refusal:
        fetch(url + case.path, tmp_path)
    assert (refusal.value.reason, refusal.value.code) == (case.reason, case.code)
    assert case.message in refusal.value.message
    assert len(asked) == case.requests


def test_redirects_in_a_circle_end(site, tmp_path):
    with pytest.raises(Failure, match="redirect"):
        fetch(f"{site[0]}/round", tmp_path)


def test_nobody_there_is_temporary(site, tmp_path):
    with pytest.raises(Failure, match="Connection refused") as refusal:
        fetch("https://127.0.0.1:1/x", tmp_path)
    assert refusal.value.code == TEMPORARY


def test_a_certificate_that_nobody_vouches_for_is_refused(site, tmp_path, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(Failure, match="SSL_CERT_FILE") as refusal:
        fetch(f"{site[0]}/corpus.txt", tmp_path)
    assert refusal.value.code == BAD_CONFIGURATION
    assert site[1] == []


def test_a_job_whose_url_answers_404_says_so(pod, site):
    pod.job["data"]["train"] = [{"uri": f"{site[0]}/gone"}]
    ended = pod.run()
    assert ended.code == MISSING_INPUT
    assert ended.message["reason"] == "InputNotFound"


@pytest.mark.parametrize(
    ("name", "reason", "code"),
    [("org/none", "InputNotFound", MISSING_INPUT), ("org/broken", "InputUnreachable", TEMPORARY)],
)
def test_a_hub_that_says_no(tmp_path, monkeypatch, name, reason, code):
    server, _ = serve(None)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(Failure) as refusal:
        starting_model.fetch(StartingModel(uri=f"hf://{name}"), Path("/none"), lambda line: None)
    assert (refusal.value.reason, refusal.value.code) == (reason, code)
    server.shutdown()
    server.server_close()
