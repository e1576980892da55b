"""Graded checks of the BPE assignment.

Inputs come from `rng`. What a later task needs from an earlier one (merges, pair counts, a right
`merge_pair`) is made with the reference and handed in, so that a broken task costs its own points only. Checks of training
replay the submission's own merges: each must be a most frequent pair, whatever the rule for ties, which has a check of its
own in each task.
"""

import json
from itertools import pairwise

import pytest
import regex
from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close
from coursekit.data import languages
from gradescope_utils.autograder_utils.decorators import number, tags, weight

# What tokenizers stumble over: several code points to one letter on the screen, characters of one to four
# bytes, runs of white space, contractions, digits of other scripts, controls.
EMOJI = ["\U0001f469\u200d\U0001f52c", "\U0001f1eb\U0001f1ee", "\U0001f44b\U0001f3fd", "𝔘"]
MARKS = ["e\u0301", "n\u0303", "q\u0307\u0323", "\u200b", "\ufeff", "ß", "İ", "ﬁ", "½"]
SPACES = ["  ", "\n\n", " \t ", "\r\n", "\u3000"]
PARTS = ["don't", "we'll", "I'd", " 3.14", "\u0663\u0664", "C++", "<|", "|>", "_", "\x00"]
ODD = EMOJI + MARKS + SPACES + PARTS
SPECIAL = ["<|end|>", "<|end|><|pad|>", "[MASK]", "<|é|>"]


def single_bytes(data):
    """Bytes as a word of single bytes."""
    return tuple(data[i : i + 1] for i in range(len(data)))


def random_words(rng, n_words, alphabet=b"abcd", longest=8, most=9):
    """Distinct words of single bytes over an alphabet, each with a number of times from 1 to `most`."""
    words = {}
    for _ in range(n_words):
        data = bytes(rng.choice(list(alphabet), int(rng.integers(1, longest + 1))).tolist())
        words[single_bytes(data)] = int(rng.integers(1, most + 1))
    return words


def shuffled(rng, mapping):
    """The same mapping in another order."""
    items = list(mapping.items())
    return {items[i][0]: items[i][1] for i in rng.permutation(len(items))}


def random_text(rng, n_parts=30):
    """Stretches of many languages with odd characters between them."""
    texts = list(languages().values())
    parts = []
    for _ in range(n_parts):
        text = texts[rng.integers(len(texts))]
        start = int(rng.integers(len(text)))
        parts.append(text[start : start + int(rng.integers(1, 25))])
        parts.append(ODD[rng.integers(len(ODD))])
    return "".join(parts)


def sprinkled(rng, text, special_tokens, n=12):
    """Text with special tokens at both ends, at random places inside words, and two side by side."""
    cuts = sorted(rng.integers(1, len(text), size=n).tolist())
    pieces = [text[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    picks = [special_tokens[i] for i in rng.integers(len(special_tokens), size=n - 1)]
    between = ["", *picks[:4], picks[0] + picks[1], *picks[4:]]
    joined = "".join(token + piece for token, piece in zip(between, pieces, strict=True))
    return special_tokens[0] + joined + special_tokens[-1]


def learned(reference, text, n_merges):
    """Merges that the reference learns from text."""
    words = list(reference.count_words(text).items())
    counts, where = reference.index_pairs(words)
    return reference.train_incremental(counts, where, lambda i: words[i], n_merges)


def ranked(merges):
    """Each merge with its rank."""
    return {pair: rank for rank, pair in enumerate(merges)}


# ---- 1 pairs -------------------------------------------------------------------------------------


@number("1.1")
@weight(3)
@tags("pairs")
@pytest.mark.parametrize("tokens", ["letters", "any_bytes", "long_tokens"])
def test_a_pair_counts_as_often_as_the_words_that_hold_it(agree, rng, tokens):
    """A pair's count is the sum over all words that hold it of how often each occurs."""
    # No token stands twice in a word, so that nothing hangs on runs and repeats: they have a check of their own.
    pieces = {
        "letters": [bytes([byte]) for byte in b"abcdefg"],
        "any_bytes": [bytes([byte]) for byte in range(0, 256, 15)],
        "long_tokens": [b"a", b"ab", b"b", b"bab", "é".encode(), b"ba"],
    }[tokens]
    words = {}
    for _ in range(40):
        length = int(rng.integers(1, len(pieces) + 1))
        word = tuple(pieces[i] for i in rng.permutation(len(pieces))[:length])
        words[word] = int(rng.integers(1, 51))

    agree("count_pairs", words)


@number("1.2")
@weight(2)
@tags("pairs")
@pytest.mark.parametrize("repeats", ["runs", "pairs"])
def test_pairs_are_counted_at_every_place_of_a_word(agree, rng, repeats):
    """A pair that stands in a word several times counts each time, overlapping places included."""
    words = {
        "runs": [b"a" * int(k) for k in rng.permutation(range(1, 10))] + [b"baaab", b"aabaaa"],
        "pairs": [b"ab" * int(k) for k in rng.permutation(range(1, 6))] + [b"abcab", b"abcabcab", b"cdcd"],
    }[repeats]

    agree("count_pairs", dict.fromkeys(map(single_bytes, words), 1))


@number("1.3")
@weight(1)
@tags("pairs")
def test_the_most_frequent_pair_is_best(agree, rng):
    """Where one pair is the most frequent alone it is the best, wherever it stands and whatever its bytes are."""
    pieces = [b"a", b"ab", b"b", b"\xc3", b"z"]
    tables = []
    for _ in range(8):
        pairs = list({(pieces[i], pieces[j]): 0 for i, j in rng.integers(len(pieces), size=(12, 2))})
        tables.append({pair: int(n) for pair, n in zip(pairs, rng.permutation(99)[: len(pairs)] + 1, strict=True)})

    agree(lambda impl: [impl.best_pair(table) for table in tables])


@number("1.4")
@weight(3)
@tags("pairs")
@pytest.mark.parametrize("tokens", ["letters", "prefixes", "any_bytes"])
def test_ties_go_to_the_smallest_pair_of_byte_strings(agree, rng, tokens):
    """Of the most frequent pairs the smallest pair of byte strings is best, in any order of the counts."""
    pieces = {
        "letters": [b"a", b"b", b"c", b"d"],
        "prefixes": [b"a", b"ab", b"aba", b"b", b"ba", b"bab"],
        "any_bytes": [bytes([byte]) for byte in (0, 9, 65, 127, 128, 195, 255)] + [b"\xc3\xa9", b"\xe4\xba"],
    }[tokens]
    tables = []
    for _ in range(12):
        pairs = {(pieces[i], pieces[j]): 0 for i, j in rng.integers(len(pieces), size=(14, 2))}
        tables.append(shuffled(rng, {pair: int(rng.integers(5, 7)) for pair in pairs}))
    # Here the smallest pair, (a, c), neither comes first nor makes the smallest token, which is ab + a.
    tables.append({(b"b", b"a"): 3, (b"a", b"c"): 3, (b"ab", b"a"): 3})

    agree(lambda impl: [impl.best_pair(table) for table in tables])


@number("1.5")
@weight(1)
@tags("pairs")
def test_counting_and_choosing_leave_their_tables_alone(impl, rng):
    """The words and the counts handed in are the same after the call as before."""
    # One word, no repeats, no ties: the right answers hang on nothing that another check asks for.
    n = int(rng.integers(2, 9))

    counts = assert_leaves_arguments(impl.count_pairs, {(b"a", b"b", b"c"): 1}, name="count_pairs")
    best = assert_leaves_arguments(impl.best_pair, {(b"a", b"b"): n, (b"b", b"c"): n + 1}, name="best_pair")

    assert_close(counts, {(b"a", b"b"): 1, (b"b", b"c"): 1}, name="counts")
    assert_close(best, (b"b", b"c"), name="best pair")


# ---- 2 merge -------------------------------------------------------------------------------------


@number("2.1")
@weight(3)
@tags("merge")
@pytest.mark.parametrize(
    "alphabet", [b"ab", b"abc", bytes(range(120, 200))], ids=["two_letters", "three_letters", "any_bytes"]
)
def test_every_occurrence_is_merged_and_all_else_is_kept(agree, rng, alphabet):
    """The pair is replaced at the start, in the middle and at the end of the word, and nothing is lost."""
    words = list(random_words(rng, 12, alphabet, longest=12))
    left, right = bytes([alphabet[0]]), bytes([alphabet[1]])
    words += [
        (left, right),
        (right, left),
        (left,),
        (),
        (left, right, right, left, right, left),
        (left, right) * 3,
    ]

    agree(lambda impl: [impl.merge_pair(word, (left, right)) for word in words])


@number("2.2")
@weight(2)
@tags("merge")
def test_runs_are_merged_from_the_left_without_overlap(agree, rng):
    """A run is merged from left to right, each token once; an odd one stays at the end."""
    runs = [(b"a",) * int(k) for k in rng.permutation(range(1, 10))]
    words = [word for run in runs for word in (run, (b"b", *run, b"c", *run))]

    agree(lambda impl: [impl.merge_pair(word, (b"a", b"a")) for word in words])


@number("2.3")
@weight(2)
@tags("merge")
def test_the_pair_is_these_two_tokens_and_no_others(agree, rng):
    """Neighbors are merged only if each equals its own token; joining to the same bytes is not enough."""
    pieces = [b"a", b"b", b"ab", b"ba", b"aba"]
    words = [tuple(pieces[i] for i in rng.integers(len(pieces), size=10)) for _ in range(8)]
    words += [(b"ab", b"a", b"b"), (b"a", b"ba", b"a"), (b"aba",)]

    agree(lambda impl: [impl.merge_pair(word, (b"a", b"ba")) for word in words])


# ---- 3 words -------------------------------------------------------------------------------------


@number("3.1")
@weight(3)
@tags("words")
@pytest.mark.parametrize("text", ["languages", "emoji"])
def test_words_are_the_bytes_of_the_text(agree, rng, text):
    """Every byte of the text's UTF-8 is in the word, in any script."""
    # One pre-token at a time, in lower case: spaces, case and borders have a check of their own.
    pretokens = {
        "languages": regex.findall(r"[\p{L}\p{M}]+", "".join(languages().values()).lower()),
        "emoji": [*EMOJI[:3], "e\u0301", "n\u0303", "ß", "½", "\u0663\u0664"],
    }[text]
    chosen = [pretokens[i] for i in rng.integers(len(pretokens), size=12)] + [pretokens[-1], "尊严"]

    agree(lambda impl: [impl.count_words(pretoken) for pretoken in chosen])


@number("3.2")
@weight(3)
@tags("words")
@pytest.mark.parametrize("special_tokens", [SPECIAL[:1], SPECIAL], ids=["one", "overlapping"])
def test_special_tokens_cut_the_text_and_are_not_counted(agree, rng, special_tokens):
    """A special token is no word, no part of a word, and keeps what stands on its two sides apart."""
    letters = bytes(rng.integers(97, 123, size=60).tolist()).decode()

    agree("count_words", sprinkled(rng, letters, special_tokens), special_tokens)


@number("3.3")
@weight(3)
@tags("words")
def test_pretokens_keep_their_spaces_and_their_case(agree, rng):
    """A space belongs to the word after it, runs of white space are words too, and equal ones are one word."""
    spaces = [" ", "  ", "\n", " \n ", "\t", ""]
    vocabulary = ["low", "Lower", "it's", "42", "LOW", "!?", "x_1"]
    parts = [vocabulary[i] + spaces[j] for i, j in rng.integers([len(vocabulary), len(spaces)], size=(60, 2))]

    agree("count_words", " " + "".join(parts) + " It  ")


# ---- 4 train -------------------------------------------------------------------------------------


def pairs_of_tokens(merges):
    """The merges, after refusing what is no list of pairs of byte strings."""
    is_list = isinstance(merges, list) and all(
        isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(token, bytes) for token in pair)
        for pair in merges
    )
    assert_close(is_list, True, name="whether the merges are a list of pairs of byte strings")
    return merges


def assert_most_frequent(reference, words, merges):
    """Each merge is a most frequent pair of the words as the merges before it left them, whatever the rule for ties.

    Returns:
        The words after the last merge.
    """
    for n, pair in enumerate(pairs_of_tokens(merges)):
        counts = reference.count_pairs(words)
        most = max(counts.values(), default=1)  # where no pair is left, none can be merged
        is_best = counts.get(pair, 0) == most
        assert_close(is_best, True, name=f"whether merge {n} is a most frequent pair of the words as they then are")
        joined = {}
        for word, n_times in words.items():
            merged = reference.merge_pair(word, pair)
            joined[merged] = joined.get(merged, 0) + n_times
        words = joined
    return words


def lent_parts(reference):
    """Right functions for `train` to call."""
    return {"count": reference.count_pairs, "best": reference.best_pair, "merge": reference.merge_pair}


@number("4.1")
@weight(3)
@tags("train")
def test_each_merge_is_chosen_on_the_words_as_they_then_are(impl, rng, reference):
    """Every merge is a most frequent pair of the words that the earlier merges left; the list keeps their order."""
    words = random_words(rng, 30, longest=9, most=200)

    merges = pairs_of_tokens(impl.train(words, 256 + 12, **lent_parts(reference)))[:12]

    assert_close(len(merges) >= 11, True, name="whether there are about as many merges as asked for")
    assert_most_frequent(reference, words, merges)


@number("4.2")
@weight(3)
@tags("train")
@pytest.mark.parametrize("n_special", [0, 1, 4])
def test_the_vocabulary_has_exactly_the_size_asked_for(impl, rng, reference, n_special):
    """256 bytes, the merges and the special tokens together are exactly `vocab_size`, from no merge on."""
    words = random_words(rng, 25, longest=9, most=200)

    for n_merges in (0, 1, int(rng.integers(2, 8))):
        size = 256 + n_merges + n_special
        merges = impl.train(words, size, SPECIAL[:n_special], **lent_parts(reference))
        assert_close(len(pairs_of_tokens(merges)), n_merges, name="number of merges")
        assert_most_frequent(reference, words, merges)


@number("4.3")
@weight(1)
@tags("train")
def test_training_ends_only_when_no_pair_is_left(impl, rng, reference):
    """A pair that occurs once is merged too; when every word is a single token there is nothing left."""
    data = bytes(rng.permutation(range(97, 123))[:9].tolist())
    words = {single_bytes(data[:5]): 1, single_bytes(data[5:]): 1, single_bytes(data[:1]): 3}

    merges = impl.train(words, 300, **lent_parts(reference))
    nothing = impl.train({single_bytes(data[:1]): 3}, 300, **lent_parts(reference))

    left = assert_most_frequent(reference, words, merges)
    assert_close(sorted(map(len, left)), [1, 1, 1], name="number of tokens of each word in the end")
    assert_close(nothing, [], name="merges of a corpus without pairs")


@number("4.4")
@weight(3)
@tags("train")
def test_merges_do_not_depend_on_the_order_of_the_words(agree, rng, reference):
    """The same words in another order give the same merges, those that `best` chooses."""
    words = random_words(rng, 16, longest=6, most=2)  # few and rare, so nearly every choice is a tie
    orders = [shuffled(rng, words) for _ in range(2)]

    def first_ten(impl, order):
        return impl.train(order, 256 + 10, **lent_parts(reference))[:9]  # how many there are is not asked here

    merges = [agree(first_ten, order) for order in orders]

    assert merges[0] == merges[1]


@number("4.5")
@weight(1)
@tags("train")
def test_training_leaves_the_words_alone(impl, reference):
    """The words and the special tokens handed in are the same after training as before."""
    words = {single_bytes(b"abc"): 2, single_bytes(b"bc"): 1, single_bytes(b"d"): 4}

    merges = assert_leaves_arguments(impl.train, words, 258, ["<|end|>"], name="train", **lent_parts(reference))

    assert_close(pairs_of_tokens(merges)[:1], [(b"b", b"c")], name="the first merge")


# ---- 5 incremental -------------------------------------------------------------------------------


def trained(impl, reference, words, n_merges):
    """The merges of the submission from a right index, and the numbers of the words that it read, in order.

    The words stay here, in the check: an implementation sees a word only by asking for it, so rescanning the corpus can't
    be hidden.
    """
    counts, where = reference.index_pairs(words)
    reads = []

    def read(number):
        reads.append(number)
        return words[number]

    merges = impl.train_incremental(counts, where, read, n_merges, merge=reference.merge_pair)
    return pairs_of_tokens(merges), reads


@number("5.1")
@weight(3)
@tags("incremental")
@pytest.mark.parametrize("alphabet", [b"ab", b"abcdefgh"], ids=["runs", "letters"])
def test_the_index_counts_pairs_and_finds_their_words(agree, rng, alphabet):
    """The counts are those of all words with their frequencies; a pair's set holds the words that have it."""
    words = list(random_words(rng, 40, alphabet, longest=9).items())

    agree("index_pairs", words)

    agree(lambda impl: assert_leaves_arguments(impl.index_pairs, words, name="index_pairs"))


@number("5.2")
@weight(4)
@tags("incremental")
def test_updated_counts_choose_what_a_recount_would_choose(impl, rng, reference):
    """Each merge is a most frequent pair, as counting everything anew before it would find, to the last one."""
    words = random_words(rng, 40, b"abcdef", longest=8, most=60)

    merges, _ = trained(impl, reference, list(words.items()), 20)

    assert_close(len(merges), 20, name="number of merges")
    assert_most_frequent(reference, words, merges)


@number("5.3")
@weight(3)
@tags("incremental")
def test_counts_are_right_where_merges_touch(impl, rng, reference):
    """Counts stay right where the merged pair stands twice in a row, and in runs."""
    stems = [b"ab", b"aab", b"abb", b"a", b"b", b"aba"]
    words = {}
    for _ in range(25):
        i, j = rng.integers(len(stems), size=2)
        data = stems[i] * int(rng.integers(1, 6)) + stems[j] * int(rng.integers(1, 4))
        words[single_bytes(data)] = int(rng.integers(1, 60))

    merges, _ = trained(impl, reference, list(words.items()), 15)

    assert_close(len(merges), 15, name="number of merges")
    assert_most_frequent(reference, words, merges)


@number("5.4")
@weight(4)
@tags("incremental")
def test_only_words_that_hold_the_merged_pair_are_read_and_only_once(impl, rng, reference):
    """A merge reads only words that hold its pair at that moment, none twice: the corpus is never scanned again."""
    # The first words' pairs are all chosen before any of the others', which never need to be read.
    words = {word: 1000 * n for word, n in random_words(rng, 12, b"abc", longest=6).items()}
    words |= random_words(rng, 60, b"uvwxyz", longest=6, most=1)
    words = list(shuffled(rng, words).items())

    merges, reads = trained(impl, reference, words, 6)

    assert_close(len(merges), 6, name="number of merges")
    assert_close(len(reads) - len(set(reads)), 0, name="number of times a word is read again")
    needed = set()  # by the submission's own merges, so that a wrong choice is not charged here
    for number_of, (word, _) in enumerate(words):
        for pair in merges:
            if pair in pairwise(word):
                needed.add(number_of)
            word = reference.merge_pair(word, pair)
    assert_close(len(set(reads) - needed), 0, name="number of words read without need")
    held = [any(pair in pairwise(word) for word, _ in words) for pair in merges[:1]]
    assert_close(held, [True], name="whether the first merge is a pair of the corpus")


@number("5.5")
@weight(2)
@tags("incremental")
def test_pairs_that_no_longer_occur_are_never_merged(impl, rng, reference):
    """When every word has become one token, training ends, however many merges were asked for."""
    # Each letter stands in one word only and once, so that any order of merges is a right one.
    letters = bytes(rng.permutation(range(97, 123)).tolist())
    words = [(single_bytes(letters[i : i + 4]), 2) for i in range(0, 24, 4)]

    merges, _ = trained(impl, reference, words, 200)
    none, _ = trained(impl, reference, words, 0)

    left = assert_most_frequent(reference, dict(words), merges)
    assert_close(sorted(map(len, left)), [1] * len(words), name="number of tokens of each word in the end")
    assert_close(none, [], name="merges when none is asked for")


@number("5.6")
@weight(2)
@tags("incremental")
def test_ties_are_broken_as_best_pair_breaks_them(agree, rng, reference):
    """Where several pairs are the most frequent the smallest pair of byte strings is merged first."""
    # Every pair of these words occurs equally often at the start, and no letter stands twice.
    letters = bytes(rng.permutation(range(97, 123)).tolist())
    words = [(single_bytes(letters[i : i + 3]), 5) for i in range(0, 24, 3)]

    agree(lambda impl: trained(impl, reference, words, 16)[0])


# ---- 6 encode ------------------------------------------------------------------------------------


@number("6.1")
@weight(3)
@tags("encode")
@pytest.mark.parametrize("merges", ["two_letters", "four_letters", "by_hand"])
def test_words_are_encoded_by_merge_rank(agree, rng, reference, merges):
    """Of all merges possible in a word the one learned first comes first, not the leftmost or the longest."""
    if merges == "by_hand":
        # By rank x·yz and pqr·s; the leftmost first xy·z and pq·rs; the longest first xy·z and pqr·s.
        pairs = [(b"y", b"z"), (b"q", b"r"), (b"p", b"qr"), (b"x", b"y"), (b"p", b"q"), (b"r", b"s")]
        prefix = bytes(rng.integers(48, 58, size=int(rng.integers(0, 4))).tolist())
        agree(lambda impl: [impl.encode_word(prefix + data, ranked(pairs)) for data in (b"xyz", b"pqrs")])
        return
    alphabet = {"two_letters": b"ab", "four_letters": b"abcd"}[merges]
    words = list(random_words(rng, 60, alphabet, longest=9).items())
    counts, where = reference.index_pairs(words)
    ranks = ranked(reference.train_incremental(counts, where, lambda i: words[i], 25))
    unseen = [b"".join(word) for word in random_words(rng, 25, alphabet, longest=14)]

    agree(lambda impl: [impl.encode_word(data, ranks) for data in [*unseen, b"", b"a", b"\xff\x00"]])


# No byte stands in two of these, so they never compete: in which order a word is merged is not asked where they are used.
# Some cross the border between two pre-tokens, and would be used there.
DISJOINT = [(b"t", b"h"), (b"e", b" "), (b"i", b"n"), (b".", b"\n"), (b"\xd0", b"\xbe"), (b"a", b"l"), (b"d", b",")]


@number("6.2")
@weight(4)
@tags("encode")
@pytest.mark.parametrize("text", ["languages", "odd"])
def test_text_is_encoded_pretoken_by_pretoken(agree, rng, text):
    """Ids are those of each pre-token encoded for itself, in any script, and the order of the merges is that of the ids."""
    merges = [DISJOINT[i] for i in rng.permutation(len(DISJOINT))]
    texts = {
        "languages": "the line. all\n" + "\n".join(value[:70] for value in languages().values()),
        "odd": "the end, " + random_text(rng, 20),
    }

    agree(lambda impl: impl.Tokenizer(merges).encode(texts[text]))


@number("6.3")
@weight(3)
@tags("encode")
@pytest.mark.parametrize("special_tokens", [SPECIAL[:1], SPECIAL], ids=["one", "overlapping"])
def test_a_special_token_in_text_is_one_id(agree, rng, special_tokens):
    """A special token becomes its own id wherever it stands, and what is beside it is encoded as if alone."""
    text = "".join(character for character in random_text(rng, 12) if character.isalpha())
    merges = [(b"<", b"|"), (b"e", b"n"), (b"|", b">"), (b"A", b"S")]  # pieces of special tokens
    texts = [sprinkled(rng, text, special_tokens), "".join(special_tokens), special_tokens[0] * 3, ""]

    agree(lambda impl: [impl.Tokenizer(merges, special_tokens).encode(text) for text in texts])


@number("6.4")
@weight(2)
@tags("encode")
def test_equal_pairs_are_merged_from_the_left(agree, rng):
    """In a run of equal bytes the leftmost pair is merged first, so an odd one stays at the end."""
    ranks = ranked([(b"a", b"a"), (b"aa", b"aa"), (b"b", b"b"), (b"aa", b"bb")])
    words = [
        b"a" * int(k) + b"b" * int(rng.integers(0, 4)) + b"a" * int(rng.integers(0, 4))
        for k in rng.permutation(range(1, 12))
    ]

    agree(lambda impl: [impl.encode_word(data, ranks) for data in words])


@number("6.5")
@weight(1)
@tags("encode")
def test_a_rank_belongs_to_a_pair_and_not_to_its_bytes(agree, rng):
    """Two tokens that join to the bytes of a merge, cut elsewhere, have no rank and stay apart."""
    w, x, y, z = (bytes([byte]) for byte in rng.permutation(range(97, 123))[:4].tolist())
    ranks = ranked([(x, y), (y, z), (x, y + z), (w, x)])

    agree(lambda impl: [impl.encode_word(data, ranks) for data in (x + y + z, w + x + y)])


@number("6.6")
@weight(1)
@tags("encode")
def test_encoding_leaves_the_ranks_alone(impl, rng):
    """The table of ranks handed in is the same after the call as before."""
    x, y, z = (bytes([byte]) for byte in rng.permutation(range(97, 123))[:3].tolist())

    tokens = assert_leaves_arguments(impl.encode_word, x + y + z, {(y, z): 0}, name="encode_word")

    assert_close(tokens, [x, y + z], name="tokens")


# ---- 7 decode ------------------------------------------------------------------------------------


@number("7.1")
@weight(3)
@tags("decode")
def test_decoding_undoes_encoding(agree, rng, reference):
    """decode(encode(text)) is text, with emoji, combining marks and characters whose bytes lie in several tokens."""
    text = random_text(rng)
    merges = learned(reference, random_text(rng), 50)
    ids = reference.Tokenizer(merges).encode(text)

    decoded = agree(lambda impl: impl.Tokenizer(merges).decode(ids))

    assert decoded == text


@number("7.2")
@weight(3)
@tags("decode")
@pytest.mark.parametrize("ids", ["lone_bytes", "cut_short"])
def test_what_is_not_utf8_becomes_the_replacement_character(agree, rng, ids):
    """Any known ids decode, with U+FFFD for bytes that are not UTF-8, at the end of a text as well as inside."""
    letters = rng.integers(97, 123, size=6).tolist()
    sequences = [[0xC3, letters[0]], [0xFF], [], [letters[1], 0x80, letters[2], 0xC3], [0xE5, letters[3], 0xB0]]
    if ids == "cut_short":  # the bytes before the cut lie in one token, so that joining them is not asked here
        sequences = [[256], [letters[4], 257], [256, letters[5], 257]]
    merges = [(b"\xe5", b"\xb0"), (b"\xf0", b"\x9f")]

    agree(lambda impl: [impl.Tokenizer(merges).decode(sequence) for sequence in sequences])


@number("7.3")
@weight(1)
@tags("decode")
def test_special_tokens_decode_to_their_text(agree, rng, reference):
    """A special token's id decodes to the special token, beside other text and alone."""
    text = sprinkled(rng, bytes(rng.integers(97, 123, size=40).tolist()).decode(), SPECIAL)
    ids = reference.Tokenizer([(b"a", b"b")], SPECIAL).encode(text)

    agree(
        lambda impl: [
            impl.Tokenizer([(b"a", b"b")], SPECIAL).decode(sequence) for sequence in (ids, [257], [258, 260])
        ]
    )


def contents(tokenizer):
    """What makes two tokenizers equal: merges and special tokens in order, and so the vocabulary."""
    return [tokenizer.merges, tokenizer.special_tokens, len(tokenizer), tokenizer.vocab]


@number("7.4")
@weight(2)
@tags("decode")
@pytest.mark.parametrize("written_by", ["dumps", "another program"])
def test_a_file_is_loaded_whoever_wrote_it(agree, rng, reference, written_by):
    """Text in the stated format is loaded with all merges and special tokens in order, whatever its white space."""
    merges = learned(reference, random_text(rng), 30)
    special_tokens = [SPECIAL[i] for i in rng.permutation(len(SPECIAL))]
    data = {
        "made by": "another program",
        "special_tokens": special_tokens,
        "merges": [[left.hex(), right.hex()] for left, right in merges],
    }
    text = json.dumps(data, indent=2, ensure_ascii=False)
    if written_by == "dumps":
        text = reference.Tokenizer(merges, special_tokens).dumps()

    agree(lambda impl: contents(impl.Tokenizer.loads(text)))
