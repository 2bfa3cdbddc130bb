"""Whose each recording is, and which part of the split each patient goes to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sonoplane.clips.complete_sets import Decided, decide_split
from sonoplane.clips.splits import audit, patient_of
from sonoplane.clips.splits_settings import SplitSettings
from sonoplane.errors import SplitError
from sonoplane.frames.entries import Entry
from sonoplane.records import Facts
from sonoplane.steps.label_tables import Said, Tables
from sonoplane.video.pseudonyms import Pseudonyms

__all__ = ["Owner", "check_unchanged", "many_origins", "owner_of", "share_out"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """Whose a recording is."""

    patient: str
    """A pseudonym."""
    study: str | None
    centre: str | None
    told_by: str
    """Who told the patient: the labels, DICOM, a pattern, ...; empty for a recording of an earlier run."""


def owner_of(
    recording: str, *, facts: Facts, said: Said, settings: SplitSettings, pseudonyms: Pseudonyms
) -> Owner:
    """Whose this recording is; SplitError where nothing tells."""
    patient = patient_of(recording, facts=facts, labelled=said.get((recording, "patient")), settings=settings)
    is_pseudonym = patient.origin in ("dicom", "study")
    return Owner(
        patient=patient.name if is_pseudonym else pseudonyms.of("patient", patient.name),
        study=facts.study,
        centre=said.get((recording, "centre")) or facts.centre,
        told_by=patient.origin,
    )


def check_unchanged(kept: Mapping[str, Entry], said: Said, pseudonyms: Pseudonyms) -> None:
    """A SplitError where the labels now say other facts of recordings that are stored (`kept`: recording -> entry)."""
    changed = Counter[str]()
    for recording, entry in kept.items():
        for what in ("patient", "centre", "split"):
            value = said.get((recording, what))
            now = pseudonyms.of("patient", value) if value and what == "patient" else value
            drawn = what == "split" and (now, entry.split) == ("train", "validation")
            if now and now != getattr(entry, what) and not drawn:
                changed[what] += 1
    if changed:
        told = ", ".join(f"another {what} for {n}" for what, n in changed.items())
        raise SplitError(
            f"The labels now tell {told} of the recordings that the archive holds.",
            advice="Take that back, or prepare into a new archive.",
        )


def many_origins(owners: Sequence[Owner]) -> list[str]:
    """A warning where patients are told in several ways, in which one person may go by two names."""
    counts = Counter(owner.told_by for owner in owners if owner.told_by)
    if len(counts) < 2:
        return []
    told = ", ".join(f"{n} by {origin}" for origin, n in counts.most_common())
    return [
        f"Patients are told in several ways ({told}): one person told in two ways counts as two and may be in two"
        " parts of the split. Name the patient of every recording in the label table."
    ]


def share_out(
    owners: Mapping[str, Owner],
    stored: Mapping[str, Entry],
    tables: Tables,
    said: Said,
    settings: SplitSettings,
    *,
    parts: Mapping[str, str] | None = None,
) -> Decided:
    """Which part each recording is in: whole patients, even over labels and centres.

    `owners` tells this run's recordings, `stored` those that the archive holds (recording -> entry): they stay in their
    part. So do those whose part an earlier run has decided (`parts`) but not lived to store, unless labels have changed
    since. A patient goes by the name of his first recording, so that the draw depends on the seed and the sources but
    not on the archive's key, and that an error names something that its reader can find.

    Raises:
        SplitError: a patient or a study would be in two parts, or the parts cannot be filled.
    """
    whose = {name: entry.patient or name for name, entry in stored.items()}
    whose |= {name: owner.patient for name, owner in owners.items()}
    first: dict[str, str] = {}
    for recording in sorted(whose):
        first.setdefault(whose[recording], recording)
    patients = {recording: first[patient] for recording, patient in whose.items()}

    centres = {name: entry.centre or "" for name, entry in stored.items()}
    centres |= {name: owner.centre or "" for name, owner in owners.items()}
    strata = [*_views(tables), *_shown(tables)]
    decided = decide_split(
        patients,
        settings=settings,
        centres=centres,
        strata=[{name: stratum.get(name, "") for name in patients} for stratum in strata],
        said={name: part for name in owners if (part := said.get((name, "split")))},
        stored=_kept(patients, stored, said, parts or {}),
    )
    studies = {name: entry.study for name, entry in stored.items()}
    studies |= {name: owner.study for name, owner in owners.items()}
    audit(decided.split, patients, {name: study for name, study in studies.items() if study})
    return decided


def _kept(
    patients: Mapping[str, str], stored: Mapping[str, Entry], said: Said, parts: Mapping[str, str]
) -> dict[str, str]:
    """What an earlier run has decided: recording -> part. Of recordings it has not stored, what still fits."""
    kept = {name: entry.split for name, entry in stored.items() if entry.split}
    part_of = {patients[name]: part for name, part in kept.items()}
    for name in sorted(parts.keys() & patients.keys() - kept.keys()):
        part, told = parts[name], said.get((name, "split"))
        fits = told in (None, part) or (told, part) == ("train", "validation")
        if fits and part_of.setdefault(patients[name], part) == part:
            kept[name] = part
    return kept


def _views(tables: Tables) -> list[dict[str, str]]:
    """For every task that labels whole recordings: recording -> its label."""
    views = [
        {row.recording: row.label for row in table.rows if row.start is None}
        for _, table in sorted(tables.items())
    ]
    return [view for view in views if view]


def _shown(tables: Tables) -> list[dict[str, str]]:
    """For every class that labels runs of frames: recording -> that it shows it."""
    shown: dict[tuple[str, str], dict[str, str]] = {}
    for task, table in sorted(tables.items()):
        for row in table.rows:
            if row.start is not None:
                shown.setdefault((task, row.label), {})[row.recording] = "shown"
    return [shown[key] for key in sorted(shown)]
