"""The parts of an example."""

from dataclasses import dataclass

from perennial_contract.job import Fields


@dataclass(frozen=True)
class Roles:
    """The parts of an example, each the text of one column.

    texts: inputs, which preprocessing changes and measures; answers: outputs, changed in the same way but of any
    length; labels: one of a few names, unchanged; noisy: roles that augmentation may change without making the rest of
    the example wrong; key: examples with an equal text in this role are always in the same split.
    """

    texts: tuple[str, ...]
    answers: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    noisy: tuple[str, ...] = ()
    key: str = "text"

    @property
    def prose(self) -> tuple[str, ...]:
        return self.texts + self.answers

    @property
    def all(self) -> tuple[str, ...]:
        return self.prose + self.labels

    def columns(self, fields: Fields) -> dict[str, str]:
        """The name of the column of each role."""
        return {role: getattr(fields, role) for role in self.all}
