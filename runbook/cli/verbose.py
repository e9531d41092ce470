"""What `--verbose` shows: the log of the package's own modules on stderr, masked and printable."""

import logging

from runbook.cli.console import masked, say
from runbook.text import printable

_FORM = "%(asctime)s.%(msecs)03d %(name)s: %(message)s"


class _MaskedHandler(logging.Handler):
    """Say each record on stderr: first without a credential, then without anything a terminal obeys."""

    def emit(self, record: logging.LogRecord) -> None:
        say(printable(masked(self.format(record))))


def show_log() -> None:
    """Show what the package's modules log from now on; calling it again changes nothing.

    Only `runbook` is listened to: httpcore's own log holds the headers of requests.
    """
    log = logging.getLogger("runbook")
    if not any(isinstance(handler, _MaskedHandler) for handler in log.handlers):
        handler = _MaskedHandler()
        handler.setFormatter(logging.Formatter(_FORM, datefmt="%H:%M:%S"))
        log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    log.propagate = False


def hide_log() -> None:
    """Show nothing any more."""
    log = logging.getLogger("runbook")
    for handler in [handler for handler in log.handlers if isinstance(handler, _MaskedHandler)]:
        log.removeHandler(handler)
    log.setLevel(logging.NOTSET)
    log.propagate = True
