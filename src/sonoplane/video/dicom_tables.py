"""How stored values become shades from 0 to 255: windows, look-up tables and palettes."""

from typing import Any

import numpy as np
from jaxtyping import UInt8
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi

__all__ = ["gray_table", "palette_table", "scale_to_bytes", "stored_values"]


def stored_values(bits: int, *, signed: bool) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Every value that this many bits can store, ascending.

    >>> stored_values(2, signed=True).tolist()
    [-2, -1, 0, 1]
    """
    half = 1 << (bits - 1)
    return np.arange(-half, half) if signed else np.arange(2 * half)


def scale_to_bytes(values: np.ndarray, *, low: int | float, high: int | float) -> np.ndarray:
    """Values from `low` to `high` spread over 0 to 255, rounded; beyond them clipped.

    >>> scale_to_bytes(np.array([-5, 0, 2048, 4095]), low=0, high=4095).tolist()
    [0, 0, 128, 255]
    """
    shades = (np.asarray(values, dtype=np.float64) - low) * (255 / (high - low))
    return np.clip(np.rint(shades), 0, 255).astype(np.uint8)


def gray_table(
    header: Dataset, *, bits: int, signed: bool, inverted: bool
) -> tuple[UInt8[np.ndarray, "values"], list[str]]:
    """The shade of every stored value, ascending, and what was odd about the header.

    Up to 8 bits are shown as stored. More go through the modality table or scale (DICOM PS3.3 C.11.1), then the
    first window or table of interest (C.11.2), and where there is none over the full range of the bits stored.
    `inverted`: the lowest value is white (MONOCHROME1).
    """
    values, notes = stored_values(bits, signed=signed), list[str]()
    if bits <= 8:
        shades = scale_to_bytes(values, low=int(values[0]), high=int(values[-1]))
    else:
        measured = np.asarray(apply_modality_lut(values.astype(np.int32), header))
        window = _window(header)
        if header.get("VOILUTSequence"):
            looked_up = np.asarray(apply_voi(np.rint(measured).astype(np.int32), header))
            depth = int(header.VOILUTSequence[0].LUTDescriptor[2])
            shades = scale_to_bytes(looked_up, low=0, high=2**depth - 1)
        elif window is not None:
            shades = _windowed(measured, *window, shape=str(header.get("VOILUTFunction") or "LINEAR"))
        else:
            if header.get("WindowWidth") not in (None, ""):
                notes.append("The header's gray window cannot be used: the full range of values is shown.")
            low, high = _full_range(header, measured)
            shades = scale_to_bytes(measured, low=low, high=high)
    return (255 - shades if inverted else shades), notes


def _window(header: Dataset) -> tuple[float, float] | None:
    """Center and width of the first window, if it is one."""
    try:
        center, width = (
            float(value if np.isscalar(value) or not hasattr(value, "__len__") else value[0])
            for value in (header["WindowCenter"].value, header["WindowWidth"].value)
        )
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    return (center, width) if np.isfinite(center) and np.isfinite(width) and width > 0 else None


def _windowed(values: np.ndarray, center: float, width: float, *, shape: str) -> np.ndarray:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    if shape.upper() == "SIGMOID":
        share = 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -700, 700)))
    elif shape.upper() == "LINEAR_EXACT":
        share = (values - center) / width + 0.5
    else:
        share = (values - (center - 0.5)) / max(width - 1, 1e-9) + 0.5
    return scale_to_bytes(share, low=0, high=1)


def _full_range(header: Dataset, measured: np.ndarray) -> tuple[int | float, int | float]:
    if header.get("ModalityLUTSequence"):
        return 0, 2 ** int(header.ModalityLUTSequence[0].LUTDescriptor[2]) - 1
    low, high = float(measured.min()), float(measured.max())
    return (low, high) if high > low else (low, low + 1)


def palette_table(
    header: Dataset, *, bits: int, signed: bool, big_endian: bool
) -> UInt8[np.ndarray, "values 3"]:
    """The RGB color of every stored value, ascending (DICOM PS3.3 C.7.9).

    `big_endian`: the order of bytes in the file, which holds palettes as words. ValueError without a palette.
    """
    values = stored_values(bits, signed=signed)
    if header.get("RedPaletteColorLookupTableData") is None:
        colors = np.asarray(apply_color_lut(values.astype(np.int32), header))[..., :3]
        return _as_bytes(colors, depth=colors.dtype.itemsize * 8)
    entries, first, depth = _descriptor(header)
    channels = []
    for name in ("Red", "Green", "Blue"):
        raw = bytes(header[f"{name}PaletteColorLookupTableData"].value)
        if len(raw) >= 2 * entries:
            table = np.frombuffer(raw[: 2 * entries], dtype=">u2" if big_endian else "<u2")
        elif len(raw) >= entries:
            words = np.frombuffer(raw.ljust(len(raw) + len(raw) % 2, b"\0"), dtype=np.uint16)
            table = (words.byteswap() if big_endian else words).view(np.uint8)[:entries]
            depth = 8
        else:
            raise ValueError("the palette is shorter than it says")
        channels.append(table[np.clip(values - first, 0, entries - 1)])
    return _as_bytes(np.stack(channels, axis=-1), depth=depth)


def _descriptor(header: Dataset) -> tuple[int, int, int]:
    """Entries, first value mapped, bits an entry; 0 entries stand for 2**16."""
    entries, first, depth = (int(value) for value in header.RedPaletteColorLookupTableDescriptor)
    return entries % 2**16 or 2**16, first, depth


def _as_bytes(colors: np.ndarray, *, depth: int) -> UInt8[np.ndarray, "values 3"]:
    """Colors of `depth` bits in 8; the largest tells which byte an 8-bit color in a 16-bit entry is in."""
    wide = colors.max(initial=0) > 255
    shades: UInt8[np.ndarray, "values 3"] = (colors >> 8 if wide and depth >= 8 else colors).astype(np.uint8)
    return shades
