"""The gallery: whole, self-contained, accessible, and without anything that students are to find themselves."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from axe import violations
from browser import find_chromium

from gradkit.errors import AuthoringError, InputError
from gradkit.examine.asked import read_asked, squeezed
from gradkit.manifest import Manifest, Task, check_needs, load_all, load_assignment
from gradkit.mistakes import read_mistakes
from gradkit.site.graph import ACROSS, course_graph
from gradkit.site.handout import render_handout
from gradkit.site.pages import write_site

ROOT = Path(__file__).resolve().parents[2]
ALL = load_all(ROOT)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """All assignments, without figures."""
    out = tmp_path_factory.mktemp("gallery") / "site"
    assert write_site(ALL, out, figures=False) == []
    return out


def text_of(page: Path, but: str = "$^") -> str:
    """What a page says, without markup and pictures; code keeps its backticks, as in a handout."""
    shown = re.sub(but, "", page.read_text(encoding="utf-8").split("</style>")[1], flags=re.DOTALL)
    shown = re.sub(r"</?code>", "`", shown)
    return html.unescape(re.sub(r"<[^>]*>", " ", shown))


def test_every_assignment_has_a_page_and_every_link_leads_somewhere(site):
    """Also the anchors within pages; nothing is asked of any other place."""
    pages = {path.name: path.read_text(encoding="utf-8") for path in site.glob("*.html")}

    assert set(pages) == {"index.html", *(f"{one.id}.html" for one in ALL)}
    for name, text in pages.items():
        ids = re.findall(r' id="([^"]+)"', text)
        assert len(ids) == len(set(ids)), f"{name}: an id is there twice"
        for target in re.findall(r' href="([^"]+)"', text):
            page, _, anchor = target.partition("#")
            if page.startswith("https://"):
                continue  # a reference of a handout, for a person to follow
            assert (page or name) in pages, f"{name}: {target}"
            assert not anchor or f' id="{anchor}"' in pages[page or name], f"{name}: {target}"
        assert not re.search(r'(?:src|srcset)="(?!data:)', text) and "@import" not in text and "url(http" not in text
        assert "default-src 'none'; img-src data:" in html.unescape(text)


def test_nothing_that_is_asked_for_is_on_a_page(site):
    """No form of asked.toml, no misconception by name or hint, no hidden check."""
    for assignment in ALL:
        text = text_of(site / f"{assignment.id}.html")
        # the handout itself is held to this by `verify`, markup and all
        packed = squeezed(text_of(site / f"{assignment.id}.html", but=r'<article class="handout">.*</article>'))
        for entry in read_asked(assignment):
            assert not [form for form in entry.forms if squeezed(form) in packed], f"{assignment.id}: {entry.what}"
        for mistake in read_mistakes(assignment):
            assert not mistake.hint or mistake.hint[:60] not in text
            assert mistake.name.count("_") < 2 or mistake.name not in text  # one word may be anybody's
        hidden = re.findall(r"^def (test_\w+)", assignment.hidden_tests.read_text(encoding="utf-8"), re.MULTILINE)
        public = assignment.public_tests.read_text(encoding="utf-8")
        assert not [name for name in hidden if name in text and name not in public]


def test_staff_see_the_matrix(tmp_path):
    """With every misconception by name."""
    assignment = load_assignment(ROOT, "bpe")
    write_site([assignment], tmp_path / "site", figures=False, staff=True)

    text = text_of(tmp_path / "site" / "bpe.html")
    assert all(mistake.name in text for mistake in read_mistakes(assignment) if not mistake.decoy)
    assert "hidden:test_" in text


def test_figures_are_drawn_once_and_lie_in_a_fold(gradkit, tmp_path):
    """On the command line, by the reference; a second time they are taken from beside the gallery, which holds pages alone."""
    arguments = ("site", "bpe", "--out", tmp_path / "site")
    assert gradkit(*arguments).returncode == 0
    (kept,) = (tmp_path / ".site-figures").iterdir()
    drawn = {path.name: path.stat().st_mtime_ns for path in kept.iterdir()}

    again = gradkit(*arguments)

    assert again.returncode == 0 and again.stdout.endswith("index.html: 1 assignments\n")
    assert {path.name: path.stat().st_mtime_ns for path in kept.iterdir()} == drawn
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == ["bpe.html", "index.html"]
    page = (tmp_path / "site" / "bpe.html").read_text(encoding="utf-8")
    fold = page[page.index("drawn from a right solution") :]
    assert fold.index("<figure>") < fold.index("</details>") and page.count("<figure>") == fold.count("<figure>") == 2


def test_an_assignment_whose_figures_fail_is_named_and_the_rest_is_written(gradkit, kit, tmp_path):
    """One line, exit code 1, and its page is there without them."""
    (kit / "assignments" / "scaling" / "figures.py").write_text("raise SystemExit('no ink')\n", encoding="utf-8")

    done = gradkit("site", "--root", kit, "--out", tmp_path / "site")

    assert done.returncode == 1 and "figures.py: drew nothing from the reference: no ink" in done.stderr
    assert "Figures" not in (tmp_path / "site" / "scaling.html").read_text(encoding="utf-8")


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    """Only an empty folder or an earlier gallery is written to."""
    (tmp_path / "thesis.tex").write_text("x")

    with pytest.raises(InputError, match="is not a gallery"):
        write_site(ALL[:1], tmp_path, figures=False)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_markup_in_a_handout_is_text(tmp_path):
    """Folds are folds, with Markdown inside; anything else that looks like HTML is shown."""
    shown = render_handout(
        "# T\n\n<script>alert(1)</script> <img src=x onerror=y>\n\n"
        "<details><summary>Hint: `f(x)`</summary>Is it **bold**?\n\n| a |\n| --- |\n| <b> |\n</details>\n\n"
        "**One.** x\n**Two.** y\n\n[a](javascript:alert(1)) a < b\n",
        tmp_path,
    )

    assert "<script" not in shown and "<img" not in shown and "&lt;script&gt;" in shown and "&lt;b&gt;" in shown
    assert "<details><summary>Hint: <code>f(x)</code></summary>" in shown and "<strong>bold</strong>" in shown
    assert 'href="javascript' not in shown and shown.count("<p><strong>") == 2
    with pytest.raises(AuthoringError, match="lost.svg: can't be read"):
        render_handout("![A picture that is lost](img/lost.svg)", tmp_path)


def manifests(needs: dict[str, list[str]]) -> list[Manifest]:
    task = Task("a", "A", 100, 60, ["f"])
    return [Manifest(id, number, "S", [task], id=id, needs=these) for number, (id, these) in enumerate(needs.items())]


def test_what_builds_on_another_lies_to_its_right():
    """No two boxes in one place; what has no edge is not drawn; the same is said in words."""
    graph = course_graph(manifests({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": [], "f": ["a"]}))

    at = {node.id: (node.x, node.y) for node in graph.nodes}
    assert set(at) == set("abcdf") and len(set(at.values())) == 5 and len(graph.edges) == 5
    assert at["d"][0] == at["b"][0] + ACROSS == at["a"][0] + 2 * ACROSS
    assert at["b"][1] < at["c"][1] < at["f"][1]
    assert graph.sentences == ("a helps with b, c and f", "b helps with d", "c helps with d")


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        (["atention"], "needs: no assignment is called 'atention'; did you mean 'attention'?"),
        (["kv_cache"], "needs: kv_cache does not come before kv_cache"),
        (["dpo"], "needs: dpo does not come before kv_cache; change the order of one of them"),
    ],
)
def test_what_an_assignment_needs_comes_before_it(needs, said):
    """An unknown name is told with the nearest one; so no circle can be."""
    import dataclasses

    import msgspec

    changed = [
        dataclasses.replace(one, manifest=msgspec.structs.replace(one.manifest, needs=needs))
        if one.id == "kv_cache"
        else one
        for one in ALL
    ]

    with pytest.raises(AuthoringError, match=re.escape(said)):
        check_needs(changed)
    check_needs(ALL)


@pytest.mark.skipif(find_chromium() is None, reason="not run: no Chromium is installed here")
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (420, False), (1280, True)])
@pytest.mark.parametrize("name", ["index", "attention", "diffusion", "word_vectors"])
def test_a_page_is_accessible_and_complains_of_nothing(browser, site, name, width, dark):
    """WCAG 2.1 AA by axe, at both widths and in both schemes; no sideways scrolling; nothing loaded from elsewhere."""
    browser.open(site / f"{name}.html", width=width, dark=dark)

    assert violations(browser) == []
    assert browser.complaints() == []
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    assert all(address.startswith(("file://", "data:")) for address in browser.addresses())
