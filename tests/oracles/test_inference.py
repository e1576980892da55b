"""The inference reference against torch's quantization, least squares, exact fractions, and enumeration of all texts.

Distributions are computed by `coursekit.chance.law` from the reference, and here in fractions or by listing every text.
"""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import staff_files
import torch
from coursekit.chance import law

I = staff_files.reference("inference")

pytestmark = pytest.mark.filterwarnings("ignore:torch.quantize")  # deprecated, and still independent of NumPy


@pytest.fixture(params=range(5), ids="seed{}".format)
def rng(request):
    return np.random.default_rng(request.param)


# Quantization: torch


def test_row_quantization_is_torchs(rng):
    """`torch.quantize_per_channel` with our scales gives our codes, and its floats are ours."""
    w = rng.normal(size=(6, 40)) * np.exp(rng.normal(size=(6, 1)))
    codes, scales = I.quantize(w, group_size=40)

    # torch stores scales as float64 and weights as float32: keep clear of halves
    halves = np.abs(w / scales - np.floor(w / scales) - 0.5) > 1e-4
    theirs = torch.quantize_per_channel(
        torch.tensor(w, dtype=torch.float32),
        torch.tensor(scales[:, 0]),
        torch.zeros(6, dtype=torch.int64),
        0,
        torch.qint8,
    )
    assert (theirs.int_repr().numpy() == codes)[halves].all()
    np.testing.assert_allclose(theirs.dequantize().numpy(), I.dequantize(codes, scales), atol=1.01 * scales.max())
    np.testing.assert_allclose(theirs.dequantize().numpy()[halves], I.dequantize(codes, scales)[halves], rtol=1e-6)


def test_affine_quantization_is_torchs(rng):
    """`torch.quantize_per_tensor` with our scale and zero point gives our codes; torch's min-max observer finds both."""
    w = rng.normal(size=(5, 30)) + rng.uniform(-2, 2)
    codes, scales, zeros = I.quantize_affine(w)

    theirs = torch.quantize_per_tensor(
        torch.tensor(w, dtype=torch.float32), float(scales[0, 0]), int(zeros[0, 0]), torch.quint8
    )
    clear = np.abs(w / scales - np.floor(w / scales) - 0.5) > 1e-4
    assert (theirs.int_repr().numpy() == codes)[clear].all()
    observer = torch.ao.quantization.MinMaxObserver(dtype=torch.quint8, qscheme=torch.per_tensor_affine)
    observer(torch.tensor(w, dtype=torch.float32))
    scale, zero = observer.calculate_qparams()
    np.testing.assert_allclose(scale.item(), scales[0, 0], rtol=1e-6)
    assert zero.item() == zeros[0, 0]


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_an_error_is_at_most_half_a_scale_and_a_second_time_changes_nothing(rng, bits):
    """|w - w_hat| <= scale / 2, and quantizing w_hat gives the same codes and scales."""
    w = rng.normal(size=(4, 24))
    codes, scales = I.quantize(w, bits=bits, group_size=8)
    w_hat = I.dequantize(codes, scales)

    assert (np.abs(w - w_hat) <= np.repeat(scales, 8, axis=1) / 2 + 1e-12).all()
    again = I.quantize(w_hat, bits=bits, group_size=8)
    assert (again[0] == codes).all()
    np.testing.assert_allclose(again[1], scales, rtol=1e-12)


def test_all_bytes_survive():
    """Unpacking and packing gives every one of the 256 bytes back; a byte's codes are those of Python's own integers."""
    packed = np.arange(256, dtype=np.uint8)
    codes = I.unpack_int4(packed, 512)

    assert (I.pack_int4(codes) == packed).all()
    for byte in range(256):
        low, high = ((nibble ^ 8) - 8 for nibble in (byte & 15, byte >> 4))  # sign extension by exclusive or
        assert codes[2 * byte : 2 * byte + 2].tolist() == [low, high]


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_the_longest_sum_just_fits_into_int16(bits):
    """In NumPy's int16, the worst case of that length is exact, and one product more wraps around."""
    top, length = 2 ** (bits - 1) - 1, I.longest_exact_sum(bits, 16)

    products = np.full(length + 1, top * top, dtype=np.int16)
    assert products[:-1].sum(dtype=np.int16) == length * top * top
    assert products.sum(dtype=np.int16) != (length + 1) * top * top


def test_the_integer_product_is_that_of_the_dequantized(rng):
    """The result is the float product of what the codes stand for, plus that of the outlier columns."""
    x, w = rng.uniform(-3, 3, size=(4, 20)), rng.normal(size=(5, 20))
    x[2, 3] = 11.0
    tame = np.arange(20) != 3
    x_hat, w_hat = (I.dequantize(*I.quantize(m[:, tame], group_size=19)) for m in (x, w))

    np.testing.assert_allclose(I.int8_matmul(x, w), x_hat @ w_hat.T + np.outer(x[:, 3], w[:, 3]), rtol=1e-12)


# GPTQ: least squares


def test_compensation_is_least_squares(rng):
    """With H = XᵀX, the others' change is the least-squares fit of the error's output by the other inputs."""
    x = rng.normal(size=(30, 6)) @ rng.normal(size=(6, 6))
    error = rng.normal(size=3)

    fits = [np.linalg.lstsq(x[:, 1:], -e * x[:, 0], rcond=None)[0] for e in error]
    np.testing.assert_allclose(I.compensation(x.T @ x, error), fits, rtol=1e-7, atol=1e-9)


def test_gptq_solves_least_squares_after_each_column(rng):
    """Rounding a column, then fitting the layer's first outputs again with all columns that are left, gives the same codes."""
    x, w = rng.normal(size=(60, 1)) + 0.5 * rng.normal(size=(60, 7)), 2 * rng.normal(size=7)
    left, codes = w.copy(), np.zeros(7)
    for i in range(7):
        codes[i] = np.rint(left[i])
        if i < 6:
            left[i + 1 :] = np.linalg.lstsq(x[:, i + 1 :], x @ w - x[:, : i + 1] @ codes[: i + 1], rcond=None)[0]

    assert I.gptq(w[None], x.T @ x, np.ones((1, 1)), bits=8)[0].tolist() == codes.tolist()


def test_gptq_by_the_papers_inverse(rng):
    """Frantar et al.: the rows of the upper Cholesky factor of the inverse of H give all updates."""
    x, w = rng.normal(size=(80, 1)) + rng.normal(size=(80, 9)), 2 * rng.normal(size=(4, 9))
    h = x.T @ x + 0.01 * np.eye(9)
    upper = np.linalg.cholesky(np.linalg.inv(h)).T
    left, codes = w.copy(), np.zeros_like(w)
    for i in range(9):
        codes[:, i] = np.clip(np.rint(left[:, i]), -7, 7)
        left[:, i:] -= np.outer((left[:, i] - codes[:, i]) / upper[i, i], upper[i, i:])

    assert (I.gptq(w, h, np.ones((4, 1)), bits=4) == codes).all()


def test_gptq_is_rounding_for_a_diagonal_h(rng):
    """If no two inputs are correlated, no weight can make up for another."""
    w = 2 * rng.normal(size=(5, 8))

    assert (I.gptq(w, np.diag(rng.uniform(1, 3, size=8)), np.ones((5, 1)), bits=8) == np.rint(w)).all()


# Speculative decoding: fractions, and every text


def in_fractions(weights):
    return [Fraction(int(weight), int(sum(weights))) for weight in weights]


def test_the_rule_gives_the_target_exactly(rng):
    """In fractions, min(1, p/q) and the normalized excess of p over q give p, and `law` gives the same numbers."""
    p, q = (in_fractions(rng.integers(1, 30, size=5)) for _ in range(2))
    accepted = [min(a, b) for a, b in zip(p, q)]
    rejected, excess = 1 - sum(accepted), [max(a - b, Fraction(0)) for a, b in zip(p, q)]
    text = [a + rejected * e / sum(excess) for a, e in zip(accepted, excess)]

    assert text == p
    assert sum(accepted) == 1 - sum(abs(a - b) for a, b in zip(p, q)) / 2
    np.testing.assert_allclose(I.acceptance_rate(*np.array([p, q], dtype=float)), float(sum(accepted)), rtol=1e-14)
    for token in range(5):
        found = law(I.accept_or_resample, np.array(p, dtype=float), np.array(q, dtype=float), token)
        np.testing.assert_allclose(found.get((True, token), 0.0), float(accepted[token] / q[token]), rtol=1e-12)
        for new in range(5):
            due = (1 - accepted[token] / q[token]) * excess[new] / sum(excess)
            np.testing.assert_allclose(found.get((False, new), 0.0), float(due), atol=1e-12)


def random_model(seed, V):
    def next_probs(text):
        powers = np.exp(np.random.default_rng([seed, *text]).normal(size=V))
        return powers / powers.sum()

    return next_probs


def all_texts(next_probs, prompt, n, eos=None):
    """Every text that a model may write alone, with its probability."""
    done, open_ = {}, {tuple(prompt): 1.0}
    for _ in range(n):
        longer = {}
        for text, share in open_.items():
            for token, p in enumerate(next_probs(list(text))):
                (done if token == eos else longer)[(*text, token)] = share * p
        open_ = longer
    return {**done, **open_}


@pytest.mark.parametrize("gamma", [0, 1, 2, 3])
@pytest.mark.parametrize("eos", [None, 1])
def test_texts_are_the_targets(gamma, eos):
    """The distribution of whole texts, through the loop with its caches, is that of the target alone."""
    target, draft = random_model(1, 3), random_model(2, 3)
    found = law(
        I.speculative_generate, I.Cached(target), I.Cached(draft), [1, 2], gamma=gamma, max_new_tokens=3, eos=eos
    )
    due = all_texts(target, [1, 2], 3, eos)

    assert found.keys() == due.keys()
    assert max(abs(found[text] - due[text]) for text in due) < 1e-15


def test_a_model_as_its_own_draft_is_always_accepted():
    """With q = p, n tokens take ceil(n / (gamma + 1)) calls, whatever comes."""
    target = I.Cached(random_model(3, 4))
    calls = []

    def accept(p, q, token, *, draw, flip):
        out = I.accept_or_resample(p, q, token, draw=draw, flip=flip)
        calls.append(out[0])
        return out

    law(
        lambda *, draw, flip: I.speculative_generate(
            target, I.Cached(random_model(3, 4)), [0], gamma=2, max_new_tokens=4, accept=accept, draw=draw, flip=flip
        )
    )
    assert all(calls)


@pytest.mark.parametrize("gamma", [0, 1, 2, 5])
def test_expected_tokens_by_every_branch(gamma):
    """The mean over the tree of accepted and rejected tokens."""

    def round_(*, flip):
        n = 0
        while n < gamma and flip(0.7):
            n += 1
        return n + 1

    mean = sum(n * share for n, share in law(round_, given=("flip",)).items())
    np.testing.assert_allclose(I.expected_tokens(0.7, gamma), mean, rtol=1e-13)
    np.testing.assert_allclose(I.expected_tokens(0.7, gamma), (1 - 0.7 ** (gamma + 1)) / 0.3, rtol=1e-13)


# Constraints: every text of the language


def random_automaton(rng):
    moves = {s: {b: int(rng.integers(5)) for b in b"abc" if rng.uniform() < 0.5} for s in range(5)}
    words = [bytes(w) for n in (1, 2) for w in itertools.product(b"ab", repeat=n)]
    return moves, {int(rng.integers(5)), 4}, [b"", *words]


def accepts(moves, accepting, text):
    state = 0
    for byte in text:
        state = moves.get(state, {}).get(byte)
        if state is None:
            return False
    return state in accepting


def test_allowed_tokens_write_the_language(rng):
    """All texts of up to four tokens that `allowed_tokens` can write and end are those that the automaton accepts."""
    moves, accepting, vocabulary = random_automaton(rng)
    live = I.live_states(moves, accepting, vocabulary, eos=0)
    written, open_ = set(), {((), 0)} if 0 in live else set()
    for _ in range(5):
        longer = set()
        for text, state in open_:
            for token in I.allowed_tokens(moves, accepting, vocabulary, state, live, eos=0):
                if token == 0:
                    written.add(text)
                else:
                    longer.add(((*text, token), I.advance(moves, state, vocabulary[token])))
        open_ = longer

    texts = [t for n in range(5) for t in itertools.product(range(1, len(vocabulary)), repeat=n)]
    assert written == {t for t in texts if accepts(moves, accepting, b"".join(vocabulary[token] for token in t))}
    # no dead end: from what is written so far, an end can be reached in as many tokens as there are states
    for _, state in open_:
        reach = {state}
        for _ in range(5):
            reach |= {s for at in reach for t in vocabulary[1:] if (s := I.advance(moves, at, t)) is not None}
        assert reach & accepting


def test_exact_is_the_model_given_a_valid_text():
    """Along every valid text, the product of the distributions is p(text) divided by the probability of all valid texts."""
    moves, accepting = {0: {97: 1, 98: 2}, 1: {97: 3, 98: 1}, 2: {98: 3}, 3: {97: 0}}, {3}
    vocabulary = [b"", b"a", b"b", b"ab"]
    allowed, step = I.language(moves, accepting, vocabulary, eos=0)
    model, n = random_model(4, 4), 5
    texts = {
        text: share
        for text, share in all_texts(model, [], n, eos=0).items()
        if text[-1] == 0 and accepts(moves, accepting, b"".join(vocabulary[token] for token in text))
    }

    def distribution(text, state, remaining):
        return I.exact_distribution(model, text, state, allowed, step, eos=0, remaining=remaining)

    found = law(I.constrained_generate, distribution, [], 0, allowed, step, eos=0, max_new_tokens=n, given=("draw",))
    total = sum(texts.values())
    assert found.keys() == texts.keys() and len(texts) > 3
    assert max(abs(found[text] - share / total) for text, share in texts.items()) < 1e-12


def test_masking_is_not_the_condition():
    """Masked texts are valid, and their distribution is another one."""
    moves, accepting = {0: {97: 1, 98: 2}, 1: {98: 3}, 2: {97: 3, 98: 3}}, {3}
    vocabulary = [b"", b"a", b"b"]
    allowed, step = I.language(moves, accepting, vocabulary, eos=0)
    model = random_model(5, 3)

    def masked(text, state, remaining):
        return I.masked_distribution(model, text, state, allowed)

    found = law(I.constrained_generate, masked, [], 0, allowed, step, eos=0, max_new_tokens=3, given=("draw",))
    assert all(
        accepts(moves, accepting, b"".join(vocabulary[token] for token in text)) and text[-1] == 0 for text in found
    )
    exact = I.exact_distribution(model, [], 0, allowed, step, eos=0, remaining=3)
    assert abs(exact[1] - sum(share for text, share in found.items() if text[0] == 1)) > 0.01
