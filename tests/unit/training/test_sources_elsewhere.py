"""Data in buckets and in datasets of a hub: real clients against real servers on loopback."""

import http.server
import json
import socket
import threading
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote

import pytest

from perennial_contract.exits import BAD_CONFIGURATION, MISSING_INPUT, TEMPORARY, Failure
from perennial_training.data import sources

LINES = '{"text": "one"}\n{"text": "two"}\n'


def fetch(uri, tmp_path, secret=None):
    downloads = tmp_path / "downloads"
    downloads.mkdir(exist_ok=True)
    found = sources.fetch(uri, tmp_path, downloads, lambda line: None, secret)
    return {name: path.read_text() for name, path in found.items()}


class TestBucket:
    def test_one_object(self, s3, bucket, tmp_path):
        uri = s3.put(bucket, "corpus/train.jsonl", LINES)
        s3.put(bucket, "corpus/train.jsonl.bak", "older")
        assert fetch(uri, tmp_path, s3.secret(tmp_path)) == {uri: LINES}

    def test_all_below_a_prefix_in_the_order_of_their_names(self, s3, bucket, tmp_path):
        uris = [s3.put(bucket, f"corpus/{name}", name) for name in ("b.txt", "a/c.txt")]
        s3.put(bucket, "corpus2/x.txt", "not this")
        found = fetch(f"s3://{bucket}/corpus/", tmp_path, s3.secret(tmp_path))
        assert list(found.items()) == [(uris[1], "a/c.txt"), (uris[0], "b.txt")]

    def test_a_star_stands_for_anything(self, s3, bucket, tmp_path):
        for name in ("train-0.jsonl", "train-1.jsonl", "test-0.jsonl"):
            s3.put(bucket, f"data/{name}", name)
        found = fetch(f"s3://{bucket}/data/train-*.jsonl", tmp_path, s3.secret(tmp_path))
        assert list(found.values()) == ["train-0.jsonl", "train-1.jsonl"]

    def test_a_misspelt_name_shows_what_is_there(self, s3, bucket, tmp_path):
        s3.put(bucket, "corpus/train.jsonl", LINES)
        with pytest.raises(Failure, match=r"trian.jsonl doesn't exist; there is: corpus/train.jsonl") as refusal:
            fetch(f"s3://{bucket}/corpus/trian.jsonl", tmp_path, s3.secret(tmp_path))
        assert (refusal.value.reason, refusal.value.code) == ("InputNotFound", MISSING_INPUT)

    def test_a_job_learns_from_it_and_keeps_its_word_to_itself(self, pod, s3, bucket):
        uri = s3.put(bucket, "corpus/train.txt", pod.corpus.read_text())
        held_out = s3.put(bucket, "corpus/held-out.txt", "a text that nobody learns from and all are judged on")
        secret = {"credentials": {"secretName": s3.secret(pod.root)}}
        pod.job["data"] |= {"train": [{"uri": uri} | secret], "validation": {"uri": held_out} | secret}
        ended = pod.run()
        assert ended.code == 0, ended.output
        assert ended.message["data"]["trainExamples"] == 120
        kept = [path for path in pod.root.rglob("*") if path.is_file() and "secrets" not in path.parts]
        assert pod.log in kept
        assert not any(s3.root.word.encode() in path.read_bytes() for path in kept)
        assert s3.root.word not in ended.output

    def test_a_job_without_the_right_to_read_says_so(self, pod, s3, bucket):
        uri = s3.put(bucket, "corpus/train.txt", "text")
        stranger = s3.user(f"stranger-of-{bucket}")
        secret = s3.secret(pod.root, user=stranger)
        pod.job["data"]["train"] = [{"uri": uri, "credentials": {"secretName": secret}}]
        ended = pod.run()
        assert (ended.code, ended.message["reason"]) == (BAD_CONFIGURATION, "AccessDenied")
        assert stranger.word not in ended.output + pod.log.read_text()


class Hub(http.server.BaseHTTPRequestHandler):
    """Datasets in the hub's layout of URLs: org/texts for all, org/private for those with the right token."""

    files: ClassVar = {
        "data/train-0.jsonl": LINES,
        "data/train-1.jsonl": LINES,
        "data/test-0.jsonl": "{}",
        "README.md": "#",
    }
    asked: list[tuple[str, str | None]]
    commit = "c" * 40

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = unquote(self.path.partition("?")[0])
        self.asked.append((path, self.headers.get("Authorization")))
        if "/private" in path and self.headers.get("Authorization") != "Bearer hf_word":
            return self.answer(401, b"")
        if "/broken" in path:
            return self.answer(503, b"")
        _, _, rest = path.partition("/datasets/org/")
        name, _, rest = rest.partition("/")
        match rest.split("/", 2):
            case ["" | "revision", *revision] if path.startswith("/api") and name in ("texts", "private"):
                known = revision in ([], ["v1"], ["refs", "x"])
                return self.json({"id": f"org/{name}", "sha": self.commit}) if known else self.answer(404, b"")
            case ["tree", self.commit, *_]:
                tree = [{"type": "file", "path": p, "size": len(t), "oid": "0"} for p, t in self.files.items()]
                return self.json([{"type": "directory", "path": "data", "oid": "1"}, *tree])
            case ["resolve", self.commit, file] if file in self.files:
                headers = {"X-Repo-Commit": self.commit, "ETag": f'"{hash(file)}"'}
                return self.answer(200, self.files[file].encode(), **headers)
        return self.answer(404, b"", **{"X-Error-Code": "RepoNotFound"})

    def json(self, document):
        self.answer(200, json.dumps(document).encode(), **{"Content-Type": "application/json"})

    def answer(self, code, body, **headers):
        self.send_response(code)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args):
        pass


def _loopback_only(look_up):
    def guarded(host, *rest, **more):
        assert host in ("127.0.0.1", b"127.0.0.1"), f"a test asked for {host}"
        return look_up(host, *rest, **more)

    return guarded


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """The requests that a hub on loopback got."""
    handler = type("Recording", (Hub,), {"asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    urls = endpoint + "/{repo_id}/resolve/{revision}/{filename}"  # both follow from HF_ENDPOINT, when it is imported
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", urls)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("socket.getaddrinfo", _loopback_only(socket.getaddrinfo))
    yield handler.asked
    server.shutdown()
    server.server_close()


def pinned(path):
    return f"hf://datasets/org/texts@{Hub.commit}/{path}"


class TestDataset:
    def test_one_file_of_the_newest_commit(self, hub, tmp_path):
        found = fetch("hf://datasets/org/texts/data/train-0.jsonl", tmp_path)
        assert found == {pinned("data/train-0.jsonl"): LINES}
        assert f"/datasets/org/texts/resolve/{Hub.commit}/data/train-0.jsonl" in [path for path, _ in hub]

    def test_a_revision(self, hub, tmp_path):
        fetch("hf://datasets/org/texts@v1/README.md", tmp_path)
        assert hub[0][0] == "/api/datasets/org/texts/revision/v1"
        with pytest.raises(Failure, match=r"answers 404 for hf://datasets/org/texts@v2/README.md, revision v2"):
            fetch("hf://datasets/org/texts@v2/README.md", tmp_path)

    def test_several_files(self, hub, tmp_path):
        assert set(fetch("hf://datasets/org/texts/data/train-*.jsonl", tmp_path)) == {
            pinned("data/train-0.jsonl"),
            pinned("data/train-1.jsonl"),
        }
        assert len(fetch("hf://datasets/org/texts/data/", tmp_path)) == 3

    def test_a_misspelt_file_shows_what_is_there(self, hub, tmp_path):
        with pytest.raises(Failure, match=r"doesn't exist; there are: README.md, data/test-0.jsonl") as refusal:
            fetch("hf://datasets/org/texts/trian.jsonl", tmp_path)
        assert refusal.value.code == MISSING_INPUT

    def test_a_private_one_wants_the_token_of_a_secret(self, hub, tmp_path, monkeypatch):
        monkeypatch.setenv("HF_TOKEN", "hf_of_someone_else")
        with pytest.raises(Failure, match="name a Secret with an HF_TOKEN") as refusal:
            fetch("hf://datasets/org/private/README.md", tmp_path)
        assert refusal.value.code == MISSING_INPUT
        (tmp_path / "secrets" / "hub").mkdir(parents=True)
        (tmp_path / "secrets" / "hub" / "HF_TOKEN").write_text("hf_word\n")
        assert list(fetch("hf://datasets/org/private/README.md", tmp_path, "hub").values()) == ["#"]
        assert {word for _, word in hub} == {None, "Bearer hf_word"}

    @pytest.mark.parametrize(
        ("name", "reason", "code"),
        [("none", "InputNotFound", MISSING_INPUT), ("broken", "InputUnreachable", TEMPORARY)],
    )
    def test_a_hub_that_says_no(self, hub, tmp_path, name, reason, code):
        with pytest.raises(Failure) as refusal:
            fetch(f"hf://datasets/org/{name}/a.txt", tmp_path)
        assert (refusal.value.reason, refusal.value.code) == (reason, code)

    def test_a_job_learns_from_it(self, pod, hub, monkeypatch):
        monkeypatch.setattr(Hub, "files", {"train.txt": pod.corpus.read_text()})
        pod.job["data"]["train"] = [{"uri": "hf://datasets/org/texts/train.txt"}]
        ended = pod.run()
        assert ended.code == 0, ended.output
        assert f"downloading {pinned('train.txt')}" in ended.output


def test_nobody_there(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(Failure) as refusal:
        fetch("hf://datasets/org/texts/a.txt", Path(tmp_path))
    assert (refusal.value.reason, refusal.value.code) == ("InputUnreachable", TEMPORARY)
