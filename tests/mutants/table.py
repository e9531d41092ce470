"""The mutants: for each promise an edit that breaks it, and the tests that should notice first.

`old` stands exactly once in its file; a test holds the table to that. Where code has moved,
`python -m tests.mutants --repoint` puts the new paths in; where it was reworded, `old` is put right
by hand. Keep both short and distinctive.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """One text in one file, and what it becomes."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """A promise, the edits that break it together, and the test files to run first."""

    id: str
    promise: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]


def mutant(name: str, promise: str, *edits: tuple[str, str, str], tests: str) -> Mutant:
    """Return a mutant; `tests` are paths below `tests/`, separated by blanks."""
    return Mutant(
        name,
        promise,
        tuple(Edit(*edit) for edit in edits),
        tuple(f"tests/{path}" for path in tests.split()),
    )


STORE = "runbook/ledger/store.py"
SUBMITTER = "runbook/execute/submitter.py"
TRANSPORT = "runbook/atlassian/transport.py"
REPAIR = "runbook/remotelinks/repair.py"
ROLLBACK = "runbook/remotelinks/rollback.py"
WRITES = "runbook/remotelinks/writes.py"
SAME_TARGET = "            elif self.addresses.pointer_of(link).hits(*target):\n"
START = "runbook/execute/selection.py"

MUTANTS = (
    # Guarantee 1: nothing is sent twice without a word for it; the intent is on disk first.
    mutant(
        "M1",
        "a row of the ledger is on the disk when `append` returns",
        (STORE, '"PRAGMA synchronous = EXTRA"', '"PRAGMA synchronous = OFF"'),
        tests="ledger/test_store.py flows/test_durable.py",
    ),
    mutant(
        "M1b",
        "the end of a row's journal is on the disk, too",
        (STORE, '"PRAGMA synchronous = EXTRA"', '"PRAGMA synchronous = NORMAL"'),
        tests="ledger/test_store.py flows/test_durable.py",
    ),
    mutant(
        "M1c",
        "a ledger is one file, with a journal only while a row is written",
        (STORE, '"PRAGMA journal_mode = DELETE"', '"PRAGMA journal_mode = WAL"'),
        tests="ledger/test_store.py flows/test_durable.py",
    ),
    mutant(
        "M2",
        "the intent to submit a job is on disk before its POST",
        (
            SUBMITTER,
            "        session.record(\n            SubmitIntended(number=len(view.sent) + 1,",
            "        intent = (\n            SubmitIntended(number=len(view.sent) + 1,",
        ),
        (
            SUBMITTER,
            "            outcome = await session.ports.send(request)\n",
            "            outcome = await session.ports.send(request)\n            session.record(*intent)\n",
        ),
        tests="flows/test_evenings.py flows/test_killed.py",
    ),
    mutant(
        "M3",
        "a process that lost the lease appends nothing",
        (
            STORE,
            "            if self._lease is not None:\n                self._check_lease(self._lease)\n            last,",
            "            last,",
        ),
        tests="ledger/test_store.py",
    ),
    mutant(
        "M8",
        "the window is looked at again right before a job is sent",
        (SUBMITTER, "        if not self._servable(job_id, 0):\n", "        if False:\n"),
        tests="flows/test_evenings.py flows/test_odd_nights.py",
    ),
    mutant(
        "M10",
        "every submission opens a connection of its own",
        ("runbook/execute/submit_rules.py", "        fresh=True,\n", "        fresh=False,\n"),
        tests="atlassian/test_connection_pool.py",
    ),
    mutant(
        "M12",
        "a write that ends with 408 is unknown, not refused",
        (
            "runbook/atlassian/retry.py",
            "300 <= status < 400 or status == 408 or status >= 500",
            "300 <= status < 400 or status >= 500",
        ),
        tests="atlassian/test_answers.py atlassian/test_jira.py",
    ),
    mutant(
        "M14",
        "a word given beforehand is worth one more submission",
        (SUBMITTER, "RESUBMISSIONS = 1\n", "RESUBMISSIONS = 50\n"),
        tests="flows/test_evenings.py flows/test_odd_nights.py",
    ),
    mutant(
        "M20",
        "the intent of repair and rollback is on disk before the request",
        (
            WRITES,
            "        self.ledger.append(intended, run=self.run)\n        return",
            "        return",
        ),
        (
            WRITES,
            "            written = await jira.perform(intent.write)\n",
            "            written = await jira.perform(intent.write)\n            self.log.ledger.append(intended, run=self.log.run)\n",
        ),
        tests="cli/test_repair.py cli/test_rollback.py flows/test_killed_links.py",
    ),
    mutant(
        "M22",
        "the intent of `links set` and `links delete` is on disk before the request",
        (
            WRITES,
            "    log.intend(jira, intent, name=name)\n    try:\n        written = await jira.perform(intent.write)\n",
            "    try:\n        written = await jira.perform(intent.write)\n        log.intend(jira, intent, name=name)\n",
        ),
        tests="cli/test_links.py",
    ),
    mutant(
        "N1",
        "a lost answer is unknown: the job is not sent again by itself",
        (
            TRANSPORT,
            "        except _MAY_HAVE_ARRIVED as problem:\n            return Lost(",
            "        except _MAY_HAVE_ARRIVED as problem:\n            return NotSent(",
        ),
        tests="test_http.py",
    ),
    mutant(
        "N2",
        "an unknown job is sent again only by a word",
        (SUBMITTER, 'word = self._session.assignment.on_unknown == "resubmit"', "word = True"),
        tests="flows/test_evenings.py",
    ),
    mutant(
        "N3",
        "the lease is kept up while a run waits",
        (
            "runbook/execute/executor.py",
            "            session.ports.ledger.heartbeat()\n",
            "            pass\n",
        ),
        tests="flows/test_lease.py",
    ),
    mutant(
        "N4",
        "the lease is kept up while links are written",
        (WRITES, "            self.log.ledger.heartbeat()\n", "            pass\n"),
        tests="flows/test_lease.py",
    ),
    mutant(
        "N5",
        "a run that a person stopped sends nothing more",
        (
            "runbook/execute/selection.py",
            "    if last.stop is not None and options.again is None:\n",
            "    if False:\n",
        ),
        tests="flows/test_evenings.py execute/test_selection.py",
    ),
    mutant(
        "N6",
        "a wait that ends outside the window holds the job",
        (SUBMITTER, "if not self._servable(job_id, wait_s):", "if False:"),
        tests="flows/test_evenings.py flows/test_odd_nights.py",
    ),
    mutant(
        "N7",
        "an account that was refused sends no further job",
        (
            SUBMITTER,
            '                session.brakes.accounts[account] = f"account `{account}` was refused: {detail}"\n',
            "                pass\n",
        ),
        tests="flows/test_evenings.py",
    ),
    # Guarantee 2: what was previewed is what is sent.
    mutant(
        "M13",
        "a plan that needs an approval is not run without one",
        (
            START,
            "if plan.require_approval and not approved and not options.rehearsal:",
            "if False:",
        ),
        tests="cli/test_approve.py flows/test_evenings.py",
    ),
    mutant(
        "M19",
        "`--digest` binds the run to what was previewed",
        (
            "runbook/checks/checked_plan.py",
            "if digest.strip().lower() not in (self.jobs_digest, self.plan.digest):",
            "if False:",
        ),
        tests="flows/test_evenings.py cli/test_preview.py",
    ),
    mutant(
        "N8",
        "the digest of the jobs covers their order",
        (
            "runbook/jobs.py",
            "[job.sent_json() for job in jobs]",
            "sorted((job.sent_json() for job in jobs), key=str)",
        ),
        tests="test_jobs.py cli/test_preview.py",
    ),
    mutant(
        "N9",
        "a plan whose submitted jobs changed is not gone on with",
        ("runbook/execute/selection.py", "    if refused:\n", "    if False:\n"),
        tests="execute/test_selection.py flows/test_evenings.py",
    ),
    # Guarantee 3: nothing is called fine that was not looked at.
    mutant(
        "M7",
        "a changed row of the ledger is found",
        (STORE, "    if actual != row.hash:\n", "    if False:\n"),
        tests="ledger/test_store.py",
    ),
    mutant(
        "M7b",
        "a row's hash covers the row before it",
        (
            "runbook/ledger/codec.py",
            "for field in (previous, str(seq),",
            'for field in ("", str(seq),',
        ),
        tests="ledger/test_store.py",
    ),
    mutant(
        "M15",
        "an issue is absent only if the login still holds",
        (
            "runbook/remotelinks/snapshot.py",
            "            # A lost login looks like 404, too.\n            await self.jira.confirm_login()\n",
            "            pass\n",
        ),
        tests="remotelinks/test_snapshot.py",
    ),
    mutant(
        "M17",
        "a file is on the disk before it takes the old one's place",
        ("runbook/atomic_file.py", "                os.fsync(stream.fileno())\n", ""),
        tests="cli/test_files.py",
    ),
    mutant(
        "N10",
        "a link of an issue that was not read is not looked at, neither there nor missing",
        (
            "runbook/remotelinks/comparison.py",
            'kind = Kind.SOURCE_ABSENT if state == "absent" else Kind.NOT_LOOKED_AT',
            'kind = Kind.SOURCE_ABSENT if state == "absent" else Kind.RECREATED',
        ),
        tests="cli/test_verify.py",
    ),
    mutant(
        "N11",
        "a user's own link is no recreated one",
        (
            "runbook/remotelinks/compare.py",
            "return link.ours or (not link.before and job_shaped(link))",
            "return True",
        ),
        tests="remotelinks/test_compare.py cli/test_verify.py",
    ),
    mutant(
        "N12",
        "writing to links after a verification ends its word `clean`",
        (
            "runbook/view/runs.py",
            'if event.purpose == "rollback" or fold.verification == "clean":',
            "if False:",
        ),
        tests="test_view.py cli/test_rollback.py",
    ),
    mutant(
        "N13",
        "a signature that was exchanged after the bundle was packed is found",
        (
            "runbook/report/bundle_verify.py",
            "elif data is not None and hashlib.sha256(data).hexdigest() != pinned[name]:",
            "elif False:",
        ),
        tests="report/test_bundle.py",
    ),
    mutant(
        "N23",
        "a file of a bundle that is not what its checksum says is named",
        (
            "runbook/report/bundle_verify.py",
            "            if hashlib.sha256(files[name]).hexdigest() != wanted:\n",
            "            if False:\n",
        ),
        tests="report/test_bundle.py",
    ),
    # Guarantee 4: a credential is nowhere, in any encoding.
    mutant(
        "M4",
        "what goes into the ledger is masked",
        (STORE, "encode(event, self._mask)", "encode(event, Mask())"),
        tests="ledger/test_store.py flows/test_echoes.py",
    ),
    mutant(
        "M4b",
        "the body of an answer is masked",
        (TRANSPORT, "            body=mask(got.body),\n", "            body=got.body,\n"),
        tests="test_http.py flows/test_echoes.py",
    ),
    mutant(
        "M5",
        "a credential inside a longer base64 text is found",
        (
            "runbook/encoded_forms.py",
            "    for shift in range(3):\n",
            "    for shift in range(1):\n",
        ),
        tests="test_secrets.py test_http.py",
    ),
    mutant(
        "M9",
        "no redirect is followed, so that no credential goes elsewhere",
        (
            TRANSPORT,
            "            got = await self._exchanged(request)\n",
            (
                "            got = await self._exchanged(request)\n"
                "            for name, value in got.headers:\n"
                '                if name.lower() == b"location" and 300 <= got.status < 400:\n'
                "                    moved = Request(\n"
                "                        method=request.method,\n"
                "                        url=value.decode(),\n"
                "                        account=request.account,\n"
                "                    )\n"
                "                    got = await self._exchanged(moved)\n"
            ),
        ),
        tests="test_http.py",
    ),
    mutant(
        "M11",
        "an endpoint is an address of this machine",
        (TRANSPORT, "or not host or not _is_loopback(host):", "or not host:"),
        tests="test_http.py",
    ),
    mutant(
        "M18",
        "only its owner may read a ledger",
        (STORE, "os.O_EXCL | os.O_RDWR, 0o600", "os.O_EXCL | os.O_RDWR, 0o644"),
        tests="ledger/test_store.py",
    ),
    mutant(
        "N14",
        "the headers of an answer are masked",
        (
            TRANSPORT,
            "pairs = [(mask(name), mask(value)) for name, value in pairs]",
            "pairs = list(pairs)",
        ),
        tests="test_http.py flows/test_echoes.py",
    ),
    mutant(
        "N15",
        "the words of a failure are masked",
        (
            TRANSPORT,
            "return Lost(reason=self._mask.text(_reason(problem, request)))",
            "return Lost(reason=_reason(problem, request))",
        ),
        tests="test_http.py",
    ),
    mutant(
        "N16",
        "a redacted bundle holds no e-mail",
        (
            "runbook/report/redact.py",
            "self._without_known(self._without_emails(text))",
            "self._without_known(text)",
        ),
        tests="report/test_redact.py",
    ),
    # Guarantee 5: only links that our own ledger names are changed or removed.
    mutant(
        "M6",
        "repair leaves an issue that holds a link to the same target",
        (REPAIR, SAME_TARGET, "            elif False:\n"),
        tests="cli/test_repair.py",
    ),
    mutant(
        "M6b",
        # The same target covers an equal globalId as well; only both together can be missed.
        "repair leaves a link of the same globalId or target",
        (
            REPAIR,
            '            elif link.get("globalId") == self.global_id:\n',
            "            elif False:\n",
        ),
        (REPAIR, SAME_TARGET, "            elif False:\n"),
        tests="cli/test_repair.py cli/test_rollback.py",
    ),
    mutant(
        "M6c",
        "rollback compares a link again right before it writes",
        (
            ROLLBACK,
            "        if content_hash(now)[:HASH_DIGITS] != self.hash:\n",
            "        if False:\n",
        ),
        tests="cli/test_rollback.py",
    ),
    mutant(
        "M21",
        "rollback leaves a link that changed since it was recorded",
        (
            ROLLBACK,
            "        if content_hash(now)[:HASH_DIGITS] != self.hash:\n",
            "        if False:\n",
        ),
        (
            ROLLBACK,
            "        if content_hash(now)[:HASH_DIGITS] != candidate.link.hash:\n",
            "        if False:\n",
        ),
        tests="cli/test_rollback.py",
    ),
    mutant(
        "N17",
        "an unexpected link is ours only if the run's account added it",
        (
            ROLLBACK,
            "if added and in_time and change.author_id == account:",
            "if added and in_time:",
        ),
        tests="cli/test_rollback.py",
    ),
    mutant(
        "N18",
        "rollback leaves a link that repair wrote over",
        (ROLLBACK, "        if candidate.replaced:\n", "        if False:\n"),
        tests="cli/test_rollback.py",
    ),
    mutant(
        "N19",
        "a link that was there before the run is never removed",
        (
            ROLLBACK,
            "        then = self.before.links.get((site, link.link_id))\n",
            "        then = None\n",
        ),
        tests="cli/test_rollback.py",
    ),
    mutant(
        "N20",
        "`links` leaves a link that changed since it was shown",
        (WRITES, "    if not same:\n        raise", "    if False:\n        raise"),
        tests="cli/test_links.py",
    ),
    # Guarantee 6: what is handed in is data and decides nothing.
    mutant(
        "N21",
        "no credential goes to a host that is no site of Jira Cloud",
        (
            "runbook/operations/issue_links.py",
            "if not (stand_in or _CLOUD_HOST.fullmatch(parts.netloc.lower())):",
            "if False:",
        ),
        tests="cli/test_links.py",
    ),
    # Guarantee 7: what is shown is what is there.
    mutant(
        "M16",
        "a report shows markup from outside as text",
        ("runbook/report/templates.py", "autoescape=True", "autoescape=False"),
        tests="report/test_report_html.py",
    ),
    mutant(
        "N22",
        "text from outside cannot move the cursor or turn its direction",
        ("runbook/text.py", 'return "" if category in (', "return character if category in ("),
        tests="test_text.py",
    ),
)
