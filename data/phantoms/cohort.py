"""Phantom patients and their films: who they are, which findings they have, and which films are copies."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from data.phantoms.acquisition import FILM, expose, mark
from data.phantoms.anatomy import PATIENT, Numbers, Thorax, grid, thorax
from data.phantoms.draw import Draw, Ranges
from data.phantoms.encode import png
from data.phantoms.opacities import Finding, add_finding, add_look_alikes, draw_finding
from data.source import Record

FILMS_PER_PATIENT = (0.46, 0.30, 0.14, 0.10)  # one, two, three, four
PLANT_EVERY = 20
BATCH = 2  # more films at once leave the processor's cache and are slower


@dataclass(frozen=True)
class Site:
    """A hospital: its share of the patients and how its films differ from the defaults."""

    key: str
    share: float
    film: Ranges = field(default_factory=dict)
    patient: Ranges = field(default_factory=dict)
    contrast: tuple[float, float] = (0.05, 0.60)  # of a finding against air; the faint ones no reader finds


@dataclass(frozen=True)
class Cohort:
    """All that decides a phantom dataset's bytes."""

    name: str
    patients: int
    size_px: int
    prevalence: float
    sites: tuple[Site, ...]
    copies: int  # films that appear twice, byte for byte
    shared_films: int  # of these, copies filed under another patient's key
    re_exports: int  # films that appear a second time with other grey levels

    @property
    def planted(self) -> int:
        """Copies and re-exports together."""
        return self.copies + self.re_exports


@dataclass(frozen=True)
class Plan:
    """One film before it is drawn."""

    record: Record
    site: Site
    patient_numbers: dict[str, float]
    film_numbers: dict[str, float]
    has_finding: bool


def plans(cohort: Cohort) -> Iterator[Plan]:
    """Every film of every patient, in order."""
    for number in range(cohort.patients):
        yield from _plans_of_patient(cohort, key=f"{cohort.name}-p{number:04d}")


def _plans_of_patient(cohort: Cohort, *, key: str) -> Iterator[Plan]:
    draw = Draw(cohort.name, key)
    site = cohort.sites[draw.weighted([site.share for site in cohort.sites])]
    sex = "F" if draw.happens(0.48) else "M"
    age = 1 + draw.index(5)
    ill = draw.happens(cohort.prevalence)
    body = draw.table({**PATIENT, **site.patient})
    body["heart_width"] += 0.006 * (3 - age)  # the younger the child, the larger the heart in its chest
    for film in range(1 + draw.weighted(FILMS_PER_PATIENT)):
        has_finding = draw.happens(0.88) if ill else draw.happens(0.04)
        bedside = draw.happens(0.40 if ill else 0.30)
        numbers = draw.table({**FILM, **site.film})
        if bedside:  # AP: the heart is magnified, the image less sharp
            numbers["blur"] = min(1.0, numbers["blur"] + 0.2)
        record = Record(
            sample_id=f"{key}-f{film}", patient_key=key, label=int(has_finding), site=site.key,
            view_position="AP" if bedside else "PA", age_years=float(age), sex=sex,
        )  # fmt: skip
        scale = {"heart_width": body["heart_width"] * (1.12 if bedside else 1.0)}
        yield Plan(record, site, {**body, **scale}, numbers, has_finding)


def films(cohort: Cohort) -> Iterator[tuple[Record, npt.NDArray[np.uint8]]]:
    """Draw every film."""
    waiting: list[Plan] = []
    for plan in plans(cohort):
        waiting.append(plan)
        if len(waiting) == BATCH:
            yield from _drawn(waiting, cohort=cohort)
            waiting = []
    yield from _drawn(waiting, cohort=cohort)


def entries(cohort: Cohort) -> Iterator[tuple[Record, bytes]]:
    """Every film as it is stored: encoded, followed by the planted duplicates."""
    planted: list[tuple[Record, bytes]] = []
    for number, (record, film) in enumerate(films(cohort)):
        yield record, png(film)
        due = len(planted) < cohort.planted and number == PLANT_EVERY * (len(planted) + 1)
        if due:
            planted.append(_second(record, film, cohort=cohort, number=len(planted)))
    yield from planted


def _second(record: Record, film: npt.NDArray[np.uint8], *, cohort: Cohort, number: int) -> tuple[Record, bytes]:
    if number >= cohort.copies:
        lighter = np.minimum(film.astype(np.uint16) * 15 // 16 + 12, 255).astype(np.uint8)
        return record.model_copy(update={"sample_id": f"{record.sample_id}-reexport"}), png(lighter)
    changes = {"sample_id": f"{record.sample_id}-copy"}
    if number < cohort.shared_films:
        changes["patient_key"] = f"{cohort.name}-p{cohort.patients - 1 - number:04d}"
    return record.model_copy(update=changes), png(film)


def _drawn(batch: list[Plan], *, cohort: Cohort) -> Iterator[tuple[Record, npt.NDArray[np.uint8]]]:
    if not batch:
        return
    size = cohort.size_px
    body = _stacked([plan.patient_numbers for plan in batch])
    settings = _stacked([plan.film_numbers for plan in batch])
    body["dome_right"] = body["dome_right"] + settings["breath"]
    u, v = grid(settings, size)
    texture = np.stack([Draw(plan.record.patient_key, "texture").octets(2, 14, 14) for plan in batch])
    chest = thorax(body, u=u, v=v, texture=texture)
    found = [_add_shadows(chest, row=row, plan=plan) for row, plan in enumerate(batch)]
    grain = np.stack([Draw(plan.record.sample_id, "grain").octets(size, size, 4) for plan in batch])
    exposed = expose(chest.attenuation, settings, grain=grain)
    for plan, finding, film in zip(batch, found, exposed, strict=True):
        mark(film)
        yield _described(plan.record, finding), film


def _add_shadows(chest: Thorax, *, row: int, plan: Plan) -> Finding | None:
    draw = Draw(plan.record.sample_id, "shadows")
    film, lungs = chest.attenuation[row], chest.lungs[row]
    add_look_alikes(film, lungs=lungs, draw=draw)
    if not plan.has_finding:
        return None
    finding = draw_finding(draw, lungs=lungs, contrast=plan.site.contrast)
    add_finding(film, finding, lungs=lungs, draw=draw)
    return finding


def _described(record: Record, finding: Finding | None) -> Record:
    if finding is None:
        return record
    return record.model_copy(update={"subtype": finding.kind, "opacities": finding.places})


def _stacked(tables: list[dict[str, float]]) -> Numbers:
    return {name: np.array([table[name] for table in tables], dtype=np.float32)[:, None, None] for name in tables[0]}
