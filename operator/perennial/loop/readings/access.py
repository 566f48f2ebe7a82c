"""How the operator shows Prometheus who asks: the file of --prometheus-config, and the files that it names."""

import base64
import ssl
from functools import lru_cache
from pathlib import Path
from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, model_validator

from perennial_contract.job.block import Block

# Credentials by their nature: the configuration is no Secret.
_SECRET_HEADERS = {"authorization", "proxy-authorization", "cookie"}


class AccessError(Exception):
    """A file that the configuration names can't be used; the message names the file, never its content."""


def _in_folder(path: Path, info: ValidationInfo) -> Path:
    """A relative path is one beside the configuration."""
    return Path((info.context or {}).get("folder", "")) / path


_File = Annotated[Path, AfterValidator(_in_folder)]
_HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
_HeaderValue = Annotated[str, Field(pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$")]
_ParameterName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]


class _Strict(Block):
    model_config = ConfigDict(extra="forbid")


class BasicAuth(_Strict):
    """User name and password."""

    username_file: _File
    password_file: _File


class Tls(_Strict):
    """Certificates, as PEM."""

    ca_file: _File | None = None
    cert_file: _File | None = None
    key_file: _File | None = None

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("certFile and keyFile must be set together")
        return self

    @property
    def files(self) -> list[Path]:
        """All of them."""
        return [path for path in (self.ca_file, self.cert_file, self.key_file) if path]


class Access(_Strict):
    """Configuration of the access to Prometheus.

    headers, header_files: headers by name, with their value or with the file that has it.
    tenant_header, tenant_parameter: header and query parameter whose value is the namespace of the object that asks.
    enforce_namespace: whether a query is asked only if it stays in the namespace of its object, see isolation.
    """

    bearer_token_file: _File | None = None
    basic_auth: BasicAuth | None = None
    tls: Tls | None = None
    headers: dict[_HeaderName, _HeaderValue] = Field(default_factory=dict)
    header_files: dict[_HeaderName, _File] = Field(default_factory=dict)
    parameters: dict[str, str] = Field(default_factory=dict)
    tenant_header: _HeaderName | None = None
    tenant_parameter: _ParameterName | None = None
    enforce_namespace: bool = False

    @model_validator(mode="after")
    def _is_unambiguous(self) -> Self:
        if self.bearer_token_file and self.basic_auth:
            raise ValueError("at most one of bearerTokenFile, basicAuth must be set")
        if secret := [name for name in self.headers if name.lower() in _SECRET_HEADERS]:
            raise ValueError(f"the header {secret[0]} is a credential; set it in headerFiles")
        names = [*self.headers, *self.header_files, *([self.tenant_header] if self.tenant_header else [])]
        names += ["Authorization"] if self.bearer_token_file or self.basic_auth else []
        lower = [name.lower() for name in names]
        if twice := [name for name in names if lower.count(name.lower()) > 1]:
            raise ValueError(f"the header {twice[-1]} is set twice")
        if "query" in {*self.parameters, self.tenant_parameter}:
            raise ValueError("parameters must not contain query, which is the query itself")
        if self.tenant_parameter in self.parameters:
            raise ValueError(f"the parameter {self.tenant_parameter} is set twice")
        return self


class Proof(NamedTuple):
    """Headers of a request, and the words in them that must not be shown."""

    headers: dict[str, str]
    secrets: list[str]

    def hide(self, text: str) -> str:
        """The text without the secrets."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def proof(access: Access, tenant: str) -> Proof:
    """What a request carries. The files are read anew each time, since credentials rotate; raises AccessError."""
    from_files = {name: _line(path) for name, path in access.header_files.items()}
    headers = {**access.headers, **from_files}
    secrets = [word for line in from_files.values() for word in line.split()]
    if access.bearer_token_file:
        token = _line(access.bearer_token_file)
        headers["Authorization"] = f"Bearer {token}"
        secrets.append(token)
    if access.basic_auth:
        user, password = _line(access.basic_auth.username_file), _line(access.basic_auth.password_file)
        if ":" in user:
            raise AccessError(f"{access.basic_auth.username_file} must not contain a colon")
        encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {encoded}"
        secrets += [password, encoded]
    if access.tenant_header:
        headers[access.tenant_header] = tenant
    return Proof(headers, secrets)


def parameters(access: Access, tenant: str) -> dict[str, str]:
    """The query parameters of a request."""
    return access.parameters | ({access.tenant_parameter: tenant} if access.tenant_parameter else {})


def ssl_context(tls: Tls | None) -> ssl.SSLContext | bool:
    """The certificates; another context only if a file has changed, since connections are kept by it.

    Raises AccessError.
    """
    return _ssl_context(tls, tuple(_content(path) for path in tls.files)) if tls else True


@lru_cache(maxsize=1)
def _ssl_context(tls: Tls, contents: tuple[bytes, ...]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
        if tls.cert_file:
            # With a password, which is wrong, an encrypted key fails; without one the terminal is asked.
            context.load_cert_chain(tls.cert_file, tls.key_file, password="encrypted keys are not supported")
    except ssl.SSLError as error:
        names = ", ".join(map(str, tls.files))
        raise AccessError(f"{names} are not valid certificates: {error.reason or error}") from error
    return context


def _line(path: Path) -> str:
    """The only line of a file."""
    try:
        line = _content(path).decode().strip()
    except UnicodeDecodeError:
        line = ""
    if not line or not line.isprintable():
        raise AccessError(f"{path} must contain one line of text")
    return line


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AccessError(f"{path} can't be read: {error.strerror}") from error
