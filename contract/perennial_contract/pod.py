"""The surroundings of a process in a pod: paths, ports, probes, environment variables and grace periods."""

from pathlib import Path

# Folders below MOUNTS. Of the first three, each holds one folder per object of the namespace, by its name.
MOUNTS = Path("/perennial")
CLAIMS = "claims"
CONFIG_MAPS = "configmaps"
SECRETS = "secrets"
WORK = "work"  # scratch space of a training whose output is no folder of a claim
MODEL = "model"  # the artifact that a serving pod has fetched and verified
API_KEYS = "api-keys"  # the keys of the clients of a serving pod

CONFIGURATION_FOLDER = Path("/etc/perennial")
CONFIGURATION_NAME = "job.json"
CONFIGURATION = CONFIGURATION_FOLDER / CONFIGURATION_NAME

# Environment variables of a training pod; the first two have the names that PyTorch reads.
MASTER_ADDRESS = "MASTER_ADDR"
MASTER_PORT = "MASTER_PORT"
NODES = "PERENNIAL_NODES"
PROCESSES_PER_NODE = "PERENNIAL_PROCESSES_PER_NODE"
NODE_INDEX = "JOB_COMPLETION_INDEX"  # set by the Job controller

RENDEZVOUS_PORT = 29500
TRAINING_METRICS_PORT = 9400
SERVING_PORT = 8000

LIVENESS_PATH = "/health/live"
READINESS_PATH = "/health/ready"
METRICS_PATH = "/metrics"
VERSION_HEADER = "x-perennial-version"

# From SIGTERM to SIGKILL: a training saves a checkpoint, of which its workers have the greater part.
TRAINING_GRACE_SECONDS = 120
TRAINING_SHUTDOWN_SECONDS = 110
# From SIGTERM to SIGKILL: a server keeps taking requests for the lag of the endpoints, and finishes those it accepted.
SERVING_GRACE_SECONDS = 90
ENDPOINT_LAG_SECONDS = 5
