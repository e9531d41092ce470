"""Everybody who watches a run; nobody among them can hold it up or end it."""

from collections.abc import Iterable

from runbook.execute.ports import Observer
from runbook.ledger.codec import Event, Row


class Audience:
    """Passes news on to observers, and silences one that fails."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        self._observers = list(observers)

    def saw(self, row: Row, event: Event) -> None:
        """Tell of one event that is on disk now."""
        for observer in tuple(self._observers):
            try:
                observer.saw(row, event)
            except Exception:  # noqa: BLE001 - a watcher's failure is never the run's
                self._silence(observer)

    def waits(self, job: str, until: str, why: str) -> None:
        """Tell that a job waits."""
        for observer in tuple(self._observers):
            try:
                observer.waits(job, until, why)
            except Exception:  # noqa: BLE001 - as above
                self._silence(observer)

    def alarm(self, text: str) -> None:
        """Tell at once what could not be written down."""
        for observer in tuple(self._observers):
            try:
                observer.alarm(text)
            except Exception:  # noqa: BLE001 - as above
                self._silence(observer)

    def _silence(self, observer: Observer) -> None:
        self._observers.remove(observer)
        self.alarm(f"{type(observer).__name__} failed and is silent from here; the run goes on")
