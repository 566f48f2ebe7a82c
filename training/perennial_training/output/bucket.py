"""An artifact in a bucket, where nothing can be moved into place: files first, the manifest last."""

from pathlib import Path
from typing import Any

from perennial_contract import manifest, pod
from perennial_contract.exits import TEMPORARY, Failure
from perennial_contract.facts import Facts, TrainingFacts
from perennial_contract.job import Job
from perennial_contract.report import Report
from perennial_contract.result import ResultMessage
from perennial_contract.storage import credentials
from perennial_contract.storage.s3 import Store
from perennial_training.checkpoints.mirror import Mirror
from perennial_training.output.artifact import result, stage
from perennial_training.output.output import artifact_of, is_of, taken

CLAIM = "publishing"  # the object below OUTPUT.partial/ that names the job whose files go to OUTPUT/


class BucketOutput:
    """Objects below OUTPUT/; the work folder is on the pod's disk, with copies in OUTPUT.partial/."""

    def __init__(self, config: Job, mounts: Path, report: Report) -> None:
        self.config = config
        self.uri, self.uid = config.output.uri.rstrip("/"), config.job.uid
        self.report = report
        name = config.output.credentials.secret_name if config.output.credentials else None
        secret = credentials.mounted(name, mounts)
        self.store = Store(self.uri, secret)
        self.partial = Store(f"{self.uri}.partial", secret)
        self.work = mounts / pod.WORK / self.uid
        self.mirror = Mirror(self.work, Store(f"{self.partial.uri}/{self.uid}", secret), report)

    def finished(self) -> ResultMessage | None:
        content = self.store.read(manifest.NAME)
        sizes = self.store.sizes()
        if content is None:
            if sizes and self.partial.read(CLAIM) != self.uid.encode():
                raise taken(self.uri, "files that are no artifact")
            return None
        try:
            document = manifest.parse(content, None, self.uri)
            is_ours = is_of(document, self.config)
        except manifest.TamperedArtifact as error:
            raise taken(self.uri, f"files that are no whole artifact ({error})") from None
        if not is_ours:
            raise taken(self.uri, artifact_of(Facts.of(document)))
        if missing := sorted(document["files"].keys() - sizes.keys()):
            raise taken(self.uri, f"files that are no whole artifact ({missing[0]} is missing)")
        return self._done(document, content)

    def open(self) -> None:
        """Also writes one object, so that missing rights fail now and not after hours of training."""
        self.work.mkdir(parents=True, exist_ok=True)
        self.partial.write(f"{self.uid}/opened", b"")
        self.mirror.pull()

    def publish(self, weights: Path, tokenizer: Path, facts: TrainingFacts) -> ResultMessage:
        staging = stage(self.work, weights, tokenizer, facts)
        content = (staging / manifest.NAME).read_bytes()
        files = {path.relative_to(staging).as_posix(): path for path in staging.rglob("*") if path.is_file()}
        del files[manifest.NAME]
        self._claim()
        self.store.upload(files, self.report)
        self._verify(files)
        if not self.store.write(manifest.NAME, content, new=True) and self.store.read(manifest.NAME) != content:
            raise self._taken_meanwhile()  # else an earlier attempt succeeded, and only its response was lost
        return self._done(manifest.parse(content, None, self.uri), content)

    def _claim(self) -> None:
        """Two jobs must not mix their files: one at a time writes to the output, and only if it is empty."""
        if not self.partial.write(CLAIM, self.uid.encode(), new=True):
            holder = (self.partial.read(CLAIM) or b"").decode(errors="replace")
            if holder != self.uid:
                advice = f"if it is gone, delete {self.partial.uri}/ too"
                raise taken(self.uri, f"what the job {holder} is publishing there ({advice})")
        if self.store.read(manifest.NAME) is not None:
            self.partial.delete([CLAIM])
            raise self._taken_meanwhile()

    def _verify(self, files: dict[str, Path]) -> None:
        """The server verified the SHA-256 of each part; this detects what it lost since."""
        sizes = self.store.sizes()
        for name, path in files.items():
            if sizes.get(name) != path.stat().st_size:
                message = f"{self.uri}/{name} was corrupted in transit: {sizes.get(name)} bytes stored; retrying"
                raise Failure("DamagedInTransit", message, TEMPORARY)

    def _done(self, document: dict[str, Any], content: bytes) -> ResultMessage:
        sizes = self.store.sizes()
        try:
            self.partial.delete(self.partial.sizes())
        except Failure as failure:  # the artifact is whole, and that is what counts
            self.report(f"{failure.reason}: {failure.message}; {self.partial.uri}/ stays")
        size = sum(sizes[name] for name in (*document["files"], manifest.NAME))
        return result(self.config, document, manifest.sha256(content), size)

    def _taken_meanwhile(self) -> Failure:
        return taken(self.uri, "what another job put there meanwhile")
