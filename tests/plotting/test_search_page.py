"""The page of plotting/search_tree.py in a real browser: Debian's chromium, by Playwright."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from chromium import IN_CHROMIUM
from playwright.sync_api import Browser, Page
from search_data import bare, search, visited
from search_tab import centre, drawn, number, pixels, press, selected, set_range, settled, until

from plotting.search_view.layout import level_heights, tidy
from plotting.search_view.page import ASSETS
from plotting.search_view.page import page as html
from plotting.search_view.record import Search, encoded, parse

pytestmark = IN_CHROMIUM
COUNT = 60


def made(content: dict[str, Any]) -> Search:
    return parse(json.dumps(content).encode(), "search.json")


RECORD = made(search(COUNT) | {"chosen": 1})
CHILDREN = RECORD.children()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("search") / "search.html"
    path.write_bytes(html(RECORD))
    return path


class Tab(NamedTuple):
    """One for all tests: complaints of the page, and what it asked for, since a test began."""

    page: Page
    complaints: list[str]
    asked: list[str]


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Tab]:
    context = browser.new_context(color_scheme="light")
    found = Tab(context.new_page(), [], [])
    found.page.set_default_timeout(60_000)
    found.page.on("console", lambda message: found.complaints.append(message.text))
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.on("request", lambda request: found.asked.append(request.url))
    yield found
    context.close()


@pytest.fixture
def page(tab: Tab, file: Path) -> Iterator[Page]:
    """The page, anew; a test that makes it complain, or ask for anything but the file, fails."""
    found, complaints, asked = tab
    complaints.clear()
    asked.clear()
    found.set_viewport_size({"width": 1300, "height": 850})
    found.mouse.move(0, 0)
    found.goto(file.as_uri())
    settled(found)
    yield found
    assert complaints == []
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [file.as_uri()]


def below(node: int) -> list[int]:
    return [node, *(each for child in CHILDREN[node] for each in below(child))]


# The drawing


def test_all_nodes_are_drawn_and_the_page_says_what_was_searched(page: Page) -> None:
    assert drawn(page) == COUNT
    assert page.locator("h1").inner_text() == RECORD.title
    said = page.locator("#subtitle").inner_text()
    assert "Rollout IW(1) · γ 0.99 · budget 59 nodes · 60 nodes" in said
    pruned = page.get_by_role("button", name="pruned")
    assert pruned.locator("b").inner_text() == str(sum(RECORD.nodes.pruned))


def test_the_script_lays_trees_out_as_the_figure_does(page: Page) -> None:
    layout = (ASSETS / "layout.js").read_text()
    run = f"(children) => {{ {layout}\nreturn [...tidy(children)]; }}"
    rng = random.Random(0)
    for _ in range(30):
        count = rng.randrange(1, 200)
        children: list[list[int]] = [[] for _ in range(count)]
        for node in range(1, count):
            children[rng.randrange(max(0, node - 12), node)].append(node)
        assert page.evaluate(run, children) == pytest.approx(tidy(children))
    heights = f"(counts) => {{ {layout}\nreturn levelHeights(counts); }}"
    for counts in ([1, 6, 30], [1, 80, 200, 3, 10, 1]):
        assert page.evaluate(heights, counts) == pytest.approx(level_heights(counts))


def test_the_depth_slider_hides_what_is_deeper(page: Page) -> None:
    for depth in (0, 1, 3):
        set_range(page, "depth", depth)
        assert drawn(page) == sum(each <= depth for each in RECORD.nodes.depth)
    assert page.locator("#depth-said").inner_text() == f"3/{max(RECORD.nodes.depth)}"
    page.get_by_role("button", name="Expand").first.click()
    assert drawn(page) == COUNT


def test_the_order_slider_shows_the_first_nodes_and_play_the_rest(page: Page) -> None:
    set_range(page, "order", 7)
    assert drawn(page) == 7
    page.get_by_role("button", name="Play").click()
    until(lambda: int(page.locator("#order").input_value()) > 12)
    page.get_by_role("button", name="Play").click()
    here = int(page.locator("#order").input_value())
    assert drawn(page) == here < COUNT
    page.wait_for_timeout(150)
    assert int(page.locator("#order").input_value()) == here
    set_range(page, "order", COUNT - 1)
    page.get_by_role("button", name="Play").click()
    until(lambda: page.locator("#order-said").inner_text() == f"{COUNT}/{COUNT}")


def test_subtrees_collapse_by_key_button_and_double_click(page: Page) -> None:
    press(page, "ArrowDown")
    node = number(page)
    hidden = len(below(node)) - 1
    assert hidden > 10
    press(page, "Enter")
    assert drawn(page) == COUNT - hidden
    assert selected(page).get_attribute("aria-expanded") == "false"
    page.locator("#node").get_by_role("button", name="Expand").click()
    assert drawn(page) == COUNT
    assert page.evaluate("document.activeElement.innerText") == "Collapse"
    page.mouse.dblclick(*centre(page))
    assert drawn(page) == COUNT - hidden
    page.get_by_role("button", name="Expand").first.click()
    page.locator("#collapse").click()
    assert drawn(page) == 1 + len(CHILDREN[0])


def test_a_collapsed_node_stays_where_it_is(page: Page) -> None:
    press(page, "ArrowDown")
    before = centre(page)
    press(page, "Enter")
    assert centre(page) == pytest.approx(before, abs=1)


def test_arrow_keys_walk_as_the_tree_lies(page: Page) -> None:
    assert page.locator("#tree").get_attribute("data-direction") == "down"
    press(page, "ArrowDown")
    first = number(page)
    assert first == RECORD.chosen_path()[1]  # the chosen one before others
    press(page, "ArrowRight")
    assert number(page) == CHILDREN[0][CHILDREN[0].index(first) + 1]
    press(page, "ArrowLeft", "ArrowUp", "ArrowUp")
    assert number(page) == 0
    press(page, "End")
    assert number(page) == RECORD.chosen_path()[-1]
    press(page, "Home", "PageDown", "PageDown", "PageDown", "PageUp")
    assert number(page) == 2
    page.locator("#turn").click()
    press(page, "Home", "ArrowRight")
    assert number(page) == first


def test_a_closed_node_opens_on_the_way_in(page: Page) -> None:
    page.locator("#collapse").click()
    press(page, "ArrowDown", "ArrowDown")
    assert RECORD.nodes.depth[number(page)] == 2


def test_the_pointer_tells_what_a_node_is(page: Page) -> None:
    node = RECORD.nodes.life_lost.index(True)
    press(page, *["PageDown"] * node)
    page.mouse.move(*centre(page))
    tip = page.locator("#tip")
    assert tip.is_visible()
    shown = tip.locator("img").get_attribute("src")
    assert shown == RECORD.images[RECORD.nodes.image[node]]
    lines = tip.inner_text().splitlines()
    assert lines[0] == f"Node {node}: {RECORD.actions[RECORD.nodes.action[node]]}"
    assert {"reward −1", "depth 1", "guide 0.2", "return −1", "Q −1", "policy 0"} <= set(lines)
    assert lines[-1].startswith("state terminal, solved")
    assert lines[-1].endswith("life lost")
    x, y = centre(page)
    page.mouse.move(x, y - 60)
    assert not tip.is_visible()


def test_the_tip_names_the_novel_atoms(page: Page) -> None:
    node = next(k for k in range(1, COUNT) if RECORD.nodes.new_atoms[k])
    press(page, *["PageDown"] * node)
    assert f"new atoms 1: {RECORD.nodes.novel_atoms[node][0]}" in (
        selected(page).get_attribute("aria-label") or ""
    )


def test_a_click_selects_and_the_panel_shows_the_state(page: Page) -> None:
    press(page, "PageDown", "PageDown")
    there = centre(page)
    press(page, "Home")
    page.mouse.click(*there)
    assert number(page) == 2
    assert page.locator("#node-title").inner_text().startswith("Node 2: ")
    shown = page.locator("#node img").get_attribute("src")
    assert shown == RECORD.images[RECORD.nodes.image[2]]


def test_the_decision_is_a_table_whose_rows_lead_to_nodes(page: Page) -> None:
    rows = page.locator("#decision tbody tr")
    assert rows.count() == len(RECORD.actions)
    assert page.locator("#decision tr.chosen td").first.inner_text() == "→ N"
    page.locator("#collapse").click()
    rows.last.get_by_role("button").click()
    (west,) = (k for k in CHILDREN[0] if RECORD.nodes.action[k] == 4)
    assert number(page) == west
    assert rows.last.locator("td").last.inner_text() == str(len(below(west)))


def test_the_wheel_zooms_where_the_pointer_is_and_dragging_moves(page: Page) -> None:
    press(page, "ArrowDown")
    x, y = centre(page)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -600)
    assert centre(page) == pytest.approx((x, y), abs=1.5)
    assert drawn(page) < COUNT
    page.mouse.move(x + 60, y + 60)
    page.mouse.down()
    page.mouse.move(x + 160, y + 110, steps=4)
    page.mouse.up()
    assert centre(page) == pytest.approx((x + 100, y + 50), abs=2)
    press(page, "0")
    assert drawn(page) == COUNT


def test_marks_can_be_shown_alone(page: Page) -> None:
    all_of_them = pixels(page)
    button = page.get_by_role("button", name="pruned")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert pixels(page) != all_of_them
    button.click()
    assert pixels(page) == all_of_them


def test_nodes_can_be_coloured_by_what_varies(page: Page) -> None:
    before = pixels(page)
    choices = page.locator("#colour option").all_inner_texts()
    assert choices == ["state", "return", "new atoms"]  # values and visits are not in the file
    page.locator("#colour").select_option("return")
    assert pixels(page) != before
    said = page.locator("#legend-hint").inner_text()
    assert said.endswith("Colour: return from −1, faint, to 0, strong.")


def test_dark_and_light(page: Page) -> None:
    before = pixels(page)
    page.get_by_role("button", name="Dark").click()
    assert pixels(page) != before
    page.get_by_role("button", name="Dark").click()
    assert pixels(page) == before


def test_the_record_can_be_taken_out_again(page: Page) -> None:
    with page.expect_download() as download:
        page.get_by_role("button", name="Download JSON").click()
    assert download.value.suggested_filename == "search.json"
    content = json.loads(Path(download.value.path()).read_text())
    assert content == json.loads(encoded(RECORD))


# For everyone


def test_it_is_a_tree_to_a_screen_reader(page: Page) -> None:
    tree = page.get_by_role("tree")
    assert tree.get_attribute("aria-activedescendant") == "node-0"
    press(page, "ArrowDown")
    item = selected(page)
    assert tree.get_attribute("aria-activedescendant") == item.get_attribute("id")
    position = CHILDREN[0].index(number(page)) + 1
    said = {name: item.get_attribute(f"aria-{name}") for name in ("level", "setsize", "posinset")}
    assert said == {"level": "2", "setsize": str(len(CHILDREN[0])), "posinset": str(position)}
    assert (item.get_attribute("aria-label") or "").startswith(f"Node {number(page)}: N, depth 1")
    assert page.locator("[role=treeitem][aria-level='3']").count() == len(CHILDREN[number(page)])


def test_everything_has_a_name_and_the_tree_is_one_key_away(page: Page) -> None:
    nameless = """[...document.querySelectorAll('button, select, input, [role=tree], table')]
        .filter(e => !(e.innerText?.trim() || e.getAttribute('aria-label') || e.labels?.length))
        .map(e => e.outerHTML.slice(0, 80))"""
    assert page.evaluate(nameless) == []
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "tree"


def test_a_narrow_window_needs_no_sideways_scrolling(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 700})
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
    assert drawn(page) == COUNT


# Searches that count visits


def test_visits_and_the_search_s_own_words(browser: Browser, tmp_path: Path) -> None:
    record = made(visited())
    page = opened(browser, tmp_path, record)
    press(page, "End")
    assert number(page) == record.chosen_path()[-1]
    press(page, "Home", "ArrowDown")
    said = page.locator("#node dl").inner_text().split("\n")
    pairs = dict(zip(said[::2], said[1::2], strict=True))
    assert (pairs["Q"], pairs["visits"], pairs["prior"]) == ("0.4", "8", "0.5")
    assert pairs["network's value"] == "0.25"
    table = page.locator("#decision table").inner_text().split()
    assert table[:5] == ["action", "prior", "Q", "policy", "visits"]
    assert table[6:11] == ["a0", "0.5", "0.400", "0.9", "8"]
    marks = page.locator("#legend button").all_inner_texts()
    assert [mark.split()[0] for mark in marks] == ["open", "reward", "chosen"]
    assert "Edges are as wide as they were visited" in page.locator("#legend-hint").inner_text()
    page.close()


# Large trees


def test_the_wheel_keeps_a_node_of_a_deep_tree_under_the_pointer(
    browser: Browser, tmp_path: Path
) -> None:
    """Levels of one node are low in sight of all, and high from near."""
    page = opened(browser, tmp_path, made(bare([-1, *[0] * 60, *range(60, 160)], 60)))
    press(page, *["PageDown"] * 110)
    assert number(page) == 110
    before = centre(page)
    page.mouse.move(*before)
    for _ in range(6):
        page.mouse.wheel(0, -200)
        assert centre(page) == pytest.approx(before, abs=12)  # of half a pixel
    page.mouse.click(*before)
    assert number(page) == 110
    page.close()


def opened(browser: Browser, tmp_path: Path, record: Search) -> Page:
    (tmp_path / "large.html").write_bytes(html(record))
    found = browser.new_page(viewport={"width": 1300, "height": 850})
    found.set_default_timeout(60_000)
    found.on("pageerror", lambda error: pytest.fail(str(error)))
    found.goto((tmp_path / "large.html").as_uri())
    settled(found)
    return found


def test_five_thousand_nodes_are_drawn_as_fast_as_one_can_look(
    browser: Browser, tmp_path: Path
) -> None:
    record = made(search(5000, size=60))
    page = opened(browser, tmp_path, record)
    assert drawn(page) == 5000
    took = []
    for _ in range(12):
        page.mouse.move(500, 450)
        page.mouse.wheel(0, -150)
        drawn(page)
        took.append(float(page.locator("#tree").get_attribute("data-milliseconds") or "nan"))
    assert sorted(took)[len(took) // 2] < 50  # a few on an idle machine
    assert drawn(page) < 1000  # what is out of sight is left out
    page.close()


def test_a_node_may_have_hundreds_of_children(browser: Browser, tmp_path: Path) -> None:
    page = opened(browser, tmp_path, made(bare([-1, *[0] * 300, *range(1, 41)], 300)))
    assert drawn(page) == 341
    assert page.locator("#decision tbody tr").count() == 300
    page.locator("#decision tbody tr").nth(299).get_by_role("button").click()
    assert number(page) == 300
    assert selected(page).get_attribute("aria-posinset") == "300"
    assert page.locator("[role=treeitem]").count() < 130
    page.close()


@pytest.mark.parametrize("parents", [[-1], [-1, *range(800)]], ids=["a root", "a long chain"])
def test_odd_trees(browser: Browser, tmp_path: Path, parents: list[int]) -> None:
    page = opened(browser, tmp_path, made(bare(parents, 1)))
    assert drawn(page) == len(parents)
    press(page, "Enter", "ArrowRight", "ArrowDown", "End", "0")
    page.close()
