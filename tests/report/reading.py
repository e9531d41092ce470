"""A page read back as a tree, so that tests ask for what a reader sees, not for how it was made."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"meta", "img", "br", "link"})


@dataclass
class Element:
    """One element of a page."""

    tag: str
    attrs: dict[str, str] = field(default_factory=dict)
    children: "list[Element | str]" = field(default_factory=list)

    def strings(self) -> Iterator[str]:
        """Yield the pieces of text in the element, in reading order."""
        for child in self.children:
            if isinstance(child, str):
                yield child
            else:
                yield from child.strings()

    @property
    def text(self) -> str:
        """Return all words of the element, as written."""
        return "".join(self.strings())

    @property
    def classes(self) -> list[str]:
        return self.attrs.get("class", "").split()

    def walk(self) -> "Iterator[Element]":
        """Yield the element and everything in it."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    def all(self, wanted: str) -> "list[Element]":
        """Return the elements of `tag`, `.class`, `tag.class` or `#id`, in reading order."""
        if wanted.startswith("#"):
            return [found for found in self.walk() if found.attrs.get("id") == wanted[1:]]
        tag, _, name = wanted.partition(".")
        return [
            found
            for found in self.walk()
            if tag in ("", found.tag) and (not name or name in found.classes)
        ]

    def first(self, wanted: str) -> "Element":
        """Return the first element of a kind."""
        return self.all(wanted)[0]

    def texts(self, wanted: str) -> list[str]:
        """Return the words of each element of a kind."""
        return [found.text for found in self.all(wanted)]

    def rows(self, name: str) -> "list[list[Element]]":
        """Return the cells of each row of the body of the table `name`."""
        return [row.all("td") for row in self.first(f"#{name}").all("tbody")[0].all("tr")]


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read(html: str) -> Element:
    """Return a page as a tree; every element that is opened must be closed."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    assert len(builder.open) == 1
    return builder.open[0]


def name_of(cell: Element) -> str:
    """Return the words of a cell without the smaller ones below them."""
    return "".join(
        child if isinstance(child, str) else child.text
        for child in cell.children
        if isinstance(child, str) or child.tag != "small"
    )


def chip_word(chip: Element) -> str:
    """Return the word of a chip without its symbol."""
    return chip.text.partition(" ")[2]
