"""The course as a graph: which assignments build on which, laid out in columns from left to right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradkit.manifest import Manifest
from gradkit.results import listed

WIDTH, HEIGHT = 150, 36  # of a node
ACROSS, DOWN = 210, 52  # from one to the next


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
    """Boxes and curves, in the units of the view box."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    width: int
    height: int
    sentences: tuple[str, ...]  # the same in words


def course_graph(manifests: Sequence[Manifest]) -> Graph:
    """Lay out the assignments that build on another one, and those that they build on.

    A column further right for each step. An assignment lies in the band of rows of the deepest one that it builds on. One
    that comes first and has no such band of its own lies right above the band that it leads to.
    """
    here = [manifest.id for manifest in manifests]
    needs = {manifest.id: [id for id in manifest.needs if id in here] for manifest in manifests}
    helps = {id: [other for other in here if id in needs[other]] for id in here}
    drawn = [id for id in here if needs[id] or helps[id]]
    depth: dict[str, int] = {}
    for id in here:  # what is needed comes before
        depth[id] = 1 + max((depth[need] for need in needs[id]), default=-1)
    parent = {id: max(needs[id], key=depth.__getitem__) for id in drawn if needs[id]}

    def root(id: str) -> str:
        return root(parent[id]) if id in parent else id

    def place(of_root: str) -> tuple[int, bool]:
        children = [id for id in drawn if parent.get(id) == of_root]
        return drawn.index(of_root if children else root(helps[of_root][0])), bool(children)

    rows: dict[str, int] = {}

    def fill(id: str, row: int) -> int:
        """Give a row to an assignment and to the band that it begins; the first row after it."""
        rows[id] = after = row
        for child in (child for child in drawn if parent.get(child) == id):
            after = fill(child, after)
        return max(after, row + 1)

    free = 0
    for id in sorted((id for id in drawn if id not in parent), key=place):
        free = fill(id, free)
    nodes = tuple(Node(id, 4 + ACROSS * depth[id], 4 + DOWN * rows[id]) for id in drawn)
    at = {node.id: node for node in nodes}
    edges = tuple(_edge(at[need], at[id]) for id in drawn for need in needs[id])
    sentences = tuple(f"{id} helps with {listed(helps[id])}" for id in drawn if helps[id])
    width = 8 + WIDTH + ACROSS * max((depth[id] for id in drawn), default=0)
    return Graph(nodes, edges, width, 8 + HEIGHT + DOWN * max(rows.values(), default=0), sentences)


def _edge(start: Node, end: Node) -> Edge:
    """Straight through the columns between, and a curve in the last gap."""
    y, to_x, to_y = start.y + HEIGHT // 2, end.x - 7, end.y + HEIGHT // 2
    bend = end.x - (ACROSS - WIDTH)
    middle = (bend + to_x) // 2
    return Edge(f"M{start.x + WIDTH} {y} H{bend} C{middle} {y} {middle} {to_y} {to_x} {to_y}")
