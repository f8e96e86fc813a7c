"""The contract of a task: what is predicted, for whom, from which data, and how it is judged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, model_validator

from domain.acceptance import AcceptanceCriterion
from domain.codes import CodedConcept
from domain.errors import NotFound
from domain.intended_use import IntendedUse
from domain.preprocessing import Preprocessing

if TYPE_CHECKING:
    import torch


class Spec(BaseModel, ABC):
    """A part of a task as data: printed, compared and logged; torch and MONAI are imported only when it is built."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkSpec(Spec):
    """A network with global average pooling and one linear unit, so that its class activation map is exact."""

    @abstractmethod
    def build(self) -> torch.nn.Module:
        """A fresh network; seed torch first."""


class AugmentationSpec(Spec):
    """Random changes of a training batch that a film of another patient, machine or technician might show."""

    @abstractmethod
    def build(self) -> Callable[[torch.Tensor, torch.Generator], torch.Tensor]:
        """A function from grey values 0–1 of shape (n, 1, rows, columns) to the same shape."""


class LossSpec(Spec):
    """What training minimises."""

    @abstractmethod
    def build(self, *, negatives: int, positives: int) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """A function from logits and labels, both of shape (n,), to a scalar."""


class Preset(Spec):
    """How much computing a training may spend, and what fits into it."""

    preprocessing: Preprocessing
    network: SerializeAsAny[NetworkSpec]
    epochs: int
    samples_per_epoch: int  # not the cohort decides how long a training takes
    batch_size: int = 32
    learning_rate: float
    weight_decay: float = 1e-2
    averaging: float = 0.99  # decay, per step, of the running mean of the weights that is evaluated and kept
    patience: int  # epochs without a better tuning AUROC before training stops
    baseline_grid_px: int = 24  # the scikit-learn baseline sees the input averaged to this many cells a side


class Task(BaseModel):
    """One file in ``models/tasks`` holds one of these under the name ``TASK``; the file's name is the task's name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""  # set by ``get_task``
    title: str
    intended_use: IntendedUse
    finding: CodedConcept
    source: str
    external_sources: tuple[str, ...] = ()
    substitute: str  # synthetic source used where the real one cannot be had
    substitute_externals: tuple[str, ...] = ()
    augmentation: SerializeAsAny[AugmentationSpec]
    loss: SerializeAsAny[LossSpec]
    min_sensitivity: float  # the threshold has the highest specificity with this sensitivity on tuning data
    conformal_coverage: float = Field(0.9, gt=0, lt=1)  # of each class by the prediction sets
    abstention_quantile: float = Field(0.995, gt=0, lt=1)  # films like the tuning data are answered this often
    accept: tuple[AcceptanceCriterion, ...]
    presets: dict[str, Preset]

    @model_validator(mode="after")
    def _has_the_usual_presets(self) -> Task:
        missing = {"smoke", "demo", "reference"} - set(self.presets)
        if missing:
            raise ValueError(f"presets missing: {', '.join(sorted(missing))}")
        return self

    def preset(self, name: str) -> Preset:
        """The preset of that name.

        Raises:
            NotFound: the task has none.
        """
        if name not in self.presets:
            raise NotFound(f"{self.name} has no preset {name!r}.", next_step=f"Known: {', '.join(self.presets)}.")
        return self.presets[name]

    def parameters(self, preset: str) -> dict[str, Any]:
        """Everything that decides what a training does, as flat text for a tracked run."""
        chosen = self.preset(preset)
        parts: dict[str, Spec | Preprocessing] = {
            "preprocessing": chosen.preprocessing,
            "network": chosen.network,
            "augmentation": self.augmentation,
            "loss": self.loss,
        }
        numbers = chosen.model_dump(mode="json", exclude={"preprocessing", "network"})
        described = {f"{part}.kind": type(spec).__name__ for part, spec in parts.items() if isinstance(spec, Spec)}
        nested = {f"{part}.{key}": value for part, spec in parts.items() for key, value in spec.model_dump().items()}
        judged = self.model_dump(include={"min_sensitivity", "conformal_coverage", "abstention_quantile"})
        return {"preset": preset, **numbers, **described, **nested, **judged}
