"""`sonoplane compare` with ensembles: out of fold, over seeds, and what may not be compared."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from sonoplane.errors import UsageError
from sonoplane.models.bundle import Bundle, add_files
from tests.cli.conftest import Command

QUICK = ("--timelines", 0, "--rounds", 1)


@pytest.fixture(scope="module")
def again(ensemble: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same ensemble, said to be of another seed."""
    folder = tmp_path_factory.mktemp("again") / "three"
    shutil.copytree(ensemble, folder)
    recipe = (folder / "recipe.toml").read_text(encoding="utf-8")
    before, training, after = recipe.partition("[training]\n")
    other = before + training + after.replace("seed = 0\n", "seed = 1\n", 1)
    add_files(Bundle.load(folder), {"recipe.toml": other.encode()})
    return folder


def _stem(name: str) -> str:
    return name.replace(" (", "-").replace(")", "")


def test_cross_validations_are_compared_out_of_fold_and_over_their_seeds(
    command: Command,
    archive: Path,
    ensemble: Path,
    again: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "c"
    bundles = [word for each in (ensemble, again) for word in ("--bundle", each)]
    assert (
        command("compare", archive, *bundles, "--split", "out-of-fold", *QUICK, "--out", out, "--json") == 0
    )
    told = json.loads(capsys.readouterr().out)
    assert list(told["networks"]) == ["three", "three (2)"]
    for name in told["networks"]:
        mine = pl.read_csv(next((out / "answers").glob(f"*-{_stem(name)}-frames.csv")))
        theirs = pl.read_csv(ensemble / "out_of_fold.csv")
        columns = ["recording", "fold", "frame", "target", "label"]
        assert mine.select(columns).sort(columns).equals(theirs.select(columns).sort(columns))
    (method,) = told["retrained"]
    assert method["trainings"] == ["three", "three (2)"]
    accuracy = next(one for one in method["numbers"] if one["number"] == "accuracy")
    own = [each["levels"]["frame"]["numbers"]["accuracy"]["value"] for each in told["networks"].values()]
    assert accuracy["values"] == pytest.approx(own)
    page = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    assert page["sections"]["Trained again with another seed"][0]["n"]["value"] == 2
    assert any(caution.startswith("Trained with 2 seeds") for caution in page["cautions"])


def test_an_ensemble_and_a_network_answer_the_same_frames(
    command: Command, archive: Path, ensemble: Path, tmp_path: Path
) -> None:
    out = tmp_path / "c"
    words = ("--bundle", ensemble, "--bundle", ensemble / "fold-1", "--split", "test", *QUICK, "--out", out)
    assert command("compare", archive, *words) == 0
    page = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    whole, alone = page["networks"]
    assert whole["parameters"]["value"] == 3 * alone["parameters"]["value"]
    assert "Trained again with another seed" not in page["sections"]
    frames = [pl.read_csv(path) for path in sorted((out / "answers").glob("*-frames.csv"))]
    columns = ["recording", "frame", "target"]
    assert frames[0].select(columns).equals(frames[1].select(columns))


def test_out_of_fold_needs_cross_validations_that_shared_out_the_patients_alike(
    command: Command, archive: Path, ensemble: Path, tmp_path: Path
) -> None:
    words = ("--bundle", ensemble, "--split", "out-of-fold", *QUICK, "--out", tmp_path / "c")
    with pytest.raises(UsageError, match="'three-fold-1' is no cross-validation"):
        command("compare", archive, *words, "--bundle", ensemble / "fold-1")
    other = tmp_path / "other"
    shutil.copytree(ensemble, other)
    table = pl.read_csv(other / "out_of_fold_recordings.csv")
    turned = table.with_columns(pl.col("fold") % 3 + 1).write_csv().encode()
    add_files(Bundle.load(other), {"out_of_fold_recordings.csv": turned})
    with pytest.raises(UsageError, match="shared out the patients between their folds differently"):
        command("compare", archive, *words, "--bundle", other)
    assert not (tmp_path / "c").exists()
