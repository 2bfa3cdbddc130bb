"""The recipes that come with the program, each known by its name."""

from importlib.resources import files
from importlib.resources.abc import Traversable

from sonoplane.errors import UsageError

__all__ = ["shipped", "shipped_recipe"]


def shipped() -> tuple[str, ...]:
    """The names of the recipes that come with the program.

    >>> "liver-sweep-3d" in shipped()
    True
    """
    return tuple(sorted(one.name.removesuffix(".toml") for one in _folder().iterdir() if one.is_file()))


def shipped_recipe(name: str) -> str:
    """The text of a recipe, as TOML.

    >>> shipped_recipe("small-data").startswith("#")
    True

    Raises:
        UsageError: none has this name.
    """
    if name not in shipped():
        raise UsageError(
            f"There is no recipe '{name}': no such file, and none that comes with sonoplane.",
            advice=f"Give the path of a TOML file, or one of {', '.join(shipped())}.",
        )
    return (_folder() / f"{name}.toml").read_text(encoding="utf-8")


def _folder() -> Traversable:
    return files("sonoplane") / "recipes"
