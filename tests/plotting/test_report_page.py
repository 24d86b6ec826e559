"""The page of plotting/report.py in a real browser: Debian's chromium, driven by Playwright."""

from __future__ import annotations

import csv
import io
import math
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from chromium import IN_CHROMIUM
from learning_curve_data import Tree, flat_run, make_run, make_tree, write_tree
from playwright.sync_api import Browser, Page
from report_folder import ReportFolder
from sensitivity_data import grid, sweep

from plotting.html_report.content import content
from plotting.html_report.page import page as html
from plotting.html_report.server import PageServer, Watch
from plotting.html_report.sources import open_source

pytestmark = IN_CHROMIUM
LRS, TRACES, KINDS = [0.01, 0.1, 1.0], [0.0, 0.9], ["a", "b"]
SETTINGS = grid({"lr": LRS, "trace": TRACES, "kind": KINDS})
SEEDS = 4


def score(params: Mapping[str, Any], run: int) -> float | None:
    """Best: lr 0.1, trace 0.9, kind b. Setting 3 has a diverged run."""
    if params == SETTINGS[3] and run == 2:
        return None
    kind = 0.25 * (params["kind"] == "b")
    return float(-10 * abs(math.log10(params["lr"]) + 1) + 2 * params["trace"] + kind + 0.1 * run)


BEST = SETTINGS.index({"lr": 0.1, "trace": 0.9, "kind": "b"})


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of 12 settings x 4 seeds, and of another experiment."""
    folder = tmp_path_factory.mktemp("report")
    first = write_tree(folder / "first", sweep(SETTINGS, score, SEEDS))
    other = sweep(SETTINGS[:2], lambda params, run: float(run), SEEDS, agent_name="ESarsa")
    sources = [open_source(path, None) for path in (first, write_tree(folder / "other", other))]
    (folder / "report.html").write_bytes(html(content(sources, None)))
    return folder / "report.html"


@pytest.fixture
def page(browser: Browser, file: Path) -> Iterator[Page]:
    """The report; a test that makes it complain, or ask for anything but the file, fails."""
    context = browser.new_context(viewport={"width": 1300, "height": 900}, color_scheme="light")
    found = context.new_page()
    found.set_default_timeout(60_000)
    complaints: list[str] = []
    asked: list[str] = []
    found.on("console", lambda message: complaints.append(message.text))
    found.on("pageerror", lambda error: complaints.append(str(error)))
    found.on("request", lambda request: asked.append(request.url))
    found.goto(file.as_uri())
    yield found
    context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [file.as_uri()]


def column(page: Page, name: str) -> list[str]:
    """The cells of the table's column with this title."""
    script = """name => {
        const heads = [...document.querySelectorAll('#table thead th')];
        const at = heads.findIndex(head => head.innerText.split(' ')[0] === name);
        const rows = [...document.querySelectorAll('#table tbody tr')];
        return rows.map(row => row.cells[at].innerText);
    }"""
    found: list[str] = page.evaluate(script, name)
    return found


def kept(page: Page) -> set[int]:
    return set(map(int, column(page, "setting")))


def with_values(**values: Any) -> set[int]:
    """Settings that have one of the values of each hyperparameter."""
    return {
        number
        for number, params in enumerate(SETTINGS)
        if all(params[name] in allowed for name, allowed in values.items())
    }


def test_the_table_is_ranked_and_sorts(page: Page) -> None:
    assert int(column(page, "setting")[0]) == BEST
    assert int(column(page, "setting")[-1]) == 3  # with a diverged run it cannot be compared
    head = page.locator("#table th", has_text="mean")
    head.get_by_role("button").click()
    means = [float(cell.replace("\u2212", "-")) for cell in column(page, "mean")]
    assert means == sorted(means, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    head.get_by_role("button").click()
    assert [float(cell.replace("\u2212", "-")) for cell in column(page, "mean")] == sorted(means)
    assert page.locator("#table th[aria-sort=ascending]").count() == 1


def test_words_filter_the_table_and_every_panel(page: Page) -> None:
    page.get_by_role("searchbox", name="Filter").fill("lr=0.1 score>0.5")
    expected = {number for number in with_values(lr=[0.1]) if SETTINGS[number]["trace"] == 0.9}
    assert kept(page) == expected
    assert page.locator("#filter-count").inner_text() == f"{len(expected)} of 12 settings kept"
    out = len(SETTINGS) - len(expected)
    assert page.locator("#sensitivity-panels .mark.out").count() == 3 * out
    assert page.locator("#parallel-figure .lane-line.out").count() == out
    assert page.locator("#heat td", has_text="not kept").count() == 5
    assert page.locator("#curves-legend li").count() == len(expected)
    page.get_by_role("button", name="Show all settings").click()
    assert len(kept(page)) == len(SETTINGS)
    assert page.locator(".out").count() == 0


def test_dragging_along_an_axis_and_checkboxes_keep_the_same(page: Page) -> None:
    area = page.locator("#parallel-figure .brush-area").nth(0)
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    assert box is not None
    middle, height = box["x"] + box["width"] / 2, box["height"]
    page.mouse.move(middle, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(middle, box["y"] + 0.7 * height, steps=3)
    page.mouse.up()
    dragged = kept(page)
    assert dragged == with_values(lr=[0.1, 1.0])
    page.mouse.click(middle, box["y"] + height / 2)  # releases the axis
    assert len(kept(page)) == len(SETTINGS)
    page.get_by_text("Choose values instead of dragging").click()
    page.get_by_role("group", name="lr").get_by_label("0.01").uncheck()
    assert kept(page) == dragged
    page.locator("#filter-chips button").click()
    assert len(kept(page)) == len(SETTINGS)


def test_a_range_of_scores_can_be_dragged_and_typed(page: Page) -> None:
    area = page.locator("#parallel-figure .brush-area").last
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 5, box["y"] + box["height"] / 3, steps=3)
    page.mouse.up()
    assert kept(page) == with_values(lr=[0.1])
    page.get_by_text("Choose values instead of dragging").click()
    page.get_by_role("group", name="mean evaluation return").get_by_label("at least").fill("1.9")
    page.keyboard.press("Enter")
    assert kept(page) == with_values(lr=[0.1], trace=[0.9])


def test_seeds_can_be_drawn_instead_of_intervals(page: Page) -> None:
    curves = page.locator("#curves-figure")
    assert (curves.locator(".band").count(), curves.locator(".seed").count()) == (3, 0)
    page.get_by_role("button", name="Every seed").click()
    assert (curves.locator(".band").count(), curves.locator(".seed").count()) == (0, 3 * SEEDS)
    assert page.locator("#show-seeds").get_attribute("aria-pressed") == "true"


def test_pinned_settings_are_shown_instead_of_the_best(page: Page) -> None:
    page.get_by_label("pin setting 0").check()
    legend = page.locator("#curves-legend li")
    assert legend.all_inner_texts() == ["setting 0\nlr 0.01, trace 0.0, kind a"]
    page.locator("#sensitivity-panels .star").first.click()
    assert legend.count() == 2
    page.get_by_role("button", name="setting 0 pinned: remove").click()
    assert legend.count() == 1


def test_another_score_is_another_ranking(page: Page) -> None:
    page.get_by_role("combobox", name="Score").select_option("train-final")
    assert "final training return" in page.locator("#best").inner_text()
    assert "final training return" in page.locator("#table caption").inner_text()


def test_importance_is_a_table_with_bars(page: Page) -> None:
    rows = page.get_by_role("region", name="Importance").get_by_role("row")
    assert rows.count() == 1 + 3 + 3 + 1  # a head, one each, pairs, all others
    first = rows.nth(1)
    assert first.get_by_role("rowheader").inner_text() == "lr"
    share = float(first.locator("td").nth(1).inner_text().removesuffix("%"))
    assert share > 50
    widths = page.locator("#importance-table i.one, #importance-table i.several")
    drawn: list[float] = widths.evaluate_all("all => all.map(one => one.offsetWidth)")
    assert drawn[0] == max(drawn) > 100
    page.locator("#experiment").select_option("1")  # of one hyperparameter
    assert rows.count() == 3


def test_interaction_of_any_two(page: Page) -> None:
    page.get_by_label("Across").select_option(label="kind")
    page.get_by_label("Down").select_option(label="trace")
    cells = page.locator("#heat tbody td").all_inner_texts()
    assert [cell.split()[0] for cell in cells] == ["0.150", "0.400", "1.950", "2.200"]
    page.get_by_label("Over the others").select_option("mean")
    assert page.locator("#heat tbody td").first.inner_text().split()[0] == "\u22126.517"
    page.get_by_label("Across").select_option(label="trace")
    assert page.locator("#heat caption").inner_text().endswith("trace across, kind down")


def test_dark_and_light(page: Page) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    button = page.get_by_role("button", name="Dark")
    button.click()
    assert page.evaluate(background) != light
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert page.evaluate(background) == light
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(background) == light  # the choice stays


def test_the_csv_is_the_table(page: Page) -> None:
    page.get_by_role("searchbox").fill("kind=b")
    page.locator("#table th", has_text="mean").get_by_role("button").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    text = Path(download.value.path()).read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    names = {"mean": "mean eval-mean", "setting": "setting", "rank": "rank", "lr": "lr", "n": "n"}
    for title, name in names.items():
        shown = [cell.replace("\u2212", "-").removeprefix("★ ") for cell in column(page, title)]
        assert [float(row[name]) for row in rows] == pytest.approx(
            list(map(float, shown)), abs=6e-4
        )
    assert {row["seeds"] for row in rows} == {"selection"}
    assert all(float(row["low eval-mean"]) < float(row["high eval-mean"]) for row in rows)


def test_everything_works_from_the_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "settings"
    page.locator("#table th", has_text="setting").get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert list(map(int, column(page, "setting"))) == list(range(len(SETTINGS)))
    # the table was made anew, and the focus is where it was
    assert page.evaluate("document.activeElement.dataset.key") == "sort-setting"
    page.locator("#curves-figure svg").focus()
    page.keyboard.press("End")
    said = page.locator("#curves-readout").inner_text()
    assert said.startswith(f"timestep 100; setting {BEST}: 2.200 [")


def test_controls_and_drawings_have_names(page: Page) -> None:
    nameless = """[...document.querySelectorAll('button, select, input, svg[role=img], table')]
        .filter(e => e.offsetParent !== null || e.tagName === 'svg')
        .filter(e => !(e.innerText?.trim() || e.getAttribute('aria-label') || e.labels?.length
            || e.caption))
        .map(e => e.outerHTML.slice(0, 80))"""
    assert page.evaluate(nameless) == []
    headings = page.locator("h1, h2").evaluate_all("all => all.map(e => e.tagName)")
    assert headings[0] == "H1"
    assert headings.count("H1") == 1


def test_a_narrow_window_needs_no_sideways_scrolling(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 700})
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")


def test_paper_has_no_controls_and_is_light(page: Page) -> None:
    page.get_by_role("button", name="Dark").click()
    page.emulate_media(media="print")
    assert not page.locator("nav, .options, #theme, #csv").filter(visible=True).count()
    assert page.locator("#table tbody tr").first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf()[:4] == b"%PDF"


def test_experiments_are_compared_and_chosen(page: Page) -> None:
    rows = page.locator("#compared-table tbody tr")
    assert rows.count() == 2
    assert page.locator("#compared-curves path.mean").count() == 2
    rows.nth(1).get_by_role("button").click()
    assert page.locator("h1").inner_text() == "ESarsa on Pendulum-v1"
    assert kept(page) == {0, 1}


@pytest.mark.parametrize(
    "runs",
    [[flat_run(0, 1.0), flat_run(1, 2.0)], [make_run(0, status="diverged")]],
    ids=["one setting", "diverged"],
)
def test_a_page_with_little_to_show(browser: Browser, tmp_path: Path, runs: list[Tree]) -> None:
    source = open_source(write_tree(tmp_path, make_tree({0: runs})), None)
    (tmp_path / "report.html").write_bytes(html(content([source], None)))
    found = browser.new_page()
    complaints: list[str] = []
    found.on("pageerror", lambda error: complaints.append(str(error)))
    found.goto((tmp_path / "report.html").as_uri())
    assert found.locator("#standing").inner_text().startswith(f"{len(runs)} of")
    assert not found.locator("#sensitivity, #parallel, #interaction").filter(visible=True).count()
    found.close()
    assert complaints == []


def test_a_served_page_follows_the_runs(browser: Browser, tmp_path: Path) -> None:
    folder = ReportFolder(tmp_path)
    folder.add(0, 1)
    with PageServer(0, Watch([folder.path], None, None)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        found = browser.new_page()
        found.set_default_timeout(60_000)
        found.goto(f"http://127.0.0.1:{server.server_port}/")
        assert kept(found) == {0, 1}
        found.get_by_label("pin setting 1").check()
        folder.add(2)
        found.wait_for_selector("[data-key=pin-2]")
        assert found.get_by_label("pin setting 1").is_checked()
        found.close()
        server.shutdown()
        thread.join()
