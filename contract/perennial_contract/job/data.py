"""The data that a model learns from and is judged on."""

from typing import Annotated, Literal

from pydantic import Field

from perennial_contract.job.block import Block, cel, exactly_one
from perennial_contract.job.storage import CREDENTIALS, IN_ROOT, PLAIN_HOST, WITH_CREDENTIALS, Credentials, DataUri


class DataSource(Block):
    """Training data: JSON Lines (*.jsonl), JSON, CSV, TSV or Parquet; other files are text, split at blank lines."""

    model_config = cel(CREDENTIALS, IN_ROOT, PLAIN_HOST)

    uri: DataUri = Field(
        description="Location: file:///path in the image, pvc://claim/path, configmap://name/key, https://host/path, "
        "s3://bucket/path or hf://datasets/organization/name@revision/path. In the last two, a path that ends in / "
        "means all files below it, and * matches any characters."
    )
    weight: float = Field(1.0, gt=0, le=100, description="Sampling weight relative to other sources.")
    credentials: Credentials | None = Field(None, description=WITH_CREDENTIALS)


class Validation(Block):
    """The held-out set, on which a version is judged."""

    model_config = cel(
        exactly_one("fraction", "uri"),
        (f"!has(self.credentials) || has(self.uri) && ({CREDENTIALS[0]})", CREDENTIALS[1]),
        *((f"!has(self.uri) || ({rule})", message) for rule, message in (IN_ROOT, PLAIN_HOST)),
    )

    fraction: float | None = Field(
        None, gt=0, lt=1, description="Share of the examples held out, 0 to 1, selected by the hash of their content."
    )
    uri: DataUri | None = Field(None, description="Location of separate files, as in `train`.")
    credentials: Credentials | None = Field(None, description=WITH_CREDENTIALS)


ColumnName = Annotated[str, Field(min_length=1, max_length=253)]


class Fields(Block):
    """Names of the columns. Each task reads its own."""

    text: ColumnName = Field("text", description="Column with the text, for text-generation and sentiment-analysis.")
    label: ColumnName = Field(
        "label", description="Column with the class, a name or an integer, for sentiment-analysis."
    )
    source: ColumnName = Field("source", description="Column with the text to translate, for translation.")
    target: ColumnName = Field("target", description="Column with its translation, for translation.")
    question: ColumnName = Field("question", description="Column with the question, for question-answering.")
    context: ColumnName = Field("context", description="Column with the text that contains the answer.")
    answer: ColumnName = Field(
        "answer",
        description="Column with the answer, verbatim from the context: a text, a list of texts or SQuAD's answers.",
    )


class Preprocessing(Block):
    """Steps applied to each example, in this order."""

    normalize_unicode: Literal["NFC", "NFKC", "None"] = Field("NFC", description="Unicode normalization form.")
    strip_markup: bool = Field(False, description="Keep only the text of HTML or XML.")
    lowercase: bool = Field(False, description="Convert to lower case.")
    min_characters: int = Field(
        1, ge=0, le=1000000, description="Minimum length in characters; shorter examples are dropped."
    )
    max_characters: int | None = Field(
        None, ge=1, le=1000000000, description="Maximum length in characters; longer examples are dropped."
    )
    deduplicate: bool = Field(True, description="Keep only one of several equal examples.")
    near_duplicates: float | None = Field(
        None,
        ge=0.5,
        le=1,
        description="Drop examples that are this similar to an earlier one: estimated Jaccard similarity of their "
        "sequences of five words, 0.5 to 1.",
    )


class Augmentation(Block):
    """Additional training examples: copies with some words deleted and some swapped."""

    copies: int = Field(1, ge=1, le=10, description="Number of copies per training example.")
    delete_words: float = Field(0.1, ge=0, le=0.9, description="Share of the words deleted from a copy.")
    swap_words: float = Field(0.1, ge=0, le=1, description="Number of swaps of two words, as a share of the words.")


class Data(Block):
    """Training and validation data."""

    train: Annotated[list[DataSource], Field(min_length=1, max_length=32)] = Field(description="Training data.")
    validation: Validation = Field(
        Validation(fraction=0.1), description="Held-out set. Defaults to a tenth of the training data."
    )
    fields: Fields = Field(Fields(), description="Names of the columns.")
    preprocessing: Preprocessing = Field(Preprocessing(), description="Steps applied to each example.")
    augmentation: Augmentation | None = Field(None, description="Remedy for overfitting; off by default.")
