"""What goes wrong with S3, as a reason and a sentence that says what to do.

Nothing of what the server answers is repeated but the error's code: its answers hold key ids and signatures.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as botocore

from perennial_contract.exits import BAD_CONFIGURATION, MISSING_INPUT, TEMPORARY, Failure

_DENIED = {"AccessDenied", "AllAccessDisabled", "AccountProblem", "Forbidden", "403"}
_CREDENTIALS = {
    "ExpiredToken", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidToken", "RequestTimeTooSkewed",
    "SignatureDoesNotMatch", "TokenRefreshRequired", "401",
}  # fmt: skip
_REGION = {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect", "301"}
_FULL = {"EntityTooLarge", "InsufficientStorage", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "507"}
_ABSENT = {"NoSuchKey", "404"}


@contextmanager
def explained(uri: str, secret: str | None) -> Iterator[None]:
    """Turns what boto3 raises into exits.Failure; `secret` is the Secret whose credentials are used."""
    try:
        yield
    except Exception as error:
        failure = next(filter(None, (_failure(cause, uri, secret) for cause in _causes(error))), None)
        if failure is None:
            raise
        raise failure from None


def code_of(error: botocore.ClientError) -> str:
    """S3's name of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from: boto3's upload_file puts its own around it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _failure(error: BaseException, uri: str, secret: str | None) -> Failure | None:
    match error:
        case botocore.ClientError():
            return _refused(error, uri, secret)
        case botocore.NoCredentialsError() | botocore.PartialCredentialsError() | botocore.CredentialRetrievalError():
            advice = "name a Secret in `credentials`, or give the pod's node or service account a role"
            return Failure("NoCredentials", f"{uri}: no credentials were found; {advice}", BAD_CONFIGURATION)
        case botocore.SSLError():
            advice = "put the authority's certificate (PEM) into the Secret as AWS_CA_BUNDLE"
            message = f"{uri}: the endpoint's certificate is not trusted; {advice}"
            return Failure("UntrustedCertificate", message, BAD_CONFIGURATION)
        case botocore.InvalidRegionError():
            return Failure("BadEndpoint", f"{uri}: {error}; correct AWS_REGION in {_of(secret)}", BAD_CONFIGURATION)
        case botocore.ConnectionError() | botocore.HTTPClientError() | botocore.IncompleteReadError():
            message = f"{uri}: the endpoint can't be reached ({type(error).__name__}); check AWS_ENDPOINT_URL"
            return Failure("StorageUnreachable", f"{message} of {_of(secret)}, and the network", TEMPORARY)
        case botocore.FlexibleChecksumError():
            return Failure("DamagedInTransit", f"{uri} was corrupted in transit; retrying", TEMPORARY)
    return None


def _refused(error: botocore.ClientError, uri: str, secret: str | None) -> Failure:
    code = code_of(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _CREDENTIALS:
        message = f"{uri}: the storage refuses the credentials ({code}); correct those of {_of(secret)}"
        return Failure("CredentialsRefused", message, BAD_CONFIGURATION)
    if code in _DENIED:
        message = f"{uri}: {error.operation_name} is not allowed; give the user of {_of(secret)} that right"
        return Failure("AccessDenied", message, BAD_CONFIGURATION)
    if code == "NoSuchBucket":
        return Failure("BucketNotFound", f"{uri}: there is no such bucket; create it or fix the name", MISSING_INPUT)
    if code in _REGION:
        message = f"{uri}: the bucket is in another region ({code}); set AWS_REGION in {_of(secret)}"
        return Failure("WrongRegion", message, BAD_CONFIGURATION)
    if code in _ABSENT:
        return Failure("InputNotFound", f"{uri} doesn't exist", MISSING_INPUT)
    if code in _FULL:
        return Failure("StorageFull", f"{uri}: the storage is full ({code})", TEMPORARY)
    if code == "NotImplemented":
        message = f"{uri}: the storage does not support {error.operation_name} with conditional writes and SHA-256"
        return Failure("StorageUnsuitable", message, BAD_CONFIGURATION)
    if status >= 500 or code in ("SlowDown", "RequestTimeout", "BadDigest", "429"):
        message = f"{uri}: the storage keeps answering {code}; if this persists, check that an S3 server is"
        return Failure("StorageUnreachable", f"{message} at AWS_ENDPOINT_URL of {_of(secret)}", TEMPORARY)
    message = f"{uri}: the storage refuses {error.operation_name} ({code}, {status})"
    return Failure("StorageError", message, BAD_CONFIGURATION)


def _of(secret: str | None) -> str:
    return f"the Secret {secret}" if secret else "the pod's environment"
