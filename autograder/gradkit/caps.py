"""How much a submission may hold, and the refusal of one that holds more."""

from __future__ import annotations

from dataclasses import dataclass

from gradkit.errors import InputError

MIB = 2**20


@dataclass(frozen=True)
class Caps:
    """How much one submission may hold. Sizes in bytes.

    Attributes:
        compressed: The archive as it was handed in.
        unpacked: All its files together, notebooks apart.
        file: One file.
        notebook: Notebooks together: their outputs are large and are never kept.
        module: The text of the module that is graded, or of a notebook's code cells.
        tokens: Words and signs of that text. Parsing takes about a kilobyte of memory for each.
        files: Files that count.
        entries: Entries of an archive or a folder, with those that are passed over.
        listing: A zip's list of its files, which is read as one.
        class_listing: The same of a zip that may hold a whole class: some 200,000 files.
        depth: Folders within folders, with the file.
        path: Characters of a path.
        metadata: A Gradescope export's submission_metadata.yml, which is read as a stream.
    """

    compressed: int = 50 * MIB
    unpacked: int = 50 * MIB
    file: int = 20 * MIB
    notebook: int = 60 * MIB
    module: int = 2 * MIB
    tokens: int = 250_000
    files: int = 2_000
    entries: int = 20_000
    listing: int = 6 * MIB
    class_listing: int = 32 * MIB
    depth: int = 12
    path: int = 240
    metadata: int = 512 * MIB


CAPS = Caps()
NO_DATA = "leave out data and weights"  # advice
NO_ENVIRONMENTS = "leave out environments such as .venv, and data"


def over_cap(what: str, number: str, of: str, advice: str) -> InputError:
    """The refusal for a submission that holds more than it may."""
    return InputError(f"{what} more than {number}, the cap for {of}; {advice}")


def too_many_entries(caps: Caps) -> InputError:
    """The refusal for an archive with more entries than a submission may have."""
    return over_cap("it lists", f"{caps.entries:,} entries", "a submission", NO_ENVIRONMENTS)
