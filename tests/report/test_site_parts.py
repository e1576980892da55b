"""What the gallery is made of: a handout as HTML, and the course as a graph."""

from __future__ import annotations

import html
import re
import shutil
import urllib.parse
from pathlib import Path

import pytest

from gradkit.errors import AuthoringError
from gradkit.manifest import Manifest, Task, load_all, needs_faults
from gradkit.site.graph import ACROSS, HEIGHT, WIDTH, course_graph
from gradkit.site.handout import DEEPEST, render_handout

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def handout(tmp_path):
    return tmp_path / "README.md"


def test_markup_in_a_handout_is_text(handout):
    """Folds are folds, with Markdown inside; anything else that looks like HTML is shown."""
    shown = render_handout(
        "# T\n\n<script>alert(1)</script> <img src=x onerror=y>\n\n"
        "<details><summary>Hint: `f(x)`</summary>Is it **bold**?\n\n| a |\n| --- |\n| <b> |\n</details>\n\n"
        "[a](javascript:alert(1)) a < b \u202egnp.exe\n",
        handout,
    )

    assert "<script" not in shown and "<img" not in shown and "&lt;script&gt;" in shown and "&lt;b&gt;" in shown
    assert "<summary>Hint: <code>f(x)</code></summary>" in shown and "<strong>bold</strong>" in shown
    assert 'href="javascript' not in shown and "\u202e" not in shown


def test_a_fold_may_stand_wherever_a_paragraph_may(handout):
    """Right below a line, in a list, in another fold; in code it is code, and one that does not end is text."""
    fold = "<details><summary>S</summary>In *it*.</details>"

    assert render_handout(f"above\n{fold}\nbelow", handout).count("<details>") == 1
    assert re.search(
        r"<li>.*<details>.*<em>it</em>.*</details>\n</li>", render_handout(f"- a\n  {fold}\n- b", handout), re.S
    )
    assert render_handout(f"<details><summary>S</summary>\n\n{fold}\n</details>", handout).count("<details>") == 2
    assert "<details>" not in render_handout(f"```\n{fold}\n```\n", handout)
    assert "&lt;details&gt;" in render_handout("<details><summary>S</summary>x", handout)
    assert "&lt;details&gt;" in render_handout(f"{fold} and more", handout)
    deep = render_handout("<details><summary>S</summary>" * 3000 + "</details>" * 3000, handout)
    assert deep.count("<details>") == DEEPEST


def test_a_line_with_bold_words_in_front_begins_a_paragraph(handout):
    """It leads into a part of a task; in code, in a line and in lower case it does not."""
    shown = render_handout("**One.** x\n**Two.** y **Three.** z\n**four** u\n\n```\na\n**B\n```\n", handout)

    assert shown.count("<p>") == 2 and "<p><strong>Two.</strong> y" in shown and "a\n**B\n" in shown


def test_a_table_keeps_its_sides_without_a_style(handout):
    """The page's policy lets no style in a tag count."""
    shown = render_handout("| a | b |\n| --- | ---: |\n| 1 | 2 |\n", handout)

    assert (
        '<td class="right">2</td>' in shown and '<th scope="col" class="right">b</th>' in shown and "style" not in shown
    )


def test_headings_have_anchors_of_their_own(handout):
    """Tasks by their number, others as on GitHub; none that the page has, and none twice. Links in the text find them."""
    shown = render_handout(
        "## Task 2: Two\n\n## The k/v *cache*\n\n## Checks\n\n## Checks\n\n[a](#task-2-two) [b](#the-kv-cache) [c](#checks)",
        handout,
        taken=["checks"],
    )

    assert re.findall(r'id="([^"]+)"', shown) == ["task-2", "the-kv-cache", "checks-2", "checks-3"]
    assert re.findall(r'href="([^"]+)"', shown) == ["#task-2", "#the-kv-cache", "#checks-2"]


def test_a_link_leads_to_the_gallery_or_the_web(handout):
    """A file that only students have is no link."""
    text = (
        "[a](../bpe/README.md) [b](../bpe/) [c](../gone/README.md) [d](dpo.py) [e](https://e.org/?a=1&b=2) [f](../../x)"
    )

    shown = render_handout(text, handout, pages=["bpe"])

    assert re.findall(r'href="([^"]+)"', shown) == ["bpe.html", "bpe.html", "https://e.org/?a=1&amp;b=2"]
    assert "c d " in shown and shown.count("<a ") == shown.count("</a>") == 3


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("img/lost.svg", "lost.svg: can't be read: No such file"),
        ("../secret.png", "a picture lies beside the handout"),
        ("%2e%2e/secret.png", "a picture lies beside the handout"),
        ("link.png", "a picture lies beside the handout"),
        ("/etc/passwd", "a picture lies beside the handout"),
        ("https://e.org/x.png", "shows https://e.org/x.png: a picture lies beside the handout"),
        ("notes.txt", "and ends in .svg, .png"),
    ],
)
def test_a_picture_is_one_and_lies_beside_its_handout(tmp_path, source, said):
    """Nothing else of the machine gets into a page, by whatever name."""
    folder = tmp_path / "assignment"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")

    with pytest.raises(AuthoringError, match=re.escape(said)):
        render_handout(f"![A picture]({source})", folder / "README.md")


def test_a_picture_is_part_of_the_page(handout):
    """With its text, in one line, for those who don't see it; SVG as text, which is shorter and packs better."""
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><text>50% "#1"\n&amp; π</text></svg>'
    (handout.parent / "a b.svg").write_text(svg, encoding="utf-8")

    shown = render_handout('![What\nit "shows"](<a b.svg>)', handout)

    (address,) = re.findall(r'src="data:image/svg\+xml,([^"]*)"', shown)
    assert urllib.parse.unquote(html.unescape(address)) == svg and not set(address) & set('<>"#\n')
    assert 'alt="What it &quot;shows&quot;"' in shown


def manifests(needs: dict[str, list[str]]) -> list[Manifest]:
    task = Task("a", "A", 100, 60, ["f"])
    return [Manifest(id, number, "S", [task], id=id, needs=these) for number, (id, these) in enumerate(needs.items())]


def test_what_builds_on_another_lies_to_its_right():
    """No two boxes in one place; what has no edge is not drawn; the same is there as a list."""
    graph = course_graph(manifests({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": [], "f": ["a"]}))

    at = {node.id: (node.x, node.y) for node in graph.nodes}
    assert set(at) == set("abcdf") and len(set(at.values())) == 5 and len(graph.edges) == 5
    assert at["d"][0] == at["b"][0] + ACROSS == at["a"][0] + 2 * ACROSS
    assert at["b"][1] < at["c"][1] < at["f"][1]
    assert graph.needs == (("b", ("a",)), ("c", ("a",)), ("d", ("b", "c")), ("f", ("a",)))


@pytest.mark.parametrize(
    "course",
    [
        {"a": [], "b": ["a"], "c": ["b", "a"], "d": ["c", "a"]},
        {"a": [], "x": [], "b": ["a"], "c": ["b"], "y": ["x"], "d": ["c", "x", "a"]},
        {one.id: one.manifest.needs for one in load_all(ROOT)},
        {"late": ["early"], "early": []},  # a course may have an order of its own
        {"a": ["elsewhere"]},
    ],
)
def test_no_edge_runs_through_a_box(course):
    """A curve that passes a column has a free row there: it would seem to begin at the box otherwise."""
    graph = course_graph(manifests(course))

    boxes = {(node.x, node.y + HEIGHT // 2): node.id for node in graph.nodes}
    assert len(boxes) == len(graph.nodes)
    for edge in graph.edges:
        points = [tuple(map(int, pair)) for pair in re.findall(r"(\d+) (\d+)(?= H)", edge.path)]
        assert not [point for point in points if point in boxes], edge.path
        assert all(0 <= int(number) <= max(graph.width, graph.height) for number in re.findall(r"\d+", edge.path))
    assert all(node.x + WIDTH < graph.width and node.y + HEIGHT < graph.height for node in graph.nodes)


@pytest.mark.parametrize(
    ("course", "found"),
    [
        ({"bpe": [], "dpo": ["bp"]}, {"dpo": "needs: no assignment is called 'bp'; did you mean 'bpe'?"}),
        ({"bpe": ["zzz"]}, {"bpe": "needs: no assignment is called 'zzz'; take it out"}),
        ({"bpe": ["bpe"]}, {"bpe": "needs: it can't need itself; take it out"}),
        ({"a": ["b"], "b": []}, {"a": "needs: b does not come before a; change the order of one of them"}),
        (
            {"a": ["c"], "b": ["a"], "c": ["b"], "d": ["c"]},
            dict.fromkeys("abc", "needs: these need one another: {}; take one out"),
        ),
        ({"a": [], "b": ["a"], "c": ["a", "b"]}, {}),
        ({one.id: one.manifest.needs for one in load_all(ROOT)}, {}),
    ],
)
def test_what_an_assignment_needs_is_there_and_comes_before_it(course, found):
    """An unknown name is told with the nearest one, a circle once for each in it."""
    said = needs_faults(manifests(course))

    assert {id: re.sub(r"(?<=another: )[abc], [abc], [abc]", "{}", text) for id, text in said.items()} == found


def test_a_bundle_of_one_assignment_asks_nothing_of_the_others(gradkit, tmp_path):
    """`doctor` in Gradescope's container, which holds grpo and not the ppo that it needs."""
    for part in ("assignments", "solutions"):
        shutil.copytree(ROOT / part / "grpo", tmp_path / part / "grpo")

    done = gradkit("doctor", "--root", tmp_path)

    assert "1 assignments at" in done.stdout and done.returncode != 2, done.stderr
