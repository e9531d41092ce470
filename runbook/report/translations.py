"""The fixed texts of the report in one language, and the two or three ways to fill them in."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from runbook.errors import UsageError
from runbook.report.templates import source
from runbook.report.text import clip, thousands

LANGUAGES = ("en", "de")


@dataclass(frozen=True, slots=True)
class Words:
    """The catalogue of one language."""

    lang: str
    texts: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """Return a text with its values in place; a missing key is a bug and raises KeyError."""
        text = self.texts[key]
        return text.format(**values) if values else text

    def count(self, noun: str, number: int) -> str:
        """Return a number with its noun: `1 job`, `6 jobs`."""
        return f"{thousands(number)} {self.texts[f'{noun}_one' if number == 1 else f'{noun}_many']}"

    def plural(self, key: str, number: int, **values: object) -> str:
        """Return the text for one or for many, whose `{n}` is the number: `1 goes on`, `2 go on`."""
        text = self.texts[f"{key}_one" if number == 1 else f"{key}_many"]
        return text.format(n=thousands(number), **values)

    def known(self, prefix: str, name: str) -> str:
        """Return the word for a name from outside, else the name itself, short."""
        return self.texts.get(f"{prefix}_{name}") or clip(name, 40)

    def has(self, key: str) -> bool:
        """Return whether the catalogue has this text."""
        return key in self.texts


@cache
def words_of(lang: str) -> Words:
    """Return the catalogue of a language, from `report.LANG.toml` beside the templates.

    Raises:
        UsageError: there is none for it.
    """
    if lang not in LANGUAGES:
        raise UsageError(
            f"the report is not written in `{lang}`", hint=f"choose one of {', '.join(LANGUAGES)}"
        )
    return Words(lang, tomllib.loads(source(f"report.{lang}.toml")))
