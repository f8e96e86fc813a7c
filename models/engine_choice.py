"""Which engine a version uses: chosen at training, from what was measured on tuning data and on this machine.

Before validation, not at packaging: the bytes that test data are opened for are then the bytes that serve
(docs/adr/0017).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from domain.dataset import Sample, Split
from domain.errors import ParityNotMet
from domain.identifiers import Sha256, sha256_of
from domain.model_version import Engine, EngineCandidate, EngineChoice, Precision
from domain.preprocessing import Preprocessing
from evidence.engine_parity import TOLERANCES, agreement
from evidence.engine_record import MARGIN
from evidence.scored_set import ScoredSet
from models import engines, quantisation, timing
from models.checkpoints import Parity
from models.engines import Runner
from models.inference import Scorer
from models.loaders import Cohort
from models.processes import cores
from models.selection import films_of
from models.timing import Timed

GAIN = 1.3  # less is not worth another engine, and might be another day's noise
# By what is given up, least first. Each step must earn its place over the one before.
LADDER: tuple[tuple[Engine, Precision], ...] = (
    ("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16"), ("openvino", "int8"),
)  # fmt: skip

Named = tuple[Engine, Precision]


def recorded(text: str | None) -> dict[str, Named]:
    """By variant, the engine to repeat: ``network-seed1=openvino/int8``, as the setting has it."""
    if text is None:
        return {}
    variant, _, named = text.partition("=")
    return {variant: next(known for known in LADDER if "/".join(known) == named)}


class TrainedRunner(Protocol):
    """Makes an engine of the trained network."""

    def __call__(self, *, threads: int) -> Runner: ...


@dataclass(frozen=True)
class Exported:
    """A trained model with the files it was exported to."""

    files: Mapping[Precision, bytes]  # int8 where it was quantised
    weights_sha256: Sha256
    against: Literal["torch", "scikit-learn"]
    runner: TrainedRunner | None  # the trained network, to be timed beside the engines

    def bytes_of(self, precision: Precision) -> bytes:
        """The file that a precision runs; bf16 is computed from that of fp32."""
        return self.files["fp32" if precision == "bf16" else precision]

    @property
    def can_run(self) -> tuple[Named, ...]:
        """What is compared; OpenVINO has no linear classifier of ONNX-ML, so a baseline runs in ONNX Runtime only."""
        ladder = LADDER if self.against == "torch" else LADDER[:1]
        return tuple(named for named in ladder if named[1] in ("bf16", *self.files))


@dataclass(frozen=True)
class Chosen:
    """The choice with the bytes that serve and their probabilities of the tuning films."""

    choice: EngineChoice
    model: bytes
    probabilities: NDArray[np.float64]
    files: Mapping[Precision, bytes]
    parity: tuple[Parity, ...]  # of the engines at fp32

    def scorer(self, preprocessing: Preprocessing) -> Scorer:
        """The bytes that serve, in the engine that will run them."""
        chosen = self.choice
        return Scorer(self.model, preprocessing=preprocessing, engine=chosen.engine, precision=chosen.precision)


def with_int8(model: bytes, samples: Sequence[Sample], inputs: NDArray[np.float32]) -> dict[Precision, bytes]:
    """The fp32 file and its int8, calibrated on tuning films (``inputs``, row by row) chosen by their names."""
    rows = films_of(samples, range(len(samples)), at_most=quantisation.FILMS)
    return {"fp32": model, "int8": quantisation.quantise(model, inputs=inputs[list(rows)])}


def choose(
    exported: Exported,
    trained: NDArray[np.float64],
    *,
    tune: Cohort,
    inputs: NDArray[np.float32],
    model_version: str,
    as_recorded: Named | None = None,
) -> Chosen:
    """Compare every engine with the trained model's probabilities of the tuning set, row by row, and choose.

    ``as_recorded``: the engine of a version that is being reproduced, on a machine whose times may be others.

    Raises:
        ParityNotMet: none answers as the trained model does even at fp32, or the recorded one does not.
    """
    threads = min(2, cores())
    scored = {named: engines.probabilities(_runner(exported, named, threads=1), inputs) for named in exported.can_run}
    times = timing.timed(_runners(exported, threads=threads), inputs)
    listed = tuple(
        _candidate(exported, named, _columns(tune, scored[named], model_version=model_version), trained, times[named])
        for named in exported.can_run
    )
    best, why = _repeat(listed, as_recorded) if as_recorded else pick(listed)
    choice = EngineChoice(
        engine=best.engine,
        precision=best.precision,
        why=why,
        candidates=(*_reference(exported, times), *listed),
        measured_on=timing.machine(threads=threads),
    )
    return Chosen(
        choice=choice,
        model=exported.bytes_of(best.precision),
        probabilities=scored[best.engine, best.precision],
        files=exported.files,
        parity=_parity(listed, exported, n=len(inputs)),
    )


def pick(candidates: Sequence[EngineCandidate]) -> tuple[EngineCandidate, str]:
    """The candidate to serve and why, by figures alone, so that the same figures give the same choice.

    Raises:
        ParityNotMet: no candidate at fp32 passes.
    """
    passing = [found for named in LADDER for found in candidates if _named(found) == named and found.passes]
    usual = next((found for found in passing if found.precision == "fp32"), None)
    if usual is None:
        raise _not_met([found for found in candidates if found.precision == "fp32" and found.engine != "torch"])
    best = usual
    for found in passing:
        if found.ms_batched * GAIN <= best.ms_batched and found.ms_single <= usual.ms_single:
            best = found
    return best, _why(best, usual)


def _why(best: EngineCandidate, usual: EngineCandidate) -> str:
    if best is usual:
        return f"No engine that agrees with the trained model is {GAIN:g} times as fast as {_said(usual)}."
    return (
        f"{_said(best)} is {usual.ms_batched / best.ms_batched:.1f} times as fast as {_said(usual)} in batches of "
        f"{timing.BATCH}, no slower alone, and agrees with the trained model."
    )


def _repeat(candidates: Sequence[EngineCandidate], wanted: Named) -> tuple[EngineCandidate, str]:
    for found in candidates:
        if _named(found) == wanted and found.passes:
            return found, f"{_said(found)} is what the version that is reproduced was recorded with."
    raise _not_met([found for found in candidates if _named(found) == wanted])


def _not_met(failed: Sequence[EngineCandidate]) -> ParityNotMet:
    said = "; ".join(f"{_said(one)} is up to {one.max_difference:.2g} apart ({one.tolerance:g})" for one in failed)
    return ParityNotMet(
        f"No engine answers the tuning data as the trained model does: {said or 'the engine asked for was not tried'}.",
        next_step="Look for an operation that the export does not carry over.",
    )


def _candidate(
    exported: Exported, named: Named, scored: ScoredSet, trained: NDArray[np.float64], took: Timed
) -> EngineCandidate:
    engine, precision = named
    found = agreement(scored, trained, precision=precision, against=exported.against)
    return EngineCandidate(
        engine=engine,
        precision=precision,
        model_sha256=sha256_of(exported.bytes_of(precision)),
        ms_single=took.ms_single,
        ms_batched=took.ms_batched,
        max_difference=found.max_difference,
        tolerance=found.tolerance,
        auroc_difference=found.auroc_difference,
        margin=found.margin,
        passes=found.within,
    )


def _columns(cohort: Cohort, probabilities: NDArray[np.float64], *, model_version: str) -> ScoredSet:
    return ScoredSet(
        dataset_version=cohort.dataset_version,
        split=Split.TUNE,
        model_version=model_version,
        sample_ids=tuple(sample.sample_id for sample in cohort.samples),
        patient_keys=tuple(sample.patient_key for sample in cohort.samples),
        labels=cohort.labels,
        probabilities=probabilities,
    )


def _reference(exported: Exported, times: Mapping[Named, Timed]) -> tuple[EngineCandidate, ...]:
    """The trained network itself, for its time; it agrees with itself and never serves."""
    if exported.runner is None:
        return ()
    took = times["torch", "fp32"]
    return (
        EngineCandidate(
            engine="torch", precision="fp32", model_sha256=exported.weights_sha256, ms_single=took.ms_single,
            ms_batched=took.ms_batched, max_difference=0.0, tolerance=TOLERANCES["fp32"], auroc_difference=None,
            margin=MARGIN, passes=True,
        ),
    )  # fmt: skip


def _parity(candidates: Sequence[EngineCandidate], exported: Exported, *, n: int) -> tuple[Parity, ...]:
    return tuple(
        Parity(
            against=exported.against, engine="openvino" if found.engine == "openvino" else "onnxruntime", n=n,
            max_difference=found.max_difference, tolerance=found.tolerance,
        )
        for found in candidates
        if found.precision == "fp32"
    )  # fmt: skip


def _runners(exported: Exported, *, threads: int) -> dict[Named, Runner]:
    reference: dict[Named, Runner] = (
        {} if exported.runner is None else {("torch", "fp32"): exported.runner(threads=threads)}
    )
    return reference | {named: _runner(exported, named, threads=threads) for named in exported.can_run}


def _runner(exported: Exported, named: Named, *, threads: int) -> Runner:
    engine, precision = named
    return engines.load(exported.bytes_of(precision), engine=engine, precision=precision, threads=threads)


def _named(candidate: EngineCandidate) -> Named:
    return candidate.engine, candidate.precision


def _said(candidate: EngineCandidate) -> str:
    return f"{candidate.engine} {candidate.precision}"
