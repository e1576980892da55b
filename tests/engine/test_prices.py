"""What a mistake costs is told by task, and one that costs more than a third of its task's points is marked."""

from __future__ import annotations

import pytest

from gradkit.errors import AuthoringError
from gradkit.manifest import load_assignment
from gradkit.mistakes import read_mistakes
from gradkit.prices import Price, matrix, price_list, prices
from gradkit.verify import Only, verify

ENTRIES = "solutions/scaling/mistakes/standardise.toml"


@pytest.mark.parametrize(
    ("share", "reason", "mark"),
    [(0.2, "", ""), (1 / 3, "", ""), (0.34, "", "!"), (0.34, "Every check needs it.", "*"), (0.2, "Old.", "?")],
)
def test_a_price_is_marked_by_its_share_and_its_reason(share, reason, mark):
    """A third is not too much; a reason that is not needed any more is told."""
    assert Price("m", "t", share * 30, share, reason).mark == mark


def test_prices_are_told_by_task_and_stored_beside_the_matrix(kit, sandboxed):
    """The points lost in all checks together; the dearest first in the list, by name in the matrix."""
    path = kit / ENTRIES
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("why = ", 'costly = "The checks of eps need a variance."\nwhy = ', 1), encoding="utf-8"
    )
    named = text.split('name = "')[1].split('"')[0]

    report = verify(kit, load_assignment(kit, "scaling"), seeds=1, only=Only(mistake=named))

    (price,) = prices(report)
    graded = report.rows[named][1]
    assert (price.mistake, price.task, price.points) == (named, "standardise", graded.max_score - graded.score)
    assert price.share == pytest.approx(price.points / 60) and price.mark == "*"
    assert f"standardise, 60 points: {named} {price.points:g}*" in price_list(report)
    assert f"{named} {price.points:7.2f}* " in matrix(report)


@pytest.mark.parametrize("value", ['""', '"  "', "true"])
def test_a_reason_is_a_sentence(kit, value):
    """Not empty, and text."""
    path = kit / ENTRIES
    path.write_text(
        path.read_text(encoding="utf-8").replace("why = ", f"costly = {value}\nwhy = ", 1), encoding="utf-8"
    )

    with pytest.raises(
        AuthoringError, match=r"standardise.toml: \w+: .*(costly is empty: say in a sentence why|`str \| null`)"
    ):
        read_mistakes(load_assignment(kit, "scaling"))


def test_a_file_of_its_own_says_it_too(kit):
    """COSTLY in a mistake that is written in Python; it is no function that the mistake replaces."""
    path = kit / "solutions/scaling/mistakes/planted.py"
    text = '"""Why."""\n\nTASK = "centre"\nHINT = "Which axis?"\nCOSTLY = {}\n\n\ndef centre(x):\n    return x\n'
    path.write_text(text.format('"All checks\\n  need it."'), encoding="utf-8")

    mistake = next(mistake for mistake in read_mistakes(load_assignment(kit, "scaling")) if mistake.name == "planted")

    assert (mistake.costly, mistake.replaces) == ("All checks need it.", ("centre",))
    path.write_text(text.format("3"), encoding="utf-8")
    with pytest.raises(AuthoringError, match=r"planted.py: COSTLY is no text"):
        read_mistakes(load_assignment(kit, "scaling"))
