"""An artifact in S3. Imported on demand, since boto3 takes a while to load."""

import logging
from pathlib import Path

from perennial_contract import manifest
from perennial_contract.storage import s3_artifact
from perennial_contract.storage.credentials import Credentials
from perennial_contract.storage.s3 import Store

log = logging.getLogger(__name__)


class BucketSource:
    def __init__(self, uri: str, digest: str, credentials: Credentials | None) -> None:
        self._store = Store(uri, credentials)
        self._digest = digest

    def names(self) -> set[str]:
        facts, _ = s3_artifact.read(self._store, self._digest)
        return {manifest.NAME, *(name.partition("/")[0] for name in facts["files"])}

    def copy(self, partial: Path) -> None:
        """Downloads the files that an earlier attempt of this pod did not complete."""
        partial.mkdir(exist_ok=True)
        s3_artifact.download(self._store, partial, self._digest, log.info)
