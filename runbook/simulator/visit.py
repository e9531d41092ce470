"""One request inside the world: who asks, on which site, and what they may see."""

from dataclasses import dataclass
from typing import Any

from runbook.simulator.messages import Call, Reply, jira_error
from runbook.simulator.model import Issue, SimAccount, SimSite
from runbook.simulator.world import World

NO_ISSUE = "Issue does not exist or you do not have permission to see it."
BAD_BODY = "Invalid request payload. Refer to the REST API documentation and try again."


@dataclass(slots=True, kw_only=True)
class Visit:
    """What a handler gets; `account` None is an anonymous visitor."""

    world: World
    call: Call
    site: SimSite
    account: SimAccount | None
    params: dict[str, str]
    version: str

    @property
    def api(self) -> str:
        """Return the base of addresses in answers."""
        return f"{self.site.url}/rest/api/{self.version}"

    def may(self, permission: str, project: str | None = None) -> bool:
        """Return whether the visitor has a permission on the site, or in a project of it."""
        if self.account is None:
            return permission == "BROWSE_PROJECTS" and self.site.anonymous_read
        places = (self.site.url,) if project is None else (self.site.url, project)
        return self.account.may(permission, *places)

    def sees(self, issue: Issue) -> bool:
        """Return whether an issue is there for the visitor."""
        project = self.site.projects[issue.project]
        if issue.deleted or project.archived or not self.may("BROWSE_PROJECTS", issue.project):
            return False
        if issue.visible_to is None:
            return True
        return self.account is not None and self.account.email in issue.visible_to

    def issue(self, id_or_key: str) -> Issue | None:
        """Return an issue that the visitor sees, by id, key or former key."""
        found = self.site.issue(id_or_key)
        return found if found is not None and self.sees(found) else None

    def body(self) -> dict[str, Any] | None:
        """Return the body where it is a JSON object, else None."""
        try:
            value = self.call.json()
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None


def texts(value: object) -> list[str] | None:
    """Return a list of texts of a body, empty where it is absent; None where it is something else."""
    if value is None:
        return []
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    return None


def no_issue() -> Reply:
    """Return Jira's answer for an issue that is not there or not visible."""
    return jira_error(404, NO_ISSUE)


def bad_body() -> Reply:
    """Return Jira's answer for a body that is not a JSON object."""
    return jira_error(400, BAD_BODY)
