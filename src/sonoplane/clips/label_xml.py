"""An XML file becomes a plain tree whose elements know their lines; one that declares entities is refused."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from sonoplane.errors import LabelError

__all__ = ["Element", "parse_xml"]

#: No labelling tool nests deeper; what does is no label file.
DEEPEST = 64


@dataclass(slots=True)
class Element:
    """One element: its name, attributes, text (blanks around it dropped) and children."""

    tag: str
    attributes: dict[str, str]
    place: str
    """Where it starts in the file: its line, from 1, and the column where the line holds several elements."""
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def of(self, *tags: str) -> Iterator["Element"]:
        """The children of these names."""
        return (child for child in self.children if child.tag in tags)

    def below(self, tag: str) -> Iterator["Element"]:
        """All of this name at any depth, in order."""
        for child in self.children:
            if child.tag == tag:
                yield child
            yield from child.below(tag)

    def told(self, *path: str) -> str:
        """The text of the first element at a path of names below; empty where there is none."""
        here: Element | None = self
        for tag in path:
            here = next(here.of(tag), None) if here else None
        return here.text if here else ""


def parse_xml(data: bytes, *, name: str) -> Element:
    """Read XML with Python's own expat, without DTD and entities: no bomb, no reference to another file.

    LabelError tells the line where the file is cut short or wrong.
    """
    root = Element("", {}, "line 1")
    stack = [root]
    line = 0
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal line
        if len(stack) > DEEPEST:
            raise LabelError(
                f"{name} nests too deeply.", advice="Export the labels again as CVAT for video 1.1."
            )
        column = f", column {parser.CurrentColumnNumber + 1}" if line == parser.CurrentLineNumber else ""
        line = parser.CurrentLineNumber
        element = Element(tag, attributes, f"line {line}{column}")
        stack[-1].children.append(element)
        stack.append(element)

    def end(_tag: str) -> None:
        element = stack.pop()
        element.text = element.text.strip()

    def text(data: str) -> None:
        stack[-1].text += data

    def forbid(*_: object) -> None:
        raise LabelError(
            f"{name} declares a document type or entities, which label files do not.",
            advice="Delete the DOCTYPE, or export the labels again as CVAT for video 1.1.",
        )

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = forbid
    try:
        parser.Parse(data, True)
    except (
        expat.ExpatError,
        ValueError,
        LookupError,
    ) as error:  # the latter two: encodings unknown or broken
        raise LabelError(
            f"{name} is not whole XML: line {parser.CurrentLineNumber}.",
            advice="It is cut short or was edited by hand: export the labels again.",
        ) from error
    return root.children[0]
