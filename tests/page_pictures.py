"""Makes the pictures of docs/report.md: `python -m tests.page_pictures PAGE.html FOLDER` (needs pillow, extra `plots`).

PAGE.html is the report of `offscript demo`. Colours are reduced to 256, which takes a third of the bytes.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright
from tests.test_page_browser import chromium

DESK, PHONE = {"width": 1280, "height": 1400}, {"width": 390, "height": 844}


@contextmanager
def opened(page: Path, **options: Any) -> Iterator[Page]:
    """The page in a browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium())
        tab = browser.new_context(reduced_motion="reduce", **options).new_page()
        tab.goto(page.resolve().as_uri())
        yield tab
        browser.close()


def save(shot: bytes, path: Path) -> None:
    """Write a picture with few colours."""
    picture = Image.open(io.BytesIO(shot)).convert("RGB").quantize(256, kmeans=2, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)


def main(page: Path, folder: Path) -> None:
    """Take the pictures."""
    for name, size, scheme, scale in (
        ("desktop-light", DESK, "light", 1),
        ("desktop-dark", DESK, "dark", 1),
        ("phone-light", PHONE, "light", 2),
        ("phone-dark", PHONE, "dark", 2),
    ):  # the phone in light shows the head of the page, in dark an incident
        with opened(page, viewport=size, color_scheme=scheme, device_scale_factor=scale) as tab:
            if name == "phone-dark":
                tab.evaluate("document.querySelector('#i1 .bars').scrollIntoView()")
            save(tab.screenshot(), folder / f"report-{name}.png")
    with opened(page, viewport=DESK, color_scheme="light") as tab:
        tab.evaluate("document.querySelectorAll('details.incident').forEach(one => { one.open = false; })")
        slow = tab.locator("details.incident[data-reason=unusual_time]:has(.value):has(.slow)").first
        slow.evaluate("one => { one.open = true; }")
        save(slow.screenshot(), folder / "report-slow.png")
        save(tab.locator("#timeline").screenshot(), folder / "report-timeline.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
