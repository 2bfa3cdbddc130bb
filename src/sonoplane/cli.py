"""The command line: one command per step."""

import json
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, CycloptsPanel, Parameter
from pydantic import BaseModel, ValidationError

from sonoplane import __version__
from sonoplane.clips.splits_settings import SplitSettings
from sonoplane.errors import SonoplaneError, UsageError
from sonoplane.frames.region_settings import RegionSettings
from sonoplane.frames.subsample_settings import SubsampleSettings
from sonoplane.inference.settings import FindingsSettings, KeyFrameSettings, RunSettings
from sonoplane.training.settings import (
    AugmentationSettings,
    InputSettings,
    NetworkSettings,
    TrainingSettings,
)

__all__ = ["app", "main"]


def _told(error: CycloptsError) -> Any:
    """A wrong call in words: the settings' own complaints without the settings library's address."""
    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        return CycloptsPanel(error)
    return CycloptsPanel(
        "\n".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}, not {e['input']!r}." for e in cause.errors())
    )


app = App(
    name="sonoplane",
    version=__version__,
    help="Finds and names the standard planes in ultrasound video, and trains the networks that do it.\n\n"
    "Start with `sonoplane demo --out demo-output`. Any command takes --debug, which shows where an error arose.",
    error_formatter=_told,
    suppress_keyboard_interrupt=False,
)
weights = App(name="weights", help="Bring published or foreign networks in.")
app.command(weights)

Recipe = Annotated[Path | None, Parameter(help="A TOML file of settings; flags win over it.")]
Overwrite = Annotated[bool, Parameter(negative="", help="Replace a bundle that is there.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print the result as JSON.")]


@app.command
def predict(
    recordings: list[Path],
    /,
    *,
    bundle: Path,
    out: Path,
    mode: Literal["clip", "dense"] = "dense",
    backend: Literal["auto", "openvino", "onnx", "torch"] = "auto",
    logits: Annotated[bool, Parameter(negative="")] = False,
    recipe: Recipe = None,
    as_json: Json = False,
    region: RegionSettings | None = None,
    run: RunSettings | None = None,
    findings: FindingsSettings | None = None,
    keyframes: KeyFrameSettings | None = None,
) -> int:
    """Say what recordings show, and hand over the frames worth seeing.

    Example: `sonoplane predict study/ sweep.dcm --bundle liver --out out`

    Parameters
    ----------
    recordings
        Recordings, or folders in which every recording is meant.
    bundle
        The trained model.
    out
        Where the findings go: a folder for each recording, `index.html`, `failures.csv`.
    mode
        How a network that sees several frames at once is run; networks of single frames answer the same in both.
    backend
        What runs the network; `auto` takes the exported model where the bundle has one.
    logits
        Also write the raw logits, to `logits.csv`.
    """
    from sonoplane.models.bundle import Bundle
    from sonoplane.steps.predict import predict_all
    from sonoplane.steps.recipe import layered, read_recipe

    loaded = Bundle.load(bundle)
    flags = {"region": region, "run": run, "findings": findings, "keyframes": keyframes}
    settings = layered(loaded.recipe, read_recipe(recipe) if recipe else {}, _given(flags))
    predicted = predict_all(
        recordings, bundle=loaded, out=out, recipe=settings, backend=backend, logits=logits
    )
    if as_json:
        _print_json(
            {
                "done": [
                    {
                        "recording": entry.recording,
                        "label": entry.label,
                        "probability": entry.probability,
                        "planes": {"found": entry.found, "missing": entry.missing},
                        "frames": entry.n_frames,
                        "warnings": entry.n_warnings,
                    }
                    for entry in predicted.done
                ],
                "failures": [_fields(failure) for failure in predicted.failures],
            }
        )
    else:
        for entry in predicted.done:
            _print(f"{entry.recording}: {entry.label} ({entry.probability:.2f})")
        _print(f"{len(predicted.done)} done, {len(predicted.failures)} failed. Open {out / 'index.html'}.")
    if not predicted.done:
        return 2
    return 1 if predicted.failures else 0


@app.command
def prepare(
    sources: list[Path],
    /,
    *,
    out: Path,
    labels: list[str] | None = None,
    source_resolution: Annotated[bool, Parameter(negative="")] = False,
    recipe: Recipe = None,
    as_json: Json = False,
    region: RegionSettings | None = None,
    subsample: SubsampleSettings | None = None,
    network_input: Annotated[InputSettings | None, Parameter(name="--input")] = None,
    split: Annotated[SplitSettings | None, Parameter(name="*")] = None,
) -> int:
    """Turn recordings and their labels into an archive for training.

    Example: `sonoplane prepare sweeps/ --out archive --labels planes=labels.csv`

    Beside the archive, in `<archive>-private`, lies what must not travel with it: the key of its pseudonyms, which
    recording got which, and `failures.csv`.

    Parameters
    ----------
    sources
        Recordings, or folders in which every recording is meant.
    out
        The archive: a folder that is made or continued.
    labels
        Labels, `TASK=FILE` or `FILE` (the task is then the file's stem); may be given several times. A table (CSV,
        Parquet), CVAT XML, Label Studio JSON, or a folder or table of classes.
    source_resolution
        Keep the source's resolution instead of the network's, for networks of several sizes.
    """
    from sonoplane.steps.prepare import prepare as run
    from sonoplane.steps.recipe import layered, read_recipe

    flags = {"region": region, "subsample": subsample, "input": network_input, "split": split}
    settings = layered(read_recipe(recipe) if recipe else {}, _given(flags))
    prepared = run(
        sources, out, labels=_tasks(labels or []), recipe=settings, source_resolution=source_resolution
    )
    if as_json:
        _print_json(
            {
                "recordings": prepared.n_done,
                "patients": prepared.n_patients,
                "parts": prepared.parts,
                "failures": [_fields(failure) for failure in prepared.failures],
                "notes": prepared.notes,
            }
        )
    else:
        for note in prepared.notes:
            _print(note)
        parts = ", ".join(f"{part} {n}" for part, n in prepared.parts.items())
        _print(
            f"{prepared.n_done} recordings of {prepared.n_patients} patients ({parts}), "
            f"{len(prepared.failures)} failed. The key and the list of sources lie in '{out.name}-private': keep them."
        )
    if not prepared.n_done:
        return 2
    return 1 if prepared.failures else 0


@app.command
def train(
    archive: Path,
    /,
    *,
    task: str,
    out: Path,
    overwrite: Overwrite = False,
    recipe: Recipe = None,
    as_json: Json = False,
    network: NetworkSettings | None = None,
    network_input: Annotated[InputSettings | None, Parameter(name="--input")] = None,
    training: TrainingSettings | None = None,
    augmentation: AugmentationSettings | None = None,
) -> int:
    """Train a network on an archive and leave it as a bundle; its input is that which the archive was prepared for.

    Example: `sonoplane train archive --task planes --out liver --training.epochs 20`

    Parameters
    ----------
    archive
        A folder that `sonoplane prepare` made.
    task
        Which of the archive's label tables to learn.
    out
        The bundle: a folder that is made.
    """
    from sonoplane.steps.recipe import read_recipe
    from sonoplane.steps.train import recipe_for
    from sonoplane.steps.train import train as run

    flags = {
        "network": network,
        "input": network_input,
        "training": training,
        "augmentation": augmentation,
    }
    settings = recipe_for(archive, read_recipe(recipe) if recipe else {}, _given(flags))
    bundle = run(archive, task=task, out=out, recipe=settings, overwrite=overwrite)
    if as_json:
        _print_json({"bundle": out.name, "sha256": bundle.sha256, "metrics": bundle.metrics})
    else:
        accuracy = (bundle.metrics or {})["validation"]["frame_accuracy"]
        _print(f"Validation frame accuracy {accuracy['text']}. Bundle: {out}")
    return 0


@app.command
def export(bundle: Path, /, *, to: Literal["onnx", "openvino"] = "openvino", as_json: Json = False) -> int:
    """Add a form of the network to its bundle that runs without PyTorch, and prove that it answers the same.

    Example: `sonoplane export liver --to openvino`
    """
    from sonoplane.inference.export import export as run
    from sonoplane.models.bundle import Bundle

    exported, difference = run(Bundle.load(bundle), to)
    if as_json:
        _print_json({"bundle": bundle.name, "to": to, "largest_difference": difference})
    else:
        _print(f"{exported.name}: {to}, logits within {difference:.1e} of PyTorch's (share of the largest).")
    return 0


@weights.command(name="import")
def import_weights(
    file: Path,
    /,
    *,
    out: Path,
    card: str | None = None,
    classes: str | None = None,
    name: str | None = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> int:
    """Make a bundle of a weights file: `.npz`, `.pth`, `.ckpt` or `.safetensors` of the known layouts.

    Example: `sonoplane weights import SonoNet16.npz --out fetal16`

    Parameters
    ----------
    file
        The weights.
    out
        The bundle: a folder that is made.
    card
        What the network expects: a built-in card's name, or a TOML file. The published weights bring theirs.
    classes
        Names of the network's outputs in order, separated by commas.
    name
        The bundle's name; else that of the folder.
    """
    from sonoplane.steps.weights import card_named, import_bundle

    names = [part.strip() for part in classes.split(",")] if classes else None
    made = import_bundle(
        file,
        out,
        card=card_named(card) if card else None,
        classes=names,
        name=name,
        overwrite=overwrite,
    )
    if as_json:
        _print_json({"bundle": made.name, "network": made.spec.name, "classes": made.card.classes})
    else:
        _print(f"{made.name}: {made.spec.name} with {len(made.card.classes)} classes. Bundle: {out}")
    return 0


@weights.command(name="list")
def list_weights(*, as_json: Json = False) -> int:
    """Show the published weights that can be fetched.

    Example: `sonoplane weights list`
    """
    from sonoplane.models.weights import list_known

    if as_json:
        _print_json([{**_fields(known), "url": known.url} for known in list_known()])
    else:
        for known in list_known():
            _print(f"{known.name:12} {known.network:14} {known.license:12} {known.url}")
    return 0


@weights.command(name="get")
def get_weights(name: str, /, *, as_json: Json = False) -> int:
    """Fetch published weights, check them, and keep them in the cache.

    Example: `sonoplane weights get SonoNet16`
    """
    from sonoplane.steps.weights import download

    path = download(name)
    if as_json:
        _print_json({"name": name, "file": str(path)})
    else:
        _print(str(path))
    return 0


@app.command
def demo(*, out: Path = Path("demo-output"), patients: int = 24, seed: int = 0, as_json: Json = False) -> int:
    """Simulate sweeps, train a small network on two thirds of the patients, and find the planes of the others.

    Example: `sonoplane demo --out demo-output`

    Parameters
    ----------
    out
        Where recordings, archive, bundle and findings go.
    patients
        How many patients to simulate.
    seed
        Another seed simulates other patients.
    """
    from sonoplane.steps.demo import demo as run

    result = run(out, patients=patients, seed=seed)
    if as_json:
        _print_json(result.to_json())
    else:
        _print(result.text())
    return 0


_TRAIN = "Run `pip install 'sonoplane[train]'`."
#: What is not in the plain install, and how to get it.
_EXTRAS = {"torch": _TRAIN, "pytorch_lightning": _TRAIN, "onnx": _TRAIN, "onnxscript": _TRAIN}


def main() -> None:
    """Run the command line: errors as one line, exit status as the manual says."""
    tokens = sys.argv[1:]
    debug = "--debug" in tokens
    if debug:
        logging.basicConfig(level=logging.WARNING)
        logging.getLogger("sonoplane").setLevel(logging.DEBUG)
    try:
        status = app([token for token in tokens if token != "--debug"], result_action="return_value")
    except KeyboardInterrupt:
        _complain("Interrupted. What was finished is kept.")
        status = 130
    except BrokenPipeError:
        status = 0
    except SonoplaneError as error:
        if debug:
            raise
        _complain(f"sonoplane: {error}")
        status = 2
    except OSError as error:
        if debug:
            raise
        what = f" '{Path(os.fsdecode(error.filename)).name}'" if error.filename else ""
        _complain(
            f"sonoplane: {error.strerror or type(error).__name__}:{what}. Check the path, its permissions and space."
        )
        status = 2
    except ModuleNotFoundError as error:
        if debug or error.name is None:
            raise
        advice = _EXTRAS.get(error.name, "Install sonoplane again.")
        _complain(f"sonoplane: This needs {error.name}, which is not installed. {advice}")
        status = 2
    except Exception as error:
        if debug:
            raise
        _complain(
            f"sonoplane: an error that it has no word for ({type(error).__name__}). "
            "Run again with --debug and report what it shows."
        )
        status = 2
    sys.exit(status if isinstance(status, int) else 0)


def _given(flags: Mapping[str, BaseModel | None]) -> dict[str, Any]:
    """What was said on the command line, and nothing else, as a layer of a recipe."""
    return {
        section: model.model_dump(include=model.model_fields_set)
        for section, model in flags.items()
        if model is not None
    }


def _tasks(tables: list[str]) -> dict[str, Path]:
    """`TASK=FILE` or `FILE`, several, to task -> file."""
    tasks: dict[str, Path] = {}
    for table in tables:
        task, _, file = table.rpartition("=")
        task = task or Path(file).stem
        if task in tasks:
            raise UsageError(f"Two label tables are named '{task}'.", advice="Name them: --labels TASK=FILE.")
        tasks[task] = Path(file)
    return tasks


def _fields(record: Any) -> dict[str, Any]:
    """A flat record of plain values, for JSON."""
    return {name: getattr(record, name) for name in record.__slots__}


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _print_json(result: Any) -> None:
    sys.stdout.write(json.dumps(result, indent=2, ensure_ascii=False) + "\n")


def _complain(line: str) -> None:
    sys.stderr.write(f"{line}\n")
