"""The matrix of sites: who holds links (rows), where they point (columns), and how each job stands."""

from collections import defaultdict

from runbook.report.page import (
    Chip,
    Column,
    Link,
    Matrix,
    MatrixCell,
    Number,
    Para,
    Row,
    Section,
    Stack,
    Table,
    Text,
)
from runbook.report.states import chip_of, is_clean, plain
from runbook.report.text import anchor, clip, site_label, thousands, web_address
from runbook.report.translations import Words
from runbook.view import JobState, RunView

ROOMY = 7
LARGEST = 36


def matrix_section(view: RunView, w: Words) -> Section:
    """Return the matrix, or a list of directions where there are too many sites for one."""
    sites = list(
        dict.fromkeys(url for job in view.jobs for url in (job.job.site, job.job.destination))
    )
    blocks: tuple[Matrix | Para | Table, ...]
    if len(sites) <= LARGEST:
        blocks = (Para(text=w("matrix_lead")), _matrix(view, sites, w))
        if len(sites) > ROOMY:
            blocks = (*blocks, _site_key(sites, w))
    else:
        blocks = (
            Para(text=w("matrix_too_large", sites=thousands(len(sites)))),
            _directions(view, w),
        )
    return Section(id="matrix", title=w("h_matrix"), short=w("s_matrix"), blocks=blocks)


def _matrix(view: RunView, sites: list[str], w: Words) -> Matrix:
    clean, small = is_clean(view), len(sites) > ROOMY
    jobs = defaultdict(list)
    for job in view.jobs:
        jobs[job.job.site, job.job.destination].append(job)
    names = (
        [f"S{number}" for number in range(1, len(sites) + 1)]
        if small
        else [clip(site_label(site), 40) for site in sites]
    )

    def cell(source: str, destination: str) -> MatrixCell:
        entries = tuple(
            (chip_of(job, w, clean=clean), anchor("job", job.id))
            for job in jobs[source, destination]
        )
        own = source == destination
        return MatrixCell(entries=entries, own=own, empty="" if own else w("matrix_no_job"))

    order = list(JobState)
    key = dict.fromkeys(
        chip_of(job, w, clean=clean)
        for job in sorted(view.jobs, key=lambda job: order.index(job.state))
    )
    return Matrix(
        caption=w("cap_matrix"),
        corner=w("matrix_corner"),
        columns=tuple(zip(names, (clip(site, 120) for site in sites), strict=True)),
        rows=tuple(
            (name, clip(source, 120), tuple(cell(source, other) for other in sites))
            for name, source in zip(names, sites, strict=True)
        ),
        small=small,
        key=tuple(key),
    )


def _site_key(sites: list[str], w: Words) -> Table:
    return Table(
        id="site-key",
        caption=w("cap_site_key"),
        columns=(Column(title=w("c_short")), Column(title=w("c_site"), wide=True)),
        rows=tuple(
            Row(
                cells=(
                    Text(text=f"S{number}", strong=True),
                    Link(text=site, href=web_address(site)),
                )
            )
            for number, site in enumerate(sites, start=1)
        ),
        dense=True,
    )


def _directions(view: RunView, w: Words) -> Table:
    clean = is_clean(view)
    directions: dict[tuple[str, str], list[tuple[Chip, str]]] = defaultdict(list)
    for job in view.jobs:
        directions[job.job.site, job.job.destination].append((chip_of(job, w, clean=clean), job.id))
    return Table(
        id="directions",
        caption=w("cap_directions"),
        columns=(
            Column(title=w("c_holds")),
            Column(title=w("c_points")),
            Column(title=w("c_state")),
            Column(title=w("c_jobs"), align="end"),
        ),
        rows=tuple(
            Row(
                cells=(
                    Text(text=clip(site_label(source), 60)),
                    Text(text=clip(site_label(destination), 60)),
                    Stack(cells=tuple(dict.fromkeys(chip for chip, _ in entries)))
                    if len(entries) > 1
                    else plain(entries[0][0], lean=True),
                    Number(text=thousands(len(entries)), key=len(entries)),
                )
            )
            for (source, destination), entries in directions.items()
        ),
        dense=True,
    )
