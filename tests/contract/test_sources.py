"""Every file in data/sources: its card says all a reader must know, and its films can be read."""

import importlib
import io
import os
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from data.archives import TarWriter
from data.curation import curate
from data.obtain import GENERATED, file_digest, obtain
from data.prepare import prepare
from data.quality import inspect_all
from data.source import Film, Record
from data.sources import get_source, list_sources
from data.sources.kermany_chest_xray import record_of
from data.versions import verify
from domain.dataset import Split
from domain.errors import DistributionMissing, QualityCheckFailed, UnknownSource
from domain.identifiers import sha256_of

REAL = [name for name in list_sources() if not get_source(name).card.synthetic]
SYNTHETIC = [name for name in list_sources() if get_source(name).card.synthetic]
MIRROR = Path(os.environ["FIDUCIAL_DATA_MIRROR"]) if os.environ.get("FIDUCIAL_DATA_MIRROR") else None
Facts = Callable[[list[Film]], tuple[str, ...]]


def test_an_unknown_source_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownSource, match="phantom_chest"):
        get_source("no_such_source")


@pytest.mark.parametrize("name", list_sources())
def test_the_card_is_complete(name: str) -> None:
    card = get_source(name).card
    assert card.name == name
    for text in (card.title, card.licence, card.citation, card.reference_standard, card.population):
        assert len(text) > 8
    assert card.known_flaws
    assert card.distributions


@pytest.mark.parametrize("name", list_sources())
def test_each_file_has_a_digest_or_a_public_address_and_a_reason(name: str) -> None:
    for distribution in get_source(name).card.distributions:
        assert distribution.note
        for file in distribution.files:
            assert re.fullmatch("[0-9a-f]{64}", file.sha256 or "0" * 64)
            assert file.sha256 != "0" * 64
            assert file.sha256 or (file.url and "no digest" in distribution.note)


@pytest.mark.parametrize("name", list_sources())
def test_an_external_source_gives_test_data_only(name: str) -> None:
    source = get_source(name)
    assert (source.shares.test == 1.0) == (source.card.use == "external")


@pytest.mark.parametrize("name", REAL)
def test_a_real_source_names_its_publisher_and_cannot_be_generated(name: str, tmp_path: Path) -> None:
    source = get_source(name)
    assert source.card.homepage is not None
    with pytest.raises(TypeError):
        source.generate(tmp_path)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_a_synthetic_source_says_so_everywhere(name: str) -> None:
    card = get_source(name).card
    assert "SYNTHETIC" in card.title
    assert "SYNTHETIC" in " ".join(card.known_flaws)
    assert "SYNTHETIC" in str(importlib.import_module(f"data.sources.{name}").__doc__)
    assert [one.name for one in card.distributions] == [GENERATED]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Film]]:
    """All films of a source; obtaining them raises DigestMismatch when a byte differs from the recorded ones."""
    folder = tmp_path_factory.mktemp("raw")

    def read(name: str) -> list[Film]:
        source, raw = get_source(name), folder / name
        return list(source.films(raw, distribution=obtain(source, mirror=MIRROR, raw=raw)))

    return read


@pytest.mark.slow
@pytest.mark.parametrize("name", SYNTHETIC)
def test_the_generator_gives_the_recorded_bytes_and_readable_films(
    name: str, films: Callable[[str], list[Film]]
) -> None:
    drawn = films(name)
    assert {film.record.label for film in drawn} == {0, 1}
    assert all(film.record.patient_key and film.record.site and film.record.view_position for film in drawn)
    assert all(bool(film.record.opacities) == bool(film.record.label) for film in drawn)


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_real_films_are_prepared_from_the_mirror_or_their_absence_is_explained(name: str, tmp_path: Path) -> None:
    source = get_source(name)
    if MIRROR is None or not (MIRROR / name).is_dir():
        with pytest.raises(DistributionMissing, match="FIDUCIAL_DATA_MIRROR"):
            obtain(source, mirror=MIRROR, raw=tmp_path / "raw")
        return
    distribution = obtain(source, mirror=MIRROR, raw=tmp_path / "raw")
    films = list(source.films(tmp_path / "raw", distribution=distribution))
    version = prepare(source, raw=tmp_path / "raw", out=tmp_path / "prepared")
    assert verify(tmp_path / "prepared") == version
    kept = sum(count["samples"] for count in version.counts.values())
    assert kept + sum(version.excluded.values()) == len(films)
    published = Counter(film.record.published_split for film in films)
    if published[Split.TEST]:
        assert 0 < version.counts["test"]["samples"] <= published[Split.TEST]
        assert version.counts["tune"]["samples"] / kept == pytest.approx(source.shares.tune, abs=0.04)


def _groups_of_copies(films: list[Film]) -> list[list[Record]]:
    """Films that share their bytes; the first of a group is the original, the rest are copies."""
    by_bytes: dict[str, list[Record]] = {}
    for film in films:
        by_bytes.setdefault(sha256_of(film.read()), []).append(film.record)
    return [group for group in by_bytes.values() if len(group) > 1]


def _facts_of_kermany(films: list[Film]) -> tuple[str, ...]:
    groups = _groups_of_copies(films)
    assert all(len({(record.published_split, record.label) for record in group}) == 1 for group in groups)
    copies = [record for group in groups for record in group[1:]]
    in_test = sum(record.published_split is Split.TEST for record in copies)
    assert sum(len({record.patient_key for record in group}) > 1 for group in groups) == 1
    return (
        f"{len(films):,} films",
        f"{len(groups)} groups of byte-identical films ({len(copies)} copies), {in_test} of the copies in the test "
        "set, one group under two patient keys, none across splits or labels.",
    )


def _facts_of_the_nih(films: list[Film]) -> tuple[str, ...]:
    young = sum((film.record.age_years or 0) < 18 for film in films)
    patients = len({film.record.patient_key for film in films})
    return (
        f"{len(films)} films of {patients} patients, {young} of them films of patients under 18.",
        f"{young} films are of patients under 18",
    )


def _facts_of_the_phantom(films: list[Film]) -> tuple[str, ...]:
    groups = _groups_of_copies(films)
    assert {len(group) for group in groups} == {2}
    under_two = sum(one.patient_key != other.patient_key for one, other in groups)
    re_exports = sum(film.record.sample_id.endswith("-reexport") for film in films)
    return (
        f"{len(groups)} films are stored twice byte for byte, {under_two} of them under a second patient key, and "
        f"{re_exports} films are there a second time as a re-export",
    )


STATED: dict[str, Facts] = {
    "kermany_chest_xray": _facts_of_kermany,
    "nih_chest_xray": _facts_of_the_nih,
    "phantom_chest": _facts_of_the_phantom,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name for name in STATED if name in SYNTHETIC or (MIRROR and (MIRROR / name).is_dir())]
)
def test_what_a_source_counts_of_itself_is_what_its_films_say(name: str, films: Callable[[str], list[Film]]) -> None:
    stated = [*get_source(name).card.known_flaws, str(type(get_source(name)).__doc__)]
    for fact in STATED[name](films(name)):
        assert any(fact in statement for statement in stated), fact


PATHS = {
    "train/NORMAL/IM-0637-0001.jpeg": ("train-normal-IM-0637", 0, "normal", Split.TRAIN),
    "train/NORMAL/NORMAL2-IM-1090-0001-0002.jpeg": ("train-normal-NORMAL2-IM-1090", 0, "normal", Split.TRAIN),
    "test/PNEUMONIA/person39_virus_85.jpeg": ("test-virus-39", 1, "virus", Split.TEST),
    "train/PNEUMONIA/person447_virus_921_1.jpeg": ("train-virus-447", 1, "virus", Split.TRAIN),
    "train/PNEUMONIA/person1073_bacteria_3008.jpeg": ("train-bacteria-1073", 1, "bacteria", Split.TRAIN),
}


@pytest.mark.parametrize("path", PATHS)
def test_the_publishers_file_names_tell_patient_label_subtype_and_split(path: str) -> None:
    record = record_of(path)
    assert (record.patient_key, record.label, record.subtype, record.published_split) == PATHS[path]


def test_a_file_name_outside_the_pattern_is_refused_not_guessed() -> None:
    with pytest.raises(QualityCheckFailed):
        record_of("train/NORMAL/scan.jpeg")


def test_the_publishers_own_archive_is_read_without_the_files_of_other_systems(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ChestXRay2017.zip", "w") as archive:
        for path in PATHS:
            archive.writestr(f"chest_xray/{path}", path.encode())
        archive.writestr("__MACOSX/chest_xray/train/NORMAL/._IM-0637-0001.jpeg", b"x")
        archive.writestr("chest_xray/train/NORMAL/.DS_Store", b"x")
    films = list(get_source("kermany_chest_xray").films(tmp_path, distribution="publisher-v2"))
    assert {film.record.sample_id + ".jpeg" for film in films} == set(PATHS)
    assert all(io.BytesIO(film.read()).read() == f"{film.record.sample_id}.jpeg".encode() for film in films)


def _nih_film(findings: str, raw: Path) -> Film:
    with (raw / "images_320.tar").open("wb") as file:
        tar = TarWriter(file)
        tar.add("1_000.png", b"image")
        tar.close()
    row = f"1_000.png,1,{findings},PA,54,F"
    (raw / "index.csv").write_text(f"path,patient_id,finding_labels,view,age_years,sex\n{row}\n")
    (film,) = get_source("nih_chest_xray").films(raw, distribution="mirror-320")
    return film


@pytest.mark.parametrize(("findings", "label"), [("No Finding", 0), ("Edema|Pneumonia", 1), ("", None)])
def test_the_nihs_list_of_findings_tells_the_label_and_an_empty_one_tells_none(
    findings: str, label: int | None, tmp_path: Path
) -> None:
    assert _nih_film(findings, tmp_path).record.label == label


def test_a_film_of_the_nih_that_is_not_frontal_is_excluded_by_rule(tmp_path: Path) -> None:
    film = _nih_film("No Finding", tmp_path)
    lateral = Film(record=film.record.model_copy(update={"view_position": "LL"}), read=film.read)
    kept, counts = curate([film, lateral], exclusions=get_source("nih_chest_xray").exclusions)
    assert kept == [film]
    assert list(counts.values()) == [1]


def test_a_film_of_the_nih_with_an_empty_list_of_findings_stops_the_stage(tmp_path: Path) -> None:
    with pytest.raises(QualityCheckFailed, match="1_000: no label"):
        inspect_all([_nih_film("", tmp_path)], min_side_px=96)


@pytest.mark.parametrize("name", REAL)
def test_the_mirrors_files_have_the_recorded_digests(name: str) -> None:
    mirrored = [one for one in get_source(name).card.distributions if one.name.startswith("mirror")]
    assert mirrored
    found = {file.name: MIRROR / name / file.name for file in mirrored[0].files} if MIRROR else {}
    for file in mirrored[0].files:
        assert file.url is None
        assert file.name not in found or file_digest(found[file.name]) == file.sha256
