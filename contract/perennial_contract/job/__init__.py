"""The typed blocks that the API and job.json share, and job.json itself."""

from perennial_contract.job.block import Block, cel, exactly_one
from perennial_contract.job.data import Augmentation, Data, DataSource, Fields, Preprocessing, Validation
from perennial_contract.job.job import SCHEMA, Job, JobName
from perennial_contract.job.model import (
    Architecture,
    Family,
    JobModel,
    Lora,
    Pretrained,
    StartingModel,
    Task,
    Tuning,
)
from perennial_contract.job.storage import Credentials, Output, VersionArtifact
from perennial_contract.job.training import (
    Checkpoints,
    EarlyStopping,
    Hyperparameters,
    JobTracking,
    JobTraining,
    Learning,
    MlflowRun,
    Processes,
)

__all__ = [
    "SCHEMA",
    "Architecture",
    "Augmentation",
    "Block",
    "Checkpoints",
    "Credentials",
    "Data",
    "DataSource",
    "EarlyStopping",
    "Family",
    "Fields",
    "Hyperparameters",
    "Job",
    "JobModel",
    "JobName",
    "JobTracking",
    "JobTraining",
    "Learning",
    "Lora",
    "MlflowRun",
    "Output",
    "Preprocessing",
    "Pretrained",
    "Processes",
    "StartingModel",
    "Task",
    "Tuning",
    "Validation",
    "VersionArtifact",
    "cel",
    "exactly_one",
]
