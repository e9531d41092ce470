"""`runbook schema`: the JSON Schema on stdout, or in a file."""

import json

from runbook.plan.schema import plan_schema
from tests.cli.ledgers import call


def test_the_schema_is_printed(capsys):
    assert call("schema") == 0
    assert json.loads(capsys.readouterr().out) == plan_schema()


def test_the_schema_is_written(capsys, tmp_path):
    path = tmp_path / "plan.schema.json"
    assert call("schema", "-o", str(path)) == 0
    assert json.loads(path.read_text(encoding="utf-8")) == plan_schema()
    assert capsys.readouterr().out == ""
