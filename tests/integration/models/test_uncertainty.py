"""A trained network's distance tells unlike films apart; what was fitted is reported, packaged and checked."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import models
from domain.dataset import Split
from domain.errors import DigestMismatch
from domain.prediction import ImageScore
from evidence.record import ValidationReport
from evidence.uncertainty import ANSWERED
from models import checkpoints, loaders, preprocess, uncertainty_fit
from models.checkpoints import TrainedModel
from models.inference import Scorer
from models.loaders import Cohort
from models.packaging import PackagedBento, build_bento
from models.uncertainty import UNCERTAINTY_FILE, Judge
from models.uncertainty_fit import Uncertainty

pytestmark = [pytest.mark.slow, pytest.mark.servers]
Films = NDArray[np.uint8]
QUANTILE = 0.95  # the cohort of these tests is too small for the task's own


def scorer_of(trained: Any) -> Scorer:
    model = (trained.checkpoints / "network-seed1" / checkpoints.MODEL_FILE).read_bytes()
    return Scorer(model, preprocessing=trained.models[0].preprocessing, engine="onnxruntime")


def cohort(trained: Any, split: Split) -> Cohort:
    return loaders.load(trained.prepared, split, preprocessing=trained.models[0].preprocessing)


@pytest.fixture(scope="module")
def fitted(trained: Any) -> Uncertainty:
    task = trained.task.model_copy(update={"abstention_quantile": QUANTILE})
    train, tune = cohort(trained, Split.TRAIN), cohort(trained, Split.TUNE)
    return uncertainty_fit.fit(scorer_of(trained), train, tune, task=task, learnt_features=True)


@pytest.fixture(scope="module")
def abstaining(trained: Any, fitted: Uncertainty, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The training, as if its task had asked for ``QUANTILE``."""
    root = tmp_path_factory.mktemp("abstaining")
    shutil.copytree(trained.checkpoints, root / "checkpoints")
    folder = root / "checkpoints" / "network-seed1"
    network = trained.models[0].model_copy(update=fitted.recorded())
    network.save(folder)
    fitted.write(folder)
    return replace(trained, root=root, models=(network, *trained.models[1:]))


@pytest.fixture(scope="module")
def reports(abstaining: Any, validate_under_plan: Any) -> tuple[ValidationReport, ...]:
    found: tuple[ValidationReport, ...] = validate_under_plan(abstaining, abstaining.root)
    return found


def judged(trained: Any, fitted: Uncertainty, grey: Films, folder: Path) -> list[ImageScore]:
    fitted.write(folder)
    judge = Judge.of(fitted.conformal, fitted.out_of_distribution, folder)
    assert judge is not None
    scorer = scorer_of(trained)
    inputs = preprocess.normalise(grey[:, np.newaxis], scorer.preprocessing)
    return [judge.judge(score) for score in scorer.score_prepared(inputs)]


def unlike(kind: str, films: Films) -> Films:
    draw = np.random.default_rng(0)
    return {
        "noise": draw.integers(0, 256, films.shape, dtype=np.uint8),
        "inverted": 255 - films,
        "upside down": films[:, ::-1],
        "another body part": np.broadcast_to(hand(films.shape[1]), films.shape).copy(),
    }[kind]


def hand(side: int) -> Films:
    """Five bright bars on black."""
    film = np.full((side, side), 10, dtype=np.uint8)
    for column in range(side // 8, side, side // 5):
        film[side // 6 :, column : column + side // 12] = 220
    return film


@pytest.mark.parametrize("kind", ["noise", "inverted", "upside down", "another body part"])
def test_what_is_no_upright_chest_film_lies_farther_away(
    kind: str, trained: Any, fitted: Uncertainty, tmp_path: Path
) -> None:
    films = cohort(trained, Split.TEST).grey
    usual = [score.distance for score in judged(trained, fitted, films, tmp_path)]
    far = [score.distance for score in judged(trained, fitted, unlike(kind, films), tmp_path)]
    assert np.median(far) > 1.3 * np.median(usual)


@pytest.mark.parametrize("kind", ["noise", "inverted"])
def test_noise_and_inverted_films_are_abstained_on(
    kind: str, trained: Any, fitted: Uncertainty, tmp_path: Path
) -> None:
    films = cohort(trained, Split.TEST).grey
    scores = judged(trained, fitted, unlike(kind, films), tmp_path)
    assert np.mean([score.abstained is not None for score in scores]) > 0.9


def test_test_films_are_seldom_abstained_on_and_mostly_covered(
    trained: Any, fitted: Uncertainty, tmp_path: Path
) -> None:
    test = cohort(trained, Split.TEST)
    scores = judged(trained, fitted, test.grey, tmp_path)
    assert np.mean([score.abstained is not None for score in scores]) < 0.2
    truth = ["present" if label else "absent" for label in test.labels]
    covered = [finding in (score.prediction_set or ()) for finding, score in zip(truth, scores, strict=True)]
    assert np.mean(covered) > 0.75


def test_the_same_checkpoint_fitted_twice_gives_the_same_bytes(trained: Any, fitted: Uncertainty) -> None:
    task = trained.task.model_copy(update={"abstention_quantile": QUANTILE})
    train, tune = cohort(trained, Split.TRAIN), cohort(trained, Split.TUNE)
    again = uncertainty_fit.fit(scorer_of(trained), train, tune, task=task, learnt_features=True)
    assert again == fitted


def test_training_records_what_it_fitted_and_why_not(trained: Any) -> None:
    network, baseline = trained.models
    tune = cohort(trained, Split.TUNE)
    for model in (network, baseline):
        assert model.conformal is not None
        assert (model.conformal.n_present, model.conformal.n_absent) == (tune.labels.sum(), (1 - tune.labels).sum())
        assert model.out_of_distribution is None
    (few,) = network.uncertainty_not_fitted
    assert few.startswith(f"Never abstains: {len(tune.labels)} films on tuning data, 199 needed")
    assert baseline.uncertainty_not_fitted == ("Never abstains: the model learns no features of its own.",)
    assert not list(trained.checkpoints.rglob(UNCERTAINTY_FILE))


def test_the_report_tells_coverage_and_abstention_beside_unchanged_primary_figures(
    reports: tuple[ValidationReport, ...], abstaining: Any, fitted: Uncertainty
) -> None:
    network, baseline = reports
    assert network.uncertainty is not None
    assert network.uncertainty.out_of_distribution == fitted.out_of_distribution
    (test,) = network.uncertainty.sets
    found = {value.name: value for value in test.metrics}
    assert found["conformal_coverage_present"].n == network.test.positives
    assert found["abstention_share"].value == test.abstained / network.test.n
    assert (found["auroc"].subgroup, found["auroc"].n) == (ANSWERED, network.test.n - test.abstained)
    assert next(value.n for value in network.test.metrics if value.name == "auroc") == network.test.n
    page = (abstaining.root / "reports" / "network-seed1" / "report.html").read_text()
    assert "Films abstained on" in page
    assert baseline.uncertainty is not None
    assert baseline.uncertainty.not_fitted


def package(trained: Any) -> PackagedBento:
    return build_bento(
        trained.task, variant="network-seed1", version=1, approver="demo", checkpoints=trained.checkpoints,
        reports=trained.root / "reports", code_root=Path(models.__file__).parents[1],
        bento_home=trained.root / "bentoml",
    )  # fmt: skip


@pytest.mark.usefixtures("reports")
def test_the_bento_carries_the_parameters_that_its_manifest_names(abstaining: Any, fitted: Uncertainty) -> None:
    bento = package(abstaining)
    folder = bento.path / "src" / "model"
    assert (folder / UNCERTAINTY_FILE).read_bytes() == fitted.parameters
    assert (bento.manifest.conformal, bento.manifest.out_of_distribution) == (
        fitted.conformal, fitted.out_of_distribution,
    )  # fmt: skip
    assert Judge.of(bento.manifest.conformal, bento.manifest.out_of_distribution, folder) is not None
    assert (bento.path / "src" / "models" / "uncertainty.py").is_file()
    assert not (bento.path / "src" / "models" / "uncertainty_fit.py").exists()


@pytest.mark.usefixtures("reports")
def test_parameters_altered_after_training_are_neither_packaged_nor_scored_with(
    abstaining: Any, tmp_path: Path, validate_under_plan: Any
) -> None:
    altered = replace(abstaining, root=tmp_path)
    shutil.copytree(abstaining.checkpoints, altered.checkpoints)
    shutil.copytree(abstaining.root / "reports", tmp_path / "reports")
    path = altered.checkpoints / "network-seed1" / UNCERTAINTY_FILE
    path.write_bytes(path.read_bytes()[:-1] + b"#")
    assert TrainedModel.load(path.parent).out_of_distribution is not None
    with pytest.raises(DigestMismatch, match=UNCERTAINTY_FILE):
        package(altered)
    with pytest.raises(DigestMismatch, match=UNCERTAINTY_FILE):
        validate_under_plan(altered, tmp_path / "validation")
