"""Public checks of the BPE assignment: small cases done by hand.

Each is about one function. What that function calls is lent: parts that know the worked words below and no others.
"""

import json

import pytest
from coursekit.compare import assert_close
from gradescope_utils.autograder_utils.decorators import number, tags, weight


def word(text):
    """A word of single bytes."""
    return tuple(bytes([byte]) for byte in text.encode("utf-8"))


def sennrich():
    """The corpus of Sennrich et al. 2016, which the handout works out."""
    return {word("low"): 5, word("lower"): 2, word("newest"): 6, word("widest"): 3}


SENNRICH_MERGES = (
    (b"e", b"s"),
    (b"es", b"t"),
    (b"l", b"o"),
    (b"lo", b"w"),
    (b"e", b"w"),
    (b"ew", b"est"),
    (b"n", b"ewest"),
)


def without_ties():
    """A corpus in which one pair is always the most frequent alone."""
    return {word("zonon"): 5, word("zon"): 3, word("de"): 1}


WITHOUT_TIES_MERGES = ((b"o", b"n"), (b"z", b"on"), (b"zon", b"on"), (b"d", b"e"))

# What each worked word becomes, step by step.
HISTORIES = (
    "l o w, lo w, low",
    "l o w e r, lo w e r, low e r",
    "n e w e s t, n e w es t, n e w est, n ew est, n ewest, newest",
    "w i d e s t, w i d es t, w i d est",
    "z o n o n, z on on, zon on, zonon",
    "z o n, z on, zon",
    "d e, de",
    "b a, ba",
    "a b, ab",
)


def lent_merge(tokens, pair):
    """Merge the pair in one of the worked words, in a state that is worked out above."""
    for history in HISTORIES:
        states = [tuple(part.encode() for part in state.split()) for state in history.split(", ")]
        for now, afterwards in zip(states, states[1:], strict=False):
            if now == tokens and pair in zip(now, now[1:], strict=False):
                return afterwards
    return tokens


def lent(*steps):
    """`count` and `best` for a worked training: each step has the words, their counts and the best pair."""

    def count(words):
        return next((dict(counts) for state, counts, _ in steps if state == words), {})

    def best(counts):
        return next(pair for _, known, pair in steps if known == counts)

    return {"count": count, "best": best, "merge": lent_merge}


def parts_without_ties():
    """What training needs on `without_ties()`."""
    return lent(
        (
            without_ties(),
            {(b"z", b"o"): 8, (b"o", b"n"): 13, (b"n", b"o"): 5, (b"d", b"e"): 1},
            WITHOUT_TIES_MERGES[0],
        ),
        (
            {(b"z", b"on", b"on"): 5, (b"z", b"on"): 3, word("de"): 1},
            {(b"z", b"on"): 8, (b"on", b"on"): 5, (b"d", b"e"): 1},
            WITHOUT_TIES_MERGES[1],
        ),
        (
            {(b"zon", b"on"): 5, (b"zon",): 3, word("de"): 1},
            {(b"zon", b"on"): 5, (b"d", b"e"): 1},
            WITHOUT_TIES_MERGES[2],
        ),
        ({(b"zonon",): 5, (b"zon",): 3, word("de"): 1}, {(b"d", b"e"): 1}, WITHOUT_TIES_MERGES[3]),
    )


# ---- Task 1: pairs -------------------------------------------------------------------------------


@number("1.p1")
@weight(1)
@tags("pairs")
def test_a_pair_counts_in_every_word_that_holds_it(impl):
    """A pair's count is the sum over the words that hold it of how often each of them occurs."""
    counts = impl.count_pairs({word("ab"): 5, word("cab"): 2, word("b"): 7})

    assert_close(counts, {(b"a", b"b"): 7, (b"c", b"a"): 2})


@number("1.p2")
@weight(1)
@tags("pairs")
def test_pairs_are_counted_at_every_place(impl):
    """In `abcab` the pair (a, b) counts twice; in `aaa` the pair (a, a) counts twice, in `aaaa` three times."""
    assert_close(impl.count_pairs({word("abcab"): 1}), {(b"a", b"b"): 2, (b"b", b"c"): 1, (b"c", b"a"): 1})
    assert_close(impl.count_pairs({word("aaa"): 1}), {(b"a", b"a"): 2}, name="the pairs of aaa")
    assert_close(impl.count_pairs({word("aaaa"): 1}), {(b"a", b"a"): 3}, name="the pairs of aaaa")


@number("1.p3")
@weight(1)
@tags("pairs")
def test_the_best_pair_is_the_most_frequent_and_of_equals_the_smallest(impl):
    """The most frequent pair is best; of several, the smallest pair of byte strings, wherever it stands."""
    assert_close(impl.best_pair({(b"a", b"b"): 6, (b"c", b"d"): 9, (b"b", b"a"): 8}), (b"c", b"d"))
    counts = {(b"b", b"c"): 7, (b"ab", b"a"): 7, (b"a", b"bc"): 7, (b"a", b"a"): 1}
    assert_close(impl.best_pair(counts), (b"a", b"bc"))


# ---- Task 2: merge -------------------------------------------------------------------------------


@number("2.p1")
@weight(1)
@tags("merge")
@pytest.mark.parametrize(
    ("tokens", "pair", "merged"),
    [
        ((b"a", b"b", b"c", b"a", b"b"), (b"a", b"b"), (b"ab", b"c", b"ab")),
        ((b"b", b"a"), (b"a", b"b"), (b"b", b"a")),
        ((b"a", b"a", b"b"), (b"a", b"b"), (b"a", b"ab")),
        ((b"a",), (b"a", b"b"), (b"a",)),
        ((b"a", b"ba", b"ab", b"a"), (b"ab", b"a"), (b"a", b"ba", b"aba")),
    ],
    ids=["twice", "absent", "second", "single", "cut_elsewhere"],
)
def test_a_pair_is_merged_wherever_it_occurs(impl, tokens, pair, merged):
    """Every occurrence of the pair becomes one token, and everything else stays."""
    assert_close(impl.merge_pair(tokens, pair), merged)


@number("2.p2")
@weight(1)
@tags("merge")
def test_a_run_is_merged_from_the_left(impl):
    """In a run each token is used once, from the left: `aaa` becomes aa, a."""
    assert_close(impl.merge_pair(word("aaa"), (b"a", b"a")), (b"aa", b"a"))


# ---- Task 3: words -------------------------------------------------------------------------------


@number("3.p1")
@weight(1)
@tags("words")
def test_a_word_is_its_bytes(impl):
    """A word is a tuple of single bytes, those of the text's UTF-8: é is two of them."""
    assert_close(impl.count_words("aé"), {(b"a", b"\xc3", b"\xa9"): 1})


@number("3.p2")
@weight(1)
@tags("words")
def test_a_special_token_cuts_the_text(impl):
    """A special token is no word, and what stands on its two sides stays apart."""
    assert_close(impl.count_words("cat<|end|>nip", ["<|end|>"]), {word("cat"): 1, word("nip"): 1})


@number("3.p3")
@weight(1)
@tags("words")
def test_words_are_pretokens_with_their_spaces(impl):
    """Text is cut into pre-tokens, which keep their spaces and their case; equal ones are one word."""
    words = impl.count_words("Low low low  low")

    assert_close(words, {word("Low"): 1, word(" low"): 3, word(" "): 1})


# ---- Task 4: train -------------------------------------------------------------------------------


@number("4.p1")
@weight(1)
@tags("train")
def test_merges_are_chosen_on_the_words_as_they_then_are(impl):
    """Each merge is the best pair of the words that the merges before it left, to the last pair."""
    merges = impl.train(without_ties(), 500, **parts_without_ties())

    assert_close(merges, list(WITHOUT_TIES_MERGES))


@number("4.p2")
@weight(1)
@tags("train")
def test_training_chooses_with_the_function_that_it_is_given(impl):
    """Where two pairs occur equally often, `best` decides, not their order in the corpus."""
    ba_first = {word("ba"): 2, word("ab"): 2}
    parts = lent(
        (ba_first, {(b"b", b"a"): 2, (b"a", b"b"): 2}, (b"a", b"b")),
        ({word("ba"): 2, (b"ab",): 2}, {(b"b", b"a"): 2}, (b"b", b"a")),
    )

    assert_close(impl.train(ba_first, 257, **parts)[:1], [(b"a", b"b")])


@number("4.p3")
@weight(1)
@tags("train")
def test_the_vocabulary_has_the_size_asked_for(impl):
    """The bytes, the merges and the special tokens together are `vocab_size`."""
    merges = impl.train(without_ties(), 256 + 2 + 1, ["<|end|>"], **parts_without_ties())

    assert_close(len(merges), 2, name="number of merges that fit")
    assert_close(merges, list(WITHOUT_TIES_MERGES[:2]))


# ---- Task 5: incremental -------------------------------------------------------------------------


def sennrich_index():
    """What one pass over `sennrich()` can tell, counted by hand."""
    rows = "lo 7 01, ow 7 01, we 8 12, er 2 1, ne 6 2, ew 6 2, es 9 23, st 9 23, wi 3 3, id 3 3, de 3 3"
    counts, where = {}, {}
    for row in rows.split(", "):
        letters, n_times, numbers = row.split()
        counts[word(letters)] = int(n_times)
        where[word(letters)] = {int(number) for number in numbers}
    return counts, where


@number("5.p1")
@weight(1)
@tags("incremental")
def test_the_index_counts_pairs_and_finds_their_words(impl):
    """The index holds how often each pair of the handout's corpus occurs, and the numbers of its words."""
    counts, where = impl.index_pairs(list(sennrich().items()))

    expected_counts, expected_where = sennrich_index()
    assert_close(counts, expected_counts, name="counts")
    assert_close(where, expected_where, name="where")
    counts, where = impl.index_pairs([(word("aaa"), 4), (word("ab"), 1)])
    assert_close(counts, {(b"a", b"a"): 8, (b"a", b"b"): 1}, name="counts of aaa and ab")
    assert_close(where, {(b"a", b"a"): {0}, (b"a", b"b"): {1}}, name="where of aaa and ab")


@number("5.p2")
@weight(2)
@tags("incremental")
def test_training_from_the_index_reads_only_what_it_merges(impl):
    """The merges are right on a corpus without ties, to the last pair, and each word is read once, when it is needed."""
    words = list(without_ties().items())
    counts = {(b"z", b"o"): 8, (b"o", b"n"): 13, (b"n", b"o"): 5, (b"d", b"e"): 1}
    where = {(b"z", b"o"): {0, 1}, (b"o", b"n"): {0, 1}, (b"n", b"o"): {0}, (b"d", b"e"): {2}}
    reads = []

    def read(number):
        reads.append(number)
        return words[number]

    merges = impl.train_incremental(counts, where, read, 9, merge=lent_merge)

    assert_close(merges, list(WITHOUT_TIES_MERGES))
    assert_close(sorted(reads)[:2], [0, 1], name="words read for (o, n)")
    assert_close(len(reads) - len(set(reads)), 0, name="number of times a word is read again")
    reads.clear()
    counts = {(b"z", b"o"): 8, (b"o", b"n"): 13, (b"n", b"o"): 5, (b"d", b"e"): 1}
    where = {(b"z", b"o"): {0, 1}, (b"o", b"n"): {0, 1}, (b"n", b"o"): {0}, (b"d", b"e"): {2}}
    impl.train_incremental(counts, where, read, 3, merge=lent_merge)
    assert_close(reads.count(2), 0, name="number of times that `de` is read before (d, e) is merged")


@number("5.p3")
@weight(1)
@tags("incremental")
def test_training_from_the_index_breaks_ties_by_the_smallest_pair(impl):
    """On the handout's corpus, where pairs tie, the merges are those worked out there."""
    words = list(sennrich().items())
    counts, where = sennrich_index()

    merges = impl.train_incremental(counts, where, lambda number: words[number], 7, merge=lent_merge)

    assert_close(merges, list(SENNRICH_MERGES))


# ---- Task 6: encode ------------------------------------------------------------------------------


@number("6.p1")
@weight(2)
@tags("encode")
def test_merges_are_replayed_in_the_order_of_their_ranks(impl):
    """A word is encoded by the merge of lowest rank first, wherever in the word it stands."""
    ranks = {pair: rank for rank, pair in enumerate(SENNRICH_MERGES)}
    learned = [(b"e", b"r"), (b"h", b"er"), (b"h", b"e"), (b"r", b"e"), (b"w", b"h")]
    english = {pair: rank for rank, pair in enumerate(learned)}

    assert_close(impl.encode_word(b"", ranks), [], name="tokens of the empty word")
    assert_close(impl.encode_word(b"aaa", {(b"a", b"a"): 0}), [b"aa", b"a"], name="tokens of aaa")
    assert_close(impl.encode_word(b"lowest", ranks), [b"low", b"est"], name="tokens of lowest")
    assert_close(impl.encode_word(b"newer", ranks), [b"n", b"ew", b"e", b"r"], name="tokens of newer")
    here, where = impl.encode_word(b"here", english), impl.encode_word(b"where", english)
    assert_close(here, [b"her", b"e"], name="tokens of here")
    assert_close(where, [b"w", b"her", b"e"], name="tokens of where")


@number("6.p2")
@weight(1)
@tags("encode")
def test_a_special_token_is_one_id(impl):
    """Bytes come first, then merges, then special tokens; a special token in the text is one id."""
    tokenizer = impl.Tokenizer([(b"l", b"o"), (b"lo", b"w")], ["<|end|>"])

    assert_close(tokenizer.encode("low<|end|>o w"), [257, 258, ord("o"), ord(" "), ord("w")])


@number("6.p3")
@weight(1)
@tags("encode")
def test_no_token_crosses_from_one_pretoken_to_the_next(impl):
    """Text is encoded pre-token by pre-token: a merge of (o, space) finds no place in `so so`."""
    tokenizer = impl.Tokenizer([(b"o", b" "), (b"s", b"o")])

    assert_close(tokenizer.encode("so so"), [257, ord(" "), 257])


# ---- Task 7: decode ------------------------------------------------------------------------------


@number("7.p1")
@weight(1)
@tags("decode")
def test_ids_become_text_again(impl):
    """A character whose bytes lie in two tokens comes back whole, and a special token as its own text."""
    tokenizer = impl.Tokenizer([(b"a", b"\xc3")], ["<|end|>"])

    assert_close(tokenizer.decode([256, 0xA9]), "aé")
    assert_close(tokenizer.decode([97, 257]), "a<|end|>")


@number("7.p2")
@weight(1)
@tags("decode")
def test_what_is_no_character_is_replaced(impl):
    """Half a character, with something else after it, becomes U+FFFD."""
    tokenizer = impl.Tokenizer([(b"a", b"\xc3")])

    assert_close(tokenizer.decode([256, ord("b")]), "a\ufffdb")


@number("7.p3")
@weight(1)
@tags("decode")
def test_a_saved_tokenizer_is_loaded_equal(impl):
    """The merges and special tokens of the file come back, in the order of the file."""
    text = json.dumps({"special_tokens": ["<|end|>", "<|a|>"], "merges": [["62", "ff"], ["61", "62ff"]], "by": "hand"})

    loaded = impl.Tokenizer.loads(text)

    assert_close(loaded.merges, [(b"b", b"\xff"), (b"a", b"b\xff")])
    assert_close(loaded.special_tokens, ["<|end|>", "<|a|>"])
