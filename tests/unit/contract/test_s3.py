"""S3 as it is and as it goes wrong, against a real server."""

import http.server
import os
import subprocess
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from perennial_contract.exits import BAD_CONFIGURATION, BAD_DATA, MISSING_INPUT, TEMPORARY, Failure
from perennial_contract.storage import credentials
from perennial_contract.storage.s3 import Store
from perennial_testing.servers import s3_server

SECRETS = ("word-of-", s3_server.ROOT_WORD, "another-word")


def quiet(line: str) -> None:
    pass


@pytest.fixture
def store(s3, bucket, tmp_path) -> Store:
    return at(f"s3://{bucket}/some/folder", tmp_path, s3.secret(tmp_path))


def at(uri: str, mounts: Path, secret: str | None) -> Store:
    return Store(uri, credentials.mounted(secret, mounts))


def test_what_is_written_is_read_listed_and_deleted(store):
    assert store.read("a.txt") is None
    store.write("a.txt", b"first")
    store.write("b/c.txt", b"second")
    assert store.read("a.txt") == b"first"
    assert store.sizes() == {"a.txt": 5, "b/c.txt": 6}
    assert store.sizes("b/") == {"b/c.txt": 6}
    store.delete(["a.txt", "b/c.txt", "never-was"])
    assert store.sizes() == {}


def test_a_listing_of_a_folder_holds_nothing_of_its_neighbour(store, s3, tmp_path):
    at(f"{store.uri}10", tmp_path, "storage").write("x", b"")
    assert store.sizes() == {}


def test_a_new_object_is_never_written_over_another(store):
    assert store.write("manifest", b"mine", new=True)
    assert not store.write("manifest", b"theirs", new=True)
    assert store.read("manifest") == b"mine"


def test_a_large_file_travels_in_parts_with_checksums_and_says_how_far_it_is(store, s3, tmp_path, monkeypatch):
    monkeypatch.setattr("perennial_contract.storage.s3.REPORT_SECONDS", 0)
    content, said = os.urandom(40 * 2**20), []
    (tmp_path / "weights").write_bytes(content)
    store.upload({"weights": tmp_path / "weights"}, said.append)
    store.download({"weights": len(content)}, tmp_path / "back", said.append)
    assert (tmp_path / "back" / "weights").read_bytes() == content
    parts = s3.client().get_object_attributes(
        Bucket=store.bucket, Key="some/folder/weights", ObjectAttributes=["ObjectParts", "Checksum"]
    )
    assert parts["Checksum"]["ChecksumSHA256"]
    assert f"sent 40.0 of 40.0 MiB of {store.uri}" in said
    assert f"fetched 40.0 of 40.0 MiB of {store.uri}" in said


def test_the_secret_is_read_again_at_each_use(store, s3, tmp_path):
    s3.secret(tmp_path, AWS_SECRET_ACCESS_KEY="another-word")
    with pytest.raises(Failure, match="SignatureDoesNotMatch"):
        store.sizes()
    s3.secret(tmp_path, AWS_SECRET_ACCESS_KEY=f"{s3_server.ROOT_WORD}\n")
    assert store.sizes() == {}


def test_without_a_secret_the_environment_says_who_it_is(s3, bucket, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.root.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.root.word)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    monkeypatch.setenv("AWS_REGION", s3_server.REGION)
    Store(f"s3://{bucket}/x", None).write("a", b"")
    assert s3.keys(bucket) == ["x/a"]


@pytest.mark.parametrize("key", ["../evil", "a/../../evil", "/etc/passwd", "a//b", "."])
def test_a_key_that_leads_out_of_the_folder_is_refused(store, tmp_path, key):
    with pytest.raises(Failure, match="can't be the name of a file") as refusal:
        store.download({key: 1}, tmp_path / "in" / "here", quiet)
    assert refusal.value.code == BAD_DATA


def test_what_does_not_fit_on_the_disk_is_not_begun(store, tmp_path):
    with pytest.raises(Failure, match=r"1,152,921,504,606,846,976 more bytes") as refusal:
        store.download({"huge": 2**60}, tmp_path / "here", quiet)
    assert (refusal.value.reason, refusal.value.code) == ("InputTooLarge", BAD_DATA)


def not_s3(reply: bytes):
    """A web server that is no S3 server."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@dataclass(frozen=True)
class Refusal:
    """Changes to a valid Secret, and how listing a folder with it fails."""

    secret: dict[str, str]
    reason: str
    code: int
    message: str


REFUSED = {
    "an unknown key": Refusal(
        {"AWS_ACCESS_KEY_ID": "nobody"},
        reason="CredentialsRefused",
        code=BAD_CONFIGURATION,
        message="InvalidAccessKeyId",
    ),
    "a wrong word": Refusal(
        {"AWS_SECRET_ACCESS_KEY": "another-word"},
        reason="CredentialsRefused",
        code=BAD_CONFIGURATION,
        message="correct those of the Secret",
    ),
    "a key without its word": Refusal(
        {"AWS_SECRET_ACCESS_KEY": ""},
        reason="BadCredentials",
        code=BAD_CONFIGURATION,
        message="has no AWS_SECRET_ACCESS_KEY; add it",
    ),
    "nobody there": Refusal(
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
        reason="StorageUnreachable",
        code=TEMPORARY,
        message="check AWS_ENDPOINT_URL",
    ),
    "an endpoint that is no URL": Refusal(
        {"AWS_ENDPOINT_URL": "minio"}, reason="BadEndpoint", code=BAD_CONFIGURATION, message="Invalid endpoint"
    ),
    "a region that is none": Refusal(
        {"AWS_REGION": "no region"}, reason="BadEndpoint", code=BAD_CONFIGURATION, message="no region"
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_refusal(s3, bucket, tmp_path, case):
    store = at(f"s3://{bucket}/x", tmp_path, s3.secret(tmp_path, **case.secret))
    with pytest.raises(Failure) as refusal:
        store.sizes()
    assert (refusal.value.reason, refusal.value.code) == (case.reason, case.code)
    assert case.message in refusal.value.message
    assert not any(word in refusal.value.message for word in SECRETS)


def test_no_such_bucket(s3, tmp_path):
    with pytest.raises(Failure, match="there is no such bucket") as refusal:
        at("s3://never-made/x", tmp_path, s3.secret(tmp_path)).sizes()
    assert (refusal.value.reason, refusal.value.code) == ("BucketNotFound", MISSING_INPUT)


def test_a_user_without_rights_is_told_which_right_is_missing(s3, bucket, tmp_path):
    reader = s3.user(f"reader-{uuid.uuid4().hex[:8]}", bucket, "s3:ListBucket", "s3:GetObject")
    s3.put(bucket, "x/a", "text")
    (tmp_path / "a").write_text("text")
    store = at(f"s3://{bucket}/x", tmp_path, s3.secret(tmp_path, user=reader))
    assert store.read("a") == b"text"
    for right, act in {
        "PutObject": lambda: store.write("b", b""),
        "DeleteObjects": lambda: store.delete(["a"]),
    }.items():
        with pytest.raises(Failure, match=f"{right} is not allowed; give the user of the Secret storage") as refusal:
            act()
        assert (refusal.value.reason, refusal.value.code) == ("AccessDenied", BAD_CONFIGURATION)
    with pytest.raises(Failure, match="PutObject is not allowed"):
        store.upload({"a": tmp_path / "a"}, quiet)
    stranger = s3.user(f"stranger-{uuid.uuid4().hex[:8]}")
    with pytest.raises(Failure, match="ListObjectsV2 is not allowed"):
        at(f"s3://{bucket}/x", tmp_path, s3.secret(tmp_path, user=stranger)).sizes()


def test_what_speaks_http_but_not_s3_is_told(tmp_path, s3, bucket, monkeypatch):
    monkeypatch.setattr("perennial_contract.storage.s3.ATTEMPTS", 2)
    server = not_s3(b"<html><p>Welcome</html>")
    secret = s3.secret(tmp_path, AWS_ENDPOINT_URL=f"http://127.0.0.1:{server.server_port}")
    with pytest.raises(Failure, match="check that an S3 server is at AWS_ENDPOINT_URL") as refusal:
        at(f"s3://{bucket}/x", tmp_path, secret).sizes()
    assert refusal.value.code == TEMPORARY
    server.shutdown()
    server.server_close()


def test_no_credentials_at_all(s3, bucket, tmp_path):
    (tmp_path / "secrets" / "empty").mkdir(parents=True)
    (tmp_path / "secrets" / "empty" / "AWS_ENDPOINT_URL").write_text(s3.endpoint)
    with pytest.raises(Failure, match="no credentials were found") as refusal:
        at(f"s3://{bucket}/x", tmp_path, "empty").sizes()
    assert refusal.value.code == BAD_CONFIGURATION


def test_a_secret_that_is_not_mounted(tmp_path):
    with pytest.raises(Failure, match="the Secret storage is not mounted") as refusal:
        at("s3://bucket/x", tmp_path, "storage")
    assert refusal.value.code == MISSING_INPUT


def test_a_certificate_is_trusted_if_the_secret_brings_its_authority(tmp_path, s3):
    both = tmp_path / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", both, "-out", tmp_path / "crt"]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    certificate = (tmp_path / "crt").read_text()
    both.write_text(both.read_text() + certificate)
    with s3_server.running(tmp_path / "server", both) as server:
        server.bucket("models")
        trusting = at("s3://models/x", tmp_path, server.secret(tmp_path, "good", AWS_CA_BUNDLE=certificate))
        trusting.write("a", b"")
        with pytest.raises(Failure, match="AWS_CA_BUNDLE") as refusal:
            at("s3://models/x", tmp_path, server.secret(tmp_path, "bad")).sizes()
    assert (refusal.value.reason, refusal.value.code) == ("UntrustedCertificate", BAD_CONFIGURATION)


def test_a_server_that_dies_while_a_file_is_fetched_is_temporary(tmp_path, s3, monkeypatch):
    monkeypatch.setattr("perennial_contract.storage.s3.ATTEMPTS", 1)
    with s3_server.running(tmp_path / "server") as server:
        server.bucket("models")
        server.put("models", "x/a", b"0" * 100)
        store = at("s3://models/x", tmp_path, server.secret(tmp_path))
        assert store.sizes() == {"a": 100}
    with pytest.raises(Failure) as refusal:
        store.download({"a": 100}, tmp_path / "here", quiet)
    assert (refusal.value.reason, refusal.value.code) == ("StorageUnreachable", TEMPORARY)
