"""Phantoms: the same films everywhere, marked as synthetic, with opacities where the index says."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.phantoms import cohort as cohorts
from data.phantoms.cohort import Cohort, Site
from data.phantoms.draw import Draw
from data.phantoms.encode import png
from data.phantoms.source import PhantomSource
from data.source import Film
from domain.identifiers import sha256_of

COHORT = Cohort(
    name="unit", patients=24, size_px=96, prevalence=0.5, sites=(Site(key="here", share=1.0),), copies=1,
    shared_films=1, re_exports=1,
)  # fmt: skip


class UnitPhantom(PhantomSource):
    cohort = COHORT


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom")
    UnitPhantom().generate(folder)
    return folder


@pytest.fixture(scope="module")
def films(raw: Path) -> list[Film]:
    return list(UnitPhantom().films(raw, distribution="generated"))


def _pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_drawing_twice_gives_the_same_bytes(raw: Path, tmp_path: Path) -> None:
    UnitPhantom().generate(tmp_path)
    assert (tmp_path / "images_96.tar").read_bytes() == (raw / "images_96.tar").read_bytes()
    assert (tmp_path / "index.csv").read_bytes() == (raw / "index.csv").read_bytes()


def test_the_first_film_has_the_bytes_it_has_on_every_platform(raw: Path) -> None:
    with tarfile.open(raw / "images_96.tar") as tar:
        first = tar.extractfile(tar.getmembers()[0])
        assert first is not None
        assert sha256_of(first.read()) == "495b02bd1d920c4d0ca964c6cd31c3abb735af1412529f8811bc2db63dd2047e"


def test_the_number_stream_is_the_promised_one() -> None:
    assert Draw("a", "name").octets(6).tolist() == [1, 141, 82, 71, 220, 214]


def test_a_png_holds_its_pixels_and_says_that_it_is_synthetic() -> None:
    film = Draw("png").octets(300, 300)
    encoded = png(film)
    with Image.open(io.BytesIO(encoded)) as image:
        assert np.array_equal(np.asarray(image), film)
        assert image.info["Comment"].startswith("SYNTHETIC")


def test_every_film_carries_the_mark(films: list[Film]) -> None:
    expected = _pixels(films[0].read())[-8:-1, -38:-1]
    originals = [film for film in films if not film.record.sample_id.endswith("reexport")]
    assert all(np.array_equal(_pixels(film.read())[-8:-1, -38:-1], expected) for film in originals)
    assert set(np.unique(expected)) == {0, 255}


def test_a_film_is_positive_exactly_when_an_opacity_was_drawn(films: list[Film]) -> None:
    assert all(bool(film.record.opacities) == bool(film.record.label) for film in films)
    assert {film.record.label for film in films} == {0, 1}
    assert {film.record.subtype for film in films} <= {None, "lobar", "round", "patchy"}


def test_opacities_lie_inside_the_film(films: list[Film]) -> None:
    places = [place for film in films for place in film.record.opacities]
    assert places
    assert all(0 <= place.x_px < 96 and 0 <= place.y_px < 96 and place.radius_x_px > 0 for place in places)


def test_the_index_marks_the_place_where_the_film_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same films without their opacities differ inside the ellipses and hardly elsewhere."""
    drawn = list(cohorts.films(COHORT))
    monkeypatch.setattr(cohorts, "add_finding", lambda *_, **__: None)
    bare = list(cohorts.films(COHORT))
    inside, outside = [], []
    y, x = np.mgrid[0:96, 0:96]
    for (record, film), (_, without) in zip(drawn, bare, strict=True):
        difference = np.abs(film.astype(int) - without.astype(int))
        mask = np.zeros((96, 96), dtype=bool)
        for o in record.opacities:
            mask |= ((x - o.x_px) / o.radius_x_px) ** 2 + ((y - o.y_px) / o.radius_y_px) ** 2 <= 1.5**2
        if record.label:
            inside.append(difference[mask].mean())
        outside.append(difference[~mask].mean())
    assert np.mean(inside) > 15 * np.mean(outside)


def test_patients_have_several_films_and_one_age_and_sex(films: list[Film]) -> None:
    of: dict[str, set[tuple[float | None, str | None]]] = {}
    for film in films:
        if not film.record.sample_id.endswith("copy"):
            of.setdefault(film.record.patient_key, set()).add((film.record.age_years, film.record.sex))
    assert all(len(facts) == 1 for facts in of.values())
    assert len(films) > len(of)


def test_planted_copies_are_there(films: list[Film]) -> None:
    by_id = {film.record.sample_id: film for film in films}
    copy = next(film for name, film in by_id.items() if name.endswith("-copy"))
    original = by_id[copy.record.sample_id.removesuffix("-copy")]
    assert copy.read() == original.read()
    assert copy.record.patient_key != original.record.patient_key
    assert sum(name.endswith("-reexport") for name in by_id) == 1
