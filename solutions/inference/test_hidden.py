"""Graded checks of the inference assignment.

Random functions are held to their whole distribution (`coursekit.chance.law`). A function that uses another one of the
student's takes it as an argument and gets a right one here, so that each fault costs points in one place.
"""

import itertools

import numpy as np
import pytest
from coursekit.chance import law
from coursekit.checks import assert_leaves_arguments, assert_refuses
from coursekit.compare import Law, assert_close
from gradescope_utils.autograder_utils.decorators import number, tags, weight


def tool(function):
    """A function that a submission may call as often as it likes, in any order."""
    function.unrecorded = True
    return function


# Task 1


def weights(rng, rows, columns):
    """Weights of mixed signs and of very different sizes in different rows and columns."""
    return rng.normal(size=(rows, columns)) * np.exp(rng.normal(size=(rows, 1)) + rng.normal(size=columns))


@number("1.1")
@weight(2)
@tags("quantize")
@pytest.mark.parametrize("group_size", [None, 12, 4, 1], ids=["one_scale", "rows", "groups", "single_weights"])
def test_quantize_takes_the_largest_magnitude_to_the_largest_code(agree, rng, group_size):
    """Each group has its own scale, which takes its largest magnitude to the largest code."""
    w = weights(rng, 5, 12)

    for bits in (8, int(rng.integers(2, 8))):
        agree("quantize", w, bits=bits, group_size=group_size)


@number("1.2")
@weight(1)
@tags("quantize")
def test_quantize_rounds_half_to_even(agree, rng):
    """Weights halfway between two codes go to the even code, on both sides of 0."""
    codes = rng.permutation(np.r_[7.0, -6.5:7.0:1.0])  # 15 entries; the scale is a power of two

    agree("quantize", np.array([codes, -2.0 * codes]), bits=4, group_size=15)


@number("1.3")
@weight(1)
@tags("quantize")
def test_a_group_of_zeros_has_scale_one(agree, rng):
    """Groups of zeros have scale 1 and codes 0, next to groups that are not zero."""
    w = weights(rng, 3, 8)
    w[1, 4:] = w[2] = 0.0

    def of_the_zeros(impl, w):
        codes, scales = impl.quantize(w, bits=4, group_size=4)
        affine = impl.quantize_affine(w, bits=4, group_size=4)
        return codes[2], scales[1, 1:], scales[2], affine[0][2], affine[1][1, 1:], affine[1][2], affine[2][2]

    agree(of_the_zeros, w)


@number("1.4")
@weight(2)
@tags("quantize")
@pytest.mark.parametrize("case", ["positive", "negative", "both", "one_scale"])
def test_quantize_affine_spans_the_range_with_zero(agree, rng, case):
    """Each group's codes span the range from its smallest to its largest weight, with 0 in it."""
    w = weights(rng, 4, 12)
    if case in ("positive", "negative"):
        w = np.abs(w) + 0.5
    if case == "negative":
        w = -w

    for bits in (8, int(rng.integers(2, 8))):
        agree("quantize_affine", w, bits=bits, group_size=None if case == "one_scale" else 4)


@number("1.5")
@weight(1)
@tags("quantize")
@pytest.mark.parametrize("bits", [2, 5, 8])
def test_affine_codes_stay_in_their_range(agree, rng, bits):
    """The codes stay from 0 to the largest, also for the ends of a range that is the same on both sides of 0."""
    top = 2.0**bits - 1
    inside = rng.uniform(-1, 1, size=(2, 6)) * top
    # at these ends, both roundings are of halves
    w = np.concatenate([[[-top, top], [-4 * top, 4 * top]], inside], axis=1)

    agree("quantize_affine", w, bits=bits, group_size=8)


@number("1.6")
@weight(2)
@tags("quantize")
@pytest.mark.parametrize("case", ["symmetric", "affine", "one_scale"])
def test_dequantize_scales_each_group(agree, rng, case):
    """Each code stands for its distance to the zero point, times the scale of its group, above and below the zero point."""
    scales = rng.uniform(0.1, 2, size=(1, 1) if case == "one_scale" else (3, 4))
    if case == "affine":
        codes = rng.permuted(np.r_[0:240:20, 255].astype(np.uint8)[None, :-1].repeat(3, axis=0), axis=1)
        agree("dequantize", codes, scales, rng.integers(60, 200, size=(3, 4)).astype(np.uint8))
    else:
        agree("dequantize", rng.integers(-127, 128, size=(3, 12)).astype(np.int8), scales)


# Task 2


@number("2.1")
@weight(2)
@tags("pack")
@pytest.mark.parametrize("shape", [(16,), (2, 3, 10), (4, 7)], ids=str)
def test_pack_int4_puts_the_left_code_low(agree, rng, shape):
    """Of two neighbors, the left code takes the four low bits; an odd row ends with four zero bits."""
    codes = rng.integers(-8, 8, size=shape).astype(np.int8)
    codes[..., -1] = 5  # zeros in place of it are seen

    agree("pack_int4", codes)


@number("2.2")
@weight(2)
@tags("pack")
@pytest.mark.parametrize("case", ["all_bytes", "odd_rows"])
def test_unpack_int4_gives_each_code_its_sign(agree, rng, case):
    """Every byte gives its two codes, with their signs, the low bits first."""
    if case == "all_bytes":
        agree("unpack_int4", rng.permutation(256).astype(np.uint8), 512)
    else:
        packed = rng.integers(0, 256, size=(3, 4)).astype(np.uint8)
        packed[:, -1] &= 15
        agree("unpack_int4", packed, 7)


# Task 3


@number("3.1")
@weight(2)
@tags("int8")
@pytest.mark.parametrize("accumulator_bits", [8, 16, 24, 32])
def test_longest_exact_sum_fits_in_the_worst_case(agree, accumulator_bits):
    """No sum of that many products leaves the accumulator, and some sum of one more does."""
    def lengths(impl):
        return [impl.longest_exact_sum(bits, accumulator_bits) for bits in range(2, 9)]

    agree(lengths)
    assert accumulator_bits > 2


@tool
def worked_quantize(matrix, *, bits, group_size):
    top = 2 ** (bits - 1) - 1
    matrix = np.asarray(matrix, dtype=np.float64)
    scales = np.abs(matrix).max(axis=1, keepdims=True) / top
    scales[scales == 0] = 1.0
    return np.rint(matrix / scales).astype(np.int8), scales


@number("3.2")
@weight(2)
@tags("int8")
@pytest.mark.parametrize("d", [1, 7, 300])
def test_int8_matmul_multiplies_the_codes(agree, rng, d):
    """Without outliers, the result is the integer product of all codes, scaled for each row of x and of w."""
    x, w = rng.uniform(-5, 5, size=(4, d)), weights(rng, 3, d)

    agree("int8_matmul", x, w, quantize=worked_quantize)


@number("3.3")
@weight(3)
@tags("int8")
@pytest.mark.parametrize("threshold", [6.0, 2.5])
def test_int8_matmul_keeps_outlier_columns_apart(agree, rng, threshold):
    """Columns with an entry at or beyond the threshold, of either sign, are multiplied once, in float64."""
    x, w = rng.uniform(-2, 2, size=(5, 9)), weights(rng, 4, 9)
    one, two, three = rng.permutation(9)[:3]
    x[2, one], x[0, two], x[4, three] = 40.0, -30.0, threshold
    w[:, two] *= 50

    agree("int8_matmul", x, w, threshold=threshold, quantize=worked_quantize)


@number("3.4")
@weight(1)
@tags("int8")
def test_int8_matmul_with_outliers_only(agree, rng):
    """If every column is an outlier column, the product is that of the floats."""
    x, w = 8 + rng.uniform(size=(3, 5)), rng.normal(size=(2, 5))

    agree("int8_matmul", x, w, quantize=worked_quantize)


# Task 4


def correlated(rng, n, share):
    """H of n inputs of which any two correlate by `share`."""
    common = rng.normal(size=(60, 1))
    inputs = np.sqrt(share) * common + np.sqrt(1 - share) * rng.normal(size=(60, n))
    inputs = inputs * rng.uniform(0.5, 2, size=n)
    return inputs.T @ inputs + 0.01 * np.eye(n)


@number("4.1")
@weight(3)
@tags("gptq")
@pytest.mark.parametrize("n", [2, 5, 9])
def test_compensation_does_the_least_damage(agree, rng, n):
    """No other change of the other weights does less damage."""
    agree("compensation", correlated(rng, n, 0.6), rng.normal(size=4))


@number("4.2")
@weight(3)
@tags("gptq")
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_gptq_rounds_column_by_column(agree, rng, reference, share):
    """Each column is rounded as the columns before it have left it, and changes the columns to its right."""
    w = 2 * rng.normal(size=(6, 10))

    agree("gptq", w, correlated(rng, 10, share), np.ones((6, 1)), bits=8, compensation=reference.compensation)


@number("4.3")
@weight(1)
@tags("gptq")
def test_gptq_with_a_scale_for_each_row(agree, rng, reference):
    """Rows don't influence each other, and each row is rounded with its own scale, which stays."""
    w = rng.normal(size=(5, 8)) * np.exp(2 * rng.normal(size=(5, 1)))
    scales = np.abs(w).max(axis=1, keepdims=True) / 40

    agree("gptq", w, correlated(rng, 8, 0.7), scales, bits=8, compensation=reference.compensation)


@number("4.4")
@weight(1)
@tags("gptq")
@pytest.mark.parametrize("bits", [2, 4])
def test_gptq_clips_codes_and_passes_their_errors_on(agree, rng, reference, bits):
    """A code beyond the largest becomes the largest, and the whole error is passed on."""
    w = 4 * rng.normal(size=(6, 8))
    w[:, 0] = 2.0**bits

    agree("gptq", w, correlated(rng, 8, 0.6), np.ones((6, 1)), bits=bits, compensation=reference.compensation)


@number("4.5")
@weight(1)
@tags("gptq")
def test_gptq_leaves_its_arguments_alone(impl, rng, reference):
    """The weights, H and the scales that are handed in are the same after the call."""
    args = 2 * rng.normal(size=(3, 2)), correlated(rng, 2, 0.8), np.ones((3, 1))

    got = assert_leaves_arguments(impl.gptq, *args, bits=8, compensation=reference.compensation, name="gptq")
    assert_close(got, reference.gptq(*args, bits=8))


# Task 5


def distributions(rng, V):
    """Two distributions that overlap by about half. Both have tokens that the other one favors."""
    while True:
        p, q = rng.dirichlet(np.ones(V), size=2)
        if 0.3 < np.minimum(p, q).sum() < 0.7 and (V < 4 or 2 <= (p > q).sum() <= V - 2):
            return p, q


def accept_law(function, p, q, token):
    """Of one token: how often it is accepted, and by what it is replaced if not."""
    found = law(function, p, q, token)
    kept = sum(share for (accepted, _), share in found.items() if accepted)
    new = {token: share / (1 - kept) for (accepted, token), share in found.items() if not accepted}
    return found, kept, new


@number("5.1")
@weight(3)
@tags("accept")
@pytest.mark.parametrize("shape", [(3,), (4, 6)], ids=str)
def test_acceptance_rate_averages_over_the_draft(agree, rng, shape):
    """The rate is the probability that a token drawn from q is accepted, for each row."""
    p, q = rng.dirichlet(np.ones(shape[-1]), size=(2, *shape[:-1]))

    agree("acceptance_rate", p, q)


@number("5.2")
@weight(3)
@tags("accept")
@pytest.mark.parametrize("V", [2, 5])
def test_a_token_is_accepted_as_often_as_stated(impl, rng, V):
    """Each token is accepted with probability min(1, p/q), and an accepted token stands in the text."""
    p, q = distributions(rng, V)

    for token in range(V):
        found, kept, _ = accept_law(impl.accept_or_resample, p, q, token)
        assert_close(kept, float(min(1, p[token] / q[token])), name="probability that the token is accepted")
        assert_close(found.get((True, token), 0.0), kept, name="probability that an accepted token stands in the text")


@number("5.3")
@weight(2)
@tags("accept")
@pytest.mark.parametrize("V", [3, 6])
def test_a_rejected_token_is_replaced_by_the_right_draw(agree, rng, V):
    """A rejected token is replaced so that the text has the target's distribution."""
    p, q = distributions(rng, V)

    def replaced(impl):
        return [accept_law(impl.accept_or_resample, p, q, token)[2] for token in range(V) if q[token] > p[token]]

    agree(replaced)


@number("5.4")
@weight(1)
@tags("accept")
@pytest.mark.parametrize("V", [2, 4])
def test_the_token_in_the_text_has_the_distribution_of_the_target(impl, rng, V):
    """Over the draws of the draft and all luck in the function, the token in the text has the distribution p."""
    p, q = distributions(rng, V)
    found = np.zeros(V)
    for token in range(V):
        for (_, new), share in law(impl.accept_or_resample, p, q, token).items():
            found[new] += q[token] * share

    assert_close(found, p, name="distribution of the token in the text")


@number("5.5")
@weight(1)
@tags("accept")
@pytest.mark.parametrize("case", ["same", "impossible", "disjoint"])
def test_accept_at_the_edges(agree, rng, case):
    """It works where p = q, where the target never writes the token, and where p and q share no token."""
    p, q = distributions(rng, 4)
    if case == "same":
        p = q = np.array([0.5, 0.25, 0.25, 0.0])
    elif case == "impossible":
        p = np.array([0.0, *p[1:] / p[1:].sum()])
    else:
        p, q = np.array([0.5, 0.0, 0.5, 0.0]), np.array([0.0, 0.75, 0.0, 0.25])
    agree(lambda impl: [law(impl.accept_or_resample, p, q, token) for token in np.flatnonzero(q).tolist()])


# Task 6


MOST_RUNS = 300  # a right loop needs 24 at most, one that drafts beyond the end of the text more than a hundred


class Model:
    """A model with a cache that remembers what it was asked: each call is (kept, new tokens)."""

    unrecorded = True

    def __init__(self, rng, V, sharpness=1.0):
        self._seed, self._V, self._sharpness = int(rng.integers(2**30)), V, sharpness
        self._rows = {}
        self.text, self.calls = [], []

    def row(self, text):
        """The distribution after a text: it depends on every token and on their order."""
        key = tuple(text)
        if key not in self._rows:
            logits = self._sharpness * np.random.default_rng([self._seed, *key]).normal(size=self._V)
            self._rows[key] = np.exp(logits) / np.exp(logits).sum()
        return self._rows[key]

    def __call__(self, tokens, *, keep):
        tokens = [int(token) for token in tokens]
        if not 0 <= keep <= len(self.text):
            raise ValueError(f"keep must be from 0 to {len(self.text)}, the number of tokens in the cache, got {keep}")
        if not tokens:
            raise ValueError("tokens must hold at least one token, got none")
        self.calls.append((keep, tokens))
        self.text = self.text[:keep] + tokens
        return np.array([self.row(self.text[:n]) for n in range(keep + 1, len(self.text) + 1)])


def text_law(row, prompt, n, eos=None):
    """The distribution of what a model writes alone, token by token."""
    shares = {}

    def extend(text, share, left):
        if left == 0 or (len(text) > len(prompt) and text[-1] == eos):
            shares[tuple(text)] = share
            return
        for token, p in enumerate(row(text)):
            extend([*text, token], share * float(p), left - 1)

    extend(list(prompt), 1.0, n)
    return Law(sorted(shares.items(), key=lambda item: repr(item[0])))


@tool
def worked_accept(p, q, token, *, draw, flip):
    """A right `accept` that draws once: first comes that the token stays, and then each token that may replace it."""
    p, q = np.asarray(p), np.asarray(q)
    kept, residual = min(1.0, p[token] / q[token]), np.maximum(p - q, 0.0)
    if kept == 1.0:
        return True, int(token)
    drawn = draw([kept, *((1 - kept) * residual / residual.sum()).tolist()])
    return drawn == 0, int(token if drawn == 0 else drawn - 1)


@number("6.1")
@weight(3)
@tags("speculate")
@pytest.mark.parametrize(("gamma", "length"), [(1, 2), (2, 3)], ids=["1", "2"])
def test_texts_have_the_distribution_of_the_target(impl, rng, gamma, length):
    """Every text comes as often as from the target alone, however long and however bad the draft is."""
    target, draft = Model(rng, 2), Model(rng, 2, sharpness=2.0)  # two tokens keep the tree small
    lent = {"accept": worked_accept, "most_runs": MOST_RUNS}

    found = law(impl.speculative_generate, target, draft, [1, 0], gamma=gamma, max_new_tokens=length, **lent)
    assert_close(found, text_law(target.row, [1, 0], length), name="distribution of the texts")


@number("6.2")
@weight(1)
@tags("speculate")
@pytest.mark.parametrize("gamma", [1, 2])
def test_a_text_ends_with_the_first_eos(impl, rng, gamma):
    """A text ends with its first new eos, wherever it comes from; an eos in the prompt ends nothing."""
    target, draft = Model(rng, 2), Model(rng, 2)
    lent = {"accept": worked_accept, "most_runs": MOST_RUNS}

    found = law(impl.speculative_generate, target, draft, [1, 0], gamma=gamma, max_new_tokens=3, eos=1, **lent)
    assert_close(found, text_law(target.row, [1, 0], 3, eos=1), name="distribution of the texts")


@tool
def greedy_accept(p, q, token, *, draw, flip):
    """A stand-in without luck: accepts the target's best token only, and replaces all others by it."""
    best = int(np.argmax(p))
    return token == best, best


@tool
def most_probable(probabilities):
    return int(np.argmax(probabilities))


@tool
def never(p):
    return False


WITHOUT_LUCK = {"accept": greedy_accept, "draw": most_probable, "flip": never}


def similar(rng, V=6):
    """A target, and a draft that mostly agrees with it on the best token."""
    target, other = Model(rng, V, sharpness=2.0), Model(rng, V, sharpness=2.0)
    draft = Model(rng, V)
    draft.row = lambda text: 0.65 * target.row(text) + 0.35 * other.row(text)
    return target, draft


def greedy_text(row, prompt, n):
    text = list(prompt)
    for _ in range(n):
        text.append(int(np.argmax(row(text))))
    return text


def calls_due(target, draft, prompt, gamma, n):
    """The calls of both models, (kept, new tokens) each, that a text without luck takes."""
    text, end = list(prompt), len(prompt) + n
    target_calls, draft_calls = [], []
    in_target = in_draft = 0
    while len(text) < end:
        drafted = []
        for _ in range(min(gamma, end - len(text) - 1)):
            so_far = text + drafted
            draft_calls.append((in_draft, so_far[in_draft:]))
            in_draft = len(so_far)
            drafted.append(int(np.argmax(draft.row(so_far))))
        target_calls.append((in_target, (text + drafted)[in_target:]))
        for token in drafted:
            text.append(int(np.argmax(target.row(text))))
            if token != text[-1]:
                break
        else:
            text.append(int(np.argmax(target.row(text))))
        in_target, in_draft = len(text) - 1, min(in_draft, len(text) - 1)
    return target_calls, draft_calls


@number("6.3")
@weight(1)
@tags("speculate")
@pytest.mark.parametrize(("gamma", "lengths"), [(0, (0, 2)), (2, (1, 2, 4)), (7, (0, 1, 3))], ids=["0", "2", "7"])
def test_a_text_has_at_most_so_many_new_tokens(impl, rng, gamma, lengths):
    """A text has exactly the number of new tokens that it may have, if it meets no eos."""
    for n in lengths:
        target, draft = similar(rng)
        text = impl.speculative_generate(target, draft, [3], gamma=gamma, max_new_tokens=n, **WITHOUT_LUCK)
        assert_close(len(text), n + 1, name="number of tokens, with the prompt")
        assert_close(text[:1], [3], name="prompt at the beginning of the text")


@number("6.4")
@weight(2)
@tags("speculate")
@pytest.mark.parametrize("gamma", [1, 3, 5])
def test_the_target_is_called_once_per_round(impl, rng, gamma):
    """The target is called once in each round, on all drafted tokens, and reads nothing that it has read before."""
    target, draft = similar(rng)
    target.unrecorded = False  # its calls are what a submission is known by
    prompt = [4, 1, 2]
    want, _ = calls_due(target, draft, prompt, gamma, 9)
    text = impl.speculative_generate(target, draft, prompt, gamma=gamma, max_new_tokens=9, **WITHOUT_LUCK)

    assert_close(len(target.calls), len(want), name="number of calls of the target")
    assert_close(target.calls, want, name="the target's calls: keep, tokens")
    assert_close(text, greedy_text(target.row, prompt, 9), name="text")


@number("6.5")
@weight(2)
@tags("speculate")
@pytest.mark.parametrize("gamma", [2, 4])
def test_the_draft_reads_each_token_once(impl, rng, gamma):
    """The draft follows the text: its cache holds no rejected token, and it reads nothing that its cache holds."""
    target, draft = similar(rng)
    draft.unrecorded = False  # its calls are what a submission is known by
    text = impl.speculative_generate(target, draft, [4, 1, 2], gamma=gamma, max_new_tokens=9, **WITHOUT_LUCK)

    _, want = calls_due(target, draft, [4, 1, 2], gamma, 9)
    assert_close(draft.calls, want, name="the draft's calls: keep, tokens")
    assert_close(text, greedy_text(target.row, [4, 1, 2], 9), name="text")


@number("6.6")
@weight(1)
@tags("speculate")
def test_both_models_are_drawn_from_through_warp(impl, rng):
    """With a temperature, texts have the distribution of the target at this temperature."""
    target, draft = Model(rng, 2), Model(rng, 2)

    @tool
    def warp(rows):
        rows = np.asarray(rows) ** 2
        return rows / rows.sum(axis=-1, keepdims=True)

    lent = {"accept": worked_accept, "warp": warp, "most_runs": MOST_RUNS}
    found = law(impl.speculative_generate, target, draft, [0], gamma=2, max_new_tokens=2, **lent)
    assert_close(found, text_law(lambda text: warp(target.row(text)), [0], 2), name="distribution of the texts")


# Task 7


@number("7.1")
@weight(1)
@tags("speed")
@pytest.mark.parametrize("case", ["between", "zero", "one"])
def test_expected_tokens(agree, rng, case):
    """A token counts if all before it were accepted, and each round adds one token more than it accepts."""
    alphas = {"zero": [0.0, 0.6], "one": [1.0, 0.4]}.get(case, rng.uniform(0.1, 0.95, size=3).tolist())

    agree(lambda impl: [impl.expected_tokens(alpha, gamma) for alpha in alphas for gamma in (0, 1, 2, 9)])


@number("7.2")
@weight(1)
@tags("speed")
def test_speedup(agree, rng):
    """The speedup is tokens per time, where the draft's calls take time, too."""
    costs = [0.0, *rng.uniform(0.02, 0.5, size=3).tolist()]

    @tool
    def tokens(alpha, gamma):
        return 1 + gamma * alpha / (1 + 0.1 * gamma)

    agree(lambda impl: [impl.speedup(0.7, gamma, cost, tokens=tokens) for gamma in (0, 1, 4, 9) for cost in costs])


@number("7.3")
@weight(3)
@tags("speed")
@pytest.mark.parametrize("case", ["inside", "none_helps", "longest", "equals", "two_peaks"])
def test_best_draft_length(agree, rng, case):
    """The length with the largest speedup, the shortest one among equals; 0 if no draft helps."""
    best = {"inside": 5, "none_helps": 0, "longest": 8, "equals": 3, "two_peaks": 7}[case]

    @tool
    def speed(alpha, gamma, cost):
        if case == "equals":
            return 2.0 - abs(gamma - 4) if gamma not in (3, 5) else 2.0
        if case == "two_peaks" and gamma < 4:
            return 1.0 - abs(gamma - 2)
        return 2.0 - abs(gamma - best) * (alpha + cost)

    longest = 8
    agree("best_draft_length", float(rng.uniform(0.2, 0.9)), 0.1, longest=longest, speed=speed)
    agree("best_draft_length", 0.5, 0.1, longest=4, speed=tool(lambda alpha, gamma, cost: -abs(gamma - 2.2)))


# Task 8


@tool
def worked_advance(moves, state, token):
    for byte in token:
        state = moves.get(state, {}).get(byte)
        if state is None:
            return None
    return state


STATES = range(5)


def automaton(rng):
    """Moves by a, b, c and d, accepting states, and tokens of one to three bytes, none of which holds a d."""
    moves = {
        state: {byte: int(rng.integers(len(STATES))) for byte in b"abcd" if rng.uniform() < 0.45} for state in STATES
    }
    moves = {state: row for state, row in moves.items() if row}
    accepting = {int(state) for state in rng.permutation(len(STATES))[:2]}
    words = []
    for length in (1, 2, 3):
        every = [bytes(word) for word in itertools.product(b"abc", repeat=length)]
        words += [every[index] for index in rng.permutation(len(every))[:2]]
    words = [words[index] for index in rng.permutation(6)]
    eos = int(rng.integers(7))
    return moves, accepting, [*words[:eos], b"", *words[eos:]], eos


@number("8.1")
@weight(1)
@tags("automaton")
def test_advance_follows_every_byte(agree, rng):
    """The state after all bytes, or None where one of them has no move."""
    def walks(impl, moves, words):
        return [impl.advance(moves, state, word) for state in STATES for word in words]

    moves, _, vocabulary, _ = automaton(rng)
    agree(walks, moves, vocabulary)


@number("8.2")
@weight(2)
@tags("automaton")
@pytest.mark.parametrize("case", ["random", "chain"])
def test_live_states_are_those_from_which_tokens_lead_to_the_end(agree, rng, reference, case):
    """A state is live if tokens of the vocabulary lead from it to an accepting state, in however many steps."""
    if case == "chain":
        # state s is left by a only; b leads to state 99, from which tokens lead on for ever, and to no end
        order = rng.permutation(6).tolist()
        moves = {s: {97: t, 98: 99} for s, t in itertools.pairwise(order)} | {99: {97: 99, 98: 99}}
        agree("live_states", moves, {order[-1]}, [b"b", b"a", b""], eos=2, advance=worked_advance)
        agree("live_states", moves, {order[-1]}, [b"b", b"aa", b""], eos=2, advance=worked_advance)
        return
    while True:  # until some states are live besides those in which a text may end, and some are dead
        moves, accepting, vocabulary, eos = automaton(rng)
        if accepting < reference.live_states(moves, accepting, vocabulary, eos=eos) < accepting | set(moves):
            break
    agree("live_states", moves, accepting, vocabulary, eos=eos, advance=worked_advance)


@number("8.3")
@weight(3)
@tags("automaton")
@pytest.mark.parametrize("case", ["all_live", "some_dead"])
def test_allowed_tokens_stay_alive(agree, rng, reference, case):
    """A token is allowed if all its bytes have moves and the state after them is live; eos in accepting states only."""
    def lists(impl, moves, accepting, vocabulary, live, eos):
        return [
            impl.allowed_tokens(moves, accepting, vocabulary, state, live, eos=eos, advance=worked_advance)
            for state in STATES
        ]

    while True:  # until some token leads to the dead, and some to the living that do not accept
        moves, accepting, vocabulary, eos = automaton(rng)
        live = accepting | {int(rng.choice(list(set(STATES) - accepting)))}
        every, some, few = (
            lists(reference, moves, accepting, vocabulary, states, eos) for states in (set(STATES), live, accepting)
        )
        if every != some != few:
            break
    agree(lists, moves, accepting, vocabulary, live if case == "some_dead" else set(STATES), eos)


@number("8.4")
@weight(2)
@tags("automaton")
@pytest.mark.parametrize("case", ["choice", "eos", "limit", "no_run"])
def test_forced_run_takes_what_has_no_alternative(agree, rng, case):
    """Tokens are taken as long as exactly one is allowed, up to a choice, an eos, or the limit."""
    tokens = rng.integers(1, 9, size=8).tolist()
    at = {"choice": 5, "eos": 4, "limit": 8, "no_run": 0}[case]

    @tool
    def allowed(state):
        if state == at:
            return [0] if case == "eos" else [1, 2]
        return [tokens[state]]

    @tool
    def step(state, token):
        if token != tokens[state]:
            raise ValueError(f"step was called with token {token} in state {state}, where it is not allowed")
        return state + 1

    agree("forced_run", 0, allowed, step, eos=0, limit=3 if case == "limit" else 20)
    agree("forced_run", 1, allowed, step, eos=0, limit=2)


# Task 9


class Language:
    """A tiny language over tokens 0 .. V-1, of which 0 is eos: a random automaton all of whose states are live."""

    def __init__(self, rng, V=4, n_states=3):
        self._options, self._next = {}, {}
        for state in range(n_states):
            options = [int(t) for t in range(1, V) if rng.uniform() < 0.5] or [int(rng.integers(1, V))]
            self._next[state] = {t: int(rng.integers(n_states)) for t in options}
            self._options[state] = options
        self._options[n_states - 1] = sorted({0, *self._options[n_states - 1]})
        for state in range(n_states - 1):  # so that the last state, and with it eos, can be reached
            self._next[state][self._options[state][-1]] = state + 1
        self.allowed = tool(lambda state: list(self._options[state]))
        self.step = tool(lambda state, token: self._next[state][token])


def model_of(rng, V=4):
    model = Model(rng, V)
    return tool(lambda text: model.row(text))


@number("9.1")
@weight(2)
@tags("constrain")
def test_masked_distribution_renormalizes(agree, rng):
    """Tokens that are not allowed get 0, and the others keep their ratios and add up to 1."""
    language, model = Language(rng, V=6), model_of(rng, V=6)

    agree(lambda impl: [impl.masked_distribution(model, [1, 2], state, language.allowed) for state in range(3)])


@number("9.2")
@weight(3)
@tags("constrain")
@pytest.mark.parametrize("remaining", [4, 5])
def test_exact_distribution_is_that_of_valid_texts(agree, rng, remaining):
    """The next token has the model's probability, given that the text will be valid."""
    language, model = Language(rng, n_states=4), model_of(rng)

    def next_tokens(impl):
        return [
            impl.exact_distribution(model, text, state, language.allowed, language.step, eos=0, remaining=left)
            for text, state, left in (([2], 0, remaining), ([2, 1], 1, 3), ([], 3, 1))
        ]

    agree(next_tokens)


@number("9.3")
@weight(1)
@tags("constrain")
@pytest.mark.parametrize("remaining", [1, 2])
def test_exact_distribution_refuses_where_nothing_fits(impl, rng, remaining):
    """A ValueError where no valid text is short enough."""
    allowed, step = tool(lambda state: [1, 2] if state < 2 else [0]), tool(lambda state, token: state + 1)

    @tool
    def model(text):
        return np.full(3, 1 / 3)

    assert_close(
        impl.exact_distribution(model, [], 0, allowed, step, eos=0, remaining=3), np.array([0.0, 0.5, 0.5]), name="next token"
    )
    assert_refuses(
        impl.exact_distribution, model, [], 0, allowed, step, eos=0, remaining=remaining, name="exact_distribution"
    )


@number("9.4")
@weight(2)
@tags("constrain")
@pytest.mark.parametrize("case", ["prompt", "no_prompt", "cut"])
def test_constrained_generate_draws_each_token_from_its_distribution(agree, rng, case):
    """Each token is drawn from the distribution that belongs to its text, state and remaining number of tokens."""
    language, model = Language(rng), model_of(rng)
    prompt = [3, 0] if case == "prompt" else []

    @tool
    def distribution(text, state, remaining):
        p = np.array(model([*text, state, remaining]))
        p[[t for t in range(4) if t not in language.allowed(state)]] = 0.0
        return p / p.sum()

    given = {"given": ("draw",), "eos": 0, "max_new_tokens": 2 if case == "cut" else 3}
    agree(lambda impl: law(
        impl.constrained_generate, distribution, prompt, 1 if prompt else 0, language.allowed, language.step, **given
    ))


@number("9.5")
@weight(1)
@tags("constrain")
def test_forced_tokens_cost_no_call(impl, rng):
    """Where one token is allowed, it is written without a call of the distribution."""
    forced = rng.integers(1, 5, size=6).tolist()
    asked = []

    @tool
    def allowed(state):
        return [forced[state]] if state < 6 else [1, 2] if state == 6 else [0]

    @tool
    def distribution(text, state, remaining):
        asked.append((list(text), state, remaining))
        return np.array([0.0, 0.25, 0.75, 0.0, 0.0])

    step = tool(lambda state, token: state + 1)
    text = impl.constrained_generate(
        distribution, [4], 0, allowed, step, eos=0, max_new_tokens=20, draw=most_probable
    )
    assert_close(text, [4, *forced, 2, 0], name="text")
    assert_close(asked, [([4, *forced], 6, 14)], name="calls of the distribution: text, state, remaining")
