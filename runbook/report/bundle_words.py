"""The words of a bundle: its README, and a script that checks the chain with Python alone."""

from collections.abc import Mapping
from typing import Any

CHECK_CHAIN = '''\
"""Check the hash chain of ledger.ndjson: python3 check_chain.py [ledger.ndjson]

Needs nothing but Python 3. Each row's hash covers the hash of the row before and every field of the
row with its length, so a changed, removed, inserted or moved row shows.
"""

import hashlib
import json
import sys


def main(path):
    before, expected, wrong, skipped = "0" * 64, 1, 0, 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["seq"] != expected:
                print("row", expected, "is missing")
                wrong += 1
            payload = row.get("payload_text")
            if payload is None:
                payload = json.dumps(
                    row["payload"], sort_keys=True, separators=(",", ":"), ensure_ascii=False
                )
            total = hashlib.sha256()
            fields = (before, str(row["seq"]), row["at"], row["kind"], row["run"], row["job"], payload)
            for field in fields:
                raw = b"" if field is None else field.encode()
                total.update(("-" if field is None else str(len(raw))).encode() + b":" + raw)
            if row.get("redacted"):
                skipped += 1
            elif total.hexdigest() != row["hash"]:
                print("row", row["seq"], "is not as it was written")
                wrong += 1
            before, expected = row["hash"], row["seq"] + 1
    print(expected - 1, "rows,", wrong, "wrong,", skipped, "redacted and not checked, head", before)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "ledger.ndjson"))
'''

_FILES = """\
report.html       what was done, what was not, what was not looked at; open it in a browser
plan.yaml         the plan as it was run
ledger.ndjson     every event of the ledger, one JSON object per line, chained by SHA-256
answers/          each request that was sent, without credentials, with the answer as it came
logs/             Atlassian's own logs as they were imported, where there are any
evidence/         the files that plan and approvals name as evidence, where there are any
bundle.json       what this bundle holds, for programs
check_chain.py    checks the chain of ledger.ndjson with Python alone
SHA256SUMS        the SHA-256 of every file above and of this one
"""

_REDACTED = """\

REDACTED
--------
E-mails, Atlassian account ids, titles, summaries and display names are replaced by numbered stand-ins
(person-1@redacted.invalid, account-1, title-1, name-1). Equal values have equal stand-ins within this
bundle. Names that a person typed (who attests, who approves, who operates) and issue keys stay.
Evidence files and raw logs cannot be redacted safely and are left out; their hashes are in the ledger.
{rows} rows of the ledger were changed and say "redacted": true. They keep their original hash, which
cannot be recomputed from what is left, so they can be compared only with the unredacted ledger. All
other rows are checked as usual. Whoever can guess the complete text of a redacted row can confirm the
guess by its original hash.
"""


def readme(manifest: Mapping[str, Any]) -> str:
    """Return the README of a bundle, from its manifest."""
    ledger = manifest["ledger"]
    rehearsal = "\nThis was a REHEARSAL against a simulator: nothing in it happened at Atlassian.\n"
    return f"""\
EVIDENCE OF RUN {manifest["run"]}
Plan {manifest["plan"]}, state {manifest["state"]}, verification {manifest["verification"]}.
{rehearsal if manifest["rehearsal"] else ""}
FILES
-----
{_FILES}{_left_out(manifest)}\
{_REDACTED.format(rows=manifest["redacted_rows"]) if manifest["redacted"] else ""}
HOW TO CHECK THIS BUNDLE
------------------------
Unpack it into an empty folder and go there.

Linux:
    sha256sum -c SHA256SUMS

macOS:
    shasum -a 256 -c SHA256SUMS

Windows (PowerShell):
    Get-Content SHA256SUMS | ForEach-Object {{
      $sum, $name = $_ -split '  ', 2
      $real = (Get-FileHash -Algorithm SHA256 -LiteralPath $name).Hash.ToLower()
      if ($real -eq $sum) {{ "${{name}}: OK" }} else {{ "${{name}}: FAILED" }}
    }}

The chain of the ledger, anywhere with Python 3:
    python3 check_chain.py
It has to end with {ledger["rows"]} rows and head
    {ledger["head"]}

The signature, where there is a file SHA256SUMS.sig (OpenSSH 8.1 or newer, also on Windows 10 and 11).
Write the signer's name and public key, which you got from the signer by another way, into a file:
    echo "NAME ssh-ed25519 AAAA..." > allowed_signers
Linux, macOS:
    ssh-keygen -Y verify -f allowed_signers -I NAME -n runbook -s SHA256SUMS.sig < SHA256SUMS
Windows (cmd.exe):
    ssh-keygen -Y verify -f allowed_signers -I NAME -n runbook -s SHA256SUMS.sig < SHA256SUMS

With runbook itself, which also derives the other files from the ledger again and compares them:
    runbook bundle verify FILE.zip [--allowed-signers FILE --identity NAME]

DIGESTS
-------
plan      {manifest["digest"]}
requests  {manifest["jobs_digest"]}

WHAT THIS DOES NOT PROVE
------------------------
The checksums and the chain show that nothing was changed after the bundle was made. They do not show
who made it: only a signature does, checked with a key that you have from another source. They do not
show that the machine's clock was right (compare the Date headers in answers/), that Atlassian's
answers came from Atlassian (compare with Atlassian's own logs and your own sites), or that whoever
ran this could not have made up a whole ledger from the start. What was not looked at is listed in the
report. An attestation or approval is a person's word.
"""


def _left_out(manifest: Mapping[str, Any]) -> str:
    missing = [one for one in manifest["evidence"] if one["file"] is None]
    if not missing:
        return ""
    lines = [
        f"    {one['path']!r}: {one['why_left_out']} (SHA-256 {one['sha256'] or 'unknown'})"
        for one in missing
    ]
    return "\nEvidence files that are not in this bundle:\n" + "\n".join(lines) + "\n"
