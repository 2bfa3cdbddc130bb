import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoplane.clips.duplicates import (
    Pair,
    audit_duplicates,
    duplicates_across_classes,
    likeliest_samples,
    near_duplicates,
)
from sonoplane.clips.duplicates_review import read_verdicts, review_table
from sonoplane.clips.duplicates_settings import DuplicateSettings
from sonoplane.errors import LabelError, SplitError
from sonoplane.records import Label

PAIR = Pair(recording="a", other="b", similarity=0.97)


def drawn(seed: int, n: int) -> np.ndarray:
    """A fingerprint in which every bit tells something."""
    hashes = np.random.default_rng(seed).integers(0, 256, (n, 102), np.uint8)
    hashes[:, 51:] = 255
    return hashes


def noisy(hashes: np.ndarray, share: float) -> np.ndarray:
    """The same with this share of its bits turned over."""
    flips = np.random.default_rng(9).random((len(hashes), 408)) < share
    changed = hashes.copy()
    changed[:, :51] ^= np.packbits(flips, axis=1)
    return changed


def test_similarity_is_the_share_of_the_shorter_one_that_has_a_match():
    one, other = drawn(0, 40), drawn(1, 10)
    part = np.concatenate([one[20:26], other[:4]])
    assert near_duplicates({"z": part, "a": one}) == (Pair(recording="a", other="z", similarity=0.6),)


def test_a_copy_with_some_bits_changed_is_found_and_one_with_many_is_not():
    one = drawn(0, 40)
    assert len(near_duplicates({"a": one, "b": noisy(one, 0.05)})) == 1
    assert not near_duplicates({"a": one, "b": noisy(one, 0.2)})
    assert len(near_duplicates({"a": one, "b": noisy(one, 0.2)}, DuplicateSettings(alike=0.5))) == 1


def test_the_order_of_the_frames_and_of_the_recordings_does_not_matter():
    some = {"a": drawn(0, 30), "b": drawn(0, 30)[::-1], "c": drawn(2, 5), "d": drawn(0, 30)[3::2]}
    pairs = near_duplicates(some)
    assert [pair.names for pair in pairs] == [("a", "b"), ("a", "d"), ("b", "d")]
    assert near_duplicates(dict(reversed(some.items()))) == pairs


def test_bits_that_tell_nothing_do_not_make_recordings_alike():
    blind = drawn(0, 9)
    blind[:, 51:] = 0
    assert not near_duplicates({"a": blind, "b": blind, "none": blind[:0], "too": blind[:0]})


def test_samples_without_a_bit_that_tells_something_do_not_count():
    some = drawn(0, 9)
    gaps = some.copy()
    gaps[::2, :] = 0
    (pair,) = near_duplicates({"a": some, "b": gaps})
    assert pair.similarity == 1
    assert [sample for sample, _ in likeliest_samples(gaps, some)] == [1, 3, 5, 7]
    assert likeliest_samples(gaps[:1], some) == likeliest_samples(some, gaps[:1]) == []


def test_the_likeliest_samples_come_first():
    one = drawn(0, 5)
    other = np.concatenate([noisy(one, 0.1), one])
    for sample, places in likeliest_samples(one, other, most=2):
        assert places == [sample + 5, sample]


@pytest.mark.parametrize("n", [0, 1])
def test_there_is_no_pair_of_fewer_than_two(n: int):
    assert near_duplicates(dict.fromkeys("a"[:n], drawn(0, 5))) == ()


def test_pairs_are_found_across_blocks(monkeypatch: pytest.MonkeyPatch):
    """However few samples are compared at once."""
    some = {f"r{i:02d}": drawn(i % 7, 3 + i) for i in range(21)}
    pairs = near_duplicates(some)
    assert len(pairs) == 7 * 3
    for most in (1, 10, 100):
        monkeypatch.setattr("sonoplane.clips.duplicates._PROBES_AT_ONCE", most)
        monkeypatch.setattr("sonoplane.clips.duplicates._SAMPLES_AT_ONCE", most)
        assert near_duplicates(some) == pairs


def test_a_pair_within_a_patient_and_a_part_is_counted():
    assert audit_duplicates([PAIR], {"a": "p1", "b": "p1"}, {"a": "train", "b": "train"}) == 1


def test_a_pair_across_patients_stops_the_run_with_advice():
    with pytest.raises(SplitError) as caught:
        audit_duplicates([PAIR], {"a": "Doe", "b": "Roe"}, {"a": "train", "b": "train"})
    assert str(caught.value) == (
        "'a' and 'b' show the same (97%) but are of two patients. If they merely look alike, write 'different'"
        " into the verdict column of near-duplicates.csv and run again; else prepare into a new archive, with one"
        " patient for both in the label table or without one."
    )


def test_a_pair_in_two_parts_stops_the_run_whoever_the_patient_is():
    with pytest.raises(SplitError, match=r"'a' and 'b' .* but are in 'train' and in 'test'"):
        audit_duplicates([PAIR], {"a": "p1", "b": "p1"}, {"a": "train", "b": "test"})
    with pytest.raises(SplitError, match="are of two patients and are in 'train' and in 'test'"):
        audit_duplicates([PAIR], {}, {"a": "train", "b": "test"})


def test_a_pair_found_different_is_left_out_and_one_found_the_same_is_not():
    patients, split = {"a": "p1", "b": "p2"}, {"a": "train", "b": "test"}
    assert audit_duplicates([PAIR], patients, split, {("a", "b"): "different"}) == 0
    with pytest.raises(SplitError, match="were found to be the same"):
        audit_duplicates([PAIR], patients, split, {("a", "b"): "same"})


def test_recordings_outside_the_split_do_not_count():
    assert audit_duplicates([PAIR], {"a": "p1", "b": "p2"}, {"a": "train"}) == 0


def test_an_error_shows_twenty_pairs():
    pairs = [Pair(recording=f"a{i}", other=f"b{i}", similarity=1.0) for i in range(30)]
    split = {name: "train" for pair in pairs for name in pair.names}
    with pytest.raises(SplitError, match="and 10 more") as caught:
        audit_duplicates(pairs, {}, split)
    assert caught.value.message.count("show the same") == 20


def test_duplicates_with_different_labels_are_told_once_each():
    labels = [Label(recording="a", label="2CH"), Label(recording="b", label="4CH")]
    assert "'a' is '2CH' and 'b' is '4CH'" in duplicates_across_classes([PAIR], labels)[0]
    assert not duplicates_across_classes([PAIR], labels, {("a", "b"): "different"})
    assert not duplicates_across_classes([PAIR], [*labels[:1], Label(recording="b", label="2CH")])
    assert not duplicates_across_classes([PAIR], labels[:1])
    frames = Label(recording="b", label="4CH", start=0, stop=5)
    assert not duplicates_across_classes([PAIR], [labels[0], frames])


def test_verdicts_survive_a_new_table_even_of_pairs_that_are_gone():
    table = review_table([PAIR], {("a", "b"): "same", ("c", "d"): "different"})
    assert table.splitlines()[1:] == ["a,b,0.970,same", "c,d,,different"]
    assert read_verdicts(table) == {("a", "b"): "same", ("c", "d"): "different"}


def test_a_table_lists_the_likest_first():
    pairs = [PAIR, Pair(recording="c", other="d", similarity=1.0)]
    assert review_table(pairs).splitlines()[1:] == ["c,d,1.000,", "a,b,0.970,"]


#: Names that a path below a source may have, commas and quotes included.
names = st.text("ab0_ ,;\"/'é", min_size=1, max_size=8).map(str.strip).filter(bool)


@given(
    st.dictionaries(
        st.lists(names, min_size=2, max_size=2, unique=True).map(lambda pair: tuple(sorted(pair))),
        st.sampled_from(["same", "different"]),
        max_size=5,
    )
)
def test_a_table_is_read_back(verdicts: dict[tuple[str, str], str]):
    assert read_verdicts(review_table([], verdicts)) == verdicts


def test_case_blanks_separators_and_the_order_of_a_pair_are_forgiven():
    text = "\ufeffOther; Recording ;VERDICT\r\n a ;b; DIFFERENT \r\n\r\nx;y;\r\n"
    assert read_verdicts(text) == {("a", "b"): "different"}


def test_wrong_rows_are_told_by_row():
    text = "recording,other,similarity,verdict\na,b,1,diferent\nc,,1,same\na,d,1,same\nd,a,1,different\n"
    with pytest.raises(LabelError) as caught:
        read_verdicts(text)
    told = str(caught.value)
    assert "row 2: an unknown verdict (did you mean 'different'?)" in told
    assert "row 3: a verdict without two recordings" in told
    assert "row 5: another verdict than in an earlier row" in told


@pytest.mark.parametrize("text", ["", "a,b\n", "recording,other\n"])
def test_a_table_without_its_columns_is_refused(text: str):
    with pytest.raises(LabelError, match=r"near-duplicates\.csv lacks"):
        read_verdicts(text)
