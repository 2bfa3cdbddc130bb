"""Pseudonyms tell equal from unequal, and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonoplane.errors import UsageError
from sonoplane.video.pseudonyms import Pseudonyms

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
