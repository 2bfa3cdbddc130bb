from importlib.resources import files
from pathlib import Path

import pytest

from sonoplane.errors import UsageError
from sonoplane.steps.recipe import Recipe, layered, read_recipe


@pytest.mark.parametrize(
    "path", sorted(Path(str(files("sonoplane") / "recipes")).glob("*.toml")), ids=lambda p: p.stem
)
def test_every_shipped_recipe_is_valid(path: Path) -> None:
    assert layered(read_recipe(path)) != Recipe()


def test_later_layers_win_setting_by_setting() -> None:
    recipe = layered({"training": {"epochs": 3, "batch": 4}}, {"training": {"epochs": 5}})
    assert (recipe.training.epochs, recipe.training.batch) == (5, 4)


def test_an_unknown_setting_is_told_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"training\.epoch.*Known settings there: epochs"):
        layered({"training": {"epoch": 3}})


def test_an_unknown_section_is_told_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"trianing.*Known sections: region"):
        layered({"trianing": {"epochs": 3}})


def test_a_value_out_of_range_is_told() -> None:
    with pytest.raises(UsageError, match=r"keyframes\.min_probability.*less than or equal to 1"):
        layered({"keyframes": {"min_probability": 2}})


def test_a_recipe_that_is_missing_or_not_toml_is_told_by_name_only(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("epochs = = 3")
    for name in ("bad.toml", "none.toml"):
        with pytest.raises(UsageError, match=name) as error:
            read_recipe(tmp_path / name)
        assert str(tmp_path) not in str(error.value)


def test_every_setting_has_a_help_text() -> None:
    for section in Recipe.model_fields.values():
        assert section.description
        for name, field in getattr(section.annotation, "model_fields", {}).items():
            assert field.description, name


def test_the_shares_of_a_split_are_added_up_when_file_and_flags_have_come_together() -> None:
    in_file = {"split": {"train": 0.6, "validation": 0.2, "test": 0.2}}
    assert layered(in_file, {"split": {"train": 0.5, "validation": 0.3}}).split.validation == 0.3
    with pytest.raises(UsageError, match="add up to 1"):
        layered(in_file, {"split": {"train": 0.5}})


def test_the_thresholds_of_hysteresis_are_compared_when_file_and_flags_have_come_together() -> None:
    low = {"smoothing": {"leave": 0.2}}
    assert layered(low, {"smoothing": {"enter": 0.3}}).smoothing.enter == 0.3
    with pytest.raises(UsageError, match=r"leave \(0\.4\) must not be above enter \(0\.3\)"):
        layered({"smoothing": {"enter": 0.3}})


def test_a_section_that_is_no_table_is_told() -> None:
    with pytest.raises(UsageError, match="region"):
        layered({"region": {"first_frames": 4}}, {"region": 3})
