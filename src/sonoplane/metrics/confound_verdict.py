"""Whether a network does better than facts of the files alone, and what a reader should conclude."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from sonoplane.errors import UsageError
from sonoplane.metrics.answers import Answers
from sonoplane.metrics.confounds import ConfoundAudit
from sonoplane.metrics.differences import compare
from sonoplane.metrics.intervals import Estimate
from sonoplane.metrics.measure import measure

__all__ = ["ConfoundVerdict", "judge_confounds", "verdict_words"]

#: A network must lead by so much, whatever the interval.
CLOSE = 0.05

#: Below this p, facts beat chance.
_SURE = 0.025

#: Facts that beat chance by so much are suspicious by themselves.
_STRONG = 0.1

_ADVICE = (
    "A network may recognize where a recording comes from instead of what it shows, and then fails elsewhere. Test"
    " on recordings in which every class comes from the same sources, or balance the classes over scanners, sizes"
    " and formats before training."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfoundVerdict:
    """What the audit means for one network, or for the data alone."""

    flagged: bool
    """The facts beat chance and come close to the network; without a network: they beat chance by far."""
    reached: str
    """How far the facts alone come, as a sentence."""
    against: str
    """How the network stands beside them, as a sentence; empty where there is none."""
    conclusion: str
    """What that means, in a sentence that several networks can share."""
    facts: Estimate
    """Balanced accuracy from facts alone, on the rows that both answered."""
    network: Estimate | None
    lead: Estimate | None
    """Network minus facts, over the same patients."""

    @property
    def meaning(self) -> str:
        """How the network stands beside the facts, and what that means: sentences."""
        return f"{self.against} {self.conclusion}".strip()

    @property
    def words(self) -> str:
        """What was found, what it means, and where flagged what to do: sentences for the report."""
        return verdict_words([self])


def judge_confounds(
    audit: ConfoundAudit,
    network: Answers | None = None,
    *,
    name: str = "The network",
    draws: int = 1000,
    seed: int = 0,
) -> ConfoundVerdict:
    """Compare balanced accuracy from facts alone with a network's, on the rows that both answered.

    The network comes close to the facts where the interval of its lead includes 0, or its lead is below 0.05. That is
    a warning only where the facts beat chance: two that both guess are alike as well.

    Raises:
        UsageError: the two have no row in common, or other levels or classes.
    """
    facts, theirs = audit.answers, network
    if network is not None:
        facts, theirs = _matched(audit.answers, network)
    score = measure(facts, top=(), draws=draws, seed=seed).numbers["balanced_accuracy"]
    beats = audit.p < _SURE
    reached = (
        f"From facts of the files alone ({_listed(audit.facts)}), without an image, a plain model reaches a balanced"
        f" accuracy of {_said(score)}; chance is {audit.chance:.2f} (p\u00a0{_p(audit.p)})."
    )
    if theirs is None:
        flagged = beats and (score.value or 0) >= audit.chance + _STRONG
        return ConfoundVerdict(
            flagged=flagged,
            reached=reached,
            against="",
            conclusion=_of_the_data(flagged, beats),
            facts=score,
            network=None,
            lead=None,
        )
    own = measure(theirs, top=(), draws=draws, seed=seed).numbers["balanced_accuracy"]
    # the lead alone is wanted, so no swaps are drawn
    lead = compare(facts, theirs, ["balanced_accuracy"], draws=draws, swaps=1, seed=seed)[0].difference
    flagged = beats and _close(lead)
    return ConfoundVerdict(
        flagged=flagged,
        reached=reached,
        against=f"{name} reaches {_said(own)}, {_ahead(lead)}.",
        conclusion=_meaning(flagged, beats, _close(lead), score, audit.chance),
        facts=score,
        network=own,
        lead=lead,
    )


def verdict_words(verdicts: Sequence[ConfoundVerdict]) -> str:
    """The verdicts of one audit on several networks as one paragraph: what is common to them is said once."""
    parts = [*dict.fromkeys(one.reached for one in verdicts)]
    for conclusion, alike in groupby(verdicts, key=lambda one: one.conclusion):
        parts += [*(one.against for one in alike if one.against), conclusion]
    return " ".join([*parts, *([_ADVICE] if any(one.flagged for one in verdicts) else [])])


def _matched(facts: Answers, network: Answers) -> tuple[Answers, Answers]:
    """Both with the same labelled rows in the same order."""
    if facts.level != network.level or facts.classes != network.classes:
        raise UsageError(
            f"The facts answer by {facts.level}, the network by {network.level}, or their classes differ.",
            advice="Gather the network's answers to the same level first.",
        )
    ours, theirs = (_rows(answers) for answers in (facts, network))
    common = [row for row in ours if row in theirs]
    if not common:
        raise UsageError(
            "Facts and network answered no row in common.",
            advice="Audit the recordings that the network was tested on.",
        )
    return facts.only([ours[row] for row in common]), network.only([theirs[row] for row in common])


def _rows(answers: Answers) -> dict[tuple[str, int], int]:
    """(recording, which of its rows) -> place, of labelled rows."""
    seen: dict[str, int] = {}
    places = {}
    for place, recording in enumerate(answers.recordings.tolist()):
        turn = seen.get(recording, 0)
        seen[recording] = turn + 1
        if answers.targets[place] >= 0:
            places[recording, turn] = place
    return places


def _close(lead: Estimate) -> bool:
    """The lead may be nothing, or is small."""
    if lead.value is None or lead.value < CLOSE:
        return True
    return lead.low is not None and lead.low <= 0


def _meaning(flagged: bool, beats: bool, close: bool, score: Estimate, chance: float) -> str:
    if flagged:
        return "The facts come close to that."
    if beats:
        return (
            "The facts tell something of the classes, but the images surely more: part of what is reached with them"
            " may come from the facts."
        )
    if close and (score.value or 0) >= chance + _STRONG:
        return "The facts may tell something of the classes; there are too few patients to know."
    if close:
        return "The facts do not surely beat chance, and what the images tell is not surely more: neither tells much."
    return "The facts do not surely beat chance: nothing suggests that they are what is read."


def _of_the_data(flagged: bool, beats: bool) -> str:
    if flagged:
        return "The classes differ in more than what the images show."
    if beats:
        return "That is little more than chance: keep it in mind where a network is hardly better."
    return "The facts do not surely beat chance."


def _p(p: float) -> str:
    return "< 0.01" if p < 0.01 else f"= {p:.2f}"


def _said(number: Estimate) -> str:
    if number.value is None:
        return "no number"
    if number.low is None or number.high is None:
        return f"{number.value:.2f}"
    return f"{number.value:.2f} ({number.low:.2f} to {number.high:.2f})"


def _ahead(lead: Estimate) -> str:
    """The lead in words.

    >>> _ahead(Estimate(value=0.04, low=-0.03, high=0.1, n_patients=9, method="bootstrap"))
    'a lead of +0.04 (−0.03 to +0.10)'
    """
    if lead.value is None:
        return "and no lead can be told"
    numbers = [lead.value] if lead.low is None or lead.high is None else [lead.value, lead.low, lead.high]
    value, *ends = (f"{number:+.2f}".replace("-", "−") for number in numbers)
    return f"a lead of {value}" + (f" ({ends[0]} to {ends[1]})" if ends else "")


def _listed(names: tuple[str, ...]) -> str:
    """The names as in a sentence.

    >>> _listed(("width", "codec", "rate")), _listed(())
    ('width, codec and rate', 'they are the same everywhere')
    """
    if not names:
        return "they are the same everywhere"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
