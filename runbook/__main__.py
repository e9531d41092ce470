"""Let `python -m runbook` do what `runbook` does."""

import sys

from runbook.cli.app import main

sys.exit(main())
