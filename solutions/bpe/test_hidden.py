"""Graded checks of the BPE assignment.

Inputs come from `rng`. What a later task needs from an earlier one (merges, pair counts, a right
`merge_pair`) is made with the reference and handed in, so that a broken task costs its own points only.
"""

import json

import pytest
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


def refuses(function, *args):
    """Whether a call raises ValueError."""
    try:
        function(*args)
    except ValueError:
        return True
    return False


def ranked(merges):
    """Each merge with its rank."""
    return {pair: rank for rank, pair in enumerate(merges)}


# ---- 1 pairs -------------------------------------------------------------------------------------


@number("1.1")
@weight(3)
@tags("pairs")
@pytest.mark.parametrize("tokens", ["letters", "any_bytes", "long_tokens"])
def test_every_pair_is_counted_as_often_as_its_words_occur(agree, rng, tokens):
    """A pair's count is the sum over all words of its places in the word times how often the word occurs."""
    words = random_words(rng, 40, alphabet=bytes(range(256)) if tokens == "any_bytes" else b"abcde", most=50)
    if tokens == "long_tokens":
        pieces = [b"a", b"ab", b"b", b"bab", "é".encode()]
        words = {
            tuple(pieces[i] for i in rng.integers(len(pieces), size=k % 7 + 1)): n
            for k, n in enumerate(words.values())
        }

    agree("count_pairs", words)


@number("1.2")
@weight(2)
@tags("pairs")
def test_pairs_in_runs_are_counted_at_every_place(agree, rng):
    """A run of k equal tokens holds k - 1 pairs, overlapping ones included; one token holds none."""
    words = {(b"a",) * int(k): int(rng.integers(1, 20)) for k in rng.permutation(range(1, 10))}
    words |= {(b"b", *word, b"b"): n for word, n in list(words.items())[:4]}

    agree("count_pairs", words)


@number("1.3")
@weight(4)
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
    """Neighbours are merged only if each equals its own token; joining to the same bytes is not enough."""
    pieces = [b"a", b"b", b"ab", b"ba", b"aba"]
    words = [tuple(pieces[i] for i in rng.integers(len(pieces), size=10)) for _ in range(8)]
    words += [(b"ab", b"a", b"b"), (b"a", b"ba", b"a"), (b"aba",)]

    agree(lambda impl: [impl.merge_pair(word, (b"a", b"ba")) for word in words])


# ---- 3 words -------------------------------------------------------------------------------------


@number("3.1")
@weight(3)
@tags("words")
@pytest.mark.parametrize("text", ["languages", "odd"])
def test_words_are_the_bytes_of_the_text(agree, rng, text):
    """Every byte of the text's UTF-8 is in some word, in any script; lone surrogates are refused."""
    texts = {"languages": "".join(shuffled(rng, languages()).values()), "odd": random_text(rng)}

    agree("count_words", texts[text])
    agree(lambda impl: refuses(impl.count_words, texts[text][:20] + "\ud83d"))


@number("3.2")
@weight(3)
@tags("words")
@pytest.mark.parametrize("special_tokens", [SPECIAL[:1], SPECIAL], ids=["one", "overlapping"])
def test_special_tokens_cut_the_text_and_are_not_counted(agree, rng, special_tokens):
    """A special token is no word, no part of a word, and keeps what stands on its two sides apart."""
    agree("count_words", sprinkled(rng, random_text(rng), special_tokens), special_tokens)


@number("3.3")
@weight(3)
@tags("words")
def test_pretokens_keep_their_spaces(agree, rng):
    """A space belongs to the word after it, runs of white space are words too, and equal ones are one word."""
    spaces = [" ", "  ", "\n", " \n ", "\t", ""]
    vocabulary = ["low", "lower", "it's", "42", "naïve", "!?", "низ"]
    parts = [vocabulary[i] + spaces[j] for i, j in rng.integers([len(vocabulary), len(spaces)], size=(60, 2))]

    agree("count_words", " " + "".join(parts) + "  ")


# ---- 4 train -------------------------------------------------------------------------------------


def train_with_right_parts(reference):
    """A scenario: `train` with the reference's three parts lent."""

    def scenario(impl, *args):
        return impl.train(
            *args, count=reference.count_pairs, best=reference.best_pair, merge=reference.merge_pair
        )

    return scenario


@number("4.1")
@weight(3)
@tags("train")
def test_each_merge_is_chosen_on_the_words_as_they_then_are(agree, rng, reference):
    """Every merge is the best pair of the words that the earlier merges left; the list keeps their order."""
    words = random_words(rng, 30, longest=9)

    agree(train_with_right_parts(reference), words, 256 + 12)


@number("4.2")
@weight(2)
@tags("train")
@pytest.mark.parametrize("n_special", [0, 1, 4])
def test_the_vocabulary_has_exactly_the_size_asked_for(agree, rng, reference, n_special):
    """256 bytes, the merges and the special tokens together are exactly `vocab_size`, from no merge on."""
    words = random_words(rng, 25, longest=9)
    train = train_with_right_parts(reference)

    for n_merges in (0, 1, int(rng.integers(2, 8))):
        agree(train, words, 256 + n_merges + n_special, SPECIAL[:n_special])


@number("4.3")
@weight(2)
@tags("train")
def test_training_ends_only_when_no_pair_is_left(agree, rng, reference):
    """A pair that occurs once is merged too; when every word is a single token there is nothing left."""
    data = bytes(rng.permutation(range(97, 123))[:9].tolist())
    words = {single_bytes(data[:5]): 1, single_bytes(data[5:]): 1, single_bytes(data[:1]): 3}
    train = train_with_right_parts(reference)

    agree(train, words, 300)
    agree(train, {single_bytes(data[:1]): 3}, 300)


@number("4.4")
@weight(3)
@tags("train")
def test_merges_do_not_depend_on_the_order_of_the_words(agree, rng, reference):
    """The same words in another order give the same merges."""
    words = random_words(rng, 16, longest=6, most=2)  # few and rare, so nearly every choice is a tie
    orders = [shuffled(rng, words) for _ in range(2)]
    train = train_with_right_parts(reference)

    merges = [agree(train, order, 256 + 10) for order in orders]

    assert merges[0] == merges[1]


# ---- 5 incremental -------------------------------------------------------------------------------


def check_training(agree, reference, words, n_merges, *, only_needed=False):
    """Train from a right index: the merges are the reference's, no word is read twice, and none without need.

    The words stay here, in the check: an implementation sees a word only by asking for it, so rescanning the
    corpus can't be hidden. Reading less than the reference is fine: nothing need be read for the last merge.
    """
    counts, where = reference.index_pairs(words)
    reads = []  # one list for each training: the submission's comes first

    def trained(impl):
        reads.append([])

        def read(number):
            reads[-1].append(number)
            return words[number]

        return impl.train_incremental(counts, where, read, n_merges, merge=reference.merge_pair)

    agree(trained)
    assert_close(len(reads[0]) - len(set(reads[0])), 0, name="number of times a word is read again")
    if only_needed:
        assert_close(len(set(reads[0]) - set(reads[1])), 0, name="number of words read without need")


@number("5.1")
@weight(3)
@tags("incremental")
@pytest.mark.parametrize("alphabet", [b"ab", b"abcdefgh"], ids=["runs", "letters"])
def test_the_index_counts_pairs_and_finds_their_words(agree, rng, alphabet):
    """The counts are those of all words with their frequencies; a pair's set holds the words that have it."""
    agree("index_pairs", list(random_words(rng, 40, alphabet, longest=9).items()))


@number("5.2")
@weight(4)
@tags("incremental")
def test_updated_counts_choose_the_merges_of_a_recount(agree, rng, reference):
    """The merges are those that counting everything anew before every merge would choose, to the last one."""
    words = list(random_words(rng, 40, b"abcdef", longest=8).items())

    check_training(agree, reference, words, 20)


@number("5.3")
@weight(3)
@tags("incremental")
def test_counts_are_right_where_merges_touch(agree, rng, reference):
    """Counts stay right where the merged pair stands twice in a row (`abab`), and in runs (`aaaa`)."""
    stems = [b"ab", b"aab", b"abb", b"a", b"b", b"aba"]
    words = {}
    for _ in range(25):
        i, j = rng.integers(len(stems), size=2)
        data = stems[i] * int(rng.integers(1, 6)) + stems[j] * int(rng.integers(1, 4))
        words[single_bytes(data)] = int(rng.integers(1, 9))

    check_training(agree, reference, list(words.items()), 15)


@number("5.4")
@weight(4)
@tags("incremental")
def test_only_words_that_hold_the_merged_pair_are_read(agree, rng, reference):
    """A merge reads only words that hold its pair, none twice: the corpus is never scanned again."""
    # The first words' pairs are all chosen before any of the others', which never need to be read.
    words = {word: 1000 * n for word, n in random_words(rng, 12, b"abc", longest=6).items()}
    words |= random_words(rng, 60, b"uvwxyz", longest=6, most=1)

    check_training(agree, reference, list(shuffled(rng, words).items()), 6, only_needed=True)


@number("5.5")
@weight(3)
@tags("incremental")
def test_pairs_that_no_longer_occur_are_never_merged(agree, rng, reference):
    """When every word has become one token, training ends, however many merges were asked for."""
    words = list(random_words(rng, 8, longest=5).items())

    check_training(agree, reference, words, 200)
    check_training(agree, reference, words, 0)


# ---- 6 encode ------------------------------------------------------------------------------------


@number("6.1")
@weight(4)
@tags("encode")
@pytest.mark.parametrize("alphabet", [b"ab", b"abcd"], ids=["two_letters", "four_letters"])
def test_words_are_encoded_by_merge_rank(agree, rng, reference, alphabet):
    """Of all merges possible in a word the one learned first comes first, not the leftmost or the longest."""
    words = list(random_words(rng, 60, alphabet, longest=9).items())
    counts, where = reference.index_pairs(words)
    ranks = ranked(reference.train_incremental(counts, where, lambda i: words[i], 25))
    unseen = [b"".join(word) for word in random_words(rng, 25, alphabet, longest=14)]

    agree(lambda impl: [impl.encode_word(data, ranks) for data in [*unseen, b"", b"a", b"\xff\x00"]])


@number("6.2")
@weight(3)
@tags("encode")
@pytest.mark.parametrize("text", ["languages", "odd"])
def test_text_is_encoded_pretoken_by_pretoken(agree, rng, reference, text):
    """Ids are those of each pre-token encoded for itself, in any script; lone surrogates are refused."""
    # Learned from text with its borders removed, so that there are merges that could cross a border.
    squeezed = "".join(character for character in "".join(languages().values()) if character.isalpha())
    merges = learned(reference, squeezed[: int(rng.integers(2000, 3000))], 60)
    merges += [
        pair for pair in [(b" ", b" "), (b"'", b"t"), (b".", b" "), (b",", b" ")] if pair not in merges
    ]
    texts = {
        "languages": "\n".join(value[:70] for value in languages().values()),
        "odd": random_text(rng, 20),
    }

    agree(lambda impl: impl.Tokenizer(merges).encode(texts[text]))
    agree(lambda impl: refuses(impl.Tokenizer(merges).encode, "low \udc80"))


@number("6.3")
@weight(3)
@tags("encode")
@pytest.mark.parametrize("special_tokens", [SPECIAL[:1], SPECIAL], ids=["one", "overlapping"])
def test_a_special_token_in_text_is_one_id(agree, rng, reference, special_tokens):
    """A special token becomes its own id wherever it stands, and what is beside it is encoded as if alone."""
    text = random_text(rng, 12)
    merges = learned(
        reference, text + "".join(special_tokens) * 9, 40
    )  # has merges for pieces of special tokens
    texts = [sprinkled(rng, text, special_tokens), "".join(special_tokens), special_tokens[0] * 3, ""]

    agree(lambda impl: [impl.Tokenizer(merges, special_tokens).encode(text) for text in texts])


@number("6.4")
@weight(2)
@tags("encode")
def test_equal_pairs_are_merged_from_the_left(agree, rng, reference):
    """In a run of equal bytes the leftmost pair is merged first, so an odd one stays at the end."""
    ranks = ranked([(b"a", b"a"), (b"aa", b"aa"), (b"b", b"b"), (b"aa", b"bb")])
    words = [
        b"a" * int(k) + b"b" * int(rng.integers(0, 4)) + b"a" * int(rng.integers(0, 4))
        for k in rng.permutation(range(1, 12))
    ]

    agree(lambda impl: [impl.encode_word(data, ranks) for data in words])


# ---- 7 decode ------------------------------------------------------------------------------------


@number("7.1")
@weight(2)
@tags("decode")
def test_decoding_undoes_encoding(agree, rng, reference):
    """decode(encode(text)) is text, with emoji, combining marks and characters whose bytes lie in several
    tokens.
    """
    text = random_text(rng)
    merges = learned(reference, random_text(rng), 50)
    ids = reference.Tokenizer(merges, SPECIAL).encode(text)

    decoded = agree(lambda impl: impl.Tokenizer(merges, SPECIAL).decode(ids))

    assert decoded == text


@number("7.2")
@weight(3)
@tags("decode")
@pytest.mark.parametrize("ids", ["random", "cut_short"])
def test_what_is_not_utf8_becomes_the_replacement_character(agree, rng, reference, ids):
    """Any known ids decode, with U+FFFD for bytes that are not UTF-8; unknown ids are refused."""
    merges = learned(reference, random_text(rng), 40)
    size = 256 + len(merges)
    sequences = [rng.integers(size, size=30).tolist() for _ in range(4)]
    if ids == "cut_short":
        whole = [EMOJI[0] + "ß𝔘" + EMOJI[1], "尊严"]
        sequences = [list(text.encode("utf-8")[: -1 - int(rng.integers(2))]) for text in whole] + [
            [0xC3, 97],
            [0xFF],
            [],
        ]

    agree(lambda impl: [impl.Tokenizer(merges).decode(sequence) for sequence in sequences])
    agree(lambda impl: [refuses(impl.Tokenizer(merges).decode, ids) for ids in ([97, size], [-1])])


@number("7.3")
@weight(1)
@tags("decode")
def test_special_tokens_decode_to_their_text(agree, rng, reference):
    """A special token's id decodes to the special token, beside other text and alone."""
    text = sprinkled(rng, random_text(rng, 8), SPECIAL)
    ids = reference.Tokenizer([(b"a", b"b")], SPECIAL).encode(text)

    agree(
        lambda impl: [
            impl.Tokenizer([(b"a", b"b")], SPECIAL).decode(sequence) for sequence in (ids, [257], [258, 260])
        ]
    )


# ---- 8 save --------------------------------------------------------------------------------------


def contents(tokenizer):
    """What makes two tokenizers equal: merges and special tokens in order, and so the vocabulary."""
    return [tokenizer.merges, tokenizer.special_tokens, len(tokenizer), tokenizer.vocab]


@number("8.1")
@weight(3)
@tags("save")
def test_loading_gives_back_what_was_saved(agree, rng, reference):
    """The loaded tokenizer has the same merges and special tokens in the same order, and so the same ids."""
    merges = learned(reference, random_text(rng), 50)
    special_tokens = [SPECIAL[i] for i in rng.permutation(len(SPECIAL))]

    agree(lambda impl: contents(impl.Tokenizer.loads(impl.Tokenizer(merges, special_tokens).dumps())))
    agree(lambda impl: contents(impl.Tokenizer.loads(impl.Tokenizer([]).dumps())))


@number("8.2")
@weight(3)
@tags("save")
def test_files_of_other_programs_are_loaded(agree, rng, reference):
    """Text in the stated format is loaded whoever wrote it, whatever its white space and its other keys."""
    merges = learned(reference, random_text(rng), 30)
    special_tokens = [SPECIAL[i] for i in rng.permutation(len(SPECIAL))]
    data = {
        "made by": "another program",
        "special_tokens": special_tokens,
        "merges": [[left.hex(), right.hex()] for left, right in merges],
    }
    text = json.dumps(data, indent=2, ensure_ascii=False)

    agree(lambda impl: contents(impl.Tokenizer.loads(text)))


# ---- 9 fertility ---------------------------------------------------------------------------------


@number("9.1")
@weight(2)
@tags("fertility")
def test_tokens_per_character_are_per_code_point_of_each_text(agree, rng, reference):
    """Each text's number of ids over its number of code points, the text encoded whole."""
    encode = reference.Tokenizer(learned(reference, random_text(rng), 60)).encode
    texts = {name: text[: int(rng.integers(40, 120))] for name, text in shuffled(rng, languages()).items()}

    agree("tokens_per_character", encode, texts)


@number("9.2")
@weight(2)
@tags("fertility")
def test_compression_is_one_ratio_over_all_texts(agree, rng, reference):
    """All UTF-8 bytes over all ids: texts count by their length, and bytes are not characters."""
    encode = reference.Tokenizer(learned(reference, random_text(rng), 60)).encode
    texts = {name: text[: int(rng.integers(5, 120))] for name, text in shuffled(rng, languages()).items()}

    agree("bytes_per_token", encode, texts | {"empty": ""})
