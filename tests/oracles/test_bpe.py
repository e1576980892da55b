"""The reference of the BPE assignment held against `tokenizers` and `tiktoken`, and against its own
invariants.
"""

import json
import random
from itertools import pairwise

import pytest
import staff_files
from coursekit.data import languages
from hypothesis import example, given, settings
from hypothesis import strategies as st

tiktoken = pytest.importorskip("tiktoken")
tokenizers = pytest.importorskip("tokenizers")

bpe = staff_files.reference("bpe")

SPECIAL = ["<|end|>", "<|end|><|pad|>", "<|é|>"]
CORPUS = "\n".join(languages().values())
CHARACTER = st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("ab  \n'st.é尊\u0301\U0001f469\u200d"))
TEXT = st.text(CHARACTER, max_size=60)
WORD = st.binary(min_size=1, max_size=12).map(lambda data: tuple(data[i : i + 1] for i in range(len(data))))

# `tokenizers` writes each byte as a visible character of its own.
VISIBLE = {byte: chr(byte) for byte in [*range(33, 127), *range(161, 173), *range(174, 256)]}
VISIBLE |= {byte: chr(256 + i) for i, byte in enumerate(byte for byte in range(256) if byte not in VISIBLE)}
BYTE_OF = {character: byte for byte, character in VISIBLE.items()}


def visible(token):
    return "".join(VISIBLE[byte] for byte in token)


def random_words(rng, n_words, alphabet, longest):
    """Distinct words of single bytes, each with a number of times."""
    words = {}
    for _ in range(n_words):
        word = tuple(bytes([rng.choice(alphabet)]) for _ in range(rng.randint(1, longest)))
        words[word] = rng.randint(1, 30)
    return words


def train_both_ways(words, n_merges):
    """The plain trainer's merges, after checking that the incremental one learns the same."""
    plain = bpe.train(words, bpe.N_BYTES + n_merges)
    listed = list(words.items())
    counts, where = bpe.index_pairs(listed)
    assert counts == bpe.count_pairs(words)
    assert bpe.train_incremental(counts, where, lambda number: listed[number], n_merges) == plain
    return plain


@pytest.fixture(scope="module")
def trained():
    return bpe.train_tokenizer(CORPUS, 256 + 700 + len(SPECIAL), SPECIAL)


@pytest.fixture(scope="module")
def by_tiktoken(trained):
    return tiktoken.Encoding(
        "reference",
        pat_str=bpe.PATTERN.pattern,
        mergeable_ranks=trained.token_ids,
        special_tokens=trained.special_ids,
    )


# ---- training ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("alphabet", [b"a", b"ab", b"abcde", bytes(range(256))], ids=["a", "ab", "abcde", "bytes"])
def test_incremental_training_learns_what_plain_training_learns(seed, alphabet):
    """Both trainers give the same merges, runs, ties and exhaustion included."""
    rng = random.Random(seed)

    train_both_ways(random_words(rng, 40, alphabet, 12), 80)


def test_training_on_text_learns_the_same_both_ways():
    """On real text of many scripts too, to 400 merges."""
    train_both_ways(bpe.count_words(CORPUS), 400)


def library_merges(words, n_merges):
    """Merges that `tokenizers` learns from words of bytes given with their frequencies."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Split("\n", "removed")
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=256 + n_merges,
        initial_alphabet=sorted(BYTE_OF),
        show_progress=False,
        special_tokens=[],
        min_frequency=0,
    )
    text = "\n".join("\n".join([visible(b"".join(word))] * n_times) for word, n_times in words.items())
    tokenizer.train_from_iterator([text], trainer)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(bytes(BYTE_OF[character] for character in token) for token in pair) for pair in merges]


def first_tie(words, merges):
    """How many of the merges were chosen before the first tie for the highest count."""
    for n, pair in enumerate(merges):
        counts = bpe.count_pairs(words)
        if sum(n_times == counts[pair] for n_times in counts.values()) > 1:
            return n
        words = {bpe.merge_pair(word, pair): n_times for word, n_times in words.items()}
    return len(merges)


@pytest.mark.parametrize("seed", range(20))
def test_training_equals_that_of_tokenizers_up_to_the_first_tie(seed):
    """Where one pair is the most frequent alone, `tokenizers` chooses it too; ties it settles by ids instead
    of bytes.
    """
    rng = random.Random(seed)
    words = {word: rng.randint(1, 1000) for word in random_words(rng, 250, b"abcdef", 5)}  # few ties

    merges = train_both_ways(words, 40)

    n = first_tie(words, merges)
    assert n >= 20, "the corpus shows too little"
    assert library_merges(words, 40)[:n] == merges[:n]


def test_training_on_text_equals_that_of_tokenizers_where_ties_do_not_differ():
    """On real text with the same pre-tokenization the merges agree up to the first tie."""
    words = bpe.count_words(CORPUS)
    merges = train_both_ways(words, 60)
    n = first_tie(words, merges)

    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Split(tokenizers.Regex(bpe.PATTERN.pattern), "isolated"),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    pieces = [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(CORPUS)]
    assert pieces == [visible(piece.encode("utf-8")) for piece in bpe.pretokenize(CORPUS)]
    assert library_merges(words, 60)[:n] == merges[:n]


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_trained_tokens_are_distinct(data):
    """No two merges make the same bytes, so counting by bytes and counting by ids are the same thing."""
    words = data.draw(st.dictionaries(WORD, st.integers(1, 9), min_size=1, max_size=12))

    merges = train_both_ways(words, 60)

    assert len({left + right for left, right in merges}) == len(merges)
    bpe.Tokenizer(merges)  # accepts them


@pytest.mark.parametrize("seed", range(10))
def test_training_does_not_depend_on_the_order_of_words(seed):
    """The same words in any order give the same merges."""
    rng = random.Random(seed)
    words = random_words(rng, 30, b"abc", 6)
    items = list(words.items())
    rng.shuffle(items)

    assert train_both_ways(words, 30) == train_both_ways(dict(items), 30)


def test_incremental_training_reads_each_word_once_and_only_when_needed():
    """The words read are those that hold a merged pair at its turn."""
    words = list(bpe.count_words(CORPUS).items())
    counts, where = bpe.index_pairs(words)
    reads = []

    merges = bpe.train_incremental(counts, where, lambda i: reads.append(i) or words[i], 50)

    needed = set()
    current = [word for word, _ in words]
    for pair in merges:
        for number, word in enumerate(current):
            if pair in pairwise(word):
                needed.add(number)
                current[number] = bpe.merge_pair(word, pair)
    assert sorted(reads) == sorted(needed)
    assert len(needed) < len(words)


# ---- encoding and decoding -----------------------------------------------------------------------


@given(TEXT)
@example("<|end|><|pad|><|end|>low<|é|>")
@example("don't  stop \n\n\t x")
@settings(max_examples=400, deadline=None)
def test_encoding_equals_tiktokens_with_the_same_ranks(trained, by_tiktoken, text):
    """With the reference's merges as ranks, tiktoken gives the same ids, and both give the text back."""
    # Pre-token by pre-token: the two regex engines differ on what counts as white space (U+001C to U+001F).
    parts = bpe.split_special(text, SPECIAL)
    pieces = [piece for part in parts for piece in ([part] if part in SPECIAL else bpe.pretokenize(part))]
    expected = [i for piece in pieces for i in by_tiktoken.encode(piece, allowed_special="all")]

    assert trained.encode(text) == expected
    assert trained.decode(expected) == by_tiktoken.decode(expected) == text


def test_whole_texts_are_encoded_as_tiktoken_encodes_them(trained, by_tiktoken):
    """The texts of all languages, in one piece, with special tokens between them."""
    text = "<|end|>".join(languages().values())

    assert trained.encode(text) == by_tiktoken.encode(text, allowed_special="all")


@given(st.lists(st.integers(0, 255 + 700 + len(SPECIAL)), max_size=20))
@settings(max_examples=200, deadline=None)
def test_decoding_of_any_ids_equals_tiktokens(trained, by_tiktoken, ids):
    """U+FFFD stands in the same places."""
    assert trained.decode(ids) == by_tiktoken.decode(ids, errors="replace")


@given(TEXT)
@settings(max_examples=200, deadline=None)
def test_encoding_equals_that_of_tokenizers(trained, text):
    """`tokenizers` with the same vocabulary and merges encodes each pre-token alike."""
    vocab = {visible(token): i for token, i in trained.token_ids.items()}
    model = tokenizers.models.BPE(vocab, [(visible(left), visible(right)) for left, right in trained.merges])
    library = tokenizers.Tokenizer(model)

    for pretoken in bpe.pretokenize(text):
        ids = [trained.token_ids[token] for token in bpe.encode_word(pretoken.encode("utf-8"), trained.ranks)]
        assert library.encode(visible(pretoken.encode("utf-8"))).ids == ids


@given(st.binary(max_size=40))
@settings(max_examples=200, deadline=None)
def test_encoding_replays_the_training(trained, data):
    """Encoding a word is merging it with every merge in order."""
    word = tuple(data[i : i + 1] for i in range(len(data)))
    for pair in trained.merges:
        word = bpe.merge_pair(word, pair)

    assert bpe.encode_word(data, trained.ranks) == list(word)


@given(TEXT)
@settings(max_examples=200, deadline=None)
def test_pretokens_and_pieces_join_to_the_text(text):
    """Nothing is lost or doubled when text is cut."""
    assert "".join(bpe.pretokenize(text)) == text
    assert "".join(bpe.split_special(text, SPECIAL)) == text


@pytest.mark.parametrize("text", ["\ud83d", "low\udfff", "a\ud800b"])
def test_lone_surrogates_are_refused_by_name(trained, text):
    """The error names the code point and where it stands."""
    with pytest.raises(ValueError, match=r"lone surrogate U\+D[89A-F].. at position"):
        trained.encode(text)
    with pytest.raises(ValueError, match="lone surrogate"):
        bpe.count_words(text)


# ---- the rest ------------------------------------------------------------------------------------


def test_saving_and_loading_through_a_file(trained, tmp_path):
    """A tokenizer loaded from its file encodes alike and has exactly the vocabulary asked for."""
    trained.save(tmp_path / "tokenizer.json")

    loaded = bpe.Tokenizer.load(tmp_path / "tokenizer.json")

    assert loaded.vocab == trained.vocab
    assert len(loaded) == 256 + 700 + len(SPECIAL)
    assert loaded.encode(CORPUS + "<|end|>") == trained.encode(CORPUS + "<|end|>")


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda: bpe.best_pair({}), "counts must hold"),
        (lambda: bpe.train({}, 255), "vocab_size must be at least 256"),
        (lambda: bpe.train_incremental({}, {}, None, -1), "n_merges must be 0 or more"),
        (lambda: bpe.Tokenizer([(b"ab", b"c")]), "merges must join"),
        (lambda: bpe.Tokenizer([(b"a", b"b"), (b"a", b"b")]), "merges must join"),
        (lambda: bpe.Tokenizer([], ["<a>", "<a>"]), "special_tokens must be distinct"),
        (lambda: bpe.Tokenizer([]).decode([97, 256]), "got 256 at position 1"),
        (lambda: bpe.tokens_per_character(list, {"x": ""}), "texts must not be empty"),
        (lambda: bpe.bytes_per_token(list, {"x": ""}), "texts must hold"),
    ],
)
def test_bad_input_is_refused_with_its_rule(call, rule):
    """A ValueError says which argument breaks which rule."""
    with pytest.raises(ValueError, match=rule):
        call()
