"""The choice: by figures alone, least given up first, and never an engine that fails the gate."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from domain.dataset import Split
from domain.errors import ParityNotMet
from domain.identifiers import sha256_of
from domain.model_version import EngineCandidate
from domain.preprocessing import Preprocessing
from models import engine_choice, engines, preprocess
from models.engine_choice import Exported
from models.loaders import Cohort

TORCH, ORT, OV, BF16, INT8 = (
    ("torch", "fp32"), ("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16"), ("openvino", "int8"),
)  # fmt: skip


def candidate(named: tuple[str, str], single: float, batched: float, *, passes: bool = True) -> EngineCandidate:
    return EngineCandidate.model_validate(
        {
            "engine": named[0], "precision": named[1], "model_sha256": sha256_of(named[1].encode()),
            "ms_single": single, "ms_batched": batched, "max_difference": 0.0 if passes else 0.3, "tolerance": 0.05,
            "auroc_difference": None, "margin": 0.01, "passes": passes,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("measured", "chosen"),
    [
        # DenseNet121 as it was measured: bf16 is emulated, int8 is not
        ({TORCH: (44.7, 35.9), ORT: (24.5, 22.5), OV: (23.4, 22.8), BF16: (36.7, 35.2), INT8: (10.0, 8.1)}, INT8),
        ({ORT: (10, 10), OV: (9, 8)}, ORT),  # 1.25 times: not worth another engine
        ({ORT: (10, 10), OV: (9, 7.6)}, OV),
        ({ORT: (10, 10), OV: (9, 7.6), INT8: (9, 6.5)}, OV),  # int8 gives up more than it gains over fp32
        ({ORT: (10, 10), OV: (9, 9), BF16: (9, 7), INT8: (9, 5)}, INT8),
        ({ORT: (10, 10), INT8: (10.1, 2)}, ORT),  # slower alone
        ({ORT: (10, 10), INT8: (10, 2)}, INT8),
        ({TORCH: (1, 1), ORT: (10, 10)}, ORT),  # torch is the reference and does not serve
    ],
)
def test_a_faster_engine_must_be_so_by_far_in_a_batch_and_not_slower_alone(
    measured: dict[tuple[str, str], tuple[float, float]], chosen: tuple[str, str]
) -> None:
    found, why = engine_choice.pick([candidate(named, *times) for named, times in measured.items()])

    assert (found.engine, found.precision) == chosen
    assert " ".join(chosen) in why


def test_an_engine_that_fails_the_gate_is_not_chosen_however_fast() -> None:
    listed = [candidate(ORT, 10, 10), candidate(OV, 9, 5, passes=False), candidate(INT8, 1, 1, passes=False)]

    assert engine_choice.pick(listed)[0] is listed[0]


def test_another_engine_at_fp32_serves_where_onnx_runtime_fails() -> None:
    listed = [candidate(ORT, 10, 10, passes=False), candidate(OV, 20, 20), candidate(INT8, 19, 19)]

    assert engine_choice.pick(listed)[0] is listed[1]


def test_without_an_engine_that_agrees_at_fp32_nothing_is_chosen() -> None:
    with pytest.raises(ParityNotMet, match=r"onnxruntime fp32 is up to 0\.3 apart"):
        engine_choice.pick([candidate(TORCH, 1, 1), candidate(ORT, 1, 1, passes=False), candidate(INT8, 1, 1)])


def test_the_engine_to_repeat_is_read_from_its_setting() -> None:
    assert engine_choice.recorded("network-seed1=openvino/int8") == {"network-seed1": INT8}
    assert engine_choice.recorded(None) == {}


@pytest.fixture
def choose(striped_cohort: Cohort) -> Callable[..., engine_choice.Chosen]:
    """Choose for the looking model, whose trained probabilities are those of ``trained``."""
    inputs = preprocess.normalise(striped_cohort.grey[:, np.newaxis], Preprocessing(size_px=32))

    def make(*, trained: bytes, **files: Any) -> engine_choice.Chosen:
        as_recorded = files.pop("as_recorded", None)
        own = engines.load(trained, engine="onnxruntime")
        exported = Exported(files=files, weights_sha256=sha256_of(b"w"), against="torch", runner=lambda *, threads: own)
        return engine_choice.choose(
            exported, engines.probabilities(own, inputs), tune=striped_cohort, inputs=inputs,
            model_version="tiny/network", as_recorded=as_recorded,
        )  # fmt: skip

    return make


def test_every_candidate_is_compared_on_the_whole_tuning_set_and_timed(
    choose: Callable[..., engine_choice.Chosen], looking_model: Callable[..., bytes], striped_cohort: Cohort
) -> None:
    model = looking_model()

    found = choose(trained=model, fp32=model, int8=model)

    listed = {(one.engine, one.precision): one for one in found.choice.candidates}
    assert set(listed) == {TORCH, ORT, OV, BF16, INT8}
    assert listed[ORT].passes
    assert listed[ORT].model_sha256 == sha256_of(model)
    assert listed[TORCH].model_sha256 == sha256_of(b"w")
    assert all(one.ms_single > 0 and one.ms_batched > 0 for one in listed.values())
    difference = listed[BF16].auroc_difference
    assert difference is not None
    assert (difference.n, difference.split) == (len(striped_cohort.samples), Split.TUNE)
    assert {parity.engine for parity in found.parity} == {"onnxruntime", "openvino"}
    assert len(found.probabilities) == len(striped_cohort.samples)


def test_a_quantised_file_that_answers_differently_is_recorded_and_not_chosen(
    choose: Callable[..., engine_choice.Chosen], looking_model: Callable[..., bytes]
) -> None:
    model = looking_model()

    found = choose(trained=model, fp32=model, int8=looking_model(slope=-12.0))

    (int8,) = [one for one in found.choice.candidates if one.precision == "int8"]
    assert not int8.passes
    assert int8.max_difference > 0.5
    assert found.choice.precision != "int8"
    assert found.files.keys() == {"fp32", "int8"}


def test_an_export_of_another_network_is_refused(
    choose: Callable[..., engine_choice.Chosen], looking_model: Callable[..., bytes]
) -> None:
    with pytest.raises(ParityNotMet, match="No engine answers the tuning data as the trained model does"):
        choose(trained=looking_model(), fp32=looking_model(slope=8.0))


def test_a_reproduction_repeats_the_recorded_engine_whatever_is_fastest_today(
    choose: Callable[..., engine_choice.Chosen], looking_model: Callable[..., bytes]
) -> None:
    model = looking_model()

    for engine, precision in (ORT, OV):
        choice = choose(trained=model, fp32=model, as_recorded=(engine, precision)).choice
        assert (choice.engine, choice.precision) == (engine, precision)
    with pytest.raises(ParityNotMet):
        choose(trained=model, fp32=model, int8=looking_model(slope=-12.0), as_recorded=INT8)
