"""Every field of a plan, declared once: the parser, the unknown keys and the JSON Schema follow it.

A field's type says how its text is read; YAML's own guess about plain scalars is never asked.
The words of `about` are shown by editors that know the schema, and by findings.

Plain classes, not dataclasses: making eleven of those costs a fifth of what `import click` does.
"""

from typing import TypeAlias

NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"
ID = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"
PROJECT_KEY = r"^[A-Za-z0-9_]{1,255}$"
ISSUE_KEY = r"^[A-Za-z0-9_]{1,255}-[0-9]{1,18}$"
# No absolute path, no drive, and no step up: `bundle` packs only what lies with the plan.
BESIDE = r"^(?![A-Za-z]:|[/\\])(?!([\s\S]*[/\\])?\.\.([/\\]|\s*$))[\s\S]*\S[\s\S]*$"
CODE = r"^RB[0-9]{3}$"
# Years of four digits from 2000 on, so that no arithmetic with windows leaves the calendar.
DAY = r"^2[0-9]{3}-[0-9]{2}-[0-9]{2}$"
MOMENT = (
    r"^2[0-9]{3}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)
BOOLEANS = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}


class Text:
    """Text, quoted or not, of at least one character; `what` names it where it does not match."""

    def __init__(self, pattern: str | None = None, what: str = "text", hint: str = "") -> None:
        self.pattern = pattern
        self.what = what
        self.hint = hint


class Url:
    """A base URL; a cloud site's is normalised so that two spellings of it compare equal."""

    def __init__(self, *, cloud: bool) -> None:
        self.cloud = cloud


class Flag:
    """True or false, quoted or not."""


class Moment:
    """A date-time with its offset."""


class Day:
    """A date."""


class Choice:
    """One of some words."""

    def __init__(self, *words: str, any_case: bool = False) -> None:
        self.words = words
        self.any_case = any_case


class Number:
    """Exactly this whole number."""

    def __init__(self, value: int) -> None:
        self.value = value


class Many:
    """A list."""

    def __init__(self, of: "FieldType", *, least: int = 0, most: int | None = None) -> None:
        self.of = of
        self.least = least
        self.most = most


class Either:
    """Text, or a mapping that says more."""

    def __init__(self, text: Text, record: "Record") -> None:
        self.text = text
        self.record = record


class Field:
    """One key of a mapping."""

    def __init__(self, key: str, kind: "FieldType", about: str, *, required: bool = False) -> None:
        self.key = key
        self.kind = kind
        self.about = about
        self.required = required


class Record:
    """A mapping with known keys; `name` is what it is called in messages and in the schema."""

    def __init__(self, name: str, fields: tuple[Field, ...]) -> None:
        self.name = name
        self.fields = fields
        self.by_key = {field.key: field for field in fields}


FieldType: TypeAlias = Text | Url | Flag | Moment | Day | Choice | Number | Many | Either | Record

_TEXT = Text()
_KEY = Text(PROJECT_KEY, "a Jira project key, such as ENG")
_ISSUE = Text(ISSUE_KEY, "an issue key, such as ENG-123")
_ID = Text(ID, "an id: letters, digits, `_` and `-`, at most 63, the first a letter or digit")
_CLOUD = Url(cloud=True)
_DATA_CENTER = Url(cloud=False)

PROJECT = Record(
    "project",
    (
        Field("key", _KEY, "The project's key on this cloud site.", required=True),
        Field("was", _KEY, "Its key in the Data Center, where that was another one."),
    ),
)
WAVE = Record(
    "migration",
    (
        Field("name", _TEXT, "What the wave is called; default wave-1, wave-2, and so on."),
        Field(
            "projects", Many(_KEY), "The project keys it brought; default all projects of the site."
        ),
        Field("started", Moment(), "When the migration started; the safe end counts from here."),
        Field("finished", Moment(), "When the migration finished."),
        Field("planned", Moment(), "When it is expected to finish, while it has not."),
    ),
)
SITE = Record(
    "site",
    (
        Field(
            "url", _CLOUD, "The site's address, such as https://name.atlassian.net.", required=True
        ),
        Field(
            "siteId",
            Text(r"^[^/]*[^/\s][^/]*$", "a site id, which holds no `/`"),
            "The cloud id; else it is looked up at /_edge/tenant_info.",
        ),
        Field(
            "account",
            Text(ID, "the name of a credential profile: letters, digits, `_` and `-`"),
            "The credential profile that submits for this site; default `default`.",
        ),
        Field("tokenExpires", Day(), "When that account's API token expires."),
        Field("projects", Many(Either(_KEY, PROJECT)), "The Jira projects that live there now."),
        Field("migrations", Many(WAVE), "The waves that brought data to this site."),
    ),
)
PROBE = Record(
    "probe",
    (
        Field("issue", _ISSUE, "The issue that will hold the remote link.", required=True),
        Field("target", _ISSUE, "The issue on the destination it points to.", required=True),
    ),
)
APP_LINK = Record(
    "appLink",
    (
        Field("authorized", Flag(), "Whether the app link is authorized in this direction."),
        Field("as", _TEXT, "The account that was signed in when it was authorized."),
        Field("by", _TEXT, "Who attests it."),
        Field("at", Moment(), "When it was authorized."),
        Field(
            "evidence",
            Text(
                BESIDE,
                "a path relative to the plan that does not leave its folder",
                "evidence lies beside the plan or below it; move or copy the file there",
            ),
            "A file that shows it, relative to the plan, beside it or below it.",
        ),
    ),
)
INSTANCE = Record(
    "instance",
    (
        Field("id", _ID, "What the job is called; default <source>-to-<destination>."),
        Field(
            "product",
            Choice("jira", "confluence", any_case=True),
            "The product that holds the links: jira (default) or confluence.",
        ),
        Field("productURL", _CLOUD, "The cloud site that holds the links.", required=True),
        Field("destinationURL", _CLOUD, "The cloud site the links shall point to.", required=True),
        Field(
            "migratedFrom",
            _DATA_CENTER,
            "The base URL of the Data Center whose data went to destinationURL.",
            required=True,
        ),
        Field(
            "migratedFromOverride",
            _DATA_CENTER,
            "The production base URL, where migratedFrom is a staging or backup instance.",
        ),
        Field("recreateAsRemote", Flag(), "Recreate formerly local links as remote; default true."),
        Field("createBackup", Flag(), "Back up the cloud site first; default false."),
        Field("needs", Many(_ID), "Ids of jobs that must be complete before this one is sent."),
        Field("probe", Many(PROBE, most=5), "Up to 5 links known from the Data Center."),
        Field("appLink", APP_LINK, "The authorization of the app link in this direction."),
    ),
)
WAIVER = Record(
    "waiver",
    (
        Field("code", Text(CODE, "a code such as RB301"), "The finding's code.", required=True),
        Field("instance", _ID, "Only findings of this job."),
        Field("sites", Many(_CLOUD, least=2, most=2), "Only findings of this pair of sites."),
        Field("reason", _TEXT, "Why it is accepted.", required=True),
        Field("by", _TEXT, "Who accepts it."),
    ),
)
LOGS = Record(
    "logs",
    (
        Field("history", _TEXT, "URL template of the history report."),
        Field("audit", _TEXT, "URL template of the audit log."),
    ),
)
PLAN = Record(
    "plan",
    (
        Field("format", Number(1), "The format of this file.", required=True),
        Field(
            "name",
            Text(NAME, "a name: lower case letters, digits and `-`, at most 63"),
            "What the plan is called; runs of the same name belong together.",
            required=True,
        ),
        Field("customer", _TEXT, "Whose cutover it is."),
        Field("change", _TEXT, "The ticket of the change."),
        Field("cutover", Moment(), "The planned start; checks judge the plan at this moment."),
        Field("booleans", Choice("native", "string"), "How booleans are sent; default native."),
        Field("expected", _TEXT, "A CSV file with the Data Center's issue links."),
        Field("requireApproval", Flag(), "Whether `run` needs an approval; default false."),
        Field("logs", LOGS, "URL templates of Atlassian's own logs."),
        Field("sites", Many(SITE, least=1), "Every cloud site that takes part.", required=True),
        Field("instances", Many(INSTANCE, least=1), "One entry is one job.", required=True),
        Field("waive", Many(WAIVER), "Findings that somebody accepts."),
    ),
)
RECORDS = (PLAN, SITE, PROJECT, WAVE, INSTANCE, PROBE, APP_LINK, WAIVER, LOGS)
KNOWN_KEYS = frozenset(field.key for record in RECORDS for field in record.fields)
