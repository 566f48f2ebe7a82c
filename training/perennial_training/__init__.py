"""What runs in a training pod: from a job's configuration to an artifact, a result and an exit code."""
