"""From an archive to an ensemble by cross-validation: a bundle a fold, and answers to what each has never seen."""

import hashlib
import json
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sonoplane.clips.folds import HELD_OUT, draw_folds, parts_of_fold
from sonoplane.clips.splits import audit
from sonoplane.errors import SplitError, UsageError
from sonoplane.inference.smoothing_transitions import TRANSITIONS, transitions_of
from sonoplane.inference.ways import refuse_short, way_of
from sonoplane.models.bundle import Bundle, check_place
from sonoplane.models.ensemble import save_ensemble
from sonoplane.steps.learning import fingerprint, learn, learner_of, samples_of
from sonoplane.steps.material import Material, read_material
from sonoplane.steps.out_of_fold import (
    answer_fold,
    has_answers,
    read_answers,
    scores_over_folds,
    write_tables,
)
from sonoplane.steps.predict import run_as_trained
from sonoplane.steps.progress import say
from sonoplane.steps.recipe import Recipe
from sonoplane.steps.trained_on import is_its_archive, trained_on
from sonoplane.steps.transitions import transitions_in
from sonoplane.training.fit import leads
from sonoplane.training.samples import form_of

__all__ = ["folds_of", "train_folds"]

#: What says which cross-validation a working folder is of.
_PLAN = "folds.json"

_MEASURED = """\
Out-of-fold: the patients were shared out between {n} folds, and each recording was answered by the one network that
neither learned from its patient nor chose its epoch on them. The figures are thus of single networks. How well all {n}
together do was not measured: that takes patients whom none of them saw, such as those of the archive's test part."""


def train_folds(
    archive: Path | str,
    *,
    task: str,
    out: Path,
    n_folds: int,
    recipe: Recipe,
    overwrite: bool = False,
    restart: bool = False,
) -> Bundle:
    """Train the recipe's network once a fold, and save an ensemble of the bundles with how well each did.

    Folds are of patients, over all recordings outside the test part, which is not touched. Each fold's network is drawn
    (or begun) anew, learns from the other folds but one, and keeps the epoch that is best on that one, the fold after
    its own; so no network has seen the recordings that it is measured on, not even to choose its epoch. Every recording
    of a fold, labelled or not, is answered frame by frame by that fold's network, as `predict` would.

    Until all is done, `<out>.folds` beside it holds the folds that are done, and what is needed to go on with the one
    that is not; the same call then does, unless told to `restart`.

    Raises:
        UsageError: there are too few folds, or patients with labels for so many; `out` is not free; it was begun with
            other settings; and what `train` raises.
        SplitError: patients would be in two folds, or are not known.
    """
    check_place(out, name=f"{out.name}-fold-{n_folds}", overwrite=overwrite)
    material = read_material(archive, task, recipe)
    _check_start(material, recipe.network.start)
    folds = folds_of(material, n_folds=n_folds, seed=recipe.split.seed)
    _check_recipe(material, folds, n_folds, recipe)
    work = out.with_name(f"{out.name}.folds")
    if leads():
        say(_told(material, folds))
        _begin(work, _fingerprint(material, folds, recipe), restart=restart)
    places = {fold: work / f"fold-{fold}" for fold in range(1, n_folds + 1)}
    trained = {fold for fold, place in places.items() if place.exists() and not restart}
    for fold, place in places.items():
        parts = parts_of_fold(folds, fold)
        if fold not in trained:
            if leads():
                say(f"Fold {fold} of {n_folds}:")
            _learn(material, parts, place, out=out, recipe=recipe, restart=restart)
        if leads() and not has_answers(_answers_of(place)):
            held_out = [name for name, part in parts.items() if part == HELD_OUT]
            answer_fold(Bundle.load(place), material.store, held_out, _answers_of(place))
    if not leads():
        raise SystemExit(0)
    bundle = _put_together(material, folds, places, out, recipe, overwrite=overwrite)
    shutil.rmtree(work)
    return bundle


def _check_start(material: Material, start: str | None) -> None:
    """Raise a UsageError where every fold would begin with weights that have seen its patients."""
    if start and Path(start).is_dir() and is_its_archive(Bundle.load(Path(start)), material.store):
        raise UsageError(
            f"'{Path(start).name}' was trained on this archive: every fold's network would have seen its patients.",
            advice="Begin with weights from elsewhere, or leave out network.start.",
        )


def _begun_with(start: str | None) -> str:
    """What is to be said of weights whose own patients are not known."""
    if not start:
        return ""
    return (
        f" All began with the weights of '{Path(start).name}'; whether those had seen any of the patients"
        " is not known here."
    )


def _check_recipe(material: Material, folds: Mapping[str, int], n_folds: int, recipe: Recipe) -> None:
    """Raise a UsageError, before any training, where a fold could not be learned or answered after it."""
    learner = learner_of(material, recipe)
    way = way_of(learner.spec, run_as_trained(recipe))
    refuse_short(learner.spec.name, way, learner.network.min_frames)
    form = form_of(recipe.training, takes_clips=learner.spec.takes_clips)
    for fold in range(1, n_folds + 1):
        parts = parts_of_fold(folds, fold)
        for part in ("train", "validation"):
            if not (samples_of(material, parts, part, form, recipe).targets >= 0).any():
                raise UsageError(
                    f"For fold {fold}, no labelled frame or clip is left for {part}.",
                    advice="Cut shorter clips, ask for fewer folds, or label recordings of more patients.",
                )


def folds_of(material: Material, *, n_folds: int, seed: int) -> dict[str, int]:
    """Which fold each recording outside the test part is in, counted from 1: even over labels and centres.

    Raises:
        UsageError: there are too few folds, or patients with labels for so many.
        SplitError: it is not known whose some recordings are, or a study is of two patients.
    """
    entries = [entry for entry in material.store.entries if entry.split != "test"]
    whose = {entry.id: entry.patient for entry in entries if entry.patient}
    if len(whose) < len(entries):
        raise SplitError(
            f"Of {len(entries) - len(whose)} recordings nobody knows the patient, who might be in two folds.",
            advice="Prepare the archive again with the patient of every recording.",
        )
    labelled = [name for name in whose if (material.targets[name] >= 0).any()]
    centres = {entry.id: entry.centre or "" for entry in entries}
    folds = draw_folds(
        whose, k=n_folds, seed=seed, labelled=labelled, strata=[*_shown(material, labelled), centres]
    )
    studies = {name: study for name, study in material.studies.items() if name in folds}
    audit({name: str(fold) for name, fold in folds.items()}, whose, studies)
    return folds


def _shown(material: Material, labelled: list[str]) -> list[dict[str, str]]:
    """What is to be even between the folds: the label of recordings that have one, and who shows each class."""
    held = {name: np.unique(material.targets[name][material.targets[name] >= 0]) for name in labelled}
    if all(len(numbers) == 1 for numbers in held.values()):
        return [{name: material.classes[numbers[0]] for name, numbers in held.items()}]
    return [
        {name: "shown" for name, numbers in held.items() if number in numbers}
        for number in range(len(material.classes))
    ]


def _told(material: Material, folds: Mapping[str, int]) -> str:
    sizes: dict[int, set[str]] = defaultdict(set)
    for name, fold in folds.items():
        sizes[fold].add(material.patients[name])
    each = " + ".join(str(len(sizes[fold])) for fold in sorted(sizes))
    n_test = len(material.store) - len(folds)
    rest = f"the {n_test} of the test part are not touched" if n_test else "the archive has no test part"
    return f"{len(sizes)} folds of {each} patients, {len(folds)} recordings; {rest}."


def _begin(work: Path, fingerprint: str, *, restart: bool) -> None:
    """Make the working folder, or see that it is of this very cross-validation."""
    plan = work / _PLAN
    if work.exists() and not plan.exists() and (not work.is_dir() or any(_others_in(work))):
        raise UsageError(
            f"'{work.name}' is there already, and no cross-validation's.",
            advice="Move it away, or choose another --out.",
        )
    if restart:
        shutil.rmtree(work, ignore_errors=True)
    if plan.exists():
        try:
            found = json.loads(plan.read_text(encoding="utf-8"))["fingerprint"]
        except (ValueError, KeyError, TypeError):
            found = None
        if found != fingerprint:
            raise UsageError(
                "A cross-validation was begun here with other settings, folds, recordings or labels.",
                advice="Give those of before to go on, --restart to begin anew, or another --out.",
            )
        return
    work.mkdir(parents=True, exist_ok=True)
    fresh = work / f".{_PLAN}.new"
    fresh.write_text(json.dumps({"fingerprint": fingerprint}), encoding="utf-8")
    fresh.replace(plan)


def _others_in(work: Path) -> list[Path]:
    return [path for path in work.iterdir() if path.name != f".{_PLAN}.new"]


def _fingerprint(material: Material, folds: Mapping[str, int], recipe: Recipe) -> str:
    """Changes with anything that the result hangs on."""
    of_training = fingerprint(
        material,
        {name: f"fold-{fold}" for name, fold in folds.items()},
        recipe,
        learner_of(material, recipe).network,
    )
    answering = recipe.model_dump(
        include={
            "run": {"mode", "clip_length", "clip_step"},
            **dict.fromkeys(("findings", "smoothing", "calibration", "keyframes"), True),
        }
    )
    return hashlib.sha256(json.dumps([of_training, answering], sort_keys=True).encode()).hexdigest()


def _learn(
    material: Material, parts: Mapping[str, str], place: Path, *, out: Path, recipe: Recipe, restart: bool
) -> None:
    """Train one fold's network; a process that only helps goes on with the next fold where `learn` would end it."""
    try:
        learn(
            material,
            parts,
            out=place,
            name=f"{out.name}-{place.name}",
            tracking=out.with_name(f"{out.name}.tracking") / place.name,
            recipe=recipe,
            restart=restart,
        )
    except SystemExit:
        if leads():
            raise


def _answers_of(place: Path) -> Path:
    """Where the answers of a fold are kept."""
    return place.with_name(f"{place.name}.npz")


def _put_together(
    material: Material,
    folds: Mapping[str, int],
    places: Mapping[int, Path],
    out: Path,
    recipe: Recipe,
    *,
    overwrite: bool,
) -> Bundle:
    """The ensemble, with the answers of all folds."""
    work = places[1].parent
    members = {place.name: Bundle.load(place) for place in places.values()}
    answers = [
        each
        for fold, place in places.items()
        for each in read_answers(_answers_of(place), fold, material, recipe)
    ]
    scores = scores_over_folds(answers, material.classes, len(places))
    for figures, member in zip(scores["folds"], members.values(), strict=True):
        figures["best_epoch"] = (member.metrics or {})["best_epoch"]
    tables = write_tables(work, answers, material.classes, len(places))
    files: dict[str, Path | bytes] = {file.name: file for file in tables}
    return save_ensemble(
        out,
        name=out.name,
        version="1",
        members=members,
        recipe=members["fold-1"].recipe,
        metrics={
            **trained_on(material.store, material.task),
            "n_folds": len(places),
            "seed": recipe.split.seed,
            "out_of_fold": scores,
        },
        measured=_MEASURED.format(n=len(places)) + _begun_with(recipe.network.start),
        files=files | _transitions(material, folds, [*members.values()]),
        overwrite=overwrite,
    )


def _transitions(
    material: Material, folds: Mapping[str, int], members: Sequence[Bundle]
) -> dict[str, Path | bytes]:
    """How classes follow each other in all folds, for what the members expect on average."""
    known = [found for member in members if (found := transitions_of(member))]
    if not known:
        return {}
    made = transitions_in(
        material.store,
        material.targets,
        material.classes,
        parts=dict.fromkeys(folds, "train"),
        expected=np.mean([one.prior for one in known], axis=0),
    )
    return {TRANSITIONS: made.to_json()} if made else {}
