"""The command `prepare`."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sonoplane.cli.words import Json, Recipe, fields_of, given, print_json, print_line
from sonoplane.clips.duplicates_settings import DuplicateSettings
from sonoplane.clips.labels_settings import LabelSettings
from sonoplane.clips.splits_settings import SplitSettings
from sonoplane.clips.windows_settings import WindowSettings
from sonoplane.errors import UsageError
from sonoplane.frames.layouts_settings import LayoutSettings
from sonoplane.frames.region_settings import RegionSettings
from sonoplane.frames.store_settings import StoreSettings
from sonoplane.frames.subsample_settings import SubsampleSettings
from sonoplane.training.settings import InputSettings

__all__ = ["prepare"]


def prepare(
    sources: list[Path] | None = None,
    /,
    *,
    out: str,
    labels: list[str] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    key: Path | None = None,
    pseudonyms: Path | None = None,
    private: Path | None = None,
    check: Annotated[bool, Parameter(negative="")] = False,
    recipe: Recipe = None,
    as_json: Json = False,
    region: RegionSettings | None = None,
    layouts: LayoutSettings | None = None,
    subsample: SubsampleSettings | None = None,
    network_input: Annotated[InputSettings | None, Parameter(name="--input")] = None,
    store: Annotated[StoreSettings | None, Parameter(name="*")] = None,
    label_settings: Annotated[LabelSettings | None, Parameter(name="*")] = None,
    split: Annotated[SplitSettings | None, Parameter(name="*")] = None,
    duplicates: DuplicateSettings | None = None,
    windows: WindowSettings | None = None,
) -> int:
    """Turn recordings and their labels into an archive for training.

    Parameters
    ----------
    sources
        Recordings, or folders in which every recording is meant.
    out
        The archive: a folder, or an fsspec URL such as s3://bucket/archive, that is made or continued.
    labels
        Labels, `TASK=FILE` or `FILE` (the task is then the file's stem); may be given several times. A table (CSV,
        Parquet), CVAT XML, Label Studio JSON, or a folder or table of classes.
    workers
        Processes that work at once, a core each; else one for every core. 0: none besides this one.
    scheduler
        The address of a running Dask cluster that does the work instead, on machines that see the same files.
    key
        A file with the key of the pseudonyms, for archives in which a patient is to have the same one; else a random
        key.
    pseudonyms
        A table of chosen pseudonyms: CSV with the columns kind (patient, study, recording), original, pseudonym.
    private
        The private folder; else `<archive>-private` beside the archive.
    check
        Read the archive and tell what is not as it was written; prepare nothing.
    """
    from sonoplane.steps.jobs import Jobs
    from sonoplane.steps.prepare import prepare as run
    from sonoplane.steps.prepare import verify
    from sonoplane.steps.private import Secrets
    from sonoplane.steps.recipe import layered, read_recipe

    if check:
        return _checked(out, verify(out), as_json=as_json)
    if not sources:
        raise UsageError("There is nothing to prepare.", advice="Name recordings, or folders that hold them.")
    flags = {
        "region": region,
        "layouts": layouts,
        "subsample": subsample,
        "input": network_input,
        "store": store,
        "labels": label_settings,
        "split": split,
        "duplicates": duplicates,
        "windows": windows,
    }
    prepared = run(
        sources,
        out,
        labels=_tasks(labels or []),
        recipe=layered(read_recipe(recipe) if recipe else {}, given(flags)),
        jobs=Jobs(workers=_workers(workers, scheduler), scheduler=scheduler),
        secrets=Secrets(folder=private, key=key, pseudonyms=pseudonyms),
    )
    if as_json:
        print_json(
            {
                "recordings": prepared.n_done,
                "new": prepared.n_new,
                "patients": prepared.n_patients,
                "parts": prepared.parts,
                "failures": [fields_of(failure) for failure in prepared.failures],
                "notes": prepared.notes,
            }
        )
    else:
        for note in prepared.notes:
            print_line(note)
        parts = ", ".join(f"{part} {n}" for part, n in prepared.parts.items())
        print_line(
            f"{prepared.n_done} recordings of {prepared.n_patients} patients ({parts}), {prepared.n_new} of them new;"
            f" {len(prepared.failures)} failed. '{prepared.private}' holds the key and the list of sources: keep it."
            " Look at its sheet.html, and at statistics.html in the archive."
        )
    if not prepared.n_done:
        return 2
    return 1 if prepared.failures else 0


def _checked(archive: str, problems: list[str], *, as_json: bool) -> int:
    """Tell what is wrong with an archive; exit status 1 where something is."""
    name = archive.rstrip("/").rpartition("/")[2]
    if as_json:
        print_json({"archive": name, "problems": problems})
    else:
        for problem in problems:
            print_line(problem)
        print_line(f"'{name}': {len(problems)} problems." if problems else f"'{name}' is as it was written.")
    return 1 if problems else 0


def _workers(asked: int | None, scheduler: str | None) -> int:
    """As many as were asked for; else one for every core that this process may use, where no cluster works instead."""
    if asked is not None or scheduler:
        return asked or 0
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
