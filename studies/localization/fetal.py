"""Seven real fetal images, boxed: `python -m studies.localization.fetal IMAGES --bundle fetal16 --out FOLDER`.

IMAGES is the folder of the seven example images of the authors of SonoNet, `fetal16` the published SonoNet-16 as
`sonoplane weights import` leaves it. `FOLDER/fetal.html` then shows each image with what counted and its box, and what
was seen when they were looked at one by one: by engineers, not by sonographers.
"""

import argparse
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from sonoplane.models.bundle import Bundle
from sonoplane.report.findings_json import read
from sonoplane.report.images import inline_jpeg
from sonoplane.steps.explain import explain_all
from sonoplane.steps.recipe import layered

#: Whether the box is on the structure that names the plane, and what else there is to say.
LOOKED_AT = {
    "3VV": ("yes", "It holds the vessels in the middle of the chest; colors lie on three of them, in a row."),
    "BRAIN-CB": (
        "partly",
        "It holds two thirds of the head. Colors lie inside the skull, on many small places; nothing points at the "
        "cerebellum alone.",
    ),
    "FEMUR": (
        "yes",
        "It holds the shaft but for its right third; colors lie on the bone. The letters FL, what is left of a caption "
        "at the crop's lower edge, have none.",
    ),
    "KIDNEYS": ("yes", "It holds the spine and what lies left and right of it, where the kidneys are."),
    "LIPS": (
        "yes",
        "Colors lie on nose and lips, and nearly nowhere else; the box is three times as high as they are.",
    ),
    "PROFILE": ("yes", "It holds forehead, nose, lips and chin; colors follow their outline."),
    "SPINE-SAGITTAL": ("yes", "It holds the spine but for its right end; colors lie on the vertebrae."),
}


def page(out: Path) -> str:
    """The page of what `sonoplane explain` left in `out`."""
    parts = ["<!doctype html><html lang='en'><meta charset='utf-8'><title>Fetal planes, boxed</title>"]
    parts.append(
        "<style>body{font:16px sans-serif;max-width:60rem;margin:2rem auto}img{max-width:100%}</style>"
    )
    parts.append("<h1>Seven fetal planes, boxed</h1><p>Published SonoNet-16, guided back-propagation.</p>")
    for name, (is_on, said) in LOOKED_AT.items():
        findings = read(out / name / "findings.json")
        (keyframe,) = findings["keyframes"]
        with Pillow.open(out / name / "maps" / Path(keyframe["image"]).name) as picture:
            image = inline_jpeg(np.asarray(picture))
        title = f"{keyframe['label']}, probability {keyframe['probability']:.2f}"
        parts.append(f"<h2>{escape(title)}</h2><img src='{image}' alt='{escape(name)}'>")
        parts.append(f"<p>Is the box on the structure: <b>{is_on}</b>. {escape(said)}</p>")
    return "\n".join(parts) + "\n"


def main() -> None:
    """Explain the images and write the page."""
    parser = argparse.ArgumentParser(prog="python -m studies.localization.fetal", description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    bundle = Bundle.load(given.bundle)
    explain_all([given.images], bundle=bundle, out=given.out, recipe=layered(bundle.recipe))
    (given.out / "fetal.html").write_text(page(given.out), encoding="utf-8")
    print(f"Open {given.out / 'fetal.html'}.")


if __name__ == "__main__":
    main()
