"""`python -m tests.mutants [ID …]`: apply each mutant to a copy of the tree and let the suite judge.

A mutant is killed when a test fails. First its own test files run, and only where they stay green
the whole suite does. The command fails for a mutant that survives, for an entry that no longer fits
the tree, and where the tests are red without any mutant.
"""

import argparse
import concurrent.futures
import contextlib
import importlib.util
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.mutants.table import MUTANTS, Mutant
from tests.mutants.tree import ROOT, problems, repointed

LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".*_cache", ".hypothesis", "node_modules", "__pycache__", "dist"
)
TABLE = Path("tests/mutants/table.py")
# Longer than the whole suite takes; a mutant that makes a test wait for ever is found by this.
PATIENCE_S = 900
TESTS_FAILED = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the chosen mutants and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("ids", nargs="*", metavar="ID", help="only these; default all")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (default 2)")
    parser.add_argument(
        "--own-tests", action="store_true", help="run no more than the tests that a mutant names"
    )
    parser.add_argument("--list", action="store_true", help="name the mutants and their promises")
    parser.add_argument("--repoint", action="store_true", help="put the paths of moved code right")
    given = parser.parse_args(argv)
    chosen = [mutant for mutant in MUTANTS if not given.ids or mutant.id in given.ids]
    unknown = set(given.ids) - {mutant.id for mutant in chosen}
    if unknown:
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    if given.list:
        for mutant in chosen:
            print(f"{mutant.id:4} {mutant.promise}")
        return 0
    if given.repoint:
        (ROOT / TABLE).write_text(repointed((ROOT / TABLE).read_text(encoding="utf-8"), MUTANTS))
        return 0
    stale = [line for mutant in chosen for line in problems(mutant)]
    if stale:
        print(*stale, sep="\n")
        return 1
    return _judged(chosen, max(1, given.jobs), own=given.own_tests)


def _judged(chosen: Sequence[Mutant], jobs: int, *, own: bool) -> int:
    began_s = time.monotonic()
    with contextlib.ExitStack() as stack:
        trees: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for _ in range(jobs):
            trees.put(stack.enter_context(_copy()))
        red = _red_without(chosen, trees)
        if red:
            print(f"the tests are red without a mutant, so that none can be judged:\n{red}")
            return 1
        pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(jobs))
        judging = [pool.submit(_judge, mutant, trees, own=own) for mutant in chosen]
        survivors = 0
        for mutant, future in zip(chosen, judging, strict=True):
            killed, said = future.result()
            survivors += not killed
            print(f"{'killed' if killed else 'SURVIVES':8} {mutant.id:4} {mutant.promise}: {said}")
            sys.stdout.flush()
    took_s = time.monotonic() - began_s
    print(f"{len(chosen)} mutants, {survivors} survivors, {took_s:.0f} s")
    return 1 if survivors else 0


@contextlib.contextmanager
def _copy() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="runbook-mutants-", ignore_cleanup_errors=True) as name:
        tree = Path(name) / "tree"
        shutil.copytree(ROOT, tree, ignore=LEFT_OUT)
        yield tree


def _red_without(chosen: Sequence[Mutant], trees: "queue.SimpleQueue[Path]") -> str:
    """Return what the tests say that fail although nothing was changed, empty where none does."""
    tree = trees.get()
    files = sorted({path for mutant in chosen for path in mutant.tests})
    code, said = _tested(tree, *files)
    trees.put(tree)
    return "" if code == 0 else said


def _judge(mutant: Mutant, trees: "queue.SimpleQueue[Path]", *, own: bool) -> tuple[bool, str]:
    """Return whether a mutant is killed, and what shows it."""
    tree = trees.get()
    try:
        with _applied(mutant, tree):
            code, said = _tested(tree, *mutant.tests)
            if code == 0 and own:
                return False, "its own tests stay green"
            if code == 0:
                # The table's own test would notice any edit.
                code, said = _tested(tree, "--ignore", "tests/mutants")
                if code == 0:
                    return False, "the whole suite stays green"
        if code is None:
            return True, "a test waits for ever"
        failed = [line.split()[1] for line in said.splitlines() if line.startswith("FAILED ")]
        if code != TESTS_FAILED or not failed:
            return False, f"the tests cannot be run:\n{said}"
        name = failed[-1].partition("[")[0]
        if name.partition("::")[0] not in mutant.tests and _tested(tree, name)[0] != 0:
            return False, f"`{name}` is red without the mutant, too"
        return True, name
    finally:
        trees.put(tree)


@contextlib.contextmanager
def _applied(mutant: Mutant, tree: Path) -> Iterator[None]:
    paths = {tree / edit.file for edit in mutant.edits}
    before = {path: path.read_text(encoding="utf-8") for path in paths}
    try:
        for edit in mutant.edits:
            path = tree / edit.file
            _write(path, path.read_text(encoding="utf-8").replace(edit.old, edit.new))
        yield
    finally:
        for path, text in before.items():
            _write(path, text)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    # What was compiled may be of the same second and size as the new text, and pass for it.
    Path(importlib.util.cache_from_source(path)).unlink(missing_ok=True)


def _tested(tree: Path, *words: str) -> tuple[int | None, str]:
    """Run tests in a tree; return pytest's exit code (None: given up) and its last words."""
    call = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=no"]
    # The copy comes before the installed package.
    environ = {**os.environ, "PYTHONPATH": str(tree), "HYPOTHESIS_STORAGE_DIRECTORY": str(tree)}
    try:
        done = subprocess.run(
            [*call, *words],
            cwd=tree,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
    except subprocess.TimeoutExpired:
        return None, ""
    return done.returncode, "\n".join((done.stdout + done.stderr).splitlines()[-15:])


if __name__ == "__main__":
    sys.exit(main())
