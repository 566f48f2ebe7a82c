"""An artifact in a status."""

from pydantic import Field

from perennial.api.schema import ApiModel
from perennial_contract.job.storage import ArtifactUri, Digest


class Artifact(ApiModel):
    """A trained model in storage."""

    uri: ArtifactUri = Field(description="Where the artifact's folder is.")
    digest: Digest = Field(description="SHA-256 of the artifact's manifest, which holds the digest of each file.")
    size_bytes: int | None = Field(None, description="Size of the whole folder in bytes.")
