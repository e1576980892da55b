"""What the arguments of a command stand for, and what each submission is called."""

import os
import pickle
from dataclasses import replace

import pytest
from intake_zoo import SOLUTION, metadata, notebook, raw_zip, tarred, zipped

from gradkit.errors import InputError
from gradkit.intake import CAPS, Submitter, discover, materialise


def folder(path, files):
    for name, body in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(body if isinstance(body, bytes) else body.encode())
    return path


@pytest.fixture
def names(manifest):
    """The names found in some paths, refused ones with a mark."""

    def names(*paths):
        found = discover(list(paths), manifest)
        return [one.name for one in found.submissions] + [f"!{one.name}" for one in found.refused]

    return names


# --- arguments ----------------------------------------------------------------------------------------------


def test_every_kind_of_file_is_a_submission_named_after_its_stem(names, tmp_path):
    """A module or a notebook may have any name when it is handed in by itself."""
    (tmp_path / "ada.py").write_text(SOLUTION)
    (tmp_path / "bob.ipynb").write_bytes(notebook(SOLUTION))
    zipped(tmp_path / "cy.d.zip", {"attention.py": SOLUTION})
    tarred(tmp_path / "dee.tar.gz", [("attention.py", SOLUTION)])
    tarred(tmp_path / "eve.TGZ", [("attention.py", SOLUTION)])
    folder(tmp_path / "fay.v2", {"attention.py": SOLUTION})

    assert names(*sorted(tmp_path.iterdir())) == ["ada", "bob", "cy.d", "dee", "eve", "fay.v2"]


def test_a_bare_file_is_graded_whatever_its_name(lay_out, tmp_path):
    """`bob.py` and `bob.ipynb` are the module, and errors call them by the names that were given."""
    (tmp_path / "ada 1.py").write_text("def softmax(:\n")
    (tmp_path / "bob.ipynb").write_bytes(notebook("import torch", SOLUTION))

    ada, bob = lay_out(tmp_path / "ada 1.py"), lay_out(tmp_path / "bob.ipynb")

    assert ada.module.name == "attention.py" and ada.syntax_error[:2] == ("ada 1.py", 1)
    assert bob.where(2) == "bob.ipynb, cell 2, line 1"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"attention.py": "", "helpers.py": ""}, ["top"]),
        ({"Attention.py": "", "bob.py": ""}, ["top"]),
        ({"attention.ipynb": "", "x/y.py": ""}, ["top"]),
        ({"homework.ipynb": "", "notes.txt": ""}, ["top"]),
        ({"atention.py": "", "helpers.py": ""}, ["top"]),
        ({"hw/attention.py": "", ".DS_Store": "", "__MACOSX/x": ""}, ["top"]),
        ({"a/b/c/attention.py": ""}, ["top"]),
        ({"ada.py": "", "bob.py": ""}, ["ada", "bob"]),
        ({"attention_ada.py": "", "attention_bob.py": ""}, ["attention_ada", "attention_bob"]),
        ({"ada/attention.py": "", "bob/x/attention.py": "", "cy.py": ""}, ["ada", "bob", "cy"]),
        ({"ada/attention.py": "", "bob/attention.py": "", "attention.py": ""}, ["ada", "attention", "bob"]),
        ({"class/ada.py": "", "class/bob.py": ""}, ["ada", "bob"]),
        ({"s10/attention.py": "", "s9/attention.py": ""}, ["s9", "s10"]),
        ({"ada.py": "", "bob.docx": ""}, ["ada", "!bob.docx"]),
        ({"ada.py": "", "bob.html": "", "cy.ipynb.json": "", "dee.md": ""}, ["ada", "cy", "!bob.html", "!dee.md"]),
        ({"ada.py.txt": "", "bob.ipynb.txt": "", "cy.txt": "", "dee.json": ""}, ["ada", "bob", "!cy.txt", "!dee.json"]),
        ({"ada.py": "", "bob.py": "", "roster.csv": "", "README.txt": ""}, ["ada", "bob"]),
        ({}, ["!top"]),
    ],
    ids=lambda value: ",".join(value) if value else "empty",
)
def test_a_folder_is_one_submission_or_many(names, tmp_path, files, expected):
    """The module, its notebook or a near miss make it one submission; a single folder in it is entered."""
    (tmp_path / "top").mkdir()

    assert names(folder(tmp_path / "top", files)) == expected


def test_moodles_folders_with_one_archive_are_entered(manifest, tmp_path):
    """A folder with a student's name that holds one archive is that archive, under the folder's name."""
    for name in ("Ada L_1_assignsubmission_file_", "Bob M_2_assignsubmission_file_"):
        (tmp_path / "class" / name).mkdir(parents=True)
        zipped(tmp_path / "class" / name / "hw.zip", {"attention.py": SOLUTION})

    found = discover([tmp_path / "class"], manifest)

    assert [one.name for one in found.submissions] == [
        "Ada L_1_assignsubmission_file_",
        "Bob M_2_assignsubmission_file_",
    ]
    assert materialise(found.submissions[0], manifest, tmp_path / "out").text == SOLUTION


def test_what_is_passed_over_is_said(manifest, tmp_path):
    """A roster beside the submissions gets a line, so that nothing vanishes in silence."""
    found = discover([folder(tmp_path / "top", {"ada.py": "", "bob.py": "", "roster.csv": ""})], manifest)

    assert found.notes == (f"{tmp_path}/top/roster.csv is not a submission and was passed over",)


def test_what_can_not_be_graded_is_refused_for_what_it_is(manifest, tmp_path):
    """Everything that somebody may have handed in has a row, which says what to hand in."""
    top = folder(tmp_path / "top", {"ada.py": "", "bob.html": "", "cy.pdf": "", "dee.rar": "", "eve.weird": ""})

    reasons = {one.name: one.reason for one in discover([top], manifest).refused}

    assert set(reasons) == {"bob.html", "cy.pdf", "dee.rar", "eve.weird"}
    assert reasons["bob.html"].startswith("is a web page, as a notebook's export is: hand in a .py, .ipynb,")
    assert reasons["cy.pdf"].startswith("is a PDF: ") and reasons["eve.weird"].startswith("is not a submission: ")
    assert reasons["dee.rar"].startswith("is an archive of a kind that is not opened: ")


@pytest.mark.parametrize("name", ["ada.py.txt", "bob.ipynb.txt", "cy.ipynb.json", "DEE.PY.TXT"])
def test_a_suffix_that_a_browser_added_changes_nothing(lay_out, tmp_path, name):
    """The file is graded as what it is."""
    body = notebook(SOLUTION) if "ipynb" in name else SOLUTION.encode()
    (tmp_path / name).write_bytes(body)

    laid_out = lay_out(tmp_path / name)

    assert laid_out.origin == name and "def softmax" in laid_out.text


def test_an_argument_that_is_not_there_is_bad_usage(manifest, tmp_path):
    """A typing error on the command line stops before anything is graded."""
    for path in (tmp_path / "nope.zip", tmp_path / ("x" * 5000), "a\0b"):
        with pytest.raises(InputError, match="check the path$"):
            discover([path], manifest)
    with pytest.raises(InputError, match="no submission given"):
        discover([], manifest)


def test_the_same_path_twice_counts_once(names, tmp_path):
    """Overlapping patterns of a shell name no one twice."""
    (tmp_path / "ada.py").write_text("")

    assert names(tmp_path / "ada.py", tmp_path / "." / "ada.py", tmp_path / "x" / ".." / "ada.py") == ["ada"]


def test_links_are_refused_wherever_they_stand(names, lay_out, refusal, tmp_path):
    """A link in what students filled could lead to the reference."""
    secret = tmp_path / "reference.py"
    secret.write_text(SOLUTION)
    top = folder(tmp_path / "top", {"ada.py": "", "bob.py": "", "cy/attention.py": ""})
    (top / "dee.py").symlink_to(secret)
    (top / "eve").symlink_to(tmp_path)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    inside = folder(tmp_path / "fay", {"attention.py": ""})
    (inside / "x.py").symlink_to(secret)

    assert names(top) == ["ada", "bob", "cy", "!dee", "!eve"]
    assert names(tmp_path / "gone") == ["!gone"]
    assert "x.py: a symbolic link" in refusal(inside)


def test_pipes_are_refused_and_not_waited_on(names, refusal, tmp_path):
    """Reading a pipe would hang for ever."""
    os.mkfifo(tmp_path / "ada.py")
    inside = folder(tmp_path / "bob", {"attention.py": ""})
    os.mkfifo(inside / "x")

    assert names(tmp_path / "ada.py") == ["!ada"]
    assert "x: a device or a pipe" in refusal(inside)


def test_folders_are_under_the_same_caps(refusal, tmp_path):
    """Number, size and depth are those of archives."""
    many = folder(tmp_path / "many", {"attention.py": "", **{f"{i}": "" for i in range(30)}})
    large = folder(tmp_path / "large", {"attention.py": "", "x": bytes(3000)})
    deep = folder(tmp_path / "deep", {"attention.py": "", "a/" * 13 + "x": ""})

    assert "20 files" in refusal(many, caps=replace(CAPS, files=20))
    assert "10 entries" in refusal(many, caps=replace(CAPS, entries=10))
    assert "x: holds more than 2,000 bytes" in refusal(large, caps=replace(CAPS, file=2000))
    assert "12 deep" in refusal(deep)


def test_a_folder_that_cannot_be_read_is_a_row(names, refusal, tmp_path, monkeypatch):
    """A permission, or a disk that fails, costs one submission and says which."""
    top = folder(tmp_path / "top", {"ada/attention.py": "", "bob/attention.py": ""})
    scandir = os.scandir

    def failing(path):
        if str(path).endswith("bob"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)

    assert names(top) == ["ada", "!bob"]
    assert names(tmp_path / "top" / "bob") == ["!bob"]


# --- Canvas's downloads -------------------------------------------------------------------------------------

DOWNLOAD = {
    "doejane_1234_77_attention.py": "old = 1",
    "doejane_1234_99_attention-1.py": SOLUTION,
    "poejohn_LATE_17_80_hw_final.ipynb": notebook(SOLUTION),
    "poejohn_18_81_attention.py": SOLUTION,
    "poejohn_18_82_helpers.py": "x = 1",
}


@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_a_canvas_download_has_a_row_for_each_student(manifest, tmp_path, kind):
    """Folder or zip: the file handed in last counts, all of a student's files belong together, namesakes are two."""
    path = zipped(tmp_path / "c.zip", DOWNLOAD) if kind == "zip" else folder(tmp_path / "c", DOWNLOAD)

    found = discover([path], manifest)

    assert [one.name for one in found.submissions] == ["doejane_1234", "poejohn_17", "poejohn_18"]
    assert not found.refused
    assert found.notes == (
        f"{path.name} is a Canvas download of 3 students",
        "doejane_1234_77_attention.py was passed over: doejane_1234_99_attention-1.py was handed in later",
        "Canvas marks as late, and they are graded all the same: poejohn_17",
    )
    laid_out = [
        materialise(one, manifest, tmp_path / "out" / one.name) for one in pickle.loads(pickle.dumps(found.submissions))
    ]
    assert [one.text == SOLUTION for one in laid_out] == [True, True, True]
    assert laid_out[0].origin == "attention.py" and laid_out[1].origin == "hw_final.ipynb"
    assert sorted(os.listdir(laid_out[2].folder)) == ["attention.py", "helpers.py"]


def test_an_archive_in_a_canvas_download_is_opened(manifest, tmp_path):
    """Under its student's name; a roster beside the files is passed over, and said so."""
    (tmp_path / "c").mkdir()
    zipped(tmp_path / "c" / "doejane_12_34_hw.zip", {"attention.py": SOLUTION})
    folder(tmp_path / "c", {"poejohn_13_35_essay.pdf": "", "roster.csv": ""})

    found = discover([tmp_path / "c"], manifest)

    assert materialise(found.submissions[0], manifest, tmp_path / "out").text == SOLUTION
    assert [(one.name, one.reason[:8]) for one in found.refused] == [("poejohn_13", "is a PDF")]
    assert found.notes[-1].endswith("roster.csv is not a submission and was passed over")


@pytest.mark.parametrize(
    "files",
    [
        {"doejane_12_34_a.py": "", "bob.py": ""},
        {"doejane_12_34_a.py": "", "x/attention.py": ""},
        {"a_12_b.py": "", "c_13_d.py": ""},
    ],
)
def test_other_folders_are_no_canvas_download(manifest, tmp_path, files):
    """One name of another form is enough."""
    path = folder(tmp_path / "top", files)

    assert not any("Canvas" in note for note in discover([path], manifest).notes)


def test_a_student_can_not_pass_for_a_canvas_download(manifest, tmp_path):
    """Among single submissions such an archive is refused, and its names lead nowhere else."""
    zipped(tmp_path / "evil.zip", {"doejane_12_34_attention.py": SOLUTION, "doejane_12_35_...py": SOLUTION})
    (tmp_path / "ada.py").write_text(SOLUTION)

    among_others = discover([tmp_path / "ada.py", tmp_path / "evil.zip"], manifest)
    alone = discover([tmp_path / "evil.zip"], manifest)

    assert "looks like a Canvas download: grade an export by itself" in among_others.refused[0].reason
    laid_out = materialise(alone.submissions[0], manifest, tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == ["attention.py", "py"] and laid_out.text == SOLUTION


def test_a_link_in_a_canvas_download_is_refused(names, tmp_path):
    """It may lead to the reference, so nothing there is taken for granted."""
    path = folder(tmp_path / "c", {"doejane_12_34_attention.py": SOLUTION, "poejohn_13_35_attention.py": SOLUTION})
    (path / "roejay_14_36_attention.py").symlink_to(tmp_path)

    assert "!roejay_14_36_attention.py" in names(path)


def test_a_canvas_zip_that_changed_since_it_was_listed_is_refused(manifest, tmp_path):
    """No one is given another one's work."""
    path = zipped(tmp_path / "c.zip", DOWNLOAD)
    found = discover([path], manifest)
    zipped(path, {name.replace("doejane", "roejane"): body for name, body in DOWNLOAD.items()})

    with pytest.raises(InputError, match="another name in its place than in the list"):
        materialise(found.submissions[0], manifest, tmp_path / "out")


# --- names --------------------------------------------------------------------------------------------------


def test_names_that_collide_are_told_apart_and_said(manifest, tmp_path):
    """Also by case alone, and where a file has the name that would be given, or a batch's own."""
    files = {"1/ada.py": "", "2/ada.ipynb": "", "3/Ada.py": "", "4/ada~2.py": "", "5/report.py": ""}
    folder(tmp_path, files)

    found = discover([tmp_path / name for name in files], manifest)

    assert [one.name for one in found.submissions] == ["ada", "ada~2", "Ada~3", "ada~2~2", "report~2"]
    assert f"ada is the name of {tmp_path}/1/ada.py; {tmp_path}/2/ada.ipynb is called ada~2" in found.notes
    assert len(found.notes) == 4


# --- Gradescope exports -------------------------------------------------------------------------------------

EXPORT = {
    "submission_metadata.yml": metadata("submission_1", "submission_2", "submission_3"),
    "submission_2/attention.py": SOLUTION,
    "submission_10/attention.py": SOLUTION,
    "submission_1/hw/attention.py": SOLUTION,
    "submission_1/hw/helpers.py": "x = 1",
}


@pytest.mark.parametrize("root", ["", "assignment_7_export/"], ids=["at-root", "nested"])
@pytest.mark.parametrize("kind", ["zip", "folder"])
def test_an_export_keeps_names_and_metadata(manifest, tmp_path, root, kind):
    """Zip or folder, flat or nested; what stands only in the metadata, or only as a folder, is told."""
    files = {root + name: body for name, body in EXPORT.items()}
    path = zipped(tmp_path / "e.zip", files) if kind == "zip" else folder(tmp_path / "e", files)

    found = discover([path], manifest)

    assert [one.name for one in found.submissions] == ["submission_1", "submission_2", "submission_10"]
    assert found.submissions[1].submitters == (Submitter("Ada 2. Lovelace", "ada2@example.edu", "002"),)
    assert found.submissions[1].created_at == "2024-02-01 10:00:02.000000000 Z"
    assert found.submissions[2].submitters == ()
    assert [one.name for one in found.refused] == ["submission_3"]
    assert found.refused[0].submitters[0].email == "ada3@example.edu"
    assert "is a Gradescope export of 4 submissions" in found.notes[0]
    assert "submission_10 is not in submission_metadata.yml" in found.notes[1]
    for number, one in enumerate(pickle.loads(pickle.dumps(found.submissions))):
        assert materialise(one, manifest, tmp_path / "out" / str(number)).text == SOLUTION


def test_an_exports_submissions_are_opened_one_by_one(manifest, tmp_path):
    """A bad entry of one student refuses that student alone, and no one else's entries are looked at."""
    files = [("submission_metadata.yml", metadata("submission_1", "submission_2"))]
    files += [("submission_1/attention.py", SOLUTION), ("submission_2/../../evil.py", "x")]
    # not in one stretch of the zip's directory
    files += [("submission_1/helpers.py", "y = 1")]
    found = discover([zipped(tmp_path / "e.zip", files)], manifest)

    first = materialise(found.submissions[0], manifest, tmp_path / "1")

    assert len(found.submissions[0].records) == 2
    assert sorted(os.listdir(first.folder)) == ["attention.py", "helpers.py"]
    with pytest.raises(InputError, match="would leave"):
        materialise(found.submissions[1], manifest, tmp_path / "2")


def test_an_export_that_changed_since_it_was_listed_is_refused(manifest, tmp_path):
    """A listing that no longer fits its zip gives no one another one's work: only what is still in its place."""
    export = {name: f"{body}# {name.split('/')[0]}" if name.endswith(".py") else body for name, body in EXPORT.items()}
    path = zipped(tmp_path / "e.zip", export)
    found = discover([path], manifest)
    other = {name: body for name, body in export.items() if "_10" not in name}
    zipped(path, {**other, "submission_9/attention.py": "x" * 90})

    first, second, tenth = found.submissions
    for one in (first, tenth):
        with pytest.raises(InputError, match="list"):
            materialise(one, manifest, tmp_path / "out" / one.name)
    assert materialise(second, manifest, tmp_path / "out" / "2").text == f"{SOLUTION}# {second.name}"


def test_a_thousand_submissions_are_listed_in_little_memory(manifest, tmp_path):
    """Each holds what the zip lists of its own files, and laying one out does not list the others."""
    names = [f"submission_{i}" for i in range(1000)]
    files = {f"{name}/{i}.py": "x" for name in names for i in range(5)}
    path = zipped(tmp_path / "e.zip", {"submission_metadata.yml": metadata(*names), **files})

    found = discover([path], manifest)

    assert len(found.submissions) == 1000
    assert len(pickle.dumps(found.submissions[500])) < 2000
    with pytest.raises(InputError, match="attention.py is missing; found: 0.py, 1.py"):
        materialise(found.submissions[500], manifest, tmp_path / "out")


def test_a_student_can_not_pass_for_an_export(manifest, tmp_path):
    """Among single submissions, an archive with metadata in it is refused and hands in for no one else."""
    zipped(tmp_path / "evil.zip", {**EXPORT, "attention.py": SOLUTION})
    (tmp_path / "ada.py").write_text(SOLUTION)

    as_arguments = discover([tmp_path / "ada.py", tmp_path / "evil.zip"], manifest)
    in_a_folder = discover([tmp_path], manifest)

    assert [one.name for one in as_arguments.submissions] == ["ada"]
    assert "grade an export by itself" in as_arguments.refused[0].reason
    assert [one.name for one in in_a_folder.submissions] == ["ada", "evil"]


def test_an_export_without_submissions_is_a_row(manifest, tmp_path):
    """Nothing to grade is told as that, and not as success."""
    found = discover([zipped(tmp_path / "e.zip", {"submission_metadata.yml": "", "x/y": ""})], manifest)

    assert [one.reason for one in found.refused] == ["is a Gradescope export without submissions; export it again"]


def test_two_exports_at_once_are_told_apart(manifest, tmp_path):
    """Sections of a course may be graded together."""
    paths = [zipped(tmp_path / f"{i}.zip", EXPORT) for i in range(2)]

    found = discover(paths, manifest)

    assert "submission_2~2" in [one.name for one in found.submissions]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it names no submission"),
        ("- a\n- b\n", "it names no submission"),
        ("just text", "it names no submission"),
        ("submission_1: [\n", "line 2"),
        ("a: &x [*x]\n\tb: 1", "line 2"),
        ("[" * 500, "nested too deeply"),
        ("{a: " * 500, "nested too deeply"),
        (b"\xff\xff\xff", "submission_metadata.yml: "),
        (b"a: \x01", "submission_metadata.yml: "),
    ],
    ids=range(9),
)
def test_metadata_that_cannot_be_read_cost_no_one_a_grade(manifest, tmp_path, text, says):
    """The submissions are graded without names, and a line says why."""
    path = folder(tmp_path / "e", {"submission_metadata.yml": text, "submission_1/attention.py": SOLUTION})

    found = discover([path], manifest)

    assert [one.name for one in found.submissions] == ["submission_1"]
    assert any(says in note and "graded all the same" in note for note in found.notes)


def test_metadata_are_text_whatever_they_claim(manifest, tmp_path):
    """Tags build nothing, numbers and dates stay as written, and what does not print is taken out."""
    text = r"""
? [strange, key]
: 1
submission_1:
  :submitters:
  - :name: !ruby/object:Evil 'A\x'
    :sid: 0012
    :email: !!python/object/apply:os.system [exit]
    :role: x
  - :name: "B\e[31m\u202e"
  - not a mapping
  :created_at: !ruby/object:Time 2024-02-01
submission_2:
  :submitters: [[x], {"name": {"deep": x}}]
submission_3: null
"""
    files = {f"submission_{i}/attention.py": SOLUTION for i in (1, 2, 3)}
    path = folder(tmp_path / "e", {"submission_metadata.yml": text, **files})

    found = discover([path], manifest)

    first = found.submissions[0]
    assert first.submitters == (Submitter("A\\x", "", "0012"), Submitter("B[31m", "", ""))
    assert first.created_at == "2024-02-01"
    assert len(found.submissions) == 3 and found.submissions[1].submitters == ()


def test_metadata_of_hundreds_of_kilobytes_are_a_stream(manifest, tmp_path):
    """Results in the metadata are passed over; a file over its cap is read up to there."""
    long = metadata("submission_1").replace("none of these is data", "x" * 300_000)
    path = zipped(tmp_path / "e.zip", {"submission_metadata.yml": long + metadata("submission_2")[4:]})

    whole = discover([path], manifest)
    part = discover([path], manifest, caps=replace(CAPS, metadata=100_000))

    assert [one.submitters[0].sid for one in whole.refused] == ["001", "002"]
    assert any("more than 100,000 bytes" in note for note in part.notes)


def test_a_broken_zip_is_told_where_it_is_opened(names, refusal, tmp_path):
    """Finding submissions never fails on what an archive holds."""
    entry = {"name": b"attention.py", "body": b""}
    (tmp_path / "a.zip").write_bytes(raw_zip([entry], count=9))

    assert names(tmp_path / "a.zip") == ["a"]
    assert "its end states 9 entries, its list has 1" in refusal(tmp_path / "a.zip")
