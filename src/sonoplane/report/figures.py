"""How a figure for print looks, and becomes PNG and SVG bytes: the same figure, the same bytes."""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sonoplane.errors import MissingExtra

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FAINT", "GRAY", "INK", "RUST", "SOFT", "TEXT", "figure_bytes", "print_style", "write_figure"]

INK, RUST, GRAY, SOFT, FAINT, TEXT = "#0b5c7a", "#b4532a", "#6b7280", "#4b5563", "#e3e7ec", "#1f2937"

#: Dots an inch of a PNG: sharp in print, and a plot of a column's width is some 2,000 pixels wide.
_DPI = 300

#: Fonts asked for letters that matplotlib's own does not have, in this order, where the machine has them.
_MORE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans", "Microsoft YaHei", "Malgun Gothic",
    "PingFang SC", "Hiragino Sans", "WenQuanYi Zen Hei", "Arial Unicode MS",
)  # fmt: skip

_STYLE: dict[str, Any] = {
    "axes.edgecolor": SOFT,
    "axes.grid": True,
    "axes.labelcolor": SOFT,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.axisbelow": True,
    "axes.linewidth": 0.7,
    "font.size": 9.0,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "legend.handlelength": 1.7,
    "lines.linewidth": 1.5,
    "svg.fonttype": "path",  # letters as outlines: no font is looked for where the file is read
    "svg.hashsalt": "sonoplane",
    "text.color": TEXT,
    "text.parse_math": False,  # a class may be called `$`
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
}


@contextmanager
def print_style(words: Iterable[str] = ()) -> Iterator[None]:
    """Within, figures are made and saved for print; `words` are all that is written which may not be English.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib import font_manager
    except ImportError as error:
        raise MissingExtra(
            "Plots need matplotlib.", advice="Run `pip install 'sonoplane[train]'`."
        ) from error
    fonts = ["DejaVu Sans"]
    own = font_manager.get_font(font_manager.findfont(fonts[0])).get_charmap()
    if any(ord(letter) not in own for word in words for letter in word):
        here = {font.name for font in font_manager.fontManager.ttflist}
        fonts += [name for name in _MORE_FONTS if name in here]
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a user's own style would change the bytes
        style: Any = {**_STYLE, "font.family": fonts}
        matplotlib.rcParams.update(style)
        yield


def figure_bytes(figure: "Figure", form: str, *, dpi: int = _DPI) -> bytes:
    """The figure as `png` or `svg`, cut to what is drawn, without date and program. Call in `print_style`."""
    import warnings

    memory = io.BytesIO()
    metadata = {"Software": None} if form == "png" else {"Date": None, "Creator": None}
    with warnings.catch_warnings():  # a letter that no font of this machine has is an empty box
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        figure.savefig(
            memory, format=form, dpi=dpi, metadata=metadata, bbox_inches="tight", pad_inches=0.08, facecolor="white"
        )  # fmt: skip
    return memory.getvalue()


def write_figure(folder: Path, stem: str, figure: "Figure") -> tuple[Path, Path]:
    """Write `<stem>.png` and `<stem>.svg` into a folder that is there. Call in `print_style`."""
    paths = folder / f"{stem}.png", folder / f"{stem}.svg"
    for path in paths:
        path.write_bytes(figure_bytes(figure, path.suffix[1:]))
    return paths
