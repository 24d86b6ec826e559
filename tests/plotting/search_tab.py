"""What a test does to the page of a search, and sees of it."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Locator, Page


def settled(page: Page) -> None:
    """Two frames later everything is painted."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def drawn(page: Page) -> int:
    settled(page)
    return int(page.locator("#tree").get_attribute("data-drawn") or -1)


def selected(page: Page) -> Locator:
    return page.locator("[role=treeitem][aria-selected=true]")


def number(page: Page) -> int:
    return int((selected(page).get_attribute("id") or "").removeprefix("node-"))


def press(page: Page, *keys: str) -> None:
    page.locator("#tree").focus()
    for key in keys:
        page.keyboard.press(key)


def centre(page: Page) -> tuple[float, float]:
    """Where the selected node is on the screen."""
    settled(page)
    box = selected(page).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def pixels(page: Page) -> str:
    settled(page)
    found: str = page.evaluate("document.querySelector('#canvas').toDataURL()")
    return found


def until(holds: Callable[[], bool]) -> None:
    """The page allows no evaluation of text, which Playwright's own waiting needs."""
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def set_range(page: Page, name: str, value: int) -> None:
    page.locator(f"#{name}").fill(str(value))
