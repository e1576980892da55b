"""Public checks of the BPE assignment: small cases done by hand, all of which the handout shows or states."""

import pytest
from coursekit.compare import assert_close
from gradescope_utils.autograder_utils.decorators import number, tags, weight


def word(text):
    """A word of single bytes."""
    return tuple(bytes([byte]) for byte in text.encode("utf-8"))


# The corpus of Sennrich et al. 2016 and its merges, worked out by hand in the handout.
CORPUS = {word("low"): 5, word("lower"): 2, word("newest"): 6, word("widest"): 3}
CORPUS_MERGES = [
    (b"e", b"s"),
    (b"es", b"t"),
    (b"l", b"o"),
    (b"lo", b"w"),
    (b"e", b"w"),
    (b"ew", b"est"),
    (b"n", b"ewest"),
]


@number("1.p1")
@weight(2)
@tags("pairs")
def test_pairs_are_counted_at_every_position(impl):
    """In `aaa` the pair (a, a) counts twice, in `aaaa` three times; a word counts as often as it occurs."""
    counts = impl.count_pairs({word("aaa"): 1, word("aaaa"): 10, word("ab"): 5, word("b"): 7})

    assert_close(counts, {(b"a", b"a"): 32, (b"a", b"b"): 5})


@number("1.p2")
@weight(1)
@tags("pairs")
def test_of_equally_frequent_pairs_the_smallest_is_best(impl):
    """The most frequent pair is best; of several, the smallest pair of byte strings, wherever it stands."""
    counts = {(b"b", b"c"): 7, (b"ab", b"a"): 7, (b"a", b"bc"): 7, (b"a", b"a"): 1}

    assert_close(impl.best_pair(counts), (b"a", b"bc"))


@number("2.p1")
@weight(2)
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


@number("3.p1")
@weight(2)
@tags("words")
def test_words_are_pretokens_as_single_bytes(impl):
    """Text is cut at special tokens and into pre-tokens; each becomes a tuple of the bytes of its UTF-8."""
    words = impl.count_words("aé aé<|end|>b", ["<|end|>"])

    a_acute = (b"a", b"\xc3", b"\xa9")
    assert_close(words, {a_acute: 1, (b" ", *a_acute): 1, (b"b",): 1})


@number("4.p1")
@weight(3)
@tags("train")
def test_the_worked_example_gives_its_merges_in_order(impl):
    """On the corpus of the handout the first seven merges are those worked out there, in that order."""
    assert_close(impl.train(CORPUS, 256 + 7), CORPUS_MERGES)
    assert_close(impl.train(CORPUS, 256 + 7 + 2, ["<|end|>", "<|pad|>"]), CORPUS_MERGES)


@number("5.p1")
@weight(3)
@tags("incremental")
def test_the_index_leads_to_the_same_merges(impl):
    """Training from the index gives the merges of the plain way, and reads only words with the merged pair."""
    words = list(CORPUS.items())
    reads = []

    def read(number):
        reads.append(number)
        return words[number]

    counts, where = impl.index_pairs(words)

    assert_close(where[b"e", b"s"], {2, 3}, name="where[e, s]")
    assert_close(impl.train_incremental(counts, where, read, 2), CORPUS_MERGES[:2])
    assert_close(sorted(reads), [2, 3], name="words read for (e, s) and (es, t)")
    assert_close(impl.train_incremental(*impl.index_pairs(words), read, 7), CORPUS_MERGES)


@number("6.p1")
@weight(2)
@tags("encode")
@pytest.mark.parametrize(
    ("text", "merges", "tokens"),
    [
        (b"lowest", CORPUS_MERGES, [b"low", b"est"]),
        (b"newer", CORPUS_MERGES, [b"n", b"ew", b"e", b"r"]),
        (b"", CORPUS_MERGES, []),
        (b"abc", [(b"b", b"c"), (b"a", b"b")], [b"a", b"bc"]),
    ],
    ids=["unseen", "partly", "empty", "not_leftmost"],
)
def test_merges_are_replayed_in_the_order_of_their_ranks(impl, text, merges, tokens):
    """A word is encoded by the merge of lowest rank first, wherever in the word it stands."""
    ranks = {pair: rank for rank, pair in enumerate(merges)}

    assert_close(impl.encode_word(text, ranks), tokens)


@number("6.p2")
@weight(1)
@tags("encode")
def test_a_special_token_is_one_id(impl):
    """Bytes come first, then merges, then special tokens; a special token in the text is one id."""
    tokenizer = impl.Tokenizer([(b"l", b"o"), (b"lo", b"w")], ["<|end|>"])

    assert_close(tokenizer.encode("low<|end|>o w"), [257, 258, ord("o"), ord(" "), ord("w")])


@number("7.p1")
@weight(1)
@tags("decode")
def test_ids_become_text_again(impl):
    """Bytes are joined before they are decoded, and what is not UTF-8 becomes U+FFFD."""
    tokenizer = impl.Tokenizer([(b"a", b"\xc3")])

    assert_close(tokenizer.decode([256, 0xA9]), "aé")
    assert_close(tokenizer.decode([256, ord("b")]), "a\ufffdb")


@number("8.p1")
@weight(1)
@tags("save")
def test_a_saved_tokenizer_is_loaded_equal(impl):
    """Loading what was saved gives the same merges and special tokens in the same order."""
    merges = [(b"b", b"\xff"), (b"a", b"b\xff")]
    special_tokens = ["<|end|>", "<|a|>"]

    loaded = impl.Tokenizer.loads(impl.Tokenizer(merges, special_tokens).dumps())

    assert_close(loaded.merges, merges)
    assert_close(loaded.special_tokens, special_tokens)


@number("9.p1")
@weight(1)
@tags("fertility")
def test_tokens_are_counted_per_character(impl):
    """A tokenizer of single bytes spends one token on each English letter and three on a Chinese character."""
    per_character = impl.tokens_per_character(
        lambda text: list(text.encode("utf-8")), {"English": "low", "Chinese": "尊严"}
    )

    assert_close(per_character, {"English": 1.0, "Chinese": 3.0})


@number("9.p2")
@weight(1)
@tags("fertility")
def test_compression_is_bytes_over_tokens(impl):
    """A tokenizer that gives each character one token saves two of every three bytes of Chinese."""
    texts = {"English": "low", "Chinese": "尊严"}

    assert_close(impl.bytes_per_token(lambda text: [ord(character) for character in text], texts), 9 / 5)
