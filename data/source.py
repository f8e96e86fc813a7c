"""The contract of a dataset: what a source states of itself, and how its records and images are read."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from domain.dataset import Distribution, SourceCard, Split
from domain.identifiers import Sha256


class Opacity(BaseModel):
    """Where a finding was drawn: an ellipse in pixels of the film. Known for phantoms only."""

    model_config = ConfigDict(frozen=True)

    x_px: float
    y_px: float
    radius_x_px: float
    radius_y_px: float


class Record(BaseModel):
    """One film as the source describes it, before anything is checked."""

    model_config = ConfigDict(frozen=True)

    sample_id: str
    patient_key: str
    label: int | None  # None: the source gives none
    subtype: str | None = None
    site: str
    view_position: str | None = None
    age_years: float | None = None
    sex: str | None = None
    published_split: Split | None = None
    opacities: tuple[Opacity, ...] = ()


@dataclass(frozen=True)
class Film:
    """A record and the way to its encoded image bytes, which are read only when needed."""

    record: Record
    read: Callable[[], bytes]


class Exclusion(BaseModel):
    """A rule that removes records, counted under its reason."""

    model_config = ConfigDict(frozen=True)

    reason: str
    applies: Callable[[Record], bool]


class SplitShares(BaseModel):
    """Which parts of the patients without a published split become tuning and test data; the rest is training data."""

    model_config = ConfigDict(frozen=True)

    tune: float
    test: float


class Source(ABC):
    """One dataset. A file in ``data/sources`` holds one instance under the name ``SOURCE``."""

    card: ClassVar[SourceCard]
    exclusions: ClassVar[tuple[Exclusion, ...]] = ()
    shares: ClassVar[SplitShares]
    min_side_px: ClassVar[int]

    @abstractmethod
    def films(self, raw: Path, *, distribution: str) -> Iterator[Film]:
        """Each film of the distribution whose files lie in ``raw``.

        Raises:
            QualityCheckFailed: index and images do not belong together.
        """

    def generate(self, raw: Path) -> None:
        """Write the files of a generated distribution. Only synthetic sources can."""
        raise TypeError(f"{self.card.name} is real; it cannot be generated")

    @property
    def name(self) -> str:
        """The file's name in ``data/sources``."""
        return self.card.name

    def distribution(self, name: str) -> Distribution:
        """The distribution of that name."""
        return next(one for one in self.card.distributions if one.name == name)


def digests_of(distribution: Distribution) -> Mapping[str, Sha256 | None]:
    """File name → recorded digest."""
    return {file.name: file.sha256 for file in distribution.files}
