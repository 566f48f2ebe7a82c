"""Locations: URIs of data, models and artifacts, the Secrets for them, and the blocks that name an artifact."""

from typing import Annotated

from pydantic import Field

from perennial_contract.job.block import Block, cel

_SOURCES = r"file:///|(pvc|configmap|s3)://[^/\s]+/|hf://datasets/[^/\s]+/[^/\s]+/|https://"
DataUri = Annotated[str, Field(pattern=rf"^({_SOURCES})[^\s]+$", max_length=1024)]
ModelUri = Annotated[str, Field(pattern=r"^((pvc|s3)://[^/\s]+/[^\s]+|hf://[^/\s]+(/[^/\s]+)?)$", max_length=1024)]
# Names of a folder's parts, but neither "." nor "..".
PART = r"[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*"
_CLAIM = r"pvc://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"
# A version's folder is appended to it: see ArtifactUri.
_ROOT = rf"({_CLAIM}|s3://[a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9])"
StorageUri = Annotated[str, Field(pattern=rf"^{_ROOT}(/{PART})*/?$", max_length=320)]
ArtifactUri = Annotated[str, Field(pattern=rf"^{_ROOT}(/{PART})+/?$", max_length=512)]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)]
ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)]

WITH_CREDENTIALS = "Secret with the credentials for s3:// or hf://. Defaults to the identity of the pod."
WITH_KEYS = "Secret with the credentials for s3://. Defaults to the identity of the pod."
BUCKET_CREDENTIALS = (
    "!has(self.credentials) || self.uri.startsWith('s3://')",
    "`credentials` must only be set for s3://",
)
CREDENTIALS = (
    "!has(self.credentials) || self.uri.startsWith('s3://') || self.uri.startsWith('hf://')",
    "`credentials` must only be set for s3:// and hf://",
)
# What perennial_contract.uri refuses as well, but before it is stored.
IN_ROOT = (
    "self.uri.startsWith('https://') || !self.uri.matches('/[.][.](/|$)')",
    "`uri` must not have '..' as a part of its path",
)
_HOST = "([[][0-9a-fA-F:.]+[]]|[^/?#@:]+)"
PLAIN_HOST = (
    f"!self.uri.startsWith('https://') || self.uri.matches('^https://{_HOST}(:[0-9]+)?([/?#]|$)')",
    "`uri` must be https://HOST/PATH or https://HOST:PORT/PATH, without user name and password",
)


class Credentials(Block):
    """A Secret of the namespace. The operator never reads it; the pods mount it."""

    secret_name: ObjectName = Field(
        description="Name of the Secret. Keys for s3://: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and optionally "
        "AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL, AWS_CA_BUNDLE (PEM); for hf://: HF_TOKEN."
    )


class Output(Block):
    """Location of one artifact."""

    model_config = cel(BUCKET_CREDENTIALS)

    uri: ArtifactUri = Field(description="Folder that becomes the artifact: pvc://claim/folder or s3://bucket/folder.")
    credentials: Credentials | None = Field(None, description=WITH_KEYS)


class VersionArtifact(Block):
    """The artifact of a version of a LanguageModel."""

    model_config = cel(BUCKET_CREDENTIALS)

    version: int = Field(ge=1, le=1000000, description="Number of the version.")
    uri: ArtifactUri = Field(description="Folder of the artifact.")
    digest: Digest = Field(description="SHA-256 of the artifact's manifest.")
    credentials: Credentials | None = Field(None, description=WITH_KEYS)
