"""From a map of tissue to the scan lines a scanner would show: scatterers, pulse, losses, noise, log compression.

The sum over scatterers is done on the demodulated (in-phase and quadrature) signal: a carrier then is a random
phase of each scatterer, and the pulse is its Gaussian envelope, so that speckle comes out as on a scanner
(Rayleigh distributed, as long as the pulse and as wide as the beam).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from sonoplane.video.phantom_probe import Sector

__all__ = ["Look", "Scanner", "Scatterers"]

_PAD = 40
"""Scatterers kept around the sector, in scan lines and samples, for the probe to move over."""
_ECHO = np.power(10, ((np.arange(256) / 3 - 60) / 20)).astype(np.float32)
"""Amplitude of a byte of `Tissue.code`."""
_NOMINAL_LOSS_DB_MM = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """How a scanner's picture looks, whatever it shows."""

    pulse_mm: float = 0.45
    """Standard deviation of the pulse along the scan line."""
    beam_mm: float = 1.0
    """Standard deviation of the beam at its focus."""
    focus_mm: float = 70.0
    gain_db: float = 0.0
    range_db: float = 60.0
    """Dynamic range: what lies this far below the brightest shown is black."""
    gamma: float = 1.0
    """Of the transfer curve from log-compressed echo to gray."""
    noise_db: float = -48.0
    """Of the electronics, at the probe's face; the time gain raises it with depth."""
    smooth: float = 0.0
    """Standard deviation, in samples, of the scanner's own speckle reduction."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scatterers:
    """Independent fields of scatterers; tilting the probe turns one into the next."""

    fields: Float32[np.ndarray, "field samples beams 3"]
    """In phase, quadrature, and the coarse texture of organs; each of unit variance."""

    @classmethod
    def drawn(cls, rng: np.random.Generator, sector: Sector, count: int = 5) -> "Scatterers":
        """Draw `count` fields for a sector."""
        shape = (count, sector.samples + 2 * _PAD, sector.beams + 2 * _PAD, 3)
        fields = rng.standard_normal(shape, dtype=np.float32)
        for image in fields:
            # a little smoothing keeps the variance while the field slides by parts of a sample
            image[..., :2] = cv2.GaussianBlur(image[..., :2], (0, 0), 0.6) * 2.2
            coarse = cv2.GaussianBlur(np.ascontiguousarray(image[..., 2]), (0, 0), sigmaX=3, sigmaY=9)
            image[..., 2] = coarse / coarse.std()
        return cls(fields=fields)

    def seen(self, tilt: float, *, beams: float, samples: float) -> Float32[np.ndarray, "samples beams 3"]:
        """The field at this tilt (1 is wholly the next one), moved by so many scan lines and samples."""
        n = len(self.fields)
        k, share = int(np.floor(tilt)), tilt - np.floor(tilt)
        quarter = np.pi / 2 * share
        blend = np.float32(np.cos(quarter)) * self.fields[k % n]
        blend += np.float32(np.sin(quarter)) * self.fields[(k + 1) % n]
        shift = np.array([[1, 0, beams - _PAD], [0, 1, samples - _PAD]], np.float32)
        size = (blend.shape[1] - 2 * _PAD, blend.shape[0] - 2 * _PAD)
        return cv2.warpAffine(blend, shift, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


class Scanner:
    """Turns tissue on scan lines into gray on scan lines."""

    def __init__(self, sector: Sector, look: Look, rng: np.random.Generator) -> None:
        self._sector = sector
        self._look = look
        self._axial = _gaussian(look.pulse_mm / sector.sample_mm)
        narrow, wide, share = _beam_kernels(sector, look)
        self._lateral = (narrow, wide)
        self._share = share[:, None, None]
        energy = _energy(narrow, wide, share) * float((self._axial**2).sum())
        self._level = (1 / np.sqrt(energy)).astype(np.float32)[:, None, None]
        self._tgc_db = (_NOMINAL_LOSS_DB_MM * sector.depths_mm)[:, None]
        noise = rng.standard_normal((sector.samples + 64, sector.beams + 64, 2), dtype=np.float32)
        self._noise = cv2.GaussianBlur(noise, (0, 0), sigmaX=0.5, sigmaY=0.8) * 2
        rise = np.minimum(look.noise_db + self._tgc_db * 0.8, -18)
        self._noise_level = (10 ** (rise / 20)).astype(np.float32)[..., None]

    def scan(
        self,
        tissue: UInt8[np.ndarray, "samples beams 3"],
        scatterers: Float32[np.ndarray, "samples beams 3"],
        rng: np.random.Generator,
        *,
        gain_db: float = 0.0,
    ) -> UInt8[np.ndarray, "samples beams"]:
        """Echoes of this tissue, log-compressed to gray; `rng` draws the electronic noise."""
        iq = self._echo(tissue, scatterers)
        np.multiply(iq, self._gain(tissue[..., 1]), out=iq)
        i, j = rng.integers(0, 64, 2)
        samples, beams = tissue.shape[:2]
        noise = self._noise[i : i + samples, j : j + beams] * self._noise_level
        np.add(iq, noise, out=iq)
        power = np.square(iq[..., 0]) + np.square(iq[..., 1]) + np.float32(1e-8)
        decibels = cv2.log(power) * np.float32(10 / np.log(10))
        return self._gray(decibels, gain_db)

    def _echo(
        self, tissue: UInt8[np.ndarray, "samples beams 3"], scatterers: Float32[np.ndarray, "samples beams 3"]
    ) -> Float32[np.ndarray, "samples beams 2"]:
        mottle = scatterers[..., 2] * tissue[..., 2]
        amplitude = _ECHO[tissue[..., 0]] * (1 + np.clip(mottle * np.float32(0.5 / 255), -0.8, 2))
        iq = scatterers[..., :2] * amplitude[..., None]
        narrow, wide = self._lateral
        pulsed = cv2.sepFilter2D(iq, -1, _POINT, self._axial)
        focused = cv2.sepFilter2D(pulsed, -1, narrow, _POINT)
        spread = cv2.sepFilter2D(pulsed, -1, wide, _POINT)
        return np.asarray((focused + (spread - focused) * self._share) * self._level)

    def _gain(self, loss: UInt8[np.ndarray, "samples beams"]) -> Float32[np.ndarray, "samples beams 1"]:
        lost_db = np.cumsum(loss, axis=0, dtype=np.float32) * np.float32(self._sector.sample_mm / 50)
        net = np.clip(self._tgc_db - cv2.blur(lost_db, (5, 1)), -70, 14) * np.float32(np.log(10) / 20)
        return cv2.exp(net)[..., None]

    def _gray(
        self, decibels: Float32[np.ndarray, "samples beams"], gain_db: float
    ) -> UInt8[np.ndarray, "samples beams"]:
        look = self._look
        smooth = cv2.GaussianBlur(decibels, (0, 0), look.smooth) if look.smooth else decibels
        shown = (smooth + (look.gain_db + gain_db + look.range_db - 26)) * np.float32(1 / look.range_db)
        shown = np.clip(shown, 0, 1)
        curved = cv2.pow(shown, look.gamma) if look.gamma != 1 else shown
        return np.asarray(curved * 255, np.float32).astype(np.uint8)


_POINT = np.ones(1, np.float32)


def _gaussian(sigma: float, radius: int | None = None) -> Float32[np.ndarray, "taps"]:
    radius = max(1, int(np.ceil(2.5 * sigma))) if radius is None else radius
    at = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (at / max(sigma, 0.2)) ** 2)
    return np.asarray(kernel / kernel.sum(), np.float32)


def _beam_kernels(
    sector: Sector, look: Look
) -> tuple[Float32[np.ndarray, "taps"], Float32[np.ndarray, "taps"], Float32[np.ndarray, "samples"]]:
    """The narrowest and the widest lateral kernel, and how much of the wide one each depth needs."""
    depth = sector.depths_mm
    width_mm = look.beam_mm * np.sqrt(1 + ((depth - look.focus_mm) / 55) ** 2)
    sigma = np.clip(width_mm / (sector.beam_angle * (sector.radius_mm + depth + 1)), 0.5, 5)
    low, high = float(sigma.min()), float(sigma.max())
    share = (sigma - low) / max(high - low, 1e-6)
    radius = int(np.ceil(2.2 * high))
    return _gaussian(low, radius), _gaussian(high, radius), share.astype(np.float32)


def _energy(
    narrow: Float32[np.ndarray, "taps"],
    wide: Float32[np.ndarray, "taps"],
    share: Float32[np.ndarray, "samples"],
) -> Float32[np.ndarray, "samples"]:
    mixed = (1 - share)[:, None] * narrow + share[:, None] * wide
    return np.asarray((mixed**2).sum(axis=1))
