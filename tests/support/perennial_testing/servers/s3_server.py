"""A real S3 server: Versity's gateway over a folder, with users, buckets and their policies."""

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perennial_testing import go_program

SOURCES = Path(__file__).parent / "versitygw"
PACKAGE = "github.com/versity/versitygw/cmd/versitygw"
ROOT_KEY, ROOT_WORD = "root-of-the-tests", "a-word-that-only-the-root-of-the-tests-knows"
REGION = "us-east-1"
# No test may ask the network or the files of who runs it for credentials.
ALONE = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


@dataclass(frozen=True)
class User:
    """Who may use the server, and with what word."""

    key: str
    word: str


@dataclass
class S3Server:
    """The server: an endpoint and its root user."""

    endpoint: str
    folder: Path
    certificate: Path | None = None
    root: User = field(default=User(ROOT_KEY, ROOT_WORD))

    def client(self) -> Any:
        import boto3

        return boto3.session.Session().client(
            "s3", verify=str(self.certificate) if self.certificate else None, **self._arguments()
        )

    def bucket(self, name: str) -> str:
        """Makes a bucket."""
        self.client().create_bucket(Bucket=name)
        return name

    def user(self, name: str, bucket: str = "", *actions: str) -> User:
        """A user who may do these actions in a bucket, and nothing else."""
        user = User(name, f"word-of-{name}-0123456789")
        self._admin("create-user", "--access", user.key, "--secret", user.word, "--role", "user")
        if actions:
            both = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
            rule = {"Effect": "Allow", "Principal": [name], "Action": list(actions), "Resource": both}
            policy = {"Version": "2012-10-17", "Statement": [rule]}
            self.client().put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
        return user

    def secret(self, mounts: Path, name: str = "storage", user: User | None = None, **more: str) -> str:
        """Lays a Secret with the user's credentials below `mounts`, as the kubelet does; returns its name."""
        user = user or self.root
        values = {"AWS_ACCESS_KEY_ID": user.key, "AWS_SECRET_ACCESS_KEY": user.word, "AWS_ENDPOINT_URL": self.endpoint}
        folder = mounts / "secrets" / name
        folder.mkdir(parents=True, exist_ok=True)
        for key, value in (values | more).items():
            (folder / key).write_text(value)
        return name

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """The names of all objects of a bucket, sorted."""
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))

    def put(self, bucket: str, key: str, content: bytes | str) -> str:
        """Writes an object; returns its URI."""
        body = content.encode() if isinstance(content, str) else content
        self.client().put_object(Bucket=bucket, Key=key, Body=body)
        return f"s3://{bucket}/{key}"

    def _arguments(self) -> dict[str, str]:
        names = {"aws_access_key_id": self.root.key, "aws_secret_access_key": self.root.word}
        return names | {"endpoint_url": self.endpoint, "region_name": REGION}

    def _admin(self, *command: str) -> None:
        common = ["--access", self.root.key, "--secret", self.root.word, "--endpoint-url", self.endpoint, "--ai"]
        done = subprocess.run([program(), "admin", *common, *command], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stdout + done.stderr


@contextlib.contextmanager
def running(folder: Path, certificate: Path | None = None, host: str = "127.0.0.1") -> Iterator[S3Server]:
    """A server over `folder`; with a certificate (PEM that holds the key as well) it speaks TLS.

    host: an address of this machine; pods of a local cluster reach another one than loopback.
    """
    for name in ("buckets", "users"):
        (folder / name).mkdir(parents=True)
    with socket.socket() as free:
        free.bind((host, 0))
        address = f"{host}:{free.getsockname()[1]}"
    command = [program(), "--port", address, "--iam-dir", folder / "users", "--quiet", "--region", REGION]
    if certificate:
        command += ["--cert", certificate, "--key", certificate]
    environment = os.environ | {"ROOT_ACCESS_KEY_ID": ROOT_KEY, "ROOT_SECRET_ACCESS_KEY": ROOT_WORD}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "posix", folder / "buckets"], env=environment, cwd=folder, stdout=log, stderr=log
        )
        try:
            _wait_for(address, process, folder / "log")
            yield S3Server(f"http{'s' if certificate else ''}://{address}", folder, certificate)
        finally:
            process.terminate()
            process.wait(timeout=30)


def program() -> Path:
    """The server's program."""
    return go_program.built(SOURCES, PACKAGE, usually="50 s")


def _wait_for(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    host, port = address.split(":")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"the S3 server does not answer: {log.read_text()}")
