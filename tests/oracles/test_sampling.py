"""The sampling reference against scipy, torch's own distributions, NumPy and exhaustive search.

Repetition penalty and min-p have no well-kept library among the kit's dependencies; they are held against
their definitions, written token by token. The n-gram model is held against counts made with NumPy.
"""

import itertools
import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import staff_files
import torch

F64 = torch.float64
SHAPE = (3, 4, 9)


@pytest.fixture(scope="module")
def reference():
    return staff_files.reference("sampling")


@pytest.fixture(params=range(5), ids="seed{}".format)
def rng(request):
    return np.random.default_rng(request.param)


def same(got, want, *, rtol=1e-10, atol=1e-12):
    torch.testing.assert_close(got, torch.as_tensor(want, dtype=got.dtype), rtol=rtol, atol=atol)


def normal(rng, *shape):
    return torch.from_numpy(2.0 * rng.standard_normal(shape))


def rows(tensor):
    """Each row of a batch as a list."""
    return tensor.reshape(-1, tensor.shape[-1]).tolist()


# ---- filters ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.05, 0.7, 1.0, 4.0, 1e6])
def test_temperature(reference, rng, temperature):
    """scipy's softmax of the divided logits."""
    logits = normal(rng, *SHAPE)

    got = reference.apply_temperature(logits, temperature)

    same(got.exp(), scipy.special.softmax(logits.numpy() / temperature, -1))


def test_a_tiny_temperature_is_greedy(reference, rng):
    """Where logits / T overflows, the result is that of T = 0."""
    logits = 1e10 * normal(rng, *SHAPE)

    same(reference.apply_temperature(logits, 1e-300), reference.apply_temperature(logits, 0))


def test_greedy(reference, rng):
    """NumPy's argmax, which is documented to give the first maximum, on few distinct values."""
    logits = rng.integers(0, 3, size=(50, 9)).astype(np.float64)

    same(reference.greedy(torch.from_numpy(logits)), logits.argmax(axis=-1))


@pytest.mark.parametrize("k", [1, 2, 8, 9, 30])
def test_top_k(reference, rng, k):
    """The tokens that torch.topk names, where no two logits are equal."""
    logits = normal(rng, *SHAPE)
    chosen = torch.topk(logits, min(k, 9), dim=-1).indices
    kept = torch.zeros(SHAPE, dtype=torch.bool).scatter(-1, chosen, True)

    got = reference.keep_top_k(logits, k)

    p = np.where(kept, scipy.special.softmax(logits.numpy(), -1), 0.0)
    same(got.exp(), p / p.sum(-1, keepdims=True))


@pytest.mark.parametrize("p", [0.01, 0.3, 0.77, 0.99])
def test_top_p_is_the_smallest_set_that_reaches_p(reference, rng, p):
    """By trying every subset: none that reaches p has fewer tokens, and none of that size has more mass."""
    V = 7
    probabilities = scipy.stats.dirichlet(np.ones(V)).rvs(random_state=rng)[0]
    subsets = [list(s) for size in range(1, V + 1) for s in itertools.combinations(range(V), size)]
    reaching = [s for s in subsets if probabilities[s].sum() >= p]
    best = min(reaching, key=lambda s: (len(s), -probabilities[s].sum()))

    got = reference.keep_top_p(torch.from_numpy(np.log(probabilities)), p).exp()

    want = np.zeros(V)
    want[best] = probabilities[best] / probabilities[best].sum()
    same(got, want)


@pytest.mark.parametrize("min_p", [0.0, 0.05, 0.4, 1.0])
def test_min_p(reference, rng, min_p):
    """The definition, token by token."""
    logits = normal(rng, *SHAPE)

    for got, row in zip(rows(reference.keep_min_p(logits, min_p)), rows(logits), strict=True):
        p = scipy.special.softmax(row)
        kept = np.array([value if value >= min_p * p.max() else 0.0 for value in p])
        np.testing.assert_allclose(np.exp(got), kept / kept.sum(), rtol=1e-10)


def test_repetition_penalty(reference, rng):
    """The definition, token by token."""
    logits, tokens = normal(rng, *SHAPE), torch.from_numpy(rng.integers(0, 9, size=(3, 4, 6)))

    got = rows(reference.repetition_penalty(logits, tokens, 1.4))

    for new, row, history in zip(got, rows(logits), rows(tokens), strict=True):
        for token, value in enumerate(row):
            due = value if token not in history else value / 1.4 if value > 0 else value * 1.4
            assert math.isclose(new[token], due, rel_tol=1e-12)


# ---- draws and generation ---------------------------------------------------------------------------


def test_draw_is_the_quantile_function(reference, rng):
    """scipy's rv_discrete: the draw for u is the quantile at u, where u is not exactly on a step."""
    p = rng.dirichlet(np.ones(8))
    u = rng.random(200)

    got = reference.draw(torch.from_numpy(np.log(p)).expand(200, 8), torch.from_numpy(u))

    same(got, scipy.stats.rv_discrete(values=(np.arange(8), p)).ppf(u))


def test_draws_follow_the_distribution(reference, rng):
    """scipy's chi-squared test. Five fixed seeds, so the level is what one bad seed in 10,000 would give."""
    p = rng.dirichlet(3 * np.ones(6))
    logp = torch.from_numpy(np.log(p)).expand(20_000, 6)
    drawn = reference.draw(logp, torch.from_numpy(rng.random(20_000)))

    observed = torch.bincount(drawn, minlength=6).numpy()

    assert scipy.stats.chisquare(observed, 20_000 * p).pvalue > 1e-4


def chain(rng, V):
    """A Markov model with random transitions, as logits by the last token."""
    table = normal(rng, V, V)
    return table, lambda tokens: table[tokens[-1]]


def test_generated_texts_have_their_probability(reference, rng):
    """Evenly spaced pairs of uniforms give each two-token text n^2 p(x1) p(x2 | x1) times, but for edges."""
    V, n = 3, 25
    table, model = chain(rng, V)
    grid = (np.arange(n) + 0.5) / n
    counts = np.zeros((V, V))
    for u in itertools.product(grid, grid):
        text = reference.generate(model, [0], u, max_new_tokens=2)
        counts[text[1], text[2]] += 1

    p = torch.softmax(table, -1).numpy()

    # r rows of c points each, with r within 1 of n p(x1) and c within 1 of n p(x2 | x1), and neither above n
    assert (np.abs(counts - n * n * p[0][:, None] * p) <= 2 * n).all()


# ---- beam search ------------------------------------------------------------------------------------


def every_text(V, depth, eos):
    """All continuations that end in eos, or reach the depth without one."""
    for length in range(1, depth + 1):
        for new in itertools.product(range(V), repeat=length):
            if eos not in new[:-1] and (length == depth or new[-1] == eos):
                yield new


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("eos", [None, 1])
def test_a_wide_beam_is_exhaustive_search(reference, rng, length_penalty, eos):
    """All texts, scored one by one, in the order of their scores."""
    V, depth, prompt = 3, 4, [2, 0]
    table, model = chain(rng, V)
    logp = scipy.special.log_softmax(table.numpy(), -1)
    scored = []
    for new in every_text(V, depth, eos):
        steps = itertools.pairwise([prompt[-1], *new])
        scored.append((sum(logp[a, b] for a, b in steps) / len(new) ** length_penalty, [*prompt, *new]))
    scored.sort(key=lambda pair: -pair[0])

    found = reference.beam_search(
        model, prompt, beam_width=V**depth, max_new_tokens=depth, eos=eos, length_penalty=length_penalty
    )

    assert len(found) == len(scored)
    np.testing.assert_allclose([score for _, score in found], [score for score, _ in scored], rtol=1e-10)
    # a Markov model gives some texts exactly equal scores, whose order the rule for ties settles
    assert sorted(text for text, _ in found) == sorted(text for _, text in scored)


@pytest.mark.parametrize("beam_width", [1, 2, 3])
def test_a_beam_is_pruned_breadth_first_search(reference, rng, beam_width):
    """Written level by level: a hypothesis lives on if it is among the best children of the living."""
    V, depth, eos = 4, 5, 3
    table, model = chain(rng, V)
    logp = scipy.special.log_softmax(table.numpy(), -1)

    def total(new):
        return sum(logp[a, b] for a, b in itertools.pairwise((0, *new)))

    living, results = [()], []
    for _ in range(depth):
        children = [(*new, token) for new in living for token in range(V)]
        children = sorted(children, key=total, reverse=True)[:beam_width]
        results += [new for new in children if new[-1] == eos]
        living = [new for new in children if new[-1] != eos]
    results = sorted(results + living, key=total, reverse=True)[:beam_width]

    found = reference.beam_search(model, [0], beam_width=beam_width, max_new_tokens=depth, eos=eos)

    assert [tuple(text[1:]) for text, _ in found] == results
    np.testing.assert_allclose([score for _, score in found], [total(new) for new in results], rtol=1e-10)


# ---- entropy, perplexity, n-grams -------------------------------------------------------------------


def test_entropy(reference, rng):
    """scipy.stats.entropy, with some probabilities 0."""
    p = rng.dirichlet(np.ones(9), size=(3, 4))
    p[0, 1, 2:5] = 0.0
    p /= p.sum(-1, keepdims=True)

    same(reference.entropy(torch.from_numpy(p).log()), scipy.stats.entropy(p, axis=-1))


def test_perplexity(reference, rng):
    """scipy's geometric mean of 1 / p."""
    logp = -rng.exponential(size=(6, 7))

    got = reference.perplexity(torch.from_numpy(logp))

    assert math.isclose(got, scipy.stats.gmean(np.exp(-logp), axis=None))


def test_token_scores_are_a_cross_entropy(reference, rng):
    """torch's cross-entropy of the model's logits at every position."""
    table, model = chain(rng, 6)
    tokens = torch.from_numpy(rng.integers(0, 6, size=30))

    losses = torch.nn.functional.cross_entropy(table[tokens[:-1]], tokens[1:], reduction="none")

    same(reference.token_log_probs(model, tokens.tolist()), -losses)


def count_table(texts, n, V):
    """Counts of all n-grams as an array with n axes."""
    table = np.zeros((V,) * n)
    for text in texts:
        if len(text) >= n:
            windows = np.lib.stride_tricks.sliding_window_view(np.asarray(text), n)
            np.add.at(table, tuple(windows.T), 1)
    return table


@pytest.mark.parametrize("n", [1, 2, 3])
def test_ngrams(reference, rng, n):
    """NumPy's count tables, their smoothed rows, and scipy's entropies: H(Y | X) = H(X, Y) - H(X)."""
    V = 5
    texts = [rng.integers(0, V, size=size).tolist() for size in (40, 2, 0, 25)]
    table = count_table(texts, n, V)

    counts = reference.ngram_counts(texts, n)

    assert sum(len(followers) for followers in counts.values()) == np.count_nonzero(table)
    for context, followers in counts.items():
        assert [followers.get(token, 0) for token in range(V)] == table[context].tolist()
    joint, contexts = table.ravel(), table.sum(-1).ravel()
    due = scipy.stats.entropy(joint) - scipy.stats.entropy(contexts)
    assert math.isclose(reference.conditional_entropy(counts), due, rel_tol=1e-10)
    for context in itertools.product(range(V), repeat=n - 1):
        row = table[context] + 0.4
        got = reference.ngram_log_probs(counts, [3, 3, *context], n=n, vocab_size=V, alpha=0.4)
        same(got.exp(), row / row.sum())


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_interpolation(reference, rng, weight):
    """The recursion written out for three orders, on NumPy's count tables."""
    V = 4
    texts = [rng.integers(0, V, size=12).tolist()]
    orders = [reference.ngram_counts(texts, n) for n in (1, 2, 3)]
    tables = [count_table(texts, n, V) for n in (1, 2, 3)]

    for context in itertools.product(range(V), repeat=2):
        p = np.full(V, 1 / V)
        for table, part in zip(tables, ((), context[1:], context), strict=True):
            row = table[part]
            if row.sum():
                p = weight * row / row.sum() + (1 - weight) * p
        got = reference.interpolated_log_probs(orders, list(context), vocab_size=V, weight=weight)
        same(got.exp(), p)
