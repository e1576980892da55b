"""Decoys: wrong code that looks like a known mistake, beside the mistakes, for which no hint may be shown."""

from __future__ import annotations

import pytest

from gradkit.manifest import load_assignment
from gradkit.prices import matrix
from gradkit.verify import Only, verify

DECOY = """
[[mistakes]]
name = "{name}"
function = "{function}"
why = "Not what any hint is about."
decoy = true
edits = [["{old}", "{new}"]]
"""


@pytest.fixture
def report(kit, sandboxed):
    """What `verify` says with a decoy among the mistakes."""

    def report(name: str, **entry: str):
        path = kit / "solutions" / "scaling" / "mistakes" / "standardise.toml"
        path.write_text(path.read_text(encoding="utf-8") + DECOY.format(name=name, **entry), encoding="utf-8")
        return verify(kit, load_assignment(kit, "scaling"), seeds=1, only=Only(mistake=name))

    return report


def test_a_decoy_that_shows_no_hint_is_right(report):
    """It loses points, its student reads the observation, and it has a place of its own in the matrix."""
    said = report("three_times", function="standardise", old="x - x.mean(axis=0)", new="x - 3 * x.mean(axis=0)")

    assert said.problems == []
    assert "decoys, which look like other mistakes" in matrix(said)


def test_a_decoy_that_shows_a_hint_is_told(report):
    """Here it is the mistake itself, under another name."""
    said = report("as_known", function="standardise", old="x.var(axis=0)", new="x.var(axis=0, ddof=1)")

    assert said.problems and said.problems[0].startswith("decoy as_known gets the hint of unbiased_variance in ")


def test_a_decoy_that_loses_nothing_is_told(report):
    """It could show no hint whatever happened."""
    said = report("same", function="standardise", old="x.var(axis=0) + eps", new="eps + x.var(axis=0)")

    assert said.problems == ["decoy same loses no points: it shows nothing about hints"]
