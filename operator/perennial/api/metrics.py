"""Metrics: names of those of a model, and queries to Prometheus."""

from typing import Annotated

from pydantic import Field

from perennial_contract.tasks import METRICS

MetricName = Annotated[str, Field(json_schema_extra={"enum": [*METRICS]})]
Query = Annotated[str, Field(min_length=1, max_length=2048)]
