"""Fields of a container: its image and its compute resources."""

from typing import Annotated

from pydantic import Field

from perennial.api.schema import ApiModel

# A non-negative quantity of Kubernetes; bounded, since Kubernetes' own pattern accepts numbers that no pod can have.
_QUANTITY = r"^([0-9]{1,18}(\.[0-9]{0,9})?|\.[0-9]{1,9})([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,2})?$"
Quantity = Annotated[
    int | str, Field(json_schema_extra={"x-kubernetes-int-or-string": True, "pattern": _QUANTITY, "minimum": 0})
]
Image = Annotated[str, Field(min_length=1, max_length=512)]


class Resources(ApiModel):
    """Compute resources of a container, as in a Pod."""

    requests: Annotated[dict[str, Quantity], Field(max_length=16)] | None = Field(
        None, description="What is reserved, by resource name: cpu in cores, memory in bytes (Quantity)."
    )
    limits: Annotated[dict[str, Quantity], Field(max_length=16)] | None = Field(
        None, description="What is never exceeded, by resource name: cpu in cores, memory in bytes (Quantity)."
    )
