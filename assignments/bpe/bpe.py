"""Byte-pair encoding (BPE): a vocabulary learned from bytes, and text turned into token ids and back.

A *token* is a byte string. A *word* is one pre-token as a tuple of tokens: it starts as single bytes, and
every merge makes it shorter. A *pair* is two tokens that stand side by side in a word. Training picks pairs,
one after the other. The ordered list of them, the *merges*, is all that a tokenizer has to remember.

Nothing here needs more than Python's standard library and `regex`.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import regex

Pair = tuple[bytes, bytes]
Word = tuple[bytes, ...]

N_BYTES = 256  # the vocabulary starts with every single byte, so no text is ever unknown

# After GPT-2's: a contraction; letters with their combining marks, digits, or anything else that is not
# space, each with at most one space in front; the spaces that are left. Every character belongs to exactly
# one match.
PATTERN = regex.compile(
    r"'(?:[sdmt]|ll|ve|re)| ?[\p{L}\p{M}]+| ?\p{N}+| ?[^\s\p{L}\p{M}\p{N}]+|\s+(?!\S)|\s+"
)
_SURROGATE = regex.compile(r"[\uD800-\uDFFF]")


# ---- given: these work already -------------------------------------------------------------------


def check_text(text: str) -> None:
    """Refuse text that has no UTF-8 form.

    Raises:
        ValueError: If `text` holds a lone surrogate (half of a UTF-16 pair), naming the first one.
    """
    found = _SURROGATE.search(text)
    if found:
        raise ValueError(
            f"text must be encodable as UTF-8, "
            f"got the lone surrogate U+{ord(found[0]):04X} at position {found.start()}"
        )


def split_special(text: str, special_tokens: Sequence[str]) -> list[str]:
    """Cut text at its special tokens: each stands alone, and joining the pieces gives the text back.

    Where special tokens overlap the leftmost wins, and of those that start together the longest. Empty pieces
    are left out.

    >>> split_special("hi<|end|>you", ["<|end|>"])
    ['hi', '<|end|>', 'you']
    """
    if not special_tokens:
        return [text] if text else []
    longest_first = sorted(special_tokens, key=len, reverse=True)
    cut = regex.compile("(" + "|".join(regex.escape(token) for token in longest_first) + ")")
    return [piece for piece in cut.split(text) if piece]


def pretokenize(text: str) -> list[str]:
    """Cut ordinary text into pre-tokens, which no merge may cross; joining them gives the text back.

    >>> pretokenize("It's 2 low  walls")
    ['It', "'s", ' 2', ' low', ' ', ' walls']
    """
    return PATTERN.findall(text)


# ---- task 1: pairs -------------------------------------------------------------------------------


def count_pairs(words: Mapping[Word, int]) -> dict[Pair, int]:
    """How often each pair of neighboring tokens occurs in the corpus.

    Every position counts, overlapping ones too: the word `aaa` holds the pair (a, a) twice, although a merge
    could replace it only once.

    >>> count_pairs({(b"a", b"a", b"a"): 1, (b"a", b"b"): 5})
    {(b'a', b'a'): 2, (b'a', b'b'): 5}

    Args:
        words: Each distinct word with the number of times it occurs, 1 or more. Tokens may have any length.

    Returns:
        Only pairs that occur, in any order.
    """
    # Steps: visit every word; find its pairs; add up how often each occurs.
    # YOUR CODE HERE
    raise NotImplementedError("task pairs is not written yet")


def best_pair(counts: Mapping[Pair, int]) -> Pair:
    """The pair to merge next: the most frequent one; of several, the smallest pair of byte strings.

    Pairs compare as Python compares tuples of bytes: by the left token first, byte by byte, then by the right
    one. The order of the mapping has no say.

    >>> best_pair({(b"b", b"c"): 7, (b"ab", b"a"): 7, (b"a", b"bc"): 7, (b"a", b"a"): 1})
    (b'a', b'bc')

    Raises:
        ValueError: If `counts` is empty.
    """
    if not counts:
        raise ValueError("counts must hold at least one pair, got none")
    # YOUR CODE HERE
    raise NotImplementedError("task pairs is not written yet")


# ---- task 2: merge -------------------------------------------------------------------------------


def merge_pair(word: Word, pair: Pair) -> Word:
    """The word with every occurrence of the pair replaced by the joined token.

    From left to right, and a token is used once: in `aaa` the first two are merged and the third stays.

    >>> merge_pair((b"a", b"a", b"a"), (b"a", b"a"))
    (b'aa', b'a')

    Args:
        word: Tokens of any length; the word may be empty.
        pair: The two tokens to join, left and right. An occurrence is exactly these two tokens: another cut of the
            same bytes is none.

    Returns:
        A tuple of tokens that joins to the same bytes.
    """
    # Steps: walk along the word from the left; collect what it becomes.
    # YOUR CODE HERE
    raise NotImplementedError("task merge is not written yet")


# ---- task 3: words -------------------------------------------------------------------------------


def count_words(text: str, special_tokens: Sequence[str] = ()) -> dict[Word, int]:
    """The training corpus: every distinct pre-token as a tuple of single bytes, with how often it occurs.

    >>> count_words("aé aé<|end|>b", ["<|end|>"])
    {(b'a', b'\\xc3', b'\\xa9'): 1, (b' ', b'a', b'\\xc3', b'\\xa9'): 1, (b'b',): 1}

    Args:
        text: Any text without lone surrogates. It is not changed: no lower case, no stripping, no
            normalization.
        special_tokens: They cut the text, so that nothing reaches across them, and are not themselves
            counted.

    Returns:
        Words of one or more single bytes, in any order.

    Raises:
        ValueError: If `text` holds a lone surrogate.
    """
    check_text(text)
    # Steps: cut the text; drop what is not counted; count the words. (bytes[i] is an int, bytes[i:i+1] a byte string.)
    # YOUR CODE HERE
    raise NotImplementedError("task words is not written yet")


# ---- task 4: train -------------------------------------------------------------------------------


def train(
    words: Mapping[Word, int],
    vocab_size: int,
    special_tokens: Sequence[str] = (),
    *,
    count: Callable[[Mapping[Word, int]], dict[Pair, int]] = count_pairs,
    best: Callable[[Mapping[Pair, int]], Pair] = best_pair,
    merge: Callable[[Word, Pair], Word] = merge_pair,
) -> list[Pair]:
    """Learn merges in the plainest way: count all pairs, merge the best one everywhere, and begin again.

    The finished vocabulary is the 256 bytes, then one token for each merge, then the special tokens, and it
    has exactly `vocab_size` entries. Training ends early only when no pair is left; a pair that occurs once
    is still merged.

    Args:
        words: Distinct words of single bytes, each with the number of times it occurs.
        vocab_size: Size of the finished vocabulary, special tokens included.
        special_tokens: Only how many there are matters here.
        count, best, merge: What Tasks 1 and 2 ask for. They are arguments so that a check can lend you right
            ones: call these, not the functions that they default to.

    Returns:
        The merges, in the order in which they were learned.

    Raises:
        ValueError: If `vocab_size` has no room for the bytes and the special tokens.

    Source:
        Sennrich et al. 2016, algorithm 1, on bytes instead of characters.
    """
    smallest = N_BYTES + len(special_tokens)
    if vocab_size < smallest:
        raise ValueError(
            f"vocab_size must be at least {smallest}, for the bytes and special tokens, got {vocab_size}"
        )
    # Steps, until there are enough merges or no pair is left: count; choose; note the choice; rewrite the words.
    # YOUR CODE HERE
    raise NotImplementedError("task train is not written yet")


# ---- task 5: incremental -------------------------------------------------------------------------


def index_pairs(words: Sequence[tuple[Word, int]]) -> tuple[dict[Pair, int], dict[Pair, set[int]]]:
    """What one pass over the corpus can tell: how often each pair occurs, and which words hold it.

    >>> index_pairs([((b"a", b"a", b"a"), 4), ((b"a", b"b"), 1)])
    ({(b'a', b'a'): 8, (b'a', b'b'): 1}, {(b'a', b'a'): {0}, (b'a', b'b'): {1}})

    Args:
        words: (word, number of times) for each distinct word. A word's number is its place in this list.

    Returns:
        The counts, as `count_pairs` gives them, and for each pair the set of the numbers of the words that
        hold it.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task incremental is not written yet")


def train_incremental(
    counts: dict[Pair, int],
    where: dict[Pair, set[int]],
    read: Callable[[int], tuple[Word, int]],
    n_merges: int,
    *,
    merge: Callable[[Word, Pair], Word] = merge_pair,
) -> list[Pair]:
    """Learn the same merges as `train` by changing only what a merge changes.

    Think of a corpus too large for memory: all you have at first is the index. A word's tokens come from
    `read(number)`. You may read a word only when you merge a pair that it holds at that moment, and only once
    in the whole training. Keep the words that you have read, as your merges leave them.

    Args:
        counts: How often each pair occurs at the start. You may change this table and the next in place.
        where: For each pair, the numbers of the words that hold it at the start.
        read: read(number) gives (word, number of times): the word as it was before any merge.
        n_merges: How many merges to learn; fewer when no pair is left.
        merge: What Task 2 asks for; call this one.

    Returns:
        The merges in order, chosen by the rule of `best_pair`, ties included.

    Raises:
        ValueError: If `n_merges` is negative.
    """
    if n_merges < 0:
        raise ValueError(f"n_merges must be 0 or more, got {n_merges}")
    # Steps, until there are enough merges or no pair occurs any more: choose the best pair; merge it in the words
    # that hold it; bring the counts and the index up to date.
    # YOUR CODE HERE
    raise NotImplementedError("task incremental is not written yet")


# ---- task 6: encode ------------------------------------------------------------------------------


def encode_word(word: bytes, ranks: Mapping[Pair, int]) -> list[bytes]:
    """The tokens of one pre-token: its bytes, merged in the order in which the merges were learned.

    Of all neighboring pairs that have a rank, the one with the lowest rank is merged first, wherever it
    stands, and of equal ones the leftmost; then again, until none has a rank. Joined, the result is `word`.
    A pair has a rank only if these two tokens are in `ranks`, left and right: another cut of the same bytes is
    another pair.

    >>> encode_word(b"lower", {(b"l", b"o"): 0, (b"lo", b"w"): 1})
    [b'low', b'e', b'r']

    Args:
        word: UTF-8 of one pre-token; may be empty.
        ranks: Each merge with its place in the ordered list, from 0.

    Source:
        Sennrich et al. 2016, section 3.2.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task encode is not written yet")


class Tokenizer:
    """Text to token ids and back.

    Ids are 0 to 255 for the single bytes, then 256 + r for the merge of rank r, then the special tokens in
    the order given.

    Attributes:
        merges: The merges, in order.
        special_tokens: The special tokens, in order.
        ranks: Each merge's place in `merges`.
        vocab: The bytes of every id; a special token's are its UTF-8.
        token_ids: The id of every byte string that is no special token.
        special_ids: The id of every special token.
    """

    def __init__(self, merges: Iterable[Pair], special_tokens: Sequence[str] = ()) -> None:
        """Lay out the vocabulary.

        Raises:
            ValueError: If a merge joins a token that does not exist yet, makes one that exists already, or a
                special token is empty or given twice.
        """
        self.merges: list[Pair] = [(bytes(left), bytes(right)) for left, right in merges]
        self.special_tokens: list[str] = list(special_tokens)
        if "" in self.special_tokens or len(set(self.special_tokens)) < len(self.special_tokens):
            raise ValueError(f"special_tokens must be distinct and not empty, got {self.special_tokens}")
        self.ranks: dict[Pair, int] = {pair: rank for rank, pair in enumerate(self.merges)}
        self.token_ids: dict[bytes, int] = {bytes([byte]): byte for byte in range(N_BYTES)}
        for left, right in self.merges:
            if left not in self.token_ids or right not in self.token_ids or left + right in self.token_ids:
                raise ValueError(f"merges must join two earlier tokens into a new one, got {(left, right)}")
            self.token_ids[left + right] = len(self.token_ids)
        self.vocab: dict[int, bytes] = {i: token for token, i in self.token_ids.items()}
        self.special_ids: dict[str, int] = {}
        for token in self.special_tokens:
            self.special_ids[token] = len(self.vocab)
            self.vocab[len(self.vocab)] = token.encode("utf-8")

    def __len__(self) -> int:
        """The size of the vocabulary."""
        return len(self.vocab)

    def encode(self, text: str) -> list[int]:
        """Text to ids, with one id for each special token in it, which is never cut or joined with others.

        Args:
            text: Any text without lone surrogates; the empty text has no ids.

        Raises:
            ValueError: If `text` holds a lone surrogate.
        """
        check_text(text)
        # Steps: cut the text as training does; encode each pre-token by itself; look up the ids.
        # YOUR CODE HERE
        raise NotImplementedError("task encode is not written yet")

    # ---- task 7: decode and load -----------------------------------------------------------------

    def decode(self, ids: Iterable[int]) -> str:
        """Ids to text: decode(encode(text)) is text, for every text.

        A model may emit any ids, so the bytes need not be UTF-8. What is not becomes U+FFFD, as
        `bytes.decode("utf-8", errors="replace")` does it. Special tokens come back as their own text.

        Raises:
            ValueError: If an id is not in the vocabulary.
        """
        ids = list(ids)
        for position, token_id in enumerate(ids):
            if token_id not in self.vocab:
                raise ValueError(
                    f"ids must lie in 0 .. {len(self.vocab) - 1}, got {token_id} at position {position}"
                )
        # YOUR CODE HERE
        raise NotImplementedError("task decode is not written yet")

    def dumps(self) -> str:
        """The tokenizer as JSON text, from which `loads` makes an equal one: given.

        An object with two keys: "merges", the list of [left, right] in order, each token as the lowercase
        hexadecimal of its bytes (a token need not be UTF-8); and "special_tokens", the list of strings in
        order.

        >>> Tokenizer([(b"a", b"b")], ["<|end|>"]).dumps()
        '{"merges": [["61", "62"]], "special_tokens": ["<|end|>"]}'
        """
        merges = [[left.hex(), right.hex()] for left, right in self.merges]
        return json.dumps({"merges": merges, "special_tokens": self.special_tokens})

    @classmethod
    def loads(cls, text: str) -> Tokenizer:
        """The tokenizer that `dumps` wrote, here or in another program.

        Args:
            text: JSON in the format of `dumps`, with any white space and in any order; other keys don't matter.
        """
        # YOUR CODE HERE
        raise NotImplementedError("task decode is not written yet")

    def save(self, path: str | Path) -> None:
        """Write `dumps()` to a file."""
        Path(path).write_text(self.dumps(), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Tokenizer:
        """The tokenizer that `save` wrote."""
        return cls.loads(Path(path).read_text(encoding="utf-8"))


def train_tokenizer(text: str, vocab_size: int, special_tokens: Sequence[str] = ()) -> Tokenizer:
    """A tokenizer trained on text: given, and works once Tasks 2, 3 and 5 do."""
    words = list(count_words(text, special_tokens).items())
    counts, where = index_pairs(words)
    n_merges = vocab_size - N_BYTES - len(special_tokens)
    return Tokenizer(train_incremental(counts, where, lambda number: words[number], n_merges), special_tokens)


# ---- given: what a text costs --------------------------------------------------------------------


def tokens_per_character(encode: Callable[[str], list[int]], texts: Mapping[str, str]) -> dict[str, float]:
    """What a character costs: for each text its number of ids over its number of code points, len(text).

    Users pay for every token, in money and in context, and this is their script's price.

    Args:
        encode: Text to ids. Each text is encoded whole, in one call.
        texts: Name (a language, say) to text.

    Raises:
        ValueError: If a text is empty.
    """
    for name, text in texts.items():
        if not text:
            raise ValueError(f"texts must not be empty, got nothing for {name!r}")
    return {name: len(encode(text)) / len(text) for name, text in texts.items()}


def bytes_per_token(encode: Callable[[str], list[int]], texts: Mapping[str, str]) -> float:
    """The compression over all texts together: UTF-8 bytes of all texts over ids of all texts.

    One ratio of two sums, so a long text weighs more than a short one. 1 means that nothing was merged.

    Raises:
        ValueError: If the texts are all empty.
    """
    if not any(texts.values()):
        raise ValueError("texts must hold at least one character, got none")
    n_bytes = sum(len(text.encode("utf-8")) for text in texts.values())
    return n_bytes / sum(len(encode(text)) for text in texts.values())
