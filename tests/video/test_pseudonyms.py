"""Pseudonyms tell equal from unequal, and nothing else."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonoplane.errors import UsageError
from sonoplane.video.pseudonyms import Pseudonyms, read_pseudonyms

KEY = b"a key that nobody knows"


@settings(max_examples=30, deadline=None)
@given(st.text(min_size=1))
def test_a_pseudonym_is_16_hexadecimal_digits_and_stays(value: str) -> None:
    name = Pseudonyms(KEY).of("patient", value)
    assert name == Pseudonyms(KEY).of("patient", value)
    assert len(name) == 16
    assert set(name) <= set("0123456789abcdef")


def test_a_long_identifier_is_not_in_its_pseudonym() -> None:
    assert "4711" not in Pseudonyms(KEY).of("patient", "4711")


def test_kinds_values_and_keys_make_different_pseudonyms() -> None:
    names = Pseudonyms(KEY)
    others = [names.of("study", "1"), names.of("patient", "2"), Pseudonyms.fresh().of("patient", "1")]
    assert names.of("patient", "1") not in others
    assert names.of("ab", "c") != names.of("a", "bc")


def test_the_key_shows_nowhere() -> None:
    assert "key" not in repr(Pseudonyms(KEY))


def test_two_fresh_keys_differ() -> None:
    assert Pseudonyms.fresh() != Pseudonyms.fresh()


def test_a_short_key_is_refused() -> None:
    with pytest.raises(UsageError, match="guessed"):
        Pseudonyms(b"short")


def table(folder: Path, *rows: str) -> Path:
    path = folder / "names.csv"
    path.write_text("\n".join(["kind,original,pseudonym", *rows]) + "\n", encoding="utf-8")
    return path


def test_a_chosen_name_goes_before_the_hash(tmp_path: Path) -> None:
    given = read_pseudonyms(table(tmp_path, "patient,4711,liver-07", "patient,0815,liver-07"))
    names = Pseudonyms(KEY, given)
    assert names.of("patient", "4711") == names.of("patient", "0815") == "liver-07"
    assert names.of("study", "4711") == Pseudonyms(KEY).of("study", "4711")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("person,4711,a", "no kind of thing"),
        ("patient,,a", "lacks the original"),
        ("patient,4711,", "lacks the original"),
        ("patient,4711,4711", "is the original"),
        ("patient,4711,../a", "no safe name"),
        ("patient,1,b", "another pseudonym in an earlier row"),
        ("recording,r2,sweep", "another recording's pseudonym"),
    ],
)
def test_a_wrong_row_is_told_without_its_original(tmp_path: Path, row: str, told: str) -> None:
    path = table(tmp_path, "patient,1,a", "recording,r1,sweep", row)
    with pytest.raises(UsageError, match=rf"Row 4 of 'names.csv': .*{told}") as error:
        read_pseudonyms(path)
    assert "0815" not in str(error.value)


def test_a_table_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_pseudonyms(tmp_path / "absent.csv")
