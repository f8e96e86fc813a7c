"""The thorax of a phantom patient: attenuation along the beam, one layer for each organ.

Coordinates: ``u`` from -1 (left edge of the film, the patient's right side) to 1, ``v`` from -1 (top) to 1 (bottom).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from data.phantoms.draw import FloatImages, Ranges
from data.phantoms.shapes import bump, ellipse, enlarged, ramp, waves

Numbers = dict[str, FloatImages]  # each of shape film × 1 × 1

PATIENT: Ranges = {  # fixed for a patient, whoever takes the film
    "chest_width": (0.90, 1.08),
    "lung_height": (0.68, 0.80),
    "dome_right": (0.44, 0.60),
    "dome_left_lower": (0.01, 0.09),
    "heart_width": (0.25, 0.34),
    "heart_height": (0.36, 0.46),
    "heart_shift": (0.07, 0.15),
    "aorta": (0.05, 0.16),
    "rib_spacing": (0.145, 0.175),
    "rib_slope": (0.55, 0.95),
    "rib_density": (0.06, 0.11),
    "soft_tissue": (0.52, 0.66),
    "hilum": (0.04, 0.13),
    "vessels": (0.05, 0.12),
    "clavicle_height": (-0.66, -0.54),
    "stomach_gas": (-0.05, 0.22),
}


@dataclass(frozen=True)
class Thorax:
    """Attenuation (0 air – 1 dense) and the lungs, for a batch of films."""

    attenuation: FloatImages
    lungs: FloatImages  # 0–1: how much lung lies in the beam


def grid(pose: Numbers, size: int) -> tuple[FloatImages, FloatImages]:
    """``u`` and ``v`` of each pixel, after shift, magnification and tilt of the patient."""
    axis = ((np.arange(size, dtype=np.float32) * 2 + 1) * np.float32(1 / size) - 1).astype(np.float32)
    x, y = axis[None, None, :], axis[None, :, None]
    u = (x - pose["shift_u"] + pose["tilt"] * y) * pose["inverse_scale"]
    v = (y - pose["shift_v"] - pose["tilt"] * x) * pose["inverse_scale"]
    return u, v


def thorax(body: Numbers, *, u: FloatImages, v: FloatImages, texture: npt.NDArray[np.uint8]) -> Thorax:
    """All organs together. ``texture`` (film × 2 × n × n) is a coarse random lattice for tissue and vessels."""
    size = u.shape[-1]
    x = np.abs(u) / body["chest_width"]
    heart, heart_edge = _heart(body, u=u, v=v)
    lungs, thickness = _lungs(body, u=u, v=v, x=x)
    lungs = lungs * (1 - np.float32(0.85) * heart)
    thickness = thickness * (1 - np.float32(0.85) * heart)
    inside = _outline(x, v)
    tissue = enlarged(texture[:, 0].astype(np.float32) * np.float32(1 / 255), size) - np.float32(0.5)
    attenuation = inside * (body["soft_tissue"] * (np.float32(0.72) + np.float32(0.28) * ramp(-x, -1.0, -0.2)))
    attenuation += inside * (np.float32(0.07) * tissue + np.float32(0.10) * ramp(v, 0.35, 0.75) * ramp(-x, -1.0, -0.5))
    attenuation += np.float32(0.13) * ramp(-x, -0.26, -0.09) * inside
    attenuation += heart_edge + _mediastinum(body, u=u, v=v)
    attenuation -= thickness * (body["soft_tissue"] * np.float32(0.62))
    attenuation += _bones(body, u=u, v=v, x=x, inside=inside)
    attenuation += _vessels(body, u=u, v=v, texture=texture[:, 1], size=size) * lungs
    attenuation -= _gas(body, u=u, v=v)
    return Thorax(attenuation=attenuation, lungs=lungs)


def _outline(x: FloatImages, v: FloatImages) -> FloatImages:
    half_width = np.float32(0.95) - np.float32(0.03) * v
    torso = ramp(half_width - x, 0.0, 0.10)
    below = np.maximum(v + np.float32(0.98), 0)
    shoulders = ramp(below * (np.float32(0.35) + np.float32(3.4) * below) + np.float32(0.27) - x, 0.0, 0.12)
    arms = np.float32(0.55) * ramp(x, 1.0, 1.1) * ramp(-v, -0.5, 0.2)
    return np.minimum(shoulders, np.maximum(torso, np.maximum(arms, ramp(-v, 0.30, 0.55))))


def _lungs(body: Numbers, *, u: FloatImages, v: FloatImages, x: FloatImages) -> tuple[FloatImages, FloatImages]:
    left = ramp(u, -0.05, 0.05)
    centre = np.float32(0.415) + np.float32(0.08) * v
    radius = np.float32(0.325) + np.float32(0.07) * v
    across = (x - centre) / radius
    along = (v + np.float32(0.02)) / body["lung_height"]
    r2 = across * across + along * along * (np.float32(0.55) + np.float32(0.45) * along * along)
    arch = (x - np.float32(0.38)) * np.float32(1 / 0.36)
    level = body["dome_right"] + left * body["dome_left_lower"]
    dome = level - np.float32(0.17) * (1 - arch * arch) + np.float32(0.05)
    lungs = ramp(1 - r2, 0.0, 0.16) * ramp(dome - v, -0.02, 0.04)
    return lungs, lungs * (np.float32(0.62) + np.float32(0.38) * np.clip(1 - r2, 0, 1))


def _heart(body: Numbers, *, u: FloatImages, v: FloatImages) -> tuple[FloatImages, FloatImages]:
    # A pear leaning to the patient's left: narrow at the great vessels, wide on the diaphragm.
    y = v - np.float32(0.22)
    x = u - body["heart_shift"] - np.float32(0.20) * y
    r2 = ellipse(x / (body["heart_width"] * (1 + np.float32(0.55) * y)), y / body["heart_height"])
    heart = ramp(1 - r2, -0.10, 0.22)
    return heart, np.float32(0.06) * heart


def _mediastinum(body: Numbers, *, u: FloatImages, v: FloatImages) -> FloatImages:
    knob = bump(ellipse((u - np.float32(0.13)) / np.float32(0.13), (v + np.float32(0.27)) / np.float32(0.15)))
    hila = bump(ellipse((np.abs(u) - np.float32(0.21)) / np.float32(0.15), (v + np.float32(0.05)) / np.float32(0.20)))
    trachea = bump(ellipse(u / np.float32(0.055), 0 * v)) * ramp(-v, 0.18, 0.30)
    layers: FloatImages = body["aorta"] * knob + body["hilum"] * hila - np.float32(0.09) * trachea
    return layers


def _bones(body: Numbers, *, u: FloatImages, v: FloatImages, x: FloatImages, inside: FloatImages) -> FloatImages:
    cage = ramp(v, -0.80, -0.70) * ramp(-v, -0.85, -0.55) * ramp(-x, -0.86, -0.80) * ramp(x, 0.05, 0.10)
    along = x - np.float32(0.20)
    posterior = waves((v - body["rib_slope"] * along * along * (1 + np.float32(0.2) * v)) / body["rib_spacing"])
    anterior = waves((v + np.float32(0.62) * x - np.float32(0.3) * x * x) / (body["rib_spacing"] * np.float32(1.12)))
    ribs = np.float32(0.75) * ramp(-posterior, -0.23, -0.15) + np.float32(0.35) * bump(
        (posterior - np.float32(0.19)) * (posterior - np.float32(0.19)) * np.float32(700)
    )
    front = ramp(-anterior, -0.22, -0.12) * ramp(x, 0.30, 0.45)
    spine = ramp(-np.abs(u), -0.11, -0.07)
    discs = ramp(waves(v * np.float32(7.2)), 0.36, 0.48)
    bones: FloatImages = inside * (
        body["rib_density"] * cage * (ribs + np.float32(0.45) * front)
        + np.float32(0.07) * spine * (1 - np.float32(0.8) * discs)
        + _clavicles(body, v=v, x=x)
        + _scapulae(v=v, x=x)
    )
    return bones


def _clavicles(body: Numbers, *, v: FloatImages, x: FloatImages) -> FloatImages:
    bend = (x - np.float32(0.35)) * np.float32(0.25)
    line = v - body["clavicle_height"] + np.float32(0.16) * (x - np.float32(0.1)) - bend * bend
    return np.float32(0.11) * ramp(-np.abs(line), -0.045, -0.025) * ramp(x, 0.04, 0.09) * ramp(-x, -0.9, -0.8)


def _scapulae(*, v: FloatImages, x: FloatImages) -> FloatImages:
    blade = ramp(-np.abs(x - np.float32(0.80) + np.float32(0.12) * v), -0.13, -0.09)
    blade = blade * ramp(v, -0.62, -0.5) * ramp(-v, -0.05, 0.15)
    head = ellipse((x - np.float32(1.02)) / np.float32(0.17), (v + np.float32(0.56)) / np.float32(0.16))
    return np.float32(0.06) * blade + np.float32(0.10) * ramp(1 - head, 0.0, 0.3)


def _vessels(
    body: Numbers, *, u: FloatImages, v: FloatImages, texture: npt.NDArray[np.uint8], size: int
) -> FloatImages:
    # Ridges of two lattices of different fineness: branching lines, densest at the hilum and towards the base.
    fine = enlarged(texture.astype(np.float32) * np.float32(1 / 255), size)
    n = texture.shape[1] // 2 + 1
    wide = enlarged(texture[:, :n, -n:].astype(np.float32) * np.float32(1 / 255), size)
    ridges = ramp(-waves(fine + np.float32(0.5)), -0.16, 0.0) + np.float32(1.2) * ramp(
        -waves(wide + np.float32(0.5)), -0.10, 0.0
    )
    reach = bump(ellipse((np.abs(u) - np.float32(0.22)) / np.float32(0.55), (v - np.float32(0.05)) / np.float32(0.75)))
    return body["vessels"] * ridges * reach


def _gas(body: Numbers, *, u: FloatImages, v: FloatImages) -> FloatImages:
    stomach = bump(ellipse((u - np.float32(0.40)) / np.float32(0.20), (v - np.float32(0.66)) / np.float32(0.11)))
    return np.maximum(body["stomach_gas"], 0) * stomach
