"""How often the gate promotes a model that is exactly at a bound, or below it, where films of a patient are alike.

Patients come with 1 to 4 films, a third of which carry a label of their own. A score is binormal: half of its noise is
the patient's, and two models share a part of it. «Exactly at the bound» holds for the population, by formula.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from domain.change_control import TestSetOpening
from domain.dataset import DatasetVersion, Split
from domain.identifiers import sha256_of
from domain.model_version import ModelManifest
from domain.preprocessing import Preprocessing
from evidence.change import CandidateFacts
from evidence.endpoints import Rival, assess, floors, reuse_cost
from evidence.gate import Candidate, Decided, Documents, Signatures, decide
from evidence.judgement import PlannedValidation
from evidence.pccp import read_pccp
from evidence.plan import Bound, CalibrationBound, Endpoint, NonInferiority, Superiority, ValidationPlan, read_plan
from evidence.record import ValidationReport
from evidence.report import report_bytes
from evidence.scored_set import ScoredSet

pytestmark = [pytest.mark.slow]

NORMAL = NormalDist()
ALPHA, DRAWS, PREVALENCE = 0.025, 1000, 0.4
# With a true rate of alpha, 1,000 draws give more promotions than this once in a thousand simulations: 41.
MOST = int(binom.ppf(0.999, DRAWS, ALPHA))
POWER_DRAWS, LEAST = 100, 90
IDS = tuple(f"s{i:05d}" for i in range(4000))


@dataclass(frozen=True)
class Model:
    """A model by what is true of it in the population, at site A and at site B."""

    auroc: float
    sensitivity: float = 0.95
    auroc_at_b: float | None = None
    slope: float = 1.0  # of its calibration
    shift: float = 0.0  # its calibration in the large

    @property
    def distance(self) -> float:
        return math.sqrt(2.0) * NORMAL.inv_cdf(self.auroc)

    @property
    def cut(self) -> float:
        """The score at and above which the finding is called present."""
        return self.distance - NORMAL.inv_cdf(self.sensitivity)

    @property
    def threshold(self) -> float:
        return float(self.probability(np.array([self.cut]))[0])

    def probability(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        true = math.log(PREVALENCE / (1.0 - PREVALENCE)) + self.distance * score - self.distance**2 / 2.0
        probability: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-(true - self.shift) / self.slope))
        return probability


@dataclass(frozen=True)
class World:
    """Draws test sets scored by a candidate and by a champion."""

    dataset_version: DatasetVersion
    candidate: Model
    champion: Model
    patients: int = 150
    shared: float = 0.6  # correlation of the two models' noise
    films: int = 3  # a patient has at most, beyond the first

    def draws(self, count: int, *, seed: int = 20261103) -> Iterator[tuple[ScoredSet, dict[str, Rival]]]:
        for k in range(count):
            yield self.draw(np.random.default_rng([seed, k]))

    def draw(self, rng: np.random.Generator) -> tuple[ScoredSet, dict[str, Rival]]:
        patient = np.repeat(np.arange(self.patients), 1 + rng.binomial(self.films, 0.3, self.patients))
        n = patient.size
        own = rng.random(n) < 1.0 / 3.0
        present = np.where(own, rng.random(n) < PREVALENCE, (rng.random(self.patients) < PREVALENCE)[patient])
        at_b = (rng.random(self.patients) < 0.3)[patient]

        def noise() -> NDArray[np.float64]:
            both = rng.normal(size=self.patients)[patient], rng.normal(size=n)
            return math.sqrt(0.5) * both[0] + math.sqrt(0.5) * both[1]

        theirs = noise()
        mine = self.shared * theirs + math.sqrt(1.0 - self.shared**2) * noise()
        at_site_b = self.candidate if self.candidate.auroc_at_b is None else Model(self.candidate.auroc_at_b)
        reach = np.where(at_b, at_site_b.distance, self.candidate.distance)
        test = ScoredSet(
            self.dataset_version, Split.TEST, "candidate", IDS[:n], tuple(f"p{k}" for k in patient.tolist()),
            present.astype(int), self.candidate.probability(mine + reach * present),
            {"site": tuple("B" if b else "A" for b in at_b.tolist())},
        )  # fmt: skip
        rival = self.champion.probability(theirs + self.champion.distance * present)
        scored = replace(test, model_version="chest_xray_pneumonia@1", probabilities=rival)
        return test, {"champion": Rival(scored, self.champion.threshold)}


def brier_of(model: Model) -> float:
    """Its Brier score in the population, from a grid of scores."""
    score = np.linspace(-9.0, 9.0 + model.distance, 200_001)
    squares = model.probability(score) ** 2, (1.0 - model.probability(score)) ** 2
    density = [np.exp(-((score - middle) ** 2) / 2.0) / math.sqrt(2.0 * math.pi) for middle in (0.0, model.distance)]
    step = score[1] - score[0]
    return float(((1 - PREVALENCE) * density[0] @ squares[0] + PREVALENCE * density[1] @ squares[1]) * step)


AUROC = Bound(kind="bound", metric="auroc", at_least=0.8)
SENSITIVITY = Bound(kind="bound", metric="sensitivity", at_least=0.8)
BRIER = Bound(kind="bound", metric="brier", at_most=brier_of(Model(0.85)))
AUROC_NO_WORSE = NonInferiority(kind="non_inferiority", metric="auroc", against="champion", margin=0.05)
SENSITIVITY_NO_WORSE = NonInferiority(kind="non_inferiority", metric="sensitivity", against="champion", margin=0.05)
AUROC_BETTER = Superiority(kind="superiority", metric="auroc", against="champion")
SENSITIVITY_BETTER = Superiority(kind="superiority", metric="sensitivity", against="champion")
SLOPE = CalibrationBound(kind="calibration", metric="calibration_slope", low=0.6, high=1.6)
IN_THE_LARGE = CalibrationBound(kind="calibration", metric="calibration_in_the_large", low=-0.8, high=0.8)

# Endpoint, a candidate exactly at the bound, one below it, one that is clearly good, and their champion.
CASES: dict[str, tuple[Endpoint, Model, Model, Model, Model]] = {
    "auroc bound": (AUROC, Model(0.80), Model(0.77), Model(0.92), Model(0.9)),
    "sensitivity bound": (SENSITIVITY, Model(0.9, 0.80), Model(0.9, 0.77), Model(0.9, 0.95), Model(0.9)),
    "brier bound": (BRIER, Model(0.85), Model(0.83), Model(0.94), Model(0.9)),
    "auroc non-inferiority": (AUROC_NO_WORSE, Model(0.90), Model(0.88), Model(0.96), Model(0.95)),
    "sensitivity non-inferiority": (
        SENSITIVITY_NO_WORSE, Model(0.9, 0.90), Model(0.9, 0.88), Model(0.9, 0.98), Model(0.9, 0.95),
    ),
    "auroc superiority": (AUROC_BETTER, Model(0.88), Model(0.86), Model(0.95), Model(0.88)),
    "sensitivity superiority": (
        SENSITIVITY_BETTER, Model(0.9, 0.85), Model(0.9, 0.82), Model(0.9, 0.97), Model(0.9, 0.85),
    ),
    "calibration slope, low": (SLOPE, Model(0.9, slope=0.6), Model(0.9, slope=0.55), Model(0.9), Model(0.9)),
    "calibration slope, high": (SLOPE, Model(0.9, slope=1.6), Model(0.9, slope=1.7), Model(0.9), Model(0.9)),
    "calibration in the large": (IN_THE_LARGE, Model(0.9, shift=0.8), Model(0.9, shift=0.9), Model(0.9), Model(0.9)),
}  # fmt: skip


def promotions(endpoint: Endpoint, world: World, draws: int) -> int:
    return sum(
        assess(endpoint, role="primary", test=test, threshold=world.candidate.threshold, rivals=rivals, alpha=ALPHA).met
        for test, rivals in world.draws(draws)
    )


@pytest.mark.parametrize("patients", [40, 150])
@pytest.mark.parametrize("case", CASES)
def test_a_model_exactly_at_the_bound_is_promoted_no_more_often_than_alpha(
    case: str, patients: int, dataset_version: Callable[..., DatasetVersion]
) -> None:
    endpoint, at_bound, _, _, champion = CASES[case]

    found = promotions(endpoint, World(dataset_version(), at_bound, champion, patients), DRAWS)

    assert found <= MOST, f"{found} of {DRAWS}"


@pytest.mark.parametrize("case", CASES)
def test_a_model_below_the_bound_is_promoted_less_often_still_and_a_good_one_nearly_always(
    case: str, dataset_version: Callable[..., DatasetVersion]
) -> None:
    endpoint, _, below, good, champion = CASES[case]

    worse = promotions(endpoint, World(dataset_version(), below, champion), DRAWS)
    better = promotions(endpoint, World(dataset_version(), good, champion, patients=300), POWER_DRAWS)

    assert worse <= ALPHA * DRAWS, f"{worse} of {DRAWS}"
    assert better >= LEAST, f"{better} of {POWER_DRAWS}"


def test_the_simulation_notices_when_films_are_taken_for_patients(
    dataset_version: Callable[..., DatasetVersion],
) -> None:
    world = World(dataset_version(), Model(0.80), Model(0.9), films=10)

    def promoted(test: ScoredSet) -> bool:
        return assess(AUROC, role="primary", test=test, threshold=0.5, rivals={}, alpha=ALPHA).met

    by_patient = sum(promoted(test) for test, _ in world.draws(DRAWS))
    by_film = sum(promoted(replace(test, patient_keys=test.sample_ids)) for test, _ in world.draws(DRAWS))

    assert by_patient <= MOST < by_film, f"{by_patient} and {by_film} of {DRAWS}"


# One site exactly at its floor of 0.70, the other far above; sensitivity there from the threshold of the whole.
def floor_plan(plan_text: Callable[..., bytes], metric: str) -> ValidationPlan:
    floor = {"group": "site", "metric": metric, "at_least": 0.7, "min_n": 10}
    return read_plan(plan_text(subgroups=[floor]), task="chest_xray_pneumonia")[0]


def at_site_b(sensitivity: float, model: Model) -> float:
    """The AUROC at site B that gives this sensitivity there at the threshold of the model."""
    return NORMAL.cdf((model.cut + NORMAL.inv_cdf(sensitivity)) / math.sqrt(2.0))


@pytest.mark.parametrize(
    ("metric", "at_b", "most"),
    [
        ("auroc", 0.70, MOST),
        ("auroc", 0.66, ALPHA * DRAWS),
        ("sensitivity", at_site_b(0.70, Model(0.93)), MOST),
        ("sensitivity", at_site_b(0.66, Model(0.93)), ALPHA * DRAWS),
    ],
)
def test_a_stratum_at_its_floor_or_below_passes_no_more_often_than_alpha(
    metric: str, at_b: float, most: float, plan_text: Callable[..., bytes],
    dataset_version: Callable[..., DatasetVersion],
) -> None:  # fmt: skip
    plan, model = floor_plan(plan_text, metric), Model(0.93, auroc_at_b=at_b)
    world = World(dataset_version(), model, Model(0.9), patients=200)

    passed = sum(
        all(floor.met for floor in floors(plan, test, threshold=model.threshold, alpha=ALPHA))
        for test, _ in world.draws(DRAWS)
    )

    assert passed <= most, f"{passed} of {DRAWS}"


@pytest.mark.parametrize("metric", ["auroc", "sensitivity"])
def test_strata_that_are_good_pass_nearly_always(
    metric: str, plan_text: Callable[..., bytes], dataset_version: Callable[..., DatasetVersion]
) -> None:
    plan, model = floor_plan(plan_text, metric), Model(0.93)
    world = World(dataset_version(), model, Model(0.9), patients=200)

    passed = sum(
        all(floor.met for floor in floors(plan, test, threshold=model.threshold, alpha=ALPHA))
        for test, _ in world.draws(POWER_DRAWS)
    )

    assert passed >= LEAST, f"{passed} of {POWER_DRAWS}"


Gate = Callable[[World, int], int]


@pytest.fixture(scope="module")
def gate(
    plan_text: Callable[..., bytes], pccp_text: Callable[..., bytes], report: ValidationReport,
    manifest: Callable[..., ModelManifest], opening: Callable[..., TestSetOpening],
) -> Gate:  # fmt: skip
    """How many of so many test sets of a world the whole gate promotes on: endpoints, floors, reuse, plan and all."""
    floor = {"group": "site", "metric": "auroc", "at_least": 0.7, "min_n": 30}
    plan, plan_sha256 = read_plan(plan_text(subgroups=[floor]), task="chest_xray_pneumonia")
    pccp, pccp_sha256 = read_pccp(pccp_text(), task="chest_xray_pneumonia")
    at = datetime(2026, 11, 1, tzinfo=UTC)
    champion = manifest(version=1)
    facts = CandidateFacts.of(report, preprocessing=Preprocessing(size_px=96), engine="onnxruntime", explains=True)
    ledger = (opening(plan_sha256=plan_sha256),)
    counts = {"train": {"samples": 1000, "patients": 600}}
    origin = report.provenance.model_copy(
        update={"dataset_version": report.provenance.dataset_version.model_copy(update={"counts": counts})}
    )
    reuse = reuse_cost(ledger, origin.model_sha256, plan)
    planned = PlannedValidation(plan=plan, sha256=plan_sha256, registered_by="Q", registered_at=at, deviations=())
    assert report.comparison is not None
    against = report.comparison.model_copy(update={"baseline_version": champion.model_version, "baseline_roc": ()})
    # Curves and strata that the gate does not read are left out: a thousand reports are written and read.
    light = report.test.model_copy(update={"roc": (), "subgroups": (), "reliability": ()})
    frame = report.model_copy(
        update={
            "planned": planned, "ledger": ledger, "reuse": reuse, "provenance": origin, "external": (), "failures": (),
            "champion": against, "comparison": against, "test": light,
        }
    )  # fmt: skip
    documents = Documents(plan, plan_sha256, pccp, pccp_sha256)

    def judged(world: World, test: ScoredSet, rivals: dict[str, Any]) -> bool:
        threshold = world.candidate.threshold
        found = frame.model_copy(
            update={
                "endpoints": tuple(
                    assess(
                        endpoint, role="primary", test=test, threshold=threshold, rivals=rivals,
                        alpha=reuse.adjusted_alpha,
                    )
                    for endpoint in plan.primary
                ),
                "floors": floors(plan, test, threshold=threshold, alpha=reuse.adjusted_alpha),
            }
        )  # fmt: skip
        decision = decide(
            Candidate("chest_xray_pneumonia@2", found, sha256_of(report_bytes(found)), facts), documents=documents,
            champion=champion, signatures=Signatures((), required=False), decided=Decided("A", at, "a simulation"),
        )  # fmt: skip
        return decision.verdict == "promote"

    return lambda world, draws: sum(judged(world, test, rivals) for test, rivals in world.draws(draws))


@pytest.mark.parametrize(
    ("candidate", "champion", "most"),
    [
        pytest.param(Model(0.80), Model(0.80), MOST, id="at the bound on AUROC"),
        pytest.param(Model(0.97, 0.80), Model(0.95, 0.80), MOST, id="at the bound on sensitivity"),
        pytest.param(Model(0.90, 0.97), Model(0.95), MOST, id="at the margin in AUROC"),
        pytest.param(Model(0.97, 0.90), Model(0.95), MOST, id="at the margin in sensitivity"),
        pytest.param(Model(0.96, 0.999, auroc_at_b=0.70), Model(0.82), MOST, id="one site at its floor"),
        pytest.param(Model(0.89, 0.89), Model(0.95), ALPHA * DRAWS, id="below both margins"),
    ],
)
def test_the_whole_gate_promotes_a_model_that_misses_one_thing_no_more_often_than_alpha(
    candidate: Model, champion: Model, most: float, gate: Gate, dataset_version: Callable[..., DatasetVersion]
) -> None:
    promoted = gate(World(dataset_version(), candidate, champion, patients=250), DRAWS)

    assert promoted <= most, f"{promoted} of {DRAWS}"


def test_the_whole_gate_promotes_a_clearly_good_model(
    gate: Gate, dataset_version: Callable[..., DatasetVersion]
) -> None:
    good = World(dataset_version(), Model(0.96, 0.975), Model(0.95, 0.95), patients=400, shared=0.8)

    assert gate(good, POWER_DRAWS) >= LEAST
