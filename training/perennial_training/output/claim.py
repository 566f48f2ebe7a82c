"""An artifact in a claim: written beside its place, and moved there in one step."""

import os
import shutil
from pathlib import Path

from perennial_contract import manifest, pod
from perennial_contract.exits import MISSING_INPUT, Failure
from perennial_contract.facts import Facts, TrainingFacts
from perennial_contract.job import Job
from perennial_contract.result import ResultMessage
from perennial_contract.uri import local_path
from perennial_training.output.artifact import result, stage
from perennial_training.output.output import artifact_of, is_of, taken


class ClaimOutput:
    """The folder of the artifact, and the folder `*.partial` beside it for everything unfinished."""

    mirror = None  # the work folder outlives the pod

    def __init__(self, config: Job, mounts: Path) -> None:
        self.config = config
        self.folder = local_path(config.output.uri, mounts)
        self.partial = self.folder.with_name(f"{self.folder.name}.partial")
        self.work = self.partial / config.job.uid
        claim = mounts / pod.CLAIMS / config.output.uri.removeprefix("pvc://").partition("/")[0]
        if not claim.is_dir():
            raise Failure(
                "ClaimNotMounted", f"the claim of {config.output.uri} is not mounted at {claim}", MISSING_INPUT
            )

    def finished(self) -> ResultMessage | None:
        if not self.folder.exists():
            return None
        try:
            document = manifest.verify(self.folder, None)
            is_ours = is_of(document, self.config)
        except manifest.TamperedArtifact as error:
            raise self._taken(f"files that are no whole artifact ({error})") from None
        if not is_ours:
            raise self._taken(artifact_of(Facts.of(document)))
        self._clean()
        return self._result()

    def open(self) -> None:
        self.work.mkdir(parents=True, exist_ok=True)

    def publish(self, weights: Path, tokenizer: Path, facts: TrainingFacts) -> ResultMessage:
        staging = stage(self.work, weights, tokenizer, facts)
        try:
            os.rename(staging, self.folder)
        except OSError:
            if not self.folder.exists():
                raise
            raise self._taken("what another job put there meanwhile") from None
        manifest.sync_folder(self.folder.parent)
        self._clean()
        return self._result()

    def _result(self) -> ResultMessage:
        """Read from the artifact itself, so that asking again gives the same."""
        document = manifest.verify(self.folder, None)
        return result(self.config, document, manifest.digest_of(self.folder), manifest.size(self.folder))

    def _clean(self) -> None:
        shutil.rmtree(self.partial, ignore_errors=True)

    def _taken(self, holder: str) -> Failure:
        return taken(self.config.output.uri, holder)
