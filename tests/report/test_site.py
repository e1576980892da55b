"""The gallery: whole, self-contained, accessible, and without anything that students are to find themselves."""

from __future__ import annotations

import html
import os
import re
from pathlib import Path

import pytest
from axe import violations
from browser import find_chromium

from gradkit.errors import InputError
from gradkit.examine.asked import read_asked, squeezed
from gradkit.manifest import load_all, load_assignment
from gradkit.mistakes import read_mistakes
from gradkit.site.pages import write_site

ROOT = Path(__file__).resolve().parents[2]
ALL = load_all(ROOT)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """All assignments, without figures."""
    out = tmp_path_factory.mktemp("gallery") / "site"
    assert write_site(ALL, out, figures=False) == []
    return out


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, gradkit):
    """Two assignments with figures, as `--out` with a relative path writes them."""
    folder = tmp_path_factory.mktemp("drawn")
    done = gradkit("site", "vit", "bpe", "--root", ROOT, "--out", "site", cwd=folder)
    assert done.returncode == 0 and done.stdout.endswith("index.html: 2 assignments\n"), done.stderr
    return folder / "site"


def texts(page: Path) -> list[str]:
    """What a page says, without blanks: words apart at markup, words joined with code's backticks, and what is only heard."""
    body = re.sub(r'src="data:[^"]*"', "", page.read_text(encoding="utf-8").split("</style>")[1])
    heard = " ".join(re.findall(r'(?:alt|aria-label)="([^"]*)"', body))
    ways = re.sub(r"<[^>]*>", " ", body), re.sub(r"<[^>]*>", "", re.sub(r"</?code>", "`", body)), heard
    return [squeezed(html.unescape(way)) for way in ways]


@pytest.mark.parametrize("which", ["site", "drawn"])
def test_every_link_leads_somewhere_and_nothing_is_loaded(request, which):
    """Also anchors within pages, each there once; the policy lets in nothing but the pictures in the page itself."""
    folder = request.getfixturevalue(which)
    pages = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}

    assert set(pages) == {
        "index.html",
        *(f"{id}.html" for id in ([one.id for one in ALL] if which == "site" else ["bpe", "vit"])),
    }
    for name, text in pages.items():
        ids = re.findall(r' id="([^"]+)"', text)
        assert len(ids) == len(set(ids)), f"{name}: an id is there twice"
        for target in re.findall(r' href="([^"]+)"', text):
            page, _, anchor = target.partition("#")
            if page.startswith("https://"):
                continue  # a source that a handout names, for a person to follow
            assert (page or name) in pages, f"{name}: {target}"
            assert not anchor or f' id="{anchor}"' in pages[page or name], f"{name}: {target}"
        outside = re.sub(r'src="data:image/[^"]*"', "", text)
        assert not re.search(r'src="|srcset|@import|url\((?!#)| style="|<script|<link|<iframe', outside)
        assert "default-src 'none'; img-src data:;" in html.unescape(text)


@pytest.mark.parametrize("which", ["site", "drawn"])
def test_nothing_that_is_asked_for_is_on_a_page(request, which):
    """No form of asked.toml, no misconception by name or hint, no hidden check, no line of the reference's path."""
    folder = request.getfixturevalue(which)
    for assignment in (one for one in ALL if (folder / f"{one.id}.html").is_file()):
        said = texts(folder / f"{assignment.id}.html")
        for entry in read_asked(assignment):
            held = [form for form in entry.forms for way in said if squeezed(form) in way]
            assert not held, f"{assignment.id}: {entry.what}: {held}"
        for mistake in read_mistakes(assignment):
            assert not mistake.hint or squeezed(mistake.hint[:60]) not in said[0]
            assert mistake.name.count("_") < 2 or mistake.name not in said[0]  # one word may be anybody's
        hidden = re.findall(r"^def (test_\w+)", assignment.hidden_tests.read_text(encoding="utf-8"), re.MULTILINE)
        public = assignment.public_tests.read_text(encoding="utf-8")
        assert not [name for name in hidden if name in said[0] and name not in public]


def test_the_index_tells_what_each_is_about(site):
    """Title, summary, hours, points, tasks, what to do first, and a picture of the handout's."""
    cards = (site / "index.html").read_text(encoding="utf-8").split('<ul class="cards">')[1].split("</ul>")[0]
    (vit,) = re.findall(r'<li><a href="vit\.html">.*?</li>', cards, re.DOTALL)

    assert 'src="data:image/svg+xml,' in vit
    words = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", vit)).split())
    assert "5.8 hours · 100 points · 9 tasks" in words and load_assignment(ROOT, "vit").manifest.summary in words
    assert words.endswith("Easier after Convolution, forward and back and Attention and the transformer block")


def test_staff_see_the_matrix(tmp_path):
    """With every misconception by name, and a line on every page that says whom it is for."""
    assignment = load_assignment(ROOT, "bpe")
    write_site([assignment], tmp_path / "site", figures=False, staff=True)

    text = (tmp_path / "site" / "bpe.html").read_text(encoding="utf-8")
    assert all(mistake.name in text for mistake in read_mistakes(assignment) if not mistake.decoy)
    assert "hidden:test_" in text
    assert all("For staff only" in page.read_text(encoding="utf-8") for page in (tmp_path / "site").iterdir())


def test_figures_are_drawn_once_and_lie_in_a_fold(gradkit, drawn):
    """By the reference; a second time they are taken from beside the gallery, which holds pages alone."""
    kept = drawn.parent / ".site-figures"
    before = {path: path.stat().st_mtime_ns for path in kept.rglob("*.png")}

    again = gradkit("site", "bpe", "vit", "bpe", "--out", drawn)

    assert again.returncode == 0 and len(before) > 5
    assert {path: path.stat().st_mtime_ns for path in kept.rglob("*.png")} == before
    assert sorted(path.name for path in drawn.iterdir()) == ["bpe.html", "index.html", "vit.html"]
    page = (drawn / "bpe.html").read_text(encoding="utf-8")
    fold = page[page.index("drawn from a right solution") :]
    assert fold.index("<figure>") < fold.index("</details>") and page.count("<figure>") == fold.count("<figure>") == 2


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("raise SystemExit('no ink')\n", "no ink"),
        ("print('drew nothing at all')\n", "drew nothing at all"),
        ("", "it said nothing"),
        ("print('drew x/one.svg and .png: One')\n", "said that it drew one, and there is no one.png"),
        (
            "print('drew x/one.svg and .png: One')\nprint('failed: two, \\x1b[2Jno ink')\nprint('drew x/three.svg and .png: 3')\n",
            "failed: two, \\x1b[2Jno ink",
        ),
        ("print('skipped: one, centre is not written yet')\n", "skipped: one, centre is not written yet"),
    ],
)
def test_an_assignment_whose_figures_fail_is_named_and_the_rest_is_written(gradkit, kit, tmp_path, script, said):
    """One line, exit code 1; its page is there without figures, and nothing half-drawn is kept."""
    (kit / "assignments" / "scaling" / "figures.py").write_text(script, encoding="utf-8")
    assert gradkit("build", "--root", kit).returncode == 0

    done = gradkit("site", "scaling", "--root", kit, "--out", tmp_path / "site")

    assert done.returncode == 1
    (problem,) = [line for line in done.stderr.splitlines() if line.startswith("problem: ")]
    assert "scaling/figures.py: " in problem and problem.endswith(said)
    assert "Figures" not in (tmp_path / "site" / "scaling.html").read_text(encoding="utf-8")
    assert list((tmp_path / ".site-figures").iterdir()) == []


def test_a_folder_of_something_else_is_left_alone(tmp_path, gradkit):
    """Only an empty folder or an earlier gallery is written to, even if a stranger's pages or a report are there."""
    (tmp_path / "index.html").write_text("<title>my thesis</title>")
    with pytest.raises(InputError, match="is there already and is not a gallery: choose another --out"):
        write_site(ALL[:1], tmp_path, figures=False)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["<title>my thesis</title>"]

    write_site(ALL[:1], tmp_path / "site", figures=False)
    (tmp_path / "site" / "CNAME").write_text("course.example.org")
    with pytest.raises(InputError, match="CNAME is not part of a gallery"):
        write_site(ALL[:2], tmp_path / "site", figures=False)
    assert not (tmp_path / "site" / f"{ALL[1].id}.html").exists()

    (tmp_path / "site" / "CNAME").unlink()
    write_site(ALL[1:2], tmp_path / "site", figures=False)
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == sorted([f"{ALL[1].id}.html", "index.html"])
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_drafts_and_what_the_course_leaves_out_are_not_shown(gradkit, kit, tmp_path):
    """A draft is left out unless it is named, and says so; `course.toml` chooses, and gives the title."""
    assert "draft = true" in (kit / "assignments/scaling/assignment.toml").read_text(encoding="utf-8")
    none = gradkit("site", "--root", kit, "--out", tmp_path / "none", "--no-figures")
    assert none.returncode == 2 and "scaling is a draft and left out" in none.stderr
    assert "no assignment to show" in none.stderr and not (tmp_path / "none").exists()

    course = tmp_path / "course.toml"
    course.write_text('title = "Seminar"\n[[assignments]]\nid = "bpe"\ndue = 2026-10-09T18:00:00\n', encoding="utf-8")
    done = gradkit("site", "--course", course, "--out", tmp_path / "site", "--no-figures")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == ["bpe.html", "index.html"]
    assert "<h1>Seminar</h1>" in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("README.md", "![x](img/lost.svg)", "img/lost.svg: can't be read"),
        ("README.md", "[x](#nowhere)", "README.md: links to #nowhere, and no heading is called so"),
        ("assignment.toml", 'needs = ["scalng"]', "needs: no assignment is called 'scalng'; did you mean 'scaling'?"),
    ],
)
def test_bad_input_is_one_line_and_the_old_gallery_stays(gradkit, kit, tmp_path, file, text, said):
    """Exit code 2, and nothing half-written."""
    arguments = ("site", "scaling", "--root", kit, "--out", tmp_path / "site", "--no-figures")
    assert gradkit(*arguments).returncode == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "site").iterdir()}
    path = kit / "assignments" / "scaling" / file
    if file == "README.md":
        path.write_text(path.read_text(encoding="utf-8") + f"\n{text}\n", encoding="utf-8")
        assert gradkit("build", "--root", kit).returncode == 0
    else:
        path.write_text(f"{text}\n" + path.read_text(encoding="utf-8"), encoding="utf-8")

    done = gradkit(*arguments)

    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "site").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.skipif(os.name != "posix", reason="not run: links need POSIX")
def test_a_gallery_behind_a_link_is_replaced_where_it_lies(tmp_path):
    """The link stays a link."""
    write_site(ALL[:1], tmp_path / "real", figures=False)
    (tmp_path / "link").symlink_to("real")

    write_site(ALL[:2], tmp_path / "link", figures=False)

    assert (tmp_path / "link").is_symlink() and (tmp_path / "real" / f"{ALL[1].id}.html").is_file()


def test_the_readmes_pictures_are_small_and_said_in_words():
    """Those of docs/pictures, each below 60 kB with an alternative text that says what is to be seen."""
    shown = dict(
        re.findall(r"!\[([^\]]*)\]\(docs/pictures/([\w.]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    )
    pictures = {path.name: path.stat().st_size for path in (ROOT / "docs" / "pictures").glob("*.png")}

    assert len(pictures) == 3 and set(shown.values()) == set(pictures)
    assert all(size < 60_000 for size in pictures.values()) and all(len(text) > 40 for text in shown)


@pytest.mark.skipif(find_chromium() is None, reason="not run: no Chromium is installed here")
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 420])
@pytest.mark.parametrize(
    "name", ["site/index", "site/attention", "site/word_vectors", "drawn/bpe", "drawn/vit", "staff/bpe"]
)
def test_a_page_is_accessible_and_complains_of_nothing(browser, site, drawn, staff, name, width, dark):
    """WCAG 2.1 AA by axe, at both widths and in both schemes; no sideways scrolling; nothing loaded from elsewhere."""
    which, page = name.split("/")
    browser.open({"site": site, "drawn": drawn, "staff": staff}[which] / f"{page}.html", width=width, dark=dark)

    assert violations(browser) == []  # opens the folds
    assert browser.complaints() == []
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    assert browser.run(
        "Promise.all([...document.images].map((one) => (one.loading = 'eager', one.decode()))).then(() => true)"
    )
    assert all(address.startswith(("file://", "data:")) for address in browser.addresses())


@pytest.fixture(scope="module")
def staff(tmp_path_factory):
    """One assignment, as staff see it."""
    out = tmp_path_factory.mktemp("staff") / "site"
    write_site([load_assignment(ROOT, "bpe")], out, figures=False, staff=True)
    return out


@pytest.mark.skipif(find_chromium() is None, reason="not run: no Chromium is installed here")
def test_a_keyboard_is_enough(browser, site):
    """The first key leads past the top; the graph's boxes can be reached, and tell their titles; a fold opens."""
    browser.open(site / "index.html")
    browser.press("Tab")
    assert browser.run("document.activeElement.getAttribute('href')") == "#content"
    assert browser.run("document.activeElement.getBoundingClientRect().left >= 0")

    browser.run("document.querySelector('svg a[href=\"vit.html\"]').focus()")
    assert browser.run("document.activeElement.getAttribute('aria-label')").startswith("From pixels")

    browser.open(site / "dpo.html")
    browser.run("document.querySelector('summary').focus()")
    browser.press("Enter")
    assert browser.run("document.querySelector('details').open")
