"""The command `export`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from sonoplane.cli.words import Json, Recipe, given, print_json, print_line
from sonoplane.inference.export_settings import ExportSettings

__all__ = ["export"]


def export(
    bundle: Path,
    /,
    *,
    to: Literal["onnx", "openvino"] = "openvino",
    calibrate: str | None = None,
    verify: str | None = None,
    recipe: Recipe = None,
    as_json: Json = False,
    settings: Annotated[ExportSettings | None, Parameter(name="*")] = None,
) -> int:
    """Make the network a model that other programs run, kept in its bundle, and prove that it answers the same.

    Parameters
    ----------
    bundle
        The trained model, or an ensemble.
    to
        What runs it.
    calibrate
        The archive, a folder or a URL, that int8 is fitted to, on its training recordings, and proven on, on those of
        validation.
    verify
        An archive, a recording, or a folder of them, to prove it on; if not given, simulated frames. int8 is proven
        on it besides.
    """
    from sonoplane.inference.ways import run_of
    from sonoplane.models.bundle import Bundle
    from sonoplane.steps.export import export as run
    from sonoplane.steps.recipe import layered, read_recipe

    bundle = bundle.resolve()  # `.` has no name, and cannot be replaced
    loaded = Bundle.load(bundle)
    settings = layered(read_recipe(recipe) if recipe else {}, given({"export": settings})).export
    exported, added = run(loaded, to, settings, calibrate=calibrate, verify=verify)
    folders = [member.folder.name for member in exported.members] or [""]
    members = [name for name in folders for _ in range(len(added) // len(folders))]
    if as_json:
        largest = max(one.proof.largest_difference for one in added if one.proof)
        models = [
            {**({"member": member} if member else {}), **asdict(one), "files": list(one.files)}
            for member, one in zip(members, added, strict=True)
        ]
        print_json({"bundle": bundle.name, "to": to, "largest_difference": largest, "models": models})
        return 0
    if calibrate and not verify and settings.precision != "int8":
        print_line(f"Nothing is fitted to frames in {settings.precision}: --calibrate served as --verify.")
    for member, one in zip(members, added, strict=True):
        assert one.proof is not None
        named = f"{exported.name}, {member}" if member else exported.name
        print_line(
            f"{named}: {one.files[0]}, {one.precision}: logits within {one.proof.largest_difference:.1e} of"
            f" PyTorch's (share of the largest), {100 * one.proof.same_labels:.1f} % of {one.proof.n_frames} labels"
            f" the same ({one.proof.frames}); {one.proof.ms:.3g} ms, PyTorch {one.proof.ms_torch:.3g} ms."
        )
    if settings.precision != "float32" and not all(
        one.is_well_proven for one in added if one.precision != "float32"
    ):
        print_line(
            f"It takes `--run.precision {settings.precision}` to run it: by itself it is run only where 100 real frames"
            " or more have proven it (`--verify`)."
        )
        return 0
    said = run_of(exported).precision
    if added[-1].precision not in ("float32", said) and said != "auto":
        print_line(f"The bundle's recipe says {said}: predict with `--run.precision {added[-1].precision}`.")
    return 0
