"""The training loop of one network: read it from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models import checkpoints, determinism, metrics, networks, preprocess
from models.checkpoints import EpochRecord
from models.loaders import Cohort
from models.task import Preset, Task

if TYPE_CHECKING:
    import torch

_SCORING_BATCH = 64


def fit(
    task: Task, preset: Preset, *, seed: int, train: Cohort, tune: Cohort, progress: Path,
    report: Callable[[EpochRecord], None],
) -> Learner:  # fmt: skip
    """Train until the epochs are used up or the tuning AUROC has not risen for ``patience`` epochs.

    After each epoch everything is stored in ``progress``; a later call continues there.
    """
    learner = Learner(task, preset, seed=seed, train=train)
    learner.resume(progress)
    inputs = preprocess.normalise(tune.grey[:, np.newaxis], preset.preprocessing)
    while not learner.is_done():
        began = time.monotonic()
        loss = learner.one_epoch()
        auroc = metrics.auroc(tune.labels, learner.logits(inputs))
        learner.remember(loss=loss, tuning_auroc=auroc, seconds=time.monotonic() - began)
        checkpoints.save_progress(learner.state(), progress)
        report(learner.history[-1])
    learner.take_best()
    return learner


class Learner:
    """A network, the running mean of its weights, and everything else that changes while it learns."""

    def __init__(self, task: Task, preset: Preset, *, seed: int, train: Cohort) -> None:
        import torch
        from torch.optim.swa_utils import AveragedModel

        determinism.one_thread()
        self.preset, self.seed = preset, seed
        self.grey = torch.from_numpy(train.grey[:, np.newaxis])
        self.labels = torch.from_numpy(train.labels).float()
        positives = int(train.labels.sum())
        self.loss = task.loss.build(negatives=len(train.labels) - positives, positives=positives)
        self.augment = task.augmentation.build()
        self.network = networks.build(preset.network, seed=seed)
        self.average = AveragedModel(self.network, multi_avg_fn=_running_mean(preset.averaging), use_buffers=True)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=preset.learning_rate, weight_decay=preset.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, preset.learning_rate, total_steps=preset.epochs * len(self._batches(0)), pct_start=0.2
        )
        self.history: list[EpochRecord] = []
        self.best: dict[str, torch.Tensor] = {}

    def one_epoch(self) -> float:
        """One pass over the training data; the mean loss."""
        epoch, total = len(self.history) + 1, 0.0
        batches = self._batches(epoch)
        random = determinism.generator(self.seed, "epoch", epoch)
        self.network.train()
        for batch in batches:
            inputs = self._inputs(self.augment(self.grey[batch].float() / 255, random))
            loss = self.loss(networks.forward(self.network, inputs).logit, self.labels[batch])
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            self.schedule.step()
            self.average.update_parameters(self.network)
            total += loss.item()
        return total / len(batches)

    def logits(self, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logits of the averaged network for inputs (n, 1, rows, columns)."""
        import torch

        network = self.average.module.eval()
        with torch.inference_mode():
            batches = torch.split(torch.from_numpy(inputs), _SCORING_BATCH)
            parts = [networks.forward(network, batch).logit for batch in batches]
        return torch.cat(parts).numpy().astype(np.float64)

    def remember(self, *, loss: float, tuning_auroc: float, seconds: float) -> None:
        """Close an epoch; keep its averaged weights when they are the best so far."""
        is_best = all(tuning_auroc > record.tuning_auroc for record in self.history)
        (rate,) = self.schedule.get_last_lr()
        record = EpochRecord(
            epoch=len(self.history) + 1, loss=loss, tuning_auroc=tuning_auroc, learning_rate=rate, seconds=seconds
        )
        self.history.append(record)
        if is_best:
            self.best = {name: tensor.clone() for name, tensor in self.average.module.state_dict().items()}

    @property
    def best_epoch(self) -> int:
        """The first epoch with the highest tuning AUROC."""
        return max(self.history, key=lambda record: (record.tuning_auroc, -record.epoch)).epoch

    def is_done(self) -> bool:
        """True when all epochs are used up, or when more are not worth it."""
        done = len(self.history)
        return done >= self.preset.epochs or (done > 0 and done - self.best_epoch >= self.preset.patience)

    def take_best(self) -> None:
        """Put the best weights into the averaged network."""
        self.average.module.load_state_dict(self.best)
        self.average.module.eval()

    def state(self) -> dict[str, Any]:
        """All that a resume needs. Randomness is named by seed and epoch, so none of it is stored."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "best": self.best,
            "history": [record.model_dump() for record in self.history],
        }

    def resume(self, progress: Path) -> None:
        """Continue where an interrupted training stood, if there was one."""
        stored = checkpoints.load_progress(progress)
        if stored is None:
            return
        self.network.load_state_dict(stored["network"])
        self.average.load_state_dict(stored["average"])
        self.optimizer.load_state_dict(stored["optimizer"])
        self.schedule.load_state_dict(stored["schedule"])
        self.best = stored["best"]
        self.history = [EpochRecord.model_validate(record) for record in stored["history"]]

    def _batches(self, epoch: int) -> list[torch.Tensor]:
        """The epoch's samples in whole batches (a rest of one sample would break batch normalisation).

        All training samples follow each other in random order, again and again, until the epoch is full.
        """
        import torch

        random, n, size = determinism.generator(self.seed, "order", epoch), len(self.labels), self.preset.batch_size
        wanted = max(self.preset.samples_per_epoch // size, 1) * size
        passes = [torch.randperm(n, generator=random) for _ in range(math.ceil(wanted / n))]
        return list(torch.split(torch.cat(passes)[:wanted], size))

    def _inputs(self, grey: torch.Tensor) -> torch.Tensor:
        import torch

        spec = self.preset.preprocessing
        inputs = (grey - spec.mean) / spec.standard_deviation
        return inputs.contiguous(memory_format=torch.channels_last)


def _running_mean(decay: float) -> Callable[[Any, Any, Any], None]:
    """An exponential mean of the weights that forgets the random beginning quickly."""
    import torch

    def update(averaged: list[torch.Tensor], current: list[torch.Tensor], count: torch.Tensor | int) -> None:
        steps = float(count)
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + steps) / (10 + steps)))
        else:
            torch._foreach_copy_(averaged, current)  # counters of batch normalisation

    return update
