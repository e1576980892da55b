"""The course as a graph: which assignments build on which, laid out in columns from left to right."""

from __future__ import annotations

import graphlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from gradkit.manifest import Manifest

WIDTH, HEIGHT = 150, 36  # of a node
ACROSS, DOWN = 210, 52  # from one to the next
_MARGIN = 4
_TIP = 7  # of an arrow, in front of a node


@dataclass(frozen=True)
class Node:
    """An assignment's box."""

    id: str
    x: int
    y: int


@dataclass(frozen=True)
class Edge:
    """A curve from an assignment to one that builds on it, as an SVG path."""

    path: str


@dataclass(frozen=True)
class Graph:
    """Boxes and curves, in the units of the view box; `needs` says the same without a picture."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    width: int
    height: int
    needs: tuple[tuple[str, tuple[str, ...]], ...]


def course_graph(manifests: Sequence[Manifest]) -> Graph:
    """Lay out the assignments that build on another one, and those that they build on.

    A column further right for each step. An assignment lies in the band of rows of the deepest one that it builds on. One
    that comes first and has no such band of its own lies right above the band that it leads to. An edge that passes a column
    has a cell of its own there, so that it crosses no box.
    """
    here = [manifest.id for manifest in manifests]
    needs = {manifest.id: [id for id in manifest.needs if id in here] for manifest in manifests}
    helps = {id: [other for other in here if id in needs[other]] for id in here}
    drawn = [id for id in here if needs[id] or helps[id]]
    depth: dict[str, int] = {}
    for id in graphlib.TopologicalSorter(needs).static_order():  # a course may have an order of its own
        depth[id] = 1 + max((depth[need] for need in needs[id]), default=-1)
    parent = {id: max(needs[id], key=depth.__getitem__) for id in drawn if needs[id]}

    def root(id: str) -> str:
        return root(parent[id]) if id in parent else id

    def order(id: str) -> int:
        return drawn.index(root(id))

    bands: dict[str, list[str]] = defaultdict(list)  # what lies in the band of a cell, in the next column
    for id, above in parent.items():
        bands[above].append(id)
    ways: list[list[str]] = []  # of each edge, the cells that it leads through
    for id in drawn:
        for need in needs[id]:
            passed = [f"{need} to {id} in {column}" for column in range(depth[need] + 1, depth[id])]
            ways.append([need, *passed, id])
            above = order(id) < order(need)  # then it leaves the band at its top
            for before, cell in pairwise([need, *passed]):
                bands[before].insert(0 if above else len(bands[before]), cell)
            depth |= {cell: column for column, cell in enumerate(passed, depth[need] + 1)}

    def place(first: str) -> tuple[int, bool]:
        """In the order of the course; right above another one's band without one."""
        own = first in parent.values()
        return order(first if own else helps[first][0]), own

    rows: dict[str, int] = {}

    def fill(cell: str, row: int) -> int:
        """Give a row to a cell and to the band that it begins; the first row after it."""
        rows[cell] = after = row
        for below in bands[cell]:
            after = fill(below, after)
        return max(after, row + 1)

    free = 0
    for id in sorted((id for id in drawn if id not in parent), key=place):
        free = fill(id, free)
    nodes = {cell: Node(cell, _MARGIN + ACROSS * depth[cell], _MARGIN + DOWN * row) for cell, row in rows.items()}
    return Graph(
        tuple(nodes[id] for id in drawn),
        tuple(_edge([nodes[cell] for cell in way]) for way in ways),
        2 * _MARGIN + WIDTH + ACROSS * max((depth[id] for id in drawn), default=0),
        2 * _MARGIN + HEIGHT + DOWN * max(rows.values(), default=0),
        tuple((id, tuple(needs[id])) for id in here if needs[id]),
    )


def _edge(way: Sequence[Node]) -> Edge:
    """Straight through the columns between two assignments, and a curve in each gap."""
    path = f"M{way[0].x + WIDTH} {way[0].y + HEIGHT // 2}"
    for start, end in pairwise(way):
        last = end is way[-1]
        x, y = start.x + WIDTH, start.y + HEIGHT // 2
        to_x, to_y = end.x - (_TIP if last else 0), end.y + HEIGHT // 2
        middle = (x + to_x) // 2
        path += f" C{middle} {y} {middle} {to_y} {to_x} {to_y}" + ("" if last else f" H{end.x + WIDTH}")
    return Edge(path)
