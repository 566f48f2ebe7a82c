"""The artifact of a training: what it consists of, and where it goes."""

from pathlib import Path

from perennial_contract.job import Job
from perennial_contract.report import Report
from perennial_training.output.claim import ClaimOutput
from perennial_training.output.output import Output


def output_of(config: Job, mounts: Path, report: Report) -> Output:
    """The output of a job. Raises exits.Failure."""
    if not config.output.uri.startswith("s3://"):
        return ClaimOutput(config, mounts)
    from perennial_training.output.bucket import BucketOutput  # boto3 takes a while to load

    return BucketOutput(config, mounts, report)
