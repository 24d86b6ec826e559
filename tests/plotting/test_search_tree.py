"""plotting/search_tree.py: what it reads and refuses, where nodes lie, and what it writes."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from search_data import bare, search, visited

from plotting import search_tree
from plotting.search_view.layout import COUSINS, SIBLINGS, level_heights, tidy
from plotting.search_view.record import Search, encoded, parse

SCRIPT = Path(search_tree.__file__)
Tree = dict[str, Any]


def read(content: Tree) -> Search:
    return parse(json.dumps(content).encode(), "search.json")


def draw(*words: str) -> Result:
    return CliRunner().invoke(search_tree.main, words)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "search.json"
    path.write_text(json.dumps(search(40)))
    return path


# Where nodes lie


@st.composite
def trees(draw: st.DrawFn) -> list[list[int]]:
    """Children of each node: any tree of up to 40 nodes, numbered in the order of creation."""
    count = draw(st.integers(1, 40))
    children: list[list[int]] = [[] for _ in range(count)]
    for node in range(1, count):
        children[draw(st.integers(0, node - 1))].append(node)
    return children


def levels(children: Sequence[Sequence[int]]) -> list[list[int]]:
    """The nodes of each depth, from left to right."""
    found = [[0]]
    while below := [child for node in found[-1] for child in children[node]]:
        found.append(below)
    return found


@settings(max_examples=50)
@given(trees())
def test_nodes_keep_their_order_and_their_distance(children: list[list[int]]) -> None:
    at = tidy(children)
    parent = {child: node for node, below in enumerate(children) for child in below}
    for row in levels(children):
        for left, right in itertools.pairwise(row):
            least = SIBLINGS if parent[left] == parent[right] else COUSINS
            assert at[right] - at[left] >= least - 1e-9
    assert min(at) == 0


@settings(max_examples=30)
@given(trees())
def test_a_parent_is_in_the_middle_of_its_children(children: list[list[int]]) -> None:
    at = tidy(children)
    for node, below in enumerate(children):
        if below:
            assert at[node] == pytest.approx((at[below[0]] + at[below[-1]]) / 2)


@settings(max_examples=30)
@given(trees())
def test_a_mirrored_tree_is_the_mirror_image(children: list[list[int]]) -> None:
    at = tidy(children)
    mirrored = tidy([below[::-1] for below in children])
    assert [max(at) - x for x in mirrored] == pytest.approx(at)


@settings(max_examples=30)
@given(trees())
def test_equal_subtrees_look_equal(children: list[list[int]]) -> None:
    """The tree twice, side by side under a new root."""
    count = len(children)
    moved = [[[child + by for child in below] for below in children] for by in (1, 1 + count)]
    at = tidy([[1, 1 + count], *moved[0], *moved[1]])
    first, second = at[1 : 1 + count], at[1 + count :]
    assert [x - second[0] for x in second] == pytest.approx([x - first[0] for x in first])


def test_a_narrow_tree_is_no_wider_than_its_widest_level() -> None:
    assert tidy([list(range(1, 101)), *([] for _ in range(100))])[1:] == list(range(100))
    assert tidy([[k + 1] for k in range(5000)] + [[]]) == [0.0] * 5001  # deeper than recursion


def test_sparse_levels_are_low_where_others_are_full() -> None:
    assert level_heights([1, 30, 2]) == [1, 1, 1]
    assert level_heights([1, 100, 50, 4, 1]) == [0.25, 1, 1, 0.5, 0.25]


def test_the_layout_takes_linear_time() -> None:
    def seconds(count: int) -> float:
        children: list[list[int]] = [[] for _ in range(count)]
        for node in range(1, count):
            children[(node * 7919) % node // 2 if node % 3 else node - 1].append(node)
        began = time.process_time()
        tidy(children)
        return time.process_time() - began

    seconds(2000)
    assert seconds(40_000) < 60 * max(seconds(2000), 1e-3)  # quadratic: 400


# What a file says


def test_what_is_left_out_is_completed() -> None:
    found = read(bare([-1, 0, 0, 1], 2))
    assert found.nodes.depth == [0, 1, 1, 2]
    assert found.nodes.image == [-1] * 4
    assert found.nodes.pruned == [False] * 4
    assert found.nodes.visits == []
    assert found.root.q == [None, None]
    assert found.chosen_path() == []


def test_a_record_is_itself_again() -> None:
    content = search(30)
    assert json.loads(encoded(read(content))) == content | {
        "nodes": content["nodes"] | {"visits": []}
    }


def test_equal_images_are_kept_once() -> None:
    content = search(5)
    used = content["nodes"]["image"]
    content["images"] *= 2
    content["nodes"]["image"] = [k + len(content["images"]) // 2 * (k % 2) for k in used]
    found = read(content)
    assert found.images == search(5)["images"]
    assert found.nodes.image == used


def test_the_chosen_path_is_the_best_line_as_long_as_one_is_the_best() -> None:
    content = bare([-1, 0, 0, 1, 1, 3, 3], 2) | {"chosen": 0}
    content["nodes"]["return"] = [2.0, 2.0, 5.0, 2.0, 1.0, 1.0, 1.0]
    assert read(content).chosen_path() == [0, 1, 3]
    content["nodes"]["return"][5] = 1.5
    assert read(content).chosen_path() == [0, 1, 3, 5]


def change(**parts: Any) -> Callable[[Tree], Tree]:
    return lambda content: content | parts


def nodes(**parts: Any) -> Callable[[Tree], Tree]:
    return lambda content: content | {"nodes": content["nodes"] | parts}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (change(format="search/2"), "has the format 'search/2': the record of a search has the"),
        (lambda content: [content], "has no 'format': the record of a search has the format"),
        (change(actions=7), ": Expected `array`, got `int` - at `$.actions`"),
        (change(chosen=2), ": chosen is 2: there are 2 actions"),
        (change(root={"q": [1.0]}), ": root.q has 1 entries, and there are 2 actions"),
        (nodes(parent=[]), ": nodes.parent is empty: node 0 is the root"),
        (nodes(parent=[0, 0, 0]), ": nodes.parent begins with 0: node 0 is the root, of parent -1"),
        (nodes(parent=[-1, 2, 0]), ": node 1 has the parent 2: a parent comes before its children"),
        (nodes(action=[-1, 0, 5]), ": node 2 has the action 5: there are 2 actions"),
        (nodes(depth=[0, 1, 2]), ": node 2 has depth 2: its path has 1 edges"),
        (nodes(solved=[True]), ": nodes.solved has 1 entries, and nodes.parent 3"),
        (nodes(**{"return": [0.0]}), ": nodes.return has 1 entries, and nodes.parent 3"),
        (nodes(image=[0, -1, -1]), ": node 0 has image 0: there are 0 images"),
        (
            change(images=["https://example.org/a.png"]),
            ": image 0 is not a picture in the file (data:image/png;base64,…)",
        ),
    ],
)
def test_a_malformed_file_is_refused_in_one_sentence(
    file: Path, wrong: Callable[[Tree], Tree], sentence: str
) -> None:
    file.write_text(json.dumps(wrong(bare([-1, 0, 0], 2))))
    result = draw(str(file), "-o", "tree.html")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: {file}{'' if sentence[0] == ':' else ' '}{sentence}")
    assert len(result.stderr.strip().splitlines()) == 1
    assert not Path("tree.html").exists()


@pytest.mark.parametrize("content", ["", "{", "GIF89a\x00\xff"])
def test_what_is_not_json_is_refused(file: Path, content: str) -> None:
    file.write_bytes(content.encode("latin-1"))
    result = draw(str(file))
    assert result.exit_code == 2
    assert f"{file} is not JSON" in result.stderr


def test_other_refusals(file: Path) -> None:
    assert "nowhere.json cannot be read: No such file" in draw("nowhere.json").stderr
    wrong = draw(str(file), "-o", "tree.PNG")
    assert (wrong.exit_code, wrong.stderr) == (
        2,
        "Error: tree.PNG does not end in .html, .pdf, .png, .svg or .dot: try tree.png\n",
    )


# What it writes


def test_help_needs_neither_numpy_nor_matplotlib() -> None:
    program = (
        "import sys; sys.argv = ['x', '--help']; import runpy\n"
        f"try: runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "assert not {'numpy', 'matplotlib', 'msgspec', 'PIL'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_page_without_being_asked_and_each_image_once(file: Path) -> None:
    assert draw(str(file)).stdout == f"wrote {file.with_suffix('.html')}\n"
    page = file.with_suffix(".html").read_text()
    images = json.loads(file.read_text())["images"]
    assert len(images) > 10
    assert [page.count(image) for image in images] == [1] * len(images)
    assert not re.search(r"(src|href)=.?https?:", page)


def test_text_in_a_file_is_text_on_the_page(file: Path) -> None:
    content = json.loads(file.read_text()) | {"title": "</script><img src=x onerror=alert(1)>"}
    file.write_text(json.dumps(content))
    assert draw(str(file)).exit_code == 0
    page = file.with_suffix(".html").read_text()
    assert page.count("</script>") == 2
    assert "<img src=x" not in page


def texts(svg: str) -> list[str]:
    return [text.strip() for text in re.findall(r"<!-- (.*?) -->", svg)]


def test_a_small_tree_has_pictures_and_the_names_of_its_actions(file: Path) -> None:
    assert draw(str(file), "-o", "tree.svg").exit_code == 0
    content = json.loads(file.read_text())
    svg = Path("tree.svg").read_text()
    assert svg.count("<image") == 40
    named = [text.split()[0] for text in texts(svg) if text.split()[0] in content["actions"]]
    assert len(named) == 39
    assert "pruned: nothing novel" in texts(svg)
    assert any(text.endswith("(Q 0).") for text in texts(svg))


def test_a_large_tree_has_marks_and_a_paper_has_a_page(file: Path) -> None:
    file.write_text(json.dumps(search(700, size=24, images=True)))
    assert draw(str(file), "-o", "tree.svg", "--style", "paper").exit_code == 0
    svg = Path("tree.svg").read_text()
    assert "<image" not in svg
    width, height = map(float, re.findall(r'(?:width|height)="([\d.]+)pt"', svg)[:2])
    assert width / 72 <= 7.1
    assert height / 72 <= 10
    content = json.loads(file.read_text())["nodes"]
    crosses = sum(content["pruned"])
    marks = [len(re.findall("<use ", group)) for group in svg.split("PathCollection")]
    assert crosses in marks


def test_where_visits_are_counted_they_lead_and_stand_in_boxes(file: Path) -> None:
    file.write_text(json.dumps(visited()))
    found = read(visited())
    assert found.chosen_path() == [0, 1, 3, 4, 6, 8]
    assert [found.rewarded(node) for node in range(3)] == [False, False, True]
    assert found.width(1) == pytest.approx(0.8**0.5)
    assert draw(str(file), "-o", "tree.svg").exit_code == 0
    said = texts(Path("tree.svg").read_text())
    assert [text for text in said if "+" in text] == ["a1 +1.02"]
    assert all(str(visits) in said for visits in (1, 2, 3, 5, 8))
    assert "In a box: visits, and below them Q." in " ".join(said)
    assert draw(str(file), "-o", "tree.dot").exit_code == 0
    assert '  0 -> 2 [label="a1 +1.02", penwidth=2.3];' in Path("tree.dot").read_text()


@pytest.mark.parametrize(("style", "beside"), [("web", []), ("talk", ["tree.txt"])])
def test_the_caption_is_where_the_style_has_it(file: Path, style: str, beside: list[str]) -> None:
    file.write_text(json.dumps(search(12)))
    assert draw(str(file), "-o", "tree.png", "--style", style).exit_code == 0
    assert sorted(path.name for path in Path().glob("tree.*")) == ["tree.png", *beside]
    if beside:
        assert Path("tree.txt").read_text().startswith("sweep/Room-v0; Rollout IW(1); γ 0.99;")


@pytest.mark.parametrize("suffix", ["html", "pdf", "dot"])
def test_the_same_file_gives_the_same_bytes(file: Path, suffix: str) -> None:
    for name in ("first", "second"):
        assert draw(str(file), "-o", f"{name}.{suffix}").exit_code == 0
    assert Path(f"first.{suffix}").read_bytes() == Path(f"second.{suffix}").read_bytes()


def test_text_for_graphviz(file: Path) -> None:
    content = bare([-1, 0, 0, 1], 2) | {"title": 'a "b" \\', "chosen": 1, "actions": ["go", "no"]}
    content["nodes"] |= {"reward": [0, 0, 1, 0], "pruned": [False, True, False, False]}
    file.write_text(json.dumps(content))
    assert draw(str(file), "-o", "tree.dot").exit_code == 0
    lines = Path("tree.dot").read_text().splitlines()
    assert lines[0] == 'digraph "a \\"b\\" \\\\" {'
    assert '  1 [label="× 1\\n0", tooltip="pruned", shape=plain];' in lines
    assert '  0 -> 2 [label="no +1", style=bold];' in lines
    assert len([line for line in lines if "->" in line]) == 3


@settings(max_examples=25, deadline=None)
@given(trees(), st.booleans())
def test_any_tree_can_be_read(children: list[list[int]], chosen: bool) -> None:
    parents = [-1] * len(children)
    for node, below in enumerate(children):
        for child in below:
            parents[child] = node
    most = max(map(len, children))
    content = bare(parents, max(most, 1)) | ({"chosen": 0} if chosen else {})
    found = read(content)
    assert found.children() == children
    assert read(json.loads(encoded(found))) == found
