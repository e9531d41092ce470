"""The page model: what the report says, in reading order, before any markup.

`build` makes these values and `render` places them; nothing here knows HTML. A section is a list of
blocks, a table's cell is one of the small values of the first half. Coordinates of drawings are in
user units of their own view box.
"""

from dataclasses import dataclass
from typing import ClassVar

# ---------------------------------------------------------------------------------------------
# Values that stand in a cell or a fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Words; `note` stands smaller below them, `foreign` marks text that is always English.

    `cut` says how much of an overlong text is not shown, and is empty for a whole one.
    """

    KIND: ClassVar[str] = "text"
    text: str
    note: str = ""
    cut: str = ""
    foreign: bool = False
    strong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mono:
    """A value to be compared or copied letter by letter: an id, a digest, a path."""

    KIND: ClassVar[str] = "mono"
    text: str
    cut: str = ""
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A count; `zero` lets the page mute it, `key` sorts it."""

    KIND: ClassVar[str] = "number"
    text: str
    key: int
    zero: bool = False
    strong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A state as symbol and word; `tone` colours it and never says more than the word."""

    KIND: ClassVar[str] = "chip"
    tone: str
    symbol: str
    word: str
    note: str = ""
    note_cut: str = ""
    foreign: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A point in time in the plan's own offset; `utc` names that offset and the same moment in UTC."""

    KIND: ClassVar[str] = "moment"
    iso: str
    local: str
    utc: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Words that lead somewhere: an http(s) address or a place in this file; None leads nowhere."""

    KIND: ClassVar[str] = "link"
    text: str
    href: str | None
    mono: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Several values of one cell, one below the other."""

    KIND: ClassVar[str] = "stack"
    cells: "tuple[Cell, ...]"


Cell = Text | Mono | Number | Chip | Moment | Link | Stack


# ---------------------------------------------------------------------------------------------
# Blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Para:
    """A paragraph; `tone` is `plain`, `lead`, `note`, `warn`, `bad` or `good`."""

    KIND: ClassVar[str] = "para"
    text: str
    tone: str = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading inside a section."""

    KIND: ClassVar[str] = "heading"
    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Names and values, in two columns where there is room."""

    KIND: ClassVar[str] = "facts"
    items: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bullets:
    """Points with a bold beginning."""

    KIND: ClassVar[str] = "bullets"
    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Preformatted text to read or copy, such as a command."""

    KIND: ClassVar[str] = "listing"
    label: str
    text: str
    copy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table; `align` is `start` or `end`, `wide` lets its words take the room."""

    title: str
    align: str = "start"
    wide: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row; `id` is its place for links, `state` what the state filter compares."""

    cells: tuple[Cell, ...]
    id: str = ""
    state: str = ""
    job: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under a repeated head; `total` is the last row, `tools` offers filter, search and sort."""

    KIND: ClassVar[str] = "table"
    id: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    total: tuple[Cell, ...] = ()
    tools: bool = False
    states: tuple[tuple[str, str], ...] = ()
    dense: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a stacked bar, from `x` over `width` in thousandths of the bar."""

    tone: str
    x: str
    width: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """States that add up: a bar, the parts, and the sum written out."""

    KIND: ClassVar[str] = "sum"
    label: str
    segments: tuple[Segment, ...]
    parts: tuple[tuple[Chip, str], ...]
    equation: str
    absent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixCell:
    """One direction: what is known of its jobs; `own` marks the diagonal."""

    entries: tuple[tuple[Chip, str], ...]
    own: bool = False
    empty: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Sites that hold links (rows) by sites that they point to (columns).

    `small` leaves only symbols to be seen, with the words for readers of the text; `corner` names
    both axes; `legend` explains the short column titles.
    """

    KIND: ClassVar[str] = "matrix"
    caption: str
    corner: str
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, str, tuple[MatrixCell, ...]], ...]
    small: bool
    key: tuple[Chip, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A drawn thing of a chart.

    While it is put together `shape` is `bar`, `line`, `dot`, `gem`, `flag` or `text`; a finished
    drawing has only `fill`, `line` and `dot`, each with a path in `points`, and `text`.
    """

    shape: str
    tone: str
    x: str
    y: str
    width: str = "0"
    height: str = "0"
    text: str = ""
    points: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One inline SVG; `title` and `described` are its text for those who do not see it."""

    width: int
    height: int
    title: str
    described: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart, cut into drawings that each fit on a printed page, under one key."""

    KIND: ClassVar[str] = "chart"
    title: str
    key: tuple[tuple[str, str], ...]
    drawings: tuple[Drawing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """What went over the wire: a first line, headers, a body; `note` stands beside it.

    `account` is set for a request that can be copied as curl; `more` is what followed it, where that
    is not written as values of its own.
    """

    label: str
    moment: Moment | None
    method: str
    line: str
    headers: str
    body: str
    cut: str
    note: str = ""
    account: str = ""
    more: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDetail:
    """Everything known of one job."""

    KIND: ClassVar[str] = "job"
    id: str
    job: str
    title: str
    state: str
    chip: Chip
    facts: tuple[tuple[str, Cell], ...]
    advice: str
    raws: tuple[Raw, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Many small statements of one kind, written close together."""

    title: str
    chip: Chip
    note: str
    note_cut: str
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Groups of statements, for lists that are too long for a table."""

    KIND: ClassVar[str] = "groups"
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOff:
    """Lines to sign on."""

    KIND: ClassVar[str] = "signoff"
    columns: tuple[str, ...]
    roles: tuple[str, ...]


Block = (
    Para
    | Heading
    | Facts
    | Bullets
    | Listing
    | Table
    | Sum
    | Matrix
    | Chart
    | JobDetail
    | Groups
    | SignOff
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of the report; `short` is its name in the table of contents."""

    id: str
    title: str
    short: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The one sentence, with what qualifies it."""

    chip: Chip
    sentence: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The whole report.

    `mark` is printed loudly on every page (`REHEARSAL`, `PREVIEW`), empty for the real thing;
    `refresh_s` is 0 for a page that is final; `data` is the embedded JSON; `logo` a data URI;
    `footer` is printed at the foot of every page and holds ASCII only.
    """

    lang: str
    title: str
    kind: str
    subtitle: str
    mark: str
    mark_text: str
    words: dict[str, str]
    verdict: Verdict
    facts: tuple[tuple[str, Cell], ...]
    summary: tuple[Section, ...]
    sections: tuple[Section, ...]
    refresh_s: int
    footer: str
    data: str
    logo: str = ""
