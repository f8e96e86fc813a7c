"""The main job must never use a phantom in silence, nor a real source it does not have."""

from pathlib import Path

import pytest

from data.sources import get_source
from domain.errors import DistributionMissing, UnknownSource, UnknownTask
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
    with pytest.raises(DistributionMissing, match=r"FIDUCIAL_DATA_MIRROR.*data fetch.*phantom_chest"):
        choose(TASK, requested="kermany_chest_xray", preset="demo", mirror=None, raw=tmp_path)


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
