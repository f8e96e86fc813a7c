"""The main job must never use a phantom in silence, nor a real source it does not have."""

from pathlib import Path

import pytest

from data.sources import get_source
from domain.errors import DistributionMissing, NotFound, Refused, UnknownSource, UnknownTask
from pipelines import stages
from pipelines.choice import choose, where

TASK = "chest_xray_pneumonia"


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    for name in ("kermany_chest_xray", "nih_chest_xray"):
        folder = tmp_path / "mirror" / name
        folder.mkdir(parents=True)
        for file in get_source(name).card.distributions[0].files:
            (folder / file.name).touch()
    return tmp_path / "mirror"


def test_real_films_are_chosen_where_the_mirror_has_them(mirror: Path, tmp_path: Path) -> None:
    choice = choose(TASK, requested="", preset="demo", mirror=mirror, raw=tmp_path)
    assert (choice.source, choice.external) == ("kermany_chest_xray", ("nih_chest_xray",))
    assert "real films" in choice.note


def test_without_a_mirror_the_phantom_is_chosen_and_named_synthetic(tmp_path: Path) -> None:
    choice = choose(TASK, requested="", preset="demo", mirror=None, raw=tmp_path)
    assert (choice.source, choice.external) == ("phantom_chest", ("phantom_chest_elsewhere",))
    assert "synthetic" in choice.note


def test_without_the_other_hospitals_films_the_phantom_is_chosen(mirror: Path, tmp_path: Path) -> None:
    (mirror / "nih_chest_xray" / "index.csv").unlink()
    assert choose(TASK, requested="", preset="demo", mirror=mirror, raw=tmp_path).source == "phantom_chest"


def test_a_real_source_that_is_not_here_is_not_replaced_in_silence(tmp_path: Path) -> None:
    with pytest.raises(DistributionMissing) as missing:
        choose(TASK, requested="kermany_chest_xray", preset="demo", mirror=None, raw=tmp_path)
    said = str(missing.value)
    # One's original needs the publisher's digest; the other is a selection that nobody publishes.
    assert "`fiducial data fetch kermany_chest_xray --sha256 ChestXRay2017.zip=DIGEST`" in said
    assert "images_320.tar and index.csv into nih_chest_xray/ of the folder that FIDUCIAL_DATA_MIRROR names" in said
    assert "data fetch nih_chest_xray" not in said
    assert said.endswith("Or use the phantom: --source phantom_chest.")


@pytest.mark.parametrize("external", ["nih_chest_xray", "phantom_chest_elsewhere"])
def test_an_external_set_is_never_trained_on(
    mirror: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], external: str
) -> None:
    with pytest.raises(Refused, match=f"{external} is an external set and never trained on"):
        choose(TASK, requested=external, preset="demo", mirror=mirror, raw=tmp_path)
    by_hand = ["train", TASK, "--source", external, "--preset", "demo", "--seeds", "1", "2"]
    assert stages.main(by_hand) == Refused.exit_code
    assert "never trained on" in capsys.readouterr().err


def test_an_unknown_preset_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no preset 'nope'\. Known: .*demo.*reference"):
        choose(TASK, requested="", preset="nope", mirror=None, raw=tmp_path)


def test_the_phantom_can_be_asked_for_although_real_films_are_here(mirror: Path, tmp_path: Path) -> None:
    choice = choose(TASK, requested="phantom_chest", preset="demo", mirror=mirror, raw=tmp_path)
    assert choice.external == ("phantom_chest_elsewhere",)


def test_an_unknown_task_or_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownTask, match="absent"):
        choose("absent", requested="", preset="demo", mirror=None, raw=tmp_path)
    with pytest.raises(UnknownSource, match="absent"):
        choose(TASK, requested="absent", preset="demo", mirror=None, raw=tmp_path)


def test_where_a_sources_files_are_is_told_apart(mirror: Path, tmp_path: Path) -> None:
    kermany, phantom = get_source("kermany_chest_xray"), get_source("phantom_chest")
    assert where(kermany, mirror=mirror, raw=tmp_path) == "mirror"
    assert where(kermany, mirror=None, raw=tmp_path) == ""
    assert where(phantom, mirror=None, raw=tmp_path) == "generator"
