"""Whatever a label source holds, reading it gives a table or a LabelError, never another error."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonoplane.clips.label_sources import read_label_source
from sonoplane.errors import LabelError

XML = b"""<?xml version="1.0" encoding="utf-8"?>
<annotations><meta><task><id>1</id><size>9</size><frame_filter>step=2</frame_filter><source>a.mp4</source>
<labels><label><name>x</name></label></labels></task></meta>
<track id="0" label="x"><box frame="0" outside="0"><attribute name="q">y</attribute></box><box frame="4"
outside="1"/></track><image id="6" name="frame_6"><tag label="x"/></image></annotations>"""
EXPORT: list[Any] = [
    {
        "data": {"video": "/data/upload/a.mp4"},
        "annotations": [
            {
                "was_cancelled": False,
                "result": [
                    {
                        "type": "timelinelabels",
                        "from_name": "q",
                        "value": {"ranges": [{"start": 1, "end": 4}], "timelinelabels": ["x"]},
                    },
                    {"type": "labels", "value": {"start": 0.1, "end": 0.2, "labels": ["x"]}},
                ],
            }
        ],
    }
]
TABLES = (
    b"folder,file,class\ns,a.dcm,x\n",
    b"s a.dcm x\ns b.dcm y\n",
    b"recording,start,stop,label\na,0,4,x\n",
)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.just([None]),
    st.just("http://[x"),
)


def read(path: Path) -> None:
    try:
        table = read_label_source(path, task="q", times_s={"a.mp4": [0.0, 0.1, 0.2]})
    except LabelError as error:
        told = str(error)
    else:
        told = " ".join(table.notes)
    assert str(path.parent) not in told


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, inner in items for place in places(inner, (*at, key)))]


def put(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    if not at:
        return new
    copy = value.copy()
    copy[at[0]] = put(copy[at[0]], at[1:], new)
    return copy


@pytest.mark.parametrize("data", [XML, json.dumps(EXPORT).encode(), *TABLES])
def test_a_source_that_is_cut_short_anywhere(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "labels"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        read(path)


@QUICK
@given(
    st.sampled_from([XML, json.dumps(EXPORT).encode(), *TABLES]), st.integers(0, 400), st.binary(max_size=3)
)
def test_a_source_with_other_bytes_somewhere(tmp_path: Path, data: bytes, at: int, new: bytes) -> None:
    at %= len(data)
    (tmp_path / "labels").write_bytes(data[:at] + new + data[at + len(new) :])
    read(tmp_path / "labels")


@QUICK
@given(st.sampled_from(places(EXPORT)), VALUES)
def test_an_export_with_another_value_somewhere(tmp_path: Path, at: tuple[Any, ...], new: Any) -> None:
    (tmp_path / "labels").write_text(json.dumps(put(EXPORT, at, new)))
    read(tmp_path / "labels")


@QUICK
@given(
    st.sampled_from(["classes.json", "exams.json"]),
    st.one_of(VALUES, st.dictionaries(st.text(), VALUES)),
    VALUES,
)
def test_a_layout_whose_tables_hold_anything(tmp_path: Path, name: str, content: Any, inner: Any) -> None:
    for kind, suffix in (("labels", "txt"), ("videos", "png")):
        (tmp_path / "train" / kind / "a").mkdir(parents=True, exist_ok=True)
        (tmp_path / "train" / kind / "a" / f"a_0.{suffix}").write_text("x")
    for other in ("classes.json", "exams.json"):
        (tmp_path / other).unlink(missing_ok=True)
    for made in (content, [content, inner], {"x": inner}):
        (tmp_path / name).write_text(json.dumps(made))
        read(tmp_path)


@QUICK
@given(st.binary(max_size=60))
def test_bytes_of_any_kind(tmp_path: Path, data: bytes) -> None:
    for start in (
        b"",
        b"<annotations>",
        b"[",
        b"PAR1",
        b"folder,file,class\n",
        b"recording,start,stop,label\n",
    ):
        (tmp_path / "labels").write_bytes(start + data)
        read(tmp_path / "labels")


def test_what_is_not_there_or_is_no_file(tmp_path: Path) -> None:
    read(tmp_path / "gone.xml")
    read(tmp_path / "gone.parquet")
    read(tmp_path)
    (tmp_path / "deep.json").write_text("[" * 100_000)
    read(tmp_path / "deep.json")
    (tmp_path / "big.json").write_text("[" + "9" * 5000 + "]")
    read(tmp_path / "big.json")
