"""What a label source is, its content tells, whatever its name."""

from pathlib import Path

import pytest

from sonoplane.clips.label_sources import read_label_source
from sonoplane.clips.labels import write_labels
from sonoplane.errors import LabelError
from sonoplane.records import Label

ROW = Label(recording="a.mp4", label="kidney", start=0, stop=3)
SOURCES = {
    "xml": "<annotations><meta><task><source>a.mp4</source></task></meta><track label='kidney'>"
    "<box frame='0'/><box frame='3' outside='1'/></track></annotations>",
    "json": '[{"data": {"video": "a.mp4"}, "annotations": [{"result": [{"value": '
    '{"timelinelabels": ["kidney"], "ranges": [{"start": 1, "end": 3}]}}]}]}]',
    "table": "recording,start,stop,label\na.mp4,0,3,kidney\n",
}


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("lead", ["", "\ufeff", "\ufeff\n "])
def test_files_of_any_name_are_told_by_their_content(kind: str, lead: str, tmp_path: Path) -> None:
    if kind == "xml":
        lead = lead.strip()  # XML allows nothing before its declaration, but these have none
    if kind == "table" and "\n" in lead:
        lead = "\ufeff"
    (tmp_path / "labels.txt").write_text(lead + SOURCES[kind], encoding="utf-8")
    assert read_label_source(tmp_path / "labels.txt").rows == (ROW,)


def test_parquet_is_a_label_table(tmp_path: Path) -> None:
    write_labels(tmp_path / "labels.parquet", [ROW])
    assert read_label_source(tmp_path / "labels.parquet").rows == (ROW,)


def test_a_zip_file_is_told_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "export.xml").write_bytes(b"PK\x03\x04rest")
    with pytest.raises(LabelError, match=r"export\.xml is a ZIP file\. Unpack it"):
        read_label_source(tmp_path / "export.xml")


@pytest.mark.parametrize("kind", SOURCES)
def test_a_class_that_is_not_among_the_given_ones_is_told_by_its_place(kind: str, tmp_path: Path) -> None:
    (tmp_path / "labels").write_text(SOURCES[kind], encoding="utf-8")
    with pytest.raises(
        LabelError, match=r"no such class|there is no class 'kidney' \(did you mean 'kidneys'"
    ):
        read_label_source(tmp_path / "labels", classes=("kidneys", "liver"))
