"""What the handout of the inference assignment states, computed from the reference: one test for each claim."""

import tomllib

import numpy as np
import pytest
import staff_files
from coursekit.chance import law, luck

I = staff_files.reference("inference")


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def test_the_large_model_runs_less_than_half_as_often():
    """Four words, each accepted with 60%: the large model is called for 43% of the words; 16 words at c = 0.1 don't help."""
    assert round(1 / I.expected_tokens(0.6, 4), 2) == 0.43
    assert I.speedup(0.6, 16, 0.1) < 1 < I.speedup(0.6, 4, 0.1)


# Task 1


def outlier_row():
    return np.append(np.random.default_rng(0).uniform(-1, 1, 127), 100.0)[None]


def errors(group_size, w):
    codes, scales = I.quantize(w, group_size=group_size)
    return codes, I.dequantize(codes, scales) - w


def test_one_large_weight_leaves_three_codes():
    """The 127 weights use 3 codes, and their error is 88 times larger than without the weight of 100."""
    w = outlier_row()
    codes, error = errors(128, w)
    _, alone = errors(127, w[:, :127])

    assert len(np.unique(codes[0, :127])) == 3
    assert round(np.sqrt((error[0, :127] ** 2).mean() / (alone**2).mean())) == 88


def test_only_the_last_group_suffers():
    """With groups of 32, only the group of the weight of 100 has a large error."""
    _, error = errors(32, outlier_row())
    sizes = np.sqrt((error.reshape(4, 32) ** 2).mean(axis=1))

    assert (sizes[:3] < 0.003).all() and sizes[3] > 0.1


def test_the_row_of_task_1():
    """3 bits: (6, -3, 1, 0) has scale 2 and codes (3, -2, 0, 0); in pairs, the scales are 2 and 1/3."""
    codes, scales = I.quantize(np.array([[6.0, -3.0, 1.0, 0.0]]), bits=3, group_size=4)
    assert (scales.tolist(), codes.tolist()) == ([[2.0]], [[3, -2, 0, 0]])
    np.testing.assert_allclose(I.quantize(np.array([[6.0, -3.0, 1.0, 0.0]]), bits=3, group_size=2)[1], [[2, 1 / 3]])


def test_docstring_examples_of_task_1():
    """quantize: (6, -3, 1) in 3 bits; quantize_affine: (1, 2, 6) in 2 bits; dequantize: (200, 3)."""
    codes, scales = I.quantize(np.array([[6.0, -3.0, 1.0]]), bits=3)
    assert (codes.tolist(), scales.tolist()) == ([[3, -2, 0]], [[2.0]])
    codes, scales, zeros = I.quantize_affine(np.array([[1.0, 2.0, 6.0]]), bits=2)
    assert (codes.tolist(), scales.tolist(), zeros.tolist()) == ([[0, 1, 3]], [[2.0]], [[0]])
    weights = I.dequantize(np.array([[200, 3]], np.uint8), np.array([[0.5]]), np.array([[10]], np.uint8))
    assert weights.tolist() == [[95, -3.5]]


@pytest.mark.parametrize("bits", [2, 8])
def test_without_clipping_the_largest_weight_comes_back_as_the_smallest(bits):
    """The trap: in a range that is the same on both sides of 0, both roundings go up to 2^bits, which is 0 in uint8."""
    top = 2.0**bits - 1

    codes, scales, zeros = I.quantize_affine(np.array([[-top, top]]), bits=bits)
    assert np.rint(top / scales[0, 0]) + zeros[0, 0] == 2**bits
    assert codes[0, 1] == 2**bits - 1


# Tasks 2 and 3


def test_bytes_of_task_2():
    """(1, -1, 7) becomes 0xF1, 0x07."""
    assert I.pack_int4(np.array([1, -1, 7], np.int8)).tolist() == [0xF1, 0x07]
    assert I.unpack_int4(np.array([0xF1, 0x07], np.uint8), 3).tolist() == [1, -1, 7]


def test_how_many_products_fit():
    """2 into 16 bits, 133,144 into 32; codes of 4 bits into 8 bits: 2. In int16, the sum of three products wraps around."""
    assert (I.longest_exact_sum(8, 16), I.longest_exact_sum(8), I.longest_exact_sum(4, 8)) == (2, 133_144, 2)
    worst = np.full(3, 127**2, dtype=np.int16)
    assert worst[:2].sum(dtype=np.int16) == 2 * 127**2 and worst.sum(dtype=np.int16) < 0
    assert worst.sum() == 3 * 127**2 and worst.sum().dtype == np.int64


def test_the_product_of_task_3():
    """x = w = (127, 127) give 32258, and -1 · 127² in int8 is a small number."""
    x = np.full((1, 2), 127.0)

    assert I.int8_matmul(x, x, threshold=1000.0).tolist() == [[32258.0]]
    codes = np.full((1, 2), 127, np.int8)
    assert abs(int((codes @ codes.T)[0, 0])) < 128


def test_what_one_outlier_column_costs():
    """The mean error is 0.63 with the outlier column among the codes and 0.050 without, 13 times less."""
    x, w = np.random.default_rng(0).normal(size=(2, 20, 64))
    x[:, 7] *= 60
    together, apart = (np.abs(I.int8_matmul(x, w, threshold=threshold) - x @ w.T).mean() for threshold in (1000.0, 6.0))

    assert (round(together, 2), round(apart, 3), round(together / apart)) == (0.63, 0.05, 13)
    assert (np.abs(x) >= 6).any(axis=0).nonzero()[0].tolist() == [7]


# Task 4


def test_four_pairs_of_integers():
    """(0, 1) and (1, 0) do 0.045 of damage, (0, 0) does 0.643, (1, 1) more; GPTQ finds (0, 1)."""
    h, w = np.array([[1.01, 1], [1, 1.01]]), np.array([[0.4, 0.4]])
    damage = {pair: I.layer_error(w, np.array([pair]), h) for pair in ((0, 0), (0, 1), (1, 0), (1, 1))}

    assert [round(value, 3) for value in damage.values()] == [0.643, 0.045, 0.045, 1.447]
    assert I.gptq(w, h, np.ones((1, 1))).tolist() == [[0, 1]]


def test_gptq_by_hand():
    """w = (0.375, 0.375), H = [[2, 1], [1, 1]]: column 1 becomes 0.75; the codes are 0 and 1."""
    h = np.array([[2.0, 1.0], [1.0, 1.0]])

    assert I.compensation(h, np.array([-0.375])).tolist() == [[0.375]]
    assert I.compensation(h, np.array([3.0])).tolist() == [[-3.0]]
    assert I.gptq(np.array([[0.375, 0.375]]), h, np.ones((1, 1))).tolist() == [[0, 1]]


def test_lstsq_finds_the_same_change():
    """With H = XᵀX, least squares on the columns of X finds the compensation."""
    x = np.random.default_rng(0).normal(size=(20, 4))

    least_squares = np.linalg.lstsq(x[:, 1:], -0.7 * x[:, 0], rcond=None)[0]
    np.testing.assert_allclose(I.compensation(x.T @ x, np.array([0.7]))[0], least_squares)


@pytest.mark.parametrize(
    "share, left, counts", [(0.0, 97, (75, 101, 24)), (0.5, 59, (125, 49, 26)), (0.9, 17, (137, 40, 23))]
)
def test_how_much_damage_is_left(share, left, counts):
    """97, 59 and 17% of the damage; at 0.9, more damage in 23 of 200 layers."""
    damage = np.zeros((200, 2))
    for seed in range(200):
        rng = np.random.default_rng(seed)
        common = rng.normal(size=(200, 1))
        x = np.sqrt(share) * common + np.sqrt(1 - share) * rng.normal(size=(200, 16))
        h, w = x.T @ x + 0.01 * np.eye(16), 2 * rng.normal(size=(1, 16))
        damage[seed] = [I.layer_error(w, hat, h) for hat in (np.rint(w), I.gptq(w, h, np.ones((1, 1)), bits=8))]
    nearest, ours = damage.T

    assert round(100 * ours.sum() / nearest.sum()) == left
    assert ((ours < nearest - 1e-9).sum(), (abs(ours - nearest) <= 1e-9).sum(), (ours > nearest + 1e-9).sum()) == counts


# Task 5


def test_the_colleague():
    """p = (1/2, 1/2), q = (9/10, 1/10), replacements from p: token 0 has 0.7."""

    def colleague(p, q, *, draw, flip):
        token = draw(q)
        return token if flip(min(1, p[token] / q[token])) else draw(p)

    np.testing.assert_allclose(law(colleague, [0.5, 0.5], [0.9, 0.1])[0], 0.7)
    np.testing.assert_allclose(0.9 * law(I.accept_or_resample, [0.5, 0.5], [0.9, 0.1], 0)[True, 0], 0.5)  # hint 2


def test_which_draft_is_accepted():
    """Best guess 0.24, draw 0.66, at temperature 2 0.63; both at 0.1: 0.48, both at 4: 0.90; best guesses agree in 0.48."""
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(500, 50))
    p, q = softmax(logits), softmax(logits + rng.normal(size=(500, 50)))
    best = np.eye(50)[q.argmax(axis=-1)]

    rates = [I.acceptance_rate(p, d).mean() for d in (best, q, I.cool(q, 2))]
    rates += [I.acceptance_rate(I.cool(p, T), I.cool(q, T)).mean() for T in (0.1, 4)]
    assert np.round(rates, 2).tolist() == [0.24, 0.66, 0.63, 0.48, 0.90]
    assert round((p.argmax(axis=-1) == q.argmax(axis=-1)).mean(), 2) == 0.48


def test_the_case_of_task_5():
    """p = (5, 3, 2)/10, q = (1, 2, 7)/10: token 2 is kept with 2/7, replaced by 0 with 4/7, by 1 with 1/7."""
    p, q = [0.5, 0.3, 0.2], [0.1, 0.2, 0.7]
    found = law(I.accept_or_resample, p, q, 2)

    np.testing.assert_allclose([found[True, 2], found[False, 0], found[False, 1]], [2 / 7, 4 / 7, 1 / 7])
    assert [law(I.accept_or_resample, p, q, token) for token in (0, 1)] == [{(True, 0): 1.0}, {(True, 1): 1.0}]
    found = law(I.accept_or_resample, [0.75, 0.25], [0.25, 0.75], 1)  # the docstring's
    np.testing.assert_allclose(found[True, 1], 1 / 3)


# Task 6


def test_a_terrible_draft_changes_the_calls_and_not_the_text():
    """100 calls with draft A and 271 with B for 400 tokens; the distribution of the texts is the same."""

    def table(*rows):
        return I.Cached(lambda text: rows[text[-1]])

    large, close = (
        ((0.7, 0.2, 0.1), (0.2, 0.2, 0.6), (0.1, 0.8, 0.1)),
        ((0.6, 0.3, 0.1), (0.2, 0.3, 0.5), (0.2, 0.7, 0.1)),
    )
    laws, calls = [], []
    for rows in (close, ((0.01, 0.01, 0.98),) * 3):
        laws.append(law(I.speculative_generate, table(*large), table(*rows), [0], gamma=2, max_new_tokens=2))
        target, (draw, flip) = table(*large), luck(0)
        text = I.speculative_generate(target, table(*rows), [0], gamma=4, max_new_tokens=400, draw=draw, flip=flip)
        calls.append(target.calls)
        assert len(text) == 401

    assert calls == [100, 271]
    assert max(abs(laws[0][text] - laws[1][text]) for text in laws[0]) < 1e-15


def test_the_counting_round():
    """Prompt 3, 4 and a draft that says 8 after 6: the target reads 3 4 5 6 8 with keep=0, then 7 … with keep=4."""
    calls = []

    def model(slip=None):
        def step(tokens, *, keep):
            if slip is None:
                calls.append((keep, list(tokens)))
            return np.eye(40)[[token + 1 + (token == slip) for token in tokens]]

        return step

    draw, flip = luck(0)
    text = I.speculative_generate(model(), model(6), [3, 4], gamma=3, max_new_tokens=9, draw=draw, flip=flip)
    assert calls[0] == (0, [3, 4, 5, 6, 8])
    assert (calls[1][0], calls[1][1][0]) == (4, 7)
    assert text == list(range(3, 14))


# Task 7


def test_speeds():
    """c = 0.1. At 0.6, 1.67 with 3 tokens and 0.96 with 16; at 0.8, 2.47 with 6. By hand: 1.5 tokens; 3 tokens at 1/8: 2."""
    found = [
        (I.best_draft_length(a, 0.1), round(I.speedup(a, I.best_draft_length(a, 0.1), 0.1), 2)) for a in (0.6, 0.8)
    ]

    assert found == [(3, 1.67), (6, 2.47)]
    assert round(I.speedup(0.6, 16, 0.1), 2) == 0.96
    assert round(I.expected_tokens(0.6, 200), 6) == 2.5
    assert I.expected_tokens(0.5, 1) == 1.5
    assert I.speedup(0.7, 4, 0.125, tokens=lambda alpha, gamma: 3.0) == 2.0


# Task 8


def test_the_list_automaton():
    """Three tokens in state 1, two in state 2; the minus sign leads to a state that is not live."""
    moves = {0: {91: 1}, 1: {48: 2, 49: 2, 45: 4}, 2: {44: 1, 93: 3}, 4: {50: 2}}
    vocabulary = [b"", b"[", b"0", b"1", b",", b"]", b"0,", b"],", b"[1", b"-"]
    live = I.live_states(moves, {3}, vocabulary, eos=0)

    lists = [I.allowed_tokens(moves, {3}, vocabulary, state, live, eos=0) for state in (1, 2)]
    assert lists == [[2, 3, 6], [4, 5]]
    assert live == {0, 1, 2, 3}  # what the snippet prints; its words and moves are these
    assert [[vocabulary[token] for token in ids] for ids in lists] == [[b"0", b"1", b"0,"], [b",", b"]"]]
    assert I.advance(moves, 1, b"-") == 4 and I.advance(moves, 2, b"],") is None and I.advance(moves, 2, b"]") == 3


# Task 9


def test_masking_writes_a_with_ninety_percent():
    """Masking: 0.9. Of the valid texts, 8.3% begin with A."""
    after = {(): (0, 0.9, 0.1, 0), (1,): (0.99, 0, 0, 0.01), (2,): (0, 0, 0, 1)}

    def model(text):
        return np.array(after.get(tuple(text), (1.0, 0, 0, 0)))

    def allowed(state):
        return [[1, 2], [3], [0]][state]

    def step(state, token):
        return state + 1

    np.testing.assert_allclose(I.masked_distribution(model, [], 0, allowed)[1], 0.9)
    exact = I.exact_distribution(model, [], 0, allowed, step, eos=0, remaining=3)
    assert round(exact[1], 3) == 0.083
    np.testing.assert_allclose(exact[1], 0.009 / 0.109)


def test_the_case_of_task_9():
    """A C, B B and B C: masking gives A 2/3 and B 1/3; given a valid text, they have 4/7 and 3/7."""
    rows = np.array([(1, 4, 2, 1), (4, 1, 1, 2), (4, 2, 1, 1)]) / 8

    def model(text):
        return rows[len(text)]

    def allowed(state):
        return {"": [1, 2], "A": [3], "B": [2, 3], "end": [0]}[state]

    def step(state, token):
        return {1: "A", 2: "B"}[token] if state == "" else "end"

    np.testing.assert_allclose(I.masked_distribution(model, [], "", allowed), [0, 2 / 3, 1 / 3, 0])
    exact = I.exact_distribution(model, [], "", allowed, step, eos=0, remaining=3)
    np.testing.assert_allclose(exact, [0, 4 / 7, 3 / 7, 0])
    # the texts one by one, as the test under Derive has it
    texts = {
        "AC": rows[0][1] * rows[1][3] * rows[2][0],
        "BB": rows[0][2] * rows[1][2] * rows[2][0],
        "BC": rows[0][2] * rows[1][3] * rows[2][0],
    }
    np.testing.assert_allclose(exact[1], texts["AC"] / sum(texts.values()))


# The whole


def test_points_and_minutes():
    """100 points, 340 minutes."""
    tasks = tomllib.loads((staff_files.ROOT / "assignments" / "inference" / "assignment.toml").read_text())["tasks"]

    assert (sum(task["points"] for task in tasks), sum(task["minutes"] for task in tasks)) == (100, 340)


def test_the_written_question():
    """Masked to tokens 0 and 1, p = (5, 3, 0)/8. 0.3 is accepted if the draft is not masked, and 17/24 if it is."""
    p, q = np.array([5, 3, 0]) / 8, np.array([1, 2, 7]) / 10
    masked = np.array([1, 2, 0]) / 3

    np.testing.assert_allclose(I.acceptance_rate(np.array([p, p]), np.array([q, masked])), [0.3, 17 / 24])
    for draft in (q, masked):
        text = np.zeros(3)
        for token in np.flatnonzero(draft):
            for (_, kept), chance in law(I.accept_or_resample, p, draft, int(token)).items():
                text[kept] += draft[token] * chance
        np.testing.assert_allclose(text, p, atol=1e-12)
