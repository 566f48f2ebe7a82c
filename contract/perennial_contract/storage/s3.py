"""What lies below one s3:// URI: list, read, write, move up and down, delete. Stands on boto3.

Large files travel in parts, side by side; each is sent with its SHA-256, which the server verifies.
"""

import os
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from perennial_contract.exits import BAD_CONFIGURATION, Failure
from perennial_contract.report import Report
from perennial_contract.storage.credentials import Credentials
from perennial_contract.storage.room import check_room
from perennial_contract.storage.s3_errors import code_of, explained
from perennial_contract.uri import parse, safe_path

CONNECT_SECONDS = 10
READ_SECONDS = 60
ATTEMPTS = 5  # of each request, with growing waits between them
PART_BYTES = 16 * 2**20
PARTS_AT_ONCE = 8
DELETED_AT_ONCE = 1000  # what one request may name
REPORT_SECONDS = 5.0


class Store:
    """The objects below `uri`; keys are relative to it. Every method raises exits.Failure.

    Without `credentials` boto3 looks where it always does: the environment, a role of the service account or the node.
    """

    def __init__(self, uri: str, credentials: Credentials | None) -> None:
        self.uri = uri.rstrip("/")
        location = parse(self.uri)
        self.bucket = location.name
        self.prefix = f"{location.path}/" if location.path else ""
        self._credentials = credentials
        self._made: tuple[dict[str, Any], Any] | None = None  # what the client was made from, and the client

    def sizes(self, below: str = "") -> dict[str, int]:
        """Bytes of each object whose key starts with `below`."""
        found: dict[str, int] = {}
        with self._explained(below):
            pages = self._client().get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix + below):
                for entry in page.get("Contents", []):
                    found[entry["Key"].removeprefix(self.prefix)] = entry["Size"]
        return {key: size for key, size in found.items() if key and not key.endswith("/")}  # "folders" of consoles

    def read(self, key: str) -> bytes | None:
        """The content of a small object; None if there is none."""
        with self._explained(key):
            try:
                return bytes(self._client().get_object(Bucket=self.bucket, Key=self.prefix + key)["Body"].read())
            except botocore.exceptions.ClientError as error:
                if code_of(error) == "NoSuchKey":
                    return None
                raise

    def write(self, key: str, content: bytes, new: bool = False) -> bool:
        """Writes a small object; if `new`, only where there is none (If-None-Match), else False is returned."""
        condition = {"IfNoneMatch": "*"} if new else {}
        with self._explained(key):
            try:
                self._client().put_object(
                    Bucket=self.bucket, Key=self.prefix + key, Body=content, ChecksumAlgorithm="SHA256", **condition
                )
            except botocore.exceptions.ClientError as error:
                if code_of(error) in ("PreconditionFailed", "ConditionalRequestConflict"):
                    return False
                raise
        return True

    def upload(self, files: Mapping[str, Path], report: Report) -> None:
        """Sends files to their keys."""
        progress = Progress("sent", self.uri, sum(path.stat().st_size for path in files.values()), report)
        client = self._client()
        for key, path in files.items():
            with self._explained(key):
                client.upload_file(
                    str(path), self.bucket, self.prefix + key,
                    ExtraArgs={"ChecksumAlgorithm": "SHA256"}, Config=_transfer(), Callback=progress.add,
                )  # fmt: skip

    def download(self, sizes: Mapping[str, int], folder: Path, report: Report) -> None:
        """Brings objects into a folder under their keys, if there is room for all of them."""
        places = {key: safe_path(folder, key) for key in sizes}
        folder.mkdir(parents=True, exist_ok=True)
        check_room(self.uri, sum(sizes.values()), folder)
        progress = Progress("fetched", self.uri, sum(sizes.values()), report)
        client = self._client()
        for key, place in places.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            with self._explained(key):
                client.download_file(
                    self.bucket, self.prefix + key, str(place), Config=_transfer(), Callback=progress.add
                )

    def delete(self, keys: Iterable[str]) -> None:
        """Removes objects; what is not there is no error."""
        doomed = [{"Key": self.prefix + key} for key in keys]
        client = self._client()
        for start in range(0, len(doomed), DELETED_AT_ONCE):
            with self._explained(""):
                some = {"Objects": doomed[start : start + DELETED_AT_ONCE], "Quiet": True}
                answer = client.delete_objects(Bucket=self.bucket, Delete=some)
                for error in answer.get("Errors", []):
                    raise botocore.exceptions.ClientError({"Error": error}, "DeleteObjects")

    def _explained(self, key: str) -> AbstractContextManager[None]:
        return explained(f"{self.uri}/{key}".rstrip("/"), self._credentials.name if self._credentials else None)

    def _client(self) -> Any:
        """A client as of now: another one once the Secret was renewed."""
        settings = _settings(self._credentials) if self._credentials else {}
        if self._made is None or self._made[0] != settings:
            try:
                self._made = settings, _client(settings)
            except ValueError as error:
                source = f"the Secret {self._credentials.name}" if self._credentials else "the pod's environment"
                raise Failure("BadEndpoint", f"{self.uri}: {error}; fix it in {source}", BAD_CONFIGURATION) from None
        return self._made[1]


class Progress:
    """Says how much has been moved, at most every few seconds; parts report from threads of their own."""

    def __init__(self, what: str, uri: str, total: int, report: Report) -> None:
        self._what, self._uri, self._total, self._report = what, uri, total, report
        self._done = 0
        self._said = time.monotonic()
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self._done += count
            if time.monotonic() - self._said >= REPORT_SECONDS:
                self._said = time.monotonic()
                self._report(f"{self._what} {self._done / 2**20:,.1f} of {self._total / 2**20:,.1f} MiB of {self._uri}")


def _client(settings: dict[str, Any]) -> Any:
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=PARTS_AT_ONCE + 2,
    )
    return boto3.session.Session().client("s3", config=config, **settings)


def _settings(secret: Credentials) -> dict[str, Any]:
    key, word = secret.get("AWS_ACCESS_KEY_ID"), secret.get("AWS_SECRET_ACCESS_KEY")
    if (key is None) != (word is None):
        lacks = "AWS_SECRET_ACCESS_KEY" if key else "AWS_ACCESS_KEY_ID"
        raise Failure("BadCredentials", f"the Secret {secret.name} has no {lacks}; add it", BAD_CONFIGURATION)
    bundle = secret.file("AWS_CA_BUNDLE")
    settings = {
        "aws_access_key_id": key,
        "aws_secret_access_key": word,
        "aws_session_token": secret.get("AWS_SESSION_TOKEN"),
        "region_name": secret.get("AWS_REGION") or os.environ.get("AWS_REGION") or "us-east-1",
        "endpoint_url": secret.get("AWS_ENDPOINT_URL"),
        "verify": str(bundle) if bundle else None,
    }
    return {name: value for name, value in settings.items() if value is not None}


def _transfer() -> TransferConfig:
    return TransferConfig(
        multipart_threshold=2 * PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=PARTS_AT_ONCE
    )
