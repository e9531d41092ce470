"""Make the pictures of the report in `docs/`: `make screenshots`. Needs chromium and pdftoppm.

The evening that they show is one of the hand-made ones of `tests/report/evenings.py`.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from runbook.report import build, render
from tests.report import evenings

FOLDER = Path(__file__).parent.parent / "docs"


def main() -> int:
    """Write `report-light.png`, `report-dark.png` and `report-print.png`; return an exit code."""
    browser, printer = shutil.which("chromium"), shutil.which("pdftoppm")
    if browser is None or printer is None:
        print("error: chromium and pdftoppm have to be installed", file=sys.stderr)
        return 2
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        page_file, paper = Path(name) / "report.html", Path(name) / "report.pdf"
        page_file.write_text(render(build(evenings.differing().view())), encoding="utf-8")
        chromium = playwright.chromium.launch(
            executable_path=browser, args=["--no-sandbox", "--disable-gpu"]
        )
        for scheme in ("light", "dark"):
            page = chromium.new_page(
                viewport={"width": 1280, "height": 1640}, color_scheme=scheme, device_scale_factor=1
            )
            page.goto(page_file.as_uri())
            page.screenshot(path=FOLDER / f"report-{scheme}.png")
            page.pdf(path=paper, prefer_css_page_size=True, print_background=True)
        chromium.close()
        target = FOLDER / "report-print"
        subprocess.run(
            [printer, "-png", "-r", "110", "-singlefile", "-f", "1", "-l", "1", paper, target],
            check=True,
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
