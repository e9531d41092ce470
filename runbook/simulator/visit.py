"""One request inside the world: who asks, on which site, and what they may see."""

from dataclasses import dataclass
from typing import Any

from runbook.simulator.messages import Reply, SimRequest, jira_error
from runbook.simulator.model import Issue, SimAccount, SimSite
from runbook.simulator.world import World

NO_ISSUE = "Issue does not exist or you do not have permission to see it."
NO_LOGIN = "Client must be authenticated to access this resource."
BAD_BODY = "Invalid request payload. Refer to the REST API documentation and try again."


class VisitRefusedError(Exception):
    """A handler ends here with `reply`; the router sends it like any other answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Visit:
    """What a handler gets; `visitor` None is an anonymous one.

    What a handler cannot do without is asked for by method, and refused there where it is missing.
    """

    world: World
    request: SimRequest
    site: SimSite
    visitor: SimAccount | None
    params: dict[str, str]
    version: str

    @property
    def api(self) -> str:
        """Return the base of addresses in answers."""
        return f"{self.site.url}/rest/api/{self.version}"

    def user(self, account: SimAccount, **more: str) -> dict[str, Any]:
        """Return an account as Jira shows it, with further fields."""
        return {
            "self": f"{self.api}/user?accountId={account.account_id}",
            "accountId": account.account_id,
            "accountType": "atlassian",
            "active": True,
            "displayName": account.email.partition("@")[0],
            **more,
            "timeZone": "Etc/UTC",
        }

    def may(self, permission: str, project: str | None = None) -> bool:
        """Return whether the visitor has a permission on the site, or in a project of it."""
        where = (self.site.url,) if project is None else (self.site.url, project)
        return self.visitor is not None and self.visitor.may(permission, *where)

    def sees(self, issue: Issue) -> bool:
        """Return whether an issue is there for the visitor."""
        project = self.site.projects[issue.project]
        if issue.deleted or project.archived or not self.may("BROWSE_PROJECTS", issue.project):
            return False
        allowed = issue.visible_to
        return allowed is None or (self.visitor is not None and self.visitor.email in allowed)

    def seen(self, id_or_key: str) -> Issue | None:
        """Return an issue that the visitor sees, by id, key or former key."""
        found = self.site.issue(id_or_key)
        return found if found is not None and self.sees(found) else None

    def issue(self, id_or_key: str | None = None) -> Issue:
        """Return an issue that the visitor sees, that of the path unless another is named.

        Raises:
            VisitRefusedError: 404; it is not there, or not for this visitor.
        """
        found = self.seen(self.params["issueIdOrKey"] if id_or_key is None else id_or_key)
        if found is None:
            raise VisitRefusedError(jira_error(404, NO_ISSUE))
        return found

    def account(self) -> SimAccount:
        """Return who asks.

        Raises:
            VisitRefusedError: 401; nobody is logged in.
        """
        if self.visitor is None:
            raise VisitRefusedError(jira_error(401, NO_LOGIN))
        return self.visitor

    def body(self) -> dict[str, Any]:
        """Return the body.

        Raises:
            VisitRefusedError: 400; it is not a JSON object.
        """
        value = self.request.json_object()
        if value is None:
            raise VisitRefusedError(jira_error(400, BAD_BODY))
        return value

    def texts(self, body: dict[str, Any], name: str) -> list[str]:
        """Return a list of texts of a body, empty where it is absent.

        Raises:
            VisitRefusedError: 400; it is something else.
        """
        value = body.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise VisitRefusedError(jira_error(400, BAD_BODY))
        return value
