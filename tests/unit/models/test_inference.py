"""What serves: only the model its manifest names, only while it answers as recorded."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from domain.drift import IMAGE_FEATURES
from domain.errors import DigestMismatch, IntegrityViolation, Refused, UnsupportedImageKind
from domain.model_version import Engine, ReferenceAnswer
from domain.preprocessing import Preprocessing
from models.inference import Classifier, Scorer

ModelFolder = Callable[..., Path]
Film = Callable[[int], np.ndarray]
SPEC = Preprocessing(size_px=32)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_score_carries_probability_map_embedding_and_features(
    engine: Engine, tiny_model_bytes: bytes, film: Film
) -> None:
    scorer = Scorer(tiny_model_bytes, preprocessing=SPEC, engine=engine)
    score = scorer.score([film(7)])[0]

    mean = float(scorer.prepare(film(7)).mean())
    assert score.probability == pytest.approx(1 / (1 + np.exp(-3 * mean)), abs=1e-5)
    assert score.embedding == pytest.approx((mean,), abs=1e-5)
    assert score.activation_map is not None
    assert np.shape(score.activation_map) == (4, 4)
    assert np.mean(score.activation_map) == pytest.approx(mean, abs=1e-5)
    assert tuple(score.image_features) == IMAGE_FEATURES


def test_scores_do_not_depend_on_the_company_in_a_batch(tiny_model_bytes: bytes, film: Film) -> None:
    scorer = Scorer(tiny_model_bytes, preprocessing=SPEC, engine="onnxruntime")
    films = [film(seed) for seed in range(40)]

    together = [score.probability for score in scorer.score(films)]
    alone = [scorer.score([one])[0].probability for one in films]

    assert together == pytest.approx(alone, abs=1e-6)
    assert scorer.probabilities(np.stack([scorer.prepare(one) for one in films])) == pytest.approx(together)


def test_no_radiographs_give_no_scores(tiny_model_bytes: bytes) -> None:
    assert Scorer(tiny_model_bytes, preprocessing=SPEC, engine="onnxruntime").score([]) == []


def test_a_bad_image_is_refused_before_it_joins_a_batch(tiny_model_bytes: bytes) -> None:
    with pytest.raises(UnsupportedImageKind):
        Scorer(tiny_model_bytes, preprocessing=SPEC, engine="onnxruntime").prepare(np.zeros((9, 9), dtype=np.uint8))


def test_a_packaged_version_loads_and_passes_its_self_test(model_folder: ModelFolder) -> None:
    classifier = Classifier.load(model_folder())
    classifier.self_test()

    assert classifier.manifest.model_version == "tiny@1"


@pytest.mark.parametrize(
    ("engine", "precision"), [("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16"), ("openvino", "int8")]
)
def test_the_manifest_chooses_engine_and_precision(engine: str, precision: str, model_folder: ModelFolder) -> None:
    Classifier.load(model_folder(engine=engine, precision=precision)).self_test()


@pytest.mark.parametrize(("engine", "precision"), [("torch", "fp32"), ("rule", "fp32"), ("onnxruntime", "bf16")])
def test_a_manifest_that_no_engine_can_serve_is_refused(engine: str, precision: str, model_folder: ModelFolder) -> None:
    with pytest.raises(Refused, match=f"{engine} does not run an exported model at {precision}"):
        Classifier.load(model_folder(engine=engine, precision=precision))


def test_a_model_whose_bytes_were_altered_is_not_loaded(model_folder: ModelFolder) -> None:
    folder = model_folder()
    model = bytearray((folder / "model.onnx").read_bytes())
    model[-1] ^= 1
    (folder / "model.onnx").write_bytes(bytes(model))

    with pytest.raises(DigestMismatch):
        Classifier.load(folder)


def test_a_version_that_answers_differently_from_its_record_fails_its_self_test(model_folder: ModelFolder) -> None:
    wrong = ReferenceAnswer(file="reference-0.npy", probability=0.9, tolerance=0.01)

    with pytest.raises(IntegrityViolation):
        Classifier.load(model_folder(reference_answers=(wrong,))).self_test()


def test_a_version_without_reference_answers_fails_its_self_test(model_folder: ModelFolder) -> None:
    with pytest.raises(IntegrityViolation):
        Classifier.load(model_folder(reference_answers=())).self_test()


def test_scoring_imports_neither_torch_nor_nncf_nor_mlflow(model_folder: ModelFolder) -> None:
    program = (
        "import sys; from pathlib import Path; from models.inference import Classifier\n"
        f"Classifier.load(Path({str(model_folder())!r})).self_test()\n"
        "heavy = {'torch', 'monai', 'mlflow', 'nncf', 'sklearn', 'pandas', 'imaging'}\n"
        "sys.stdout.write(' '.join(heavy & set(sys.modules)))"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert finished.stdout == ""
