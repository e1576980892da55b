"""What the handout of the BPE assignment states, computed from the reference: one test for each claim."""

import itertools
import random
from itertools import pairwise

import pytest
import staff_files
from coursekit.data import languages

bpe = staff_files.reference("bpe")

TEXTS = languages()
TEXT = "\n".join(TEXTS.values())


@pytest.fixture(scope="module")
def words():
    return bpe.count_words(TEXT)


@pytest.fixture(scope="module")
def tokenizer():
    return bpe.train_tokenizer(TEXT, 656)


@pytest.fixture(scope="module")
def won(words, tokenizer):
    """The counts of the pairs that 768 merges chose."""
    counts = []
    merges = bpe.train_tokenizer(TEXT, 256 + 768).merges
    assert merges[:400] == tokenizer.merges
    state = list(words.items())
    for pair in merges:
        found = [i for i, (word, _) in enumerate(state) if pair[0] in word and pair in pairwise(word)]
        counts.append(bpe.count_pairs(dict(state[i] for i in found))[pair])
        for i in found:
            state[i] = bpe.merge_pair(state[i][0], pair), state[i][1]
    return counts


def compression(merges, text):
    return bpe.bytes_per_token(bpe.Tokenizer(merges).encode, {"text": text})


def price(merges, language):
    return bpe.tokens_per_character(bpe.Tokenizer(merges).encode, {language: TEXTS[language]})[language]


def test_after_16_merges_hindi_is_cheapest_and_english_gains_nothing(tokenizer):
    """ "After 16 merges Hindi has 1.85 bytes per token and English 1.00"; Hindi "nearly half as many tokens as before"."""
    gains = {name: round(compression(tokenizer.merges[:16], text), 2) for name, text in TEXTS.items()}

    assert gains["Hindi"] == 1.85 == max(gains.values())
    assert gains["English"] == 1.00
    assert len(TEXTS) == 9


def test_no_early_merge_is_ascii_and_hindi_leads(tokenizer):
    """Of the first 16 merges, none is made of ASCII only; "every letter of Hindi begins with e0 a4 or e0 a5"."""
    assert sum((left + right).isascii() for left, right in tokenizer.merges[:16]) == 0
    assert tokenizer.merges[0] == (b"\xe0", b"\xa4")
    letters = {character for character in TEXTS["Hindi"] if "\u0900" <= character <= "\u097f"}
    assert {character.encode()[:2] for character in letters} == {b"\xe0\xa4", b"\xe0\xa5"}


def test_the_worked_example(words):
    """The table of Task 4: chosen pairs, counts and ties."""
    corpus = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
    state = {tuple(bytes([byte]) for byte in text.encode()): n for text, n in corpus.items()}
    rows = []
    for _ in range(7):
        counts = bpe.count_pairs(state)
        best = bpe.best_pair(counts)
        ties = sorted(pair for pair, n in counts.items() if n == counts[best] and pair != best)
        rows.append((best, counts[best], ties))
        state = {bpe.merge_pair(word, best): n for word, n in state.items()}

    assert rows == [
        ((b"e", b"s"), 9, [(b"s", b"t")]),
        ((b"es", b"t"), 9, []),
        ((b"l", b"o"), 7, [(b"o", b"w")]),
        ((b"lo", b"w"), 7, []),
        ((b"e", b"w"), 6, [(b"n", b"e"), (b"w", b"est")]),
        ((b"ew", b"est"), 6, [(b"n", b"ew")]),
        ((b"n", b"ewest"), 6, []),
    ]
    assert sorted(map(len, state)) == [1, 1, 3, 4]
    ranks = {pair: rank for rank, (pair, _, _) in enumerate(rows)}
    assert bpe.encode_word(b"newer", ranks) == [b"n", b"ew", b"e", b"r"]


def test_a_run_takes_one_merge_more_than_halving_predicts():
    """A run of 100 takes 8 merges, where halving predicts 7; 64 take six."""

    def merges_of(length):
        run, n_merges = (b"a",) * length, 0
        while len(run) > 1:
            run = bpe.merge_pair(run, bpe.best_pair(bpe.count_pairs({run: 1})))
            n_merges += 1
        return n_merges

    assert [merges_of(100), merges_of(64)] == [8, 6]
    assert (100 - 1).bit_length() == 7


def test_chosen_counts_behave_as_the_derivation_says(won):
    """The answer to Task 4's derivation on 768 merges; the first pair 491 times, the second about 140; at the end 2 at most."""
    assert won[:6] == [491, 136, 135, 130, 94, 89]
    assert won[99] == 14
    assert max(later - earlier for earlier, later in pairwise(won)) == 0
    assert max(won[640:]) == 3
    assert max(won[643:]) == 2


def test_the_rule_about_neighbors_goes_wrong_first_at_four_letters():
    """Task 5's derivation: no shorter word over two letters, and up to four letters two, up to swapping the letters."""

    def by_neighbors(word, pair):
        """Counts after the merge, each place changed by itself."""
        counts = bpe.count_pairs({word: 1})
        joined, i = pair[0] + pair[1], 0
        while i < len(word) - 1:
            if word[i : i + 2] != pair:
                i += 1
                continue
            changes = [(pair, -1)]
            if i > 0:
                changes += [((word[i - 1], pair[0]), -1), ((word[i - 1], joined), 1)]
            if i + 2 < len(word):
                changes += [((pair[1], word[i + 2]), -1), ((joined, word[i + 2]), 1)]
            for changed, by in changes:
                counts[changed] = counts.get(changed, 0) + by
            i += 2
        return {changed: n for changed, n in counts.items() if n}

    wrong = set()
    for length in range(2, 5):
        for letters in itertools.product((b"a", b"b"), repeat=length):
            for pair in set(pairwise(letters)):
                if by_neighbors(letters, pair) != bpe.count_pairs({bpe.merge_pair(letters, pair): 1}):
                    wrong.add(b"".join(letters))
    assert wrong == {b"abab", b"baba", b"aaaa", b"bbbb"}


def test_the_incremental_way_visits_few_words(words):
    """400 merges: 276,800 calls of merge in the plain way, 4,401 in the incremental one, 678 of 692 words read."""
    listed, calls, reads = list(words.items()), [], []

    def read(number):
        reads.append(number)
        return listed[number]

    def merge(word, pair):
        calls.append(pair)
        return bpe.merge_pair(word, pair)

    merges = bpe.train_incremental(*bpe.index_pairs(listed), read, 400, merge=merge)

    assert (len(listed), len(reads), len(calls)) == (692, 678, 4401)
    assert 400 * len(listed) == 276_800
    assert round(len(calls) / len(merges)) == 11


def test_rank_order_is_nearly_the_shortest(words, tokenizer):
    """For 5 of the 692 words the vocabulary has a shorter way."""

    def fewest(word):
        best = [0]
        for stop in range(1, len(word) + 1):
            best.append(1 + min(best[i] for i in range(stop) if word[i:stop] in tokenizer.token_ids))
        return best[-1]

    longer = [word for word in map(b"".join, words) if len(bpe.encode_word(word, tokenizer.ranks)) > fewest(word)]

    assert len(longer) == 5


def test_random_ids_rarely_survive_a_round_trip(tokenizer):
    """ "14% of random id strings survive a round trip"; the ids of t, h, e don't."""
    rng = random.Random(0)
    drawn = [[rng.randrange(656) for _ in range(5)] for _ in range(2000)]

    assert round(sum(tokenizer.encode(tokenizer.decode(ids)) == ids for ids in drawn) / 2000, 2) == 0.14
    assert tokenizer.encode(tokenizer.decode([116, 104, 101])) == [341, 101]


def test_prices_by_language(tokenizer):
    """100 merges from English: Hindi 2.60 as with bytes, English 0.45. 100 from all nine: English 0.82; 400: 0.56."""
    english = bpe.train_tokenizer(TEXTS["English"], 256 + 400).merges

    assert round(price(english[:100], "Hindi"), 2) == round(price([], "Hindi"), 2) == 2.60
    assert round(price(english[:100], "English"), 2) == 0.45
    assert round(price(tokenizer.merges[:100], "English"), 2) == 0.82
    assert round(price(tokenizer.merges, "English"), 2) == 0.56
    assert {name for name in TEXTS if price(english[:100], name) < price([], name)} == {"English", "German"}
    assert len(english) == 290  # "then each of its words is one token"
    assert {len(bpe.Tokenizer(english).encode(word)) for word in bpe.pretokenize(TEXTS["English"])} == {1}


def test_hindi_and_chinese_are_flat_at_the_end():
    """Figure compression: from 896 to 1,024 tokens nothing changes for them, while English and Russian gain."""
    merges = bpe.train_tokenizer(TEXT, 1024).merges
    gains = {name: compression(merges, TEXTS[name]) - compression(merges[:640], TEXTS[name]) for name in TEXTS}

    assert gains["Hindi"] == gains["Chinese"] == 0
    assert gains["English"] > 0.2
    assert gains["Russian"] > 0.4


def test_unseen_text_gains_less():
    """The stretch: 180 merges on half the English text, 5.07 bytes per token there and 1.78 on the other half."""
    text = TEXTS["English"]
    seen, unseen = text[: len(text) // 2], text[len(text) // 2 :]
    merges = bpe.train_tokenizer(seen, 1000).merges

    assert len(merges) == 180
    assert (round(compression(merges, seen), 2), round(compression(merges, unseen), 2)) == (5.07, 1.78)
