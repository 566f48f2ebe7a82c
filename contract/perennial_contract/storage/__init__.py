"""Object storage: S3 and its credentials. Never imported by the operator."""
