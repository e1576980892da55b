"""What the handout of the sampling assignment states, computed from the reference: one test for each claim."""

import itertools
import math

import numpy as np
import pytest
import staff_files
import torch
from coursekit.data import languages

S = staff_files.reference("sampling")
FIGURES = staff_files.figures("sampling")

FIVE = torch.tensor([1 / 8, 1 / 2, 1 / 16, 1 / 4, 1 / 16], dtype=torch.float64).log()


def test_the_most_probable_throws_never_came_up():
    """A coin with 0.6: the most probable 20 throws are 20 heads; "in 10,000 samples they never came up once"."""
    throws = np.random.default_rng(0).random((10_000, 20)) < 0.6

    assert not throws.all(axis=1).any()
    assert 0.6**20 == max(0.6**heads * 0.4 ** (20 - heads) for heads in range(21))


def test_temperature_one_half():
    """At T = 1/2 the five tokens get (4, 64, 1, 16, 1) / 86: ratios are raised to the power 1/T, and ranks stay."""
    p = S.apply_temperature(FIVE, 0.5).exp()

    torch.testing.assert_close(p * 86, torch.tensor([4, 64, 1, 16, 1], dtype=torch.float64))
    for temperature in (0.3, 2.0):
        logp = S.apply_temperature(FIVE, temperature)
        torch.testing.assert_close((logp - logp[0]).exp(), (FIVE - FIVE[0]).exp() ** (1 / temperature))


def test_two_filters_do_not_commute():
    """ "k then p left one token, p then k two", of probabilities 2/3 and 1/3."""
    k_first = S.keep_top_p(S.keep_top_k(FIVE, 2), 0.6).exp()
    p_first = S.keep_top_k(S.keep_top_p(FIVE, 0.6), 2).exp()

    torch.testing.assert_close(k_first, torch.tensor([0, 1, 0, 0, 0], dtype=torch.float64))
    torch.testing.assert_close(p_first, torch.tensor([0, 2 / 3, 0, 1 / 3, 0], dtype=torch.float64))


def test_the_penalty_sees_the_zero_point():
    """Token 0 of (2, 1, 0) goes from 0.67 to 0.42; with 10 added to all logits to 0.005; on log-probabilities to 0.57."""
    z = torch.tensor([2.0, 1.0, 0.0], dtype=torch.float64)

    assert round(float(S.next_log_probs(z)[0].exp()), 2) == 0.67
    penalized = [float(S.next_log_probs(x, [0], penalty=2.0)[0].exp()) for x in (z, z + 10, z.log_softmax(-1))]
    assert [round(p, 3) for p in penalized] == [0.422, 0.005, 0.569]


@pytest.mark.parametrize(("by", "kept"), [("top_k", (3, 3)), ("top_p", (2, 7)), ("min_p", (2, 10))])
def test_how_many_tokens_each_filter_keeps(by, kept):
    """Figure filters, sure and unsure: top-k keeps 3 and 3, top-p 2 and 7, min-p 2 and 10."""
    settings = {"top_k": 3, "top_p": 0.8, "min_p": 0.1}
    models = [torch.tensor(p, dtype=torch.float64).log() for p in (FIGURES.SURE, FIGURES.UNSURE)]

    assert tuple(int((getattr(S, f"keep_{by}")(z, settings[by]) > -math.inf).sum()) for z in models) == kept


def test_a_sum_of_floats_loses_the_tail():
    """Hint of Task 3: 0.5 + 0.5 + 1e-30 is 1 in floating point, and the third token is lost without care."""
    assert 0.5 + 0.5 + 1e-30 == 1.0
    assert 10.0**-400 == 0.0  # a probability that only its logarithm can hold


def test_random_times_probable_is_no_draw():
    """argmax(p u): token 1 in 73 of 100 draws, a token of 1/16 in 0.3. With the noise of the stretch: 50 and 6."""
    u = torch.from_numpy(np.random.default_rng(0).random((100_000, 5)))
    share = torch.bincount((FIVE.exp() * u).argmax(-1), minlength=5) / 1e5
    gumbel = torch.bincount((FIVE - (-u.log()).log()).argmax(-1), minlength=5) / 1e5

    assert round(100 * float(share[1])) == 73
    assert round(100 * float(share[2]), 1) == round(100 * float(share[4]), 1) == 0.3
    torch.testing.assert_close(gumbel, FIVE.exp().float(), rtol=0, atol=0.005)


@pytest.mark.parametrize(("p", "q"), [(0.5, 0.5), (0.6, 0.4), (0.9, 0.1)])
def test_the_larger_of_two_products(p, q):
    """Task 4's derivation: p u1 exceeds q u2 with probability 1 - q / (2 p), by the midpoints of a fine grid."""
    grid = (np.arange(1000) + 0.5) / 1000
    share = (p * grid[:, None] > q * grid[None, :]).mean() + 0.5 * (p * grid[:, None] == q * grid[None, :]).mean()

    assert share == pytest.approx(1 - q / (2 * p), abs=2e-3)


ROWS = {(): (0.5, 0.499, 0.001), (0,): (0.34, 0.33, 0.33), (1,): (0.48, 0.48, 0.04), (0, 0): (0.98, 0.01, 0.01)}


def three_tokens(tokens):
    """The model of Task 6's first prediction."""
    return torch.tensor(ROWS.get(tuple(tokens), (1 / 3, 1 / 3, 1 / 3)), dtype=torch.float64).log()


def test_a_wider_beam_finds_a_worse_text():
    """Width 1 finds a text of probability 0.167, width 2 one of 0.080, width 3 that of width 1 again."""
    found = [S.beam_search(three_tokens, [], beam_width=width, max_new_tokens=3)[0] for width in (1, 2, 3)]

    assert [round(math.exp(score), 3) for _, score in found] == [0.167, 0.080, 0.167]
    assert found[0][0] == found[2][0] == [0, 0, 0]


def test_the_most_probable_text_is_the_empty_one():
    """eos 0.05, token 1 0.6: eos at once (-3.0) beats ten tokens (-5.1), width 1 misses it, a length penalty undoes it."""
    p = torch.tensor([0.05, 0.6] + [0.35 / 8] * 8, dtype=torch.float64)

    def search(**settings):
        return S.beam_search(lambda tokens: p.log(), [], max_new_tokens=10, eos=0, **settings)[0]

    assert search(beam_width=1) == ([1] * 10, pytest.approx(-5.108, abs=1e-3))
    assert search(beam_width=2) == ([0], pytest.approx(-2.996, abs=1e-3))
    assert search(beam_width=10)[0] == [0]
    assert search(beam_width=2, length_penalty=0.5)[0] == [1] * 10


def test_which_width_is_exhaustive():
    """Task 6's derivation: width V^(D-1) finds the best text of any model, and V does not, on 60 random tables."""
    V, depth, missed = 2, 4, 0
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        rows = {
            tokens: torch.randn(V, generator=generator, dtype=torch.float64).log_softmax(-1)
            for length in range(depth)
            for tokens in itertools.product(range(V), repeat=length)
        }

        def model(tokens, rows=rows):
            return rows[tuple(tokens)]

        texts = itertools.product(range(V), repeat=depth)
        best = max(sum(float(rows[text[:t]][text[t]]) for t in range(depth)) for text in texts)
        wide, narrow = (
            S.beam_search(model, [], beam_width=width, max_new_tokens=depth)[0][1] for width in (V ** (depth - 1), V)
        )
        assert wide == pytest.approx(best)
        missed += narrow < best - 1e-9
    assert missed > 0


def test_the_worked_cases_of_the_docstrings():
    """The nucleus of the five tokens at p = 0.8, min-p's bar at 0.1, and an entropy of 15/8 log 2."""
    assert (S.keep_top_p(FIVE, 0.8) > -math.inf).tolist() == [True, True, False, True, False]
    assert (S.keep_min_p(FIVE, 0.2) > -math.inf).tolist() == [True, True, False, True, False]
    assert float(S.entropy(FIVE)) == pytest.approx(15 / 8 * math.log(2))


@pytest.fixture(scope="module")
def counted():
    """The text of figure ngrams: its two parts, the counts of each order on the first, and V."""
    text, characters = FIGURES.english()
    known, new = text[: 2 * len(text) // 3], text[2 * len(text) // 3 :]
    return known, new, [S.ngram_counts([known], n) for n in range(1, 7)], len(characters)


def perplexities(tokens, model, orders=range(1, 7)):
    return [S.perplexity(S.token_log_probs(model(n), tokens, start=6)) for n in orders]


def test_order_six_remembers(counted):
    """V = 29; "order 6 has perplexity 1.07 on the counted text, 15.6 on new text interpolated, and infinity" unsmoothed."""
    known, new, counts, V = counted
    interpolated = perplexities(
        new, lambda n: lambda t: S.interpolated_log_probs(counts[:n], t, vocab_size=V, weight=0.7)
    )
    added = perplexities(new, lambda n: lambda t: S.ngram_log_probs(counts[n - 1], t, n=n, vocab_size=V, alpha=0.1))
    (plain,) = perplexities(new, lambda n: lambda t: S.ngram_log_probs(counts[5], t, n=n, vocab_size=V), orders=[6])

    assert V == 29
    assert round(math.exp(S.conditional_entropy(counts[5])), 2) == 1.07
    assert round(interpolated[5], 1) == 15.6
    assert plain == math.inf
    assert (1 + int(np.argmin(interpolated)), round(min(interpolated), 2)) == (3, 12.45)  # "Stop at n = 3"
    assert (1 + int(np.argmin(added)), round(min(added), 1)) == (2, 13.6)


def test_frequencies_reach_the_conditional_entropy(counted):
    """Task 8's derivation: the frequencies' mean surprise on their own text is H(Y | X), and any change raises it."""
    known, _, counts, V = counted
    followers = max(counts[1].values(), key=lambda row: sum(row.values()))
    total = sum(followers.values())
    frequencies = np.array([followers.get(token, 0) for token in range(V)]) / total

    def surprise(p):
        return -sum(n / total * math.log(p[token]) for token, n in followers.items())

    rng = np.random.default_rng(0)
    for share in (0.01, 0.1, 0.5):
        assert surprise((1 - share) * frequencies + share * rng.dirichlet(np.ones(V))) > surprise(frequencies)
    scores = [
        -float(S.ngram_log_probs(counts[1], known[:t], n=2, vocab_size=V)[known[t]]) for t in range(1, len(known))
    ]
    assert np.mean(scores) == pytest.approx(S.conditional_entropy(counts[1]))


def test_top_p_makes_texts_more_repetitive():
    """Figure repetition: with top-p = 0.8, 44% against 19% at T = 0.2."""
    text, characters = FIGURES.english()
    orders = [S.ngram_counts([text], n) for n in range(1, 6)]
    cache = {}

    def next_logits(tokens):
        key = tuple(tokens[-4:])
        if key not in cache:
            cache[key] = S.interpolated_log_probs(orders, tokens, vocab_size=len(characters), weight=0.8)
        return cache[key]

    def repeated(tokens):
        stretches = [tuple(tokens[i : i + FIGURES.WIDTH]) for i in range(len(tokens) - FIGURES.WIDTH + 1)]
        return 1 - len(set(stretches)) / len(stretches)

    uniforms = np.random.default_rng(1).random((FIGURES.N_TEXTS, FIGURES.LENGTH))

    def share(temperature, **settings):
        settings = {"temperature": temperature, "max_new_tokens": FIGURES.LENGTH, **settings}
        return np.mean([repeated(S.generate(next_logits, text[:4], u, **settings)) for u in uniforms])

    assert (round(share(0.2), 2), round(share(0.2, top_p=0.8), 2)) == (0.19, 0.44)


def test_the_english_text_is_the_bundled_one():
    """The figures count the characters of the English text, in lower case."""
    assert "".join(FIGURES.english()[1][i] for i in FIGURES.english()[0]) == languages()["English"].lower().replace(
        "\n", " "
    )


def test_bits_per_character_of_two_models():
    """The written question: perplexity 12 against 15 says nothing; with 300 and 230 tokens for 1000 bytes B wins."""
    a, b = (n * math.log2(perplexity) / 1000 for n, perplexity in ((300, 12), (230, 15)))

    assert (round(a, 2), round(b, 2)) == (1.08, 0.90)
