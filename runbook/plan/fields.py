"""Every field of a plan, declared once: the parser, the digest and the JSON Schema follow it.

A field's type says how its text is read; YAML's own guess about plain scalars is never used.
Editors that know the schema show the words of `about`, and findings do so too.

Plain classes, not dataclasses: making eleven of those costs a fifth of what `import click` does.
"""

import re
from typing import TypeAlias

NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"
ID = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"
PROJECT_KEY = r"^[A-Za-z0-9_]{1,255}$"
ISSUE_KEY = r"^[A-Za-z0-9_]{1,255}-[0-9]{1,18}$"
# No absolute path, no drive, and no step up: `bundle` packs only files beside or below the plan.
BESIDE = r"^(?![A-Za-z]:|[/\\])(?!([\s\S]*[/\\])?\.\.([/\\]|\s*$))[\s\S]*\S[\s\S]*$"
CODE = r"^RB[0-9]{3}$"
# Years from 2000 to 2999, so that no arithmetic with windows leaves the range of `datetime`.
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

_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
# The model's names of keys, where they are not the keys in Python's spelling.
_ATTRIBUTES = {"as": "as_account", "migrations": "waves", "waive": "waivers"}


class TextType:
    """Text, quoted or not, of at least one character; `what` names it where it does not match."""

    def __init__(self, pattern: str | None = None, what: str = "text", hint: str = "") -> None:
        self.pattern = pattern
        self.what = what
        self.hint = hint


class UrlType:
    """A base URL; a cloud site's is normalised so that two spellings of it compare equal."""

    what = "a URL"

    def __init__(self, *, cloud: bool) -> None:
        self.cloud = cloud


class FlagType:
    """True or false, quoted or not."""

    what = "true or false"


class MomentType:
    """A date-time with its offset."""

    what = "a date-time"


class DayType:
    """A date."""

    what = "a date"


class ChoiceType:
    """One of a fixed set of words."""

    def __init__(self, *words: str, any_case: bool = False) -> None:
        self.words = words
        self.any_case = any_case
        self.what = " or ".join(f"`{word}`" for word in words)


class NumberType:
    """Exactly this whole number."""

    what = "a number"

    def __init__(self, value: int) -> None:
        self.value = value


class ListType:
    """A list."""

    def __init__(self, of: "FieldType", *, least: int = 0, most: int | None = None) -> None:
        self.of = of
        self.least = least
        self.most = most


class TextOrRecord:
    """Text, or a mapping that also holds it."""

    def __init__(self, text: TextType, record: "Record") -> None:
        self.text = text
        self.record = record


class Field:
    """One key of a mapping; `attribute` is its name in the model."""

    def __init__(self, key: str, kind: "FieldType", about: str, *, required: bool = False) -> None:
        self.key = key
        self.kind = kind
        self.about = about
        self.required = required
        self.attribute = _ATTRIBUTES.get(key) or _CAPITAL.sub("_", key).lower()


class Record:
    """A mapping with known keys; `name` is what it is called in the schema, `what` in messages."""

    def __init__(self, name: str, *fields: Field, what: str = "") -> None:
        self.name = name
        self.fields = fields
        self.what = what or f"a {name}"
        self.by_key = {field.key: field for field in fields}
        self.keys = ", ".join(self.by_key)


ScalarType: TypeAlias = (
    TextType | UrlType | FlagType | MomentType | DayType | ChoiceType | NumberType
)
FieldType: TypeAlias = ScalarType | ListType | TextOrRecord | Record

_TEXT = TextType()
_KEY = TextType(PROJECT_KEY, "a Jira project key, such as ENG")
_ISSUE = TextType(ISSUE_KEY, "an issue key, such as ENG-123")
_ID = TextType(ID, "an id: letters, digits, `_` and `-`, at most 63, the first a letter or digit")
_SITE_ID = TextType(r"^[^/]*[^/\s][^/]*$", "a site id, which holds no `/`")
_PROFILE = TextType(ID, "the name of a credential profile: letters, digits, `_` and `-`")
_PLAN_NAME = TextType(NAME, "a name: lower case letters, digits and `-`, at most 63")
_EVIDENCE = TextType(
    BESIDE,
    "a path relative to the plan that does not leave its folder",
    "evidence lies beside the plan or below it; move or copy the file there",
)
_CODE = TextType(CODE, "a code such as RB301")
_CLOUD = UrlType(cloud=True)
_DATA_CENTER = UrlType(cloud=False)
_FLAG = FlagType()
_MOMENT = MomentType()
_PRODUCT = ChoiceType("jira", "confluence", any_case=True)

PROJECT = Record(
    "project",
    Field("key", _KEY, "The project's key on this cloud site.", required=True),
    Field("was", _KEY, "Its key in the Data Center, where that was another one."),
)
WAVE = Record(
    "migration",
    Field("name", _TEXT, "What the wave is called; default wave-1, wave-2, and so on."),
    Field(
        "projects", ListType(_KEY), "The project keys it brought; default all projects of the site."
    ),
    Field("started", _MOMENT, "When the migration started; the safe end counts from here."),
    Field("finished", _MOMENT, "When the migration finished."),
    Field("planned", _MOMENT, "When it is expected to finish, while it has not."),
)
SITE = Record(
    "site",
    Field("url", _CLOUD, "The site's address, such as https://name.atlassian.net.", required=True),
    Field("siteId", _SITE_ID, "The cloud id; else it is looked up at /_edge/tenant_info."),
    Field(
        "account", _PROFILE, "The credential profile that submits for this site; default `default`."
    ),
    Field("tokenExpires", DayType(), "When that account's API token expires."),
    Field(
        "projects", ListType(TextOrRecord(_KEY, PROJECT)), "The Jira projects that live there now."
    ),
    Field("migrations", ListType(WAVE), "The waves that brought data to this site."),
)
PROBE = Record(
    "probe",
    Field("issue", _ISSUE, "The issue that will hold the remote link.", required=True),
    Field("target", _ISSUE, "The issue on the destination it points to.", required=True),
)
APP_LINK = Record(
    "appLink",
    Field("authorized", _FLAG, "Whether the app link is authorized in this direction."),
    Field("as", _TEXT, "The account that was signed in when it was authorized."),
    Field("by", _TEXT, "Who attests it."),
    Field("at", _MOMENT, "When it was authorized."),
    Field(
        "evidence", _EVIDENCE, "A file that shows it, relative to the plan, beside it or below it."
    ),
    what="`appLink`",
)
INSTANCE = Record(
    "instance",
    Field("id", _ID, "What the job is called; default <source>-to-<destination>."),
    Field("product", _PRODUCT, "The product that holds the links: jira (default) or confluence."),
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
    Field("recreateAsRemote", _FLAG, "Recreate formerly local links as remote; default true."),
    Field("createBackup", _FLAG, "Back up the cloud site first; default false."),
    Field("needs", ListType(_ID), "Ids of jobs that must be complete before this one is sent."),
    Field("probe", ListType(PROBE, most=5), "Up to 5 links known from the Data Center."),
    Field("appLink", APP_LINK, "The authorization of the app link in this direction."),
    what="an instance",
)
WAIVER = Record(
    "waiver",
    Field("code", _CODE, "The finding's code.", required=True),
    Field("instance", _ID, "Only findings of this job."),
    Field("sites", ListType(_CLOUD, least=2, most=2), "Only findings of this pair of sites."),
    Field("reason", _TEXT, "Why it is accepted.", required=True),
    Field("by", _TEXT, "Who accepts it."),
)
LOGS = Record(
    "logs",
    Field("history", _TEXT, "URL template of the history report."),
    Field("audit", _TEXT, "URL template of the audit log."),
    what="`logs`",
)
PLAN = Record(
    "plan",
    Field("format", NumberType(1), "The format of this file.", required=True),
    Field(
        "name",
        _PLAN_NAME,
        "What the plan is called; runs of the same name belong together.",
        required=True,
    ),
    Field("customer", _TEXT, "Whose cutover it is."),
    Field("change", _TEXT, "The ticket of the change."),
    Field("cutover", _MOMENT, "The planned start; checks judge the plan at this moment."),
    Field("booleans", ChoiceType("native", "string"), "How booleans are sent; default native."),
    Field("expected", _TEXT, "A CSV file with the Data Center's issue links."),
    Field("requireApproval", _FLAG, "Whether `run` needs an approval; default false."),
    Field("logs", LOGS, "URL templates of Atlassian's own logs."),
    Field("sites", ListType(SITE, least=1), "Every cloud site that takes part.", required=True),
    Field("instances", ListType(INSTANCE, least=1), "One entry is one job.", required=True),
    Field("waive", ListType(WAIVER), "Findings that somebody accepts."),
)
RECORDS = (PLAN, SITE, PROJECT, WAVE, INSTANCE, PROBE, APP_LINK, WAIVER, LOGS)
KNOWN_KEYS = frozenset(field.key for record in RECORDS for field in record.fields)
