"""Public checks of the inference assignment: run them with pytest, as often as you like."""

import numpy as np
from coursekit.chance import law
from coursekit.checks import assert_refuses
from coursekit.compare import assert_close
from gradescope_utils.autograder_utils.decorators import number, tags, weight


def int8(*codes):
    return np.array(codes, dtype=np.int8)


def uint8(*codes):
    return np.array(codes, dtype=np.uint8)


# ---- Task 1: fewer bits -----------------------------------------------------------------------------


@number("1.p1")
@weight(1)
@tags("quantize")
def test_quantize_by_hand(impl):
    """With 3 bits, the row (6, -3, 1, 0) has scale 2 and codes (3, -2, 0, 0); in pairs, its scales are 2 and 1/3."""
    w = np.array([[6.0, -3.0, 1.0, 0.0], [0.0, 0.0, -9.0, 6.0]])

    codes, scales = impl.quantize(w, bits=3, group_size=4)
    assert_close(scales, np.array([[2.0], [3.0]]), name="scales, one per row")
    assert_close(codes, int8([3, -2, 0, 0], [0, 0, -3, 2]), name="codes, one scale per row")
    codes, scales = impl.quantize(w, bits=3, group_size=2)
    assert_close(scales, np.array([[2.0, 1 / 3], [1.0, 3.0]]), name="scales, one per pair")
    assert_close(codes, int8([3, -2, 3, 0], [0, 0, -3, 2]), name="codes, one scale per pair")
    codes, scales = impl.quantize(w, bits=3)
    assert_close(scales, np.array([[3.0]]), name="one scale for all")
    assert_close(codes, int8([2, -1, 0, 0], [0, 0, -3, 2]), name="codes, one scale for all")


@number("1.p2")
@weight(1)
@tags("quantize")
def test_quantize_affine_by_hand(impl):
    """In 2 bits, (1, 2, 6) has scale 2 and zero point 0, (-3, 1, 6) 3 and 1. In 8 bits, 255 of (-255, 1, 255) has code 255."""
    codes, scales, zeros = impl.quantize_affine(np.array([[1.0, 2.0, 6.0], [-3.0, 1.0, 6.0]]), bits=2, group_size=3)

    assert_close(scales, np.array([[2.0], [3.0]]), name="scales")
    assert_close(zeros, uint8([0], [1]), name="zero points")
    assert_close(codes, uint8([0, 1, 3], [0, 1, 3]), name="codes")
    # scale 2: the zero point 127.5 becomes 128, and 127.5 + 128 would be the code 256
    codes, scales, zeros = impl.quantize_affine(np.array([[-255.0, 1.0, 255.0]]), bits=8, group_size=3)
    assert_close((scales, zeros), (np.array([[2.0]]), uint8([128])), name="scale and zero point in 8 bits")
    assert_close(codes, uint8([0, 128, 255]), name="codes in 8 bits")


@number("1.p3")
@weight(1)
@tags("quantize")
def test_dequantize_by_hand(impl):
    """The codes (200, 3) with scale 0.5 and zero point 10 stand for (95, -3.5); without zero points, for 100 and 1.5."""
    scales = np.array([[0.5]])

    with_zeros = impl.dequantize(uint8([200, 3]), scales, uint8([10]))
    assert_close(with_zeros, np.array([[95.0, -3.5]]), name="weights of affine codes")
    pairs = impl.dequantize(int8([100, -2, 3, 1]), np.array([[0.5, 4.0]]))
    assert_close(pairs, np.array([[50.0, -1.0, 12.0, 4.0]]), name="weights of codes in two groups")


# ---- Task 2: two codes in a byte --------------------------------------------------------------------


@number("2.p1")
@weight(1)
@tags("pack")
def test_pack_int4_by_hand(impl):
    """The codes (1, -1, 7) become the bytes 0xF1 and 0x07."""
    assert_close(impl.pack_int4(int8(1, -1, 7)), uint8(0xF1, 0x07), name="bytes")
    assert_close(impl.pack_int4(int8([2, 3], [-8, 0])), uint8([0x32], [0x08]), name="bytes of two rows")


@number("2.p2")
@weight(1)
@tags("pack")
def test_unpack_int4_by_hand(impl):
    """The bytes 0xF1 and 0x07 hold the codes (1, -1, 7), and 0x08 holds (-8, 0)."""
    assert_close(impl.unpack_int4(uint8(0xF1, 0x07), 3), int8(1, -1, 7), name="codes")
    assert_close(impl.unpack_int4(uint8([0x32], [0x08]), 2), int8([2, 3], [-8, 0]), name="codes of two rows")


# ---- Task 3: integers multiply ----------------------------------------------------------------------


@number("3.p1")
@weight(1)
@tags("int8")
def test_longest_exact_sum_of_small_codes(impl):
    """Codes of 4 bits and an accumulator of 8 bits: 2 products fit in every case, and 3 do not."""
    assert_close(impl.longest_exact_sum(4, 8), 2, name="number of products for 4 bits")
    assert_close(impl.longest_exact_sum(2, 4), 7, name="number of products for 2 bits and 4 bits of accumulator")
    assert_close(impl.longest_exact_sum(8, 8), 0, name="number of products for 8 bits and 8 bits of accumulator")


def whole_codes(matrix, *, bits, group_size):
    """A stand-in for `quantize` that takes whole numbers as codes, with scale 1 for the first row and 2 for all others."""
    scales = np.where(np.arange(len(matrix)) == 0, 1.0, 2.0)[:, None]
    return np.rint(matrix / scales).astype(np.int8), scales


@number("3.p2")
@weight(1)
@tags("int8")
def test_int8_matmul_by_hand(impl):
    """Two codes of 127 give 127² each; an outlier column is multiplied in float64, once."""
    x, w = np.array([[127.0, 127.0, 0.5], [2.0, 6.0, 200.0]]), np.array([[127.0, 127.0, 2.75]])

    plain = impl.int8_matmul(x[:, :2], w[:, :2], threshold=1000.0, quantize=whole_codes)
    assert_close(plain, np.array([[32258.0], [1016.0]]), name="product without outliers")
    apart = impl.int8_matmul(x, w, threshold=150.0, quantize=whole_codes)
    assert_close(apart, np.array([[32259.375], [1566.0]]), name="product with one outlier column")


# ---- Task 4: weights that make up for each other ----------------------------------------------------


@number("4.p1")
@weight(1)
@tags("gptq")
def test_compensation_by_hand(impl):
    """With H = [[2, 1], [1, 1]] and the error 3, the other weight changes by -3; no other change does less damage."""
    h = np.array([[2.0, 1.0], [1.0, 1.0]])

    assert_close(impl.compensation(h, np.array([3.0, -1.0])), np.array([[-3.0], [1.0]]), name="changes")
    h = np.array([[3.0, 1.0, 0.0], [1.0, 2.0, 1.0], [0.0, 1.0, 4.0]])
    best = np.ravel(impl.compensation(h, np.array([1.0])))
    assert_close(best.shape, (2,), name="number of the other weights' changes")
    damage = lambda others: float(np.r_[1.0, others] @ h @ np.r_[1.0, others])
    for other in (best + [0.01, 0], best - [0.01, 0], best + [0, 0.01], best - [0, 0.01]):
        assert damage(other) > damage(best), f"{other} does less damage than your answer {best}"


def by_the_first_row(hessian, error):
    """A stand-in for `compensation`, and not the best change: each column takes the error back, times its entry of row 0."""
    hessian = np.asarray(hessian)
    return -np.asarray(error)[:, None] * hessian[:1, 1:]


@number("4.p2")
@weight(2)
@tags("gptq")
def test_gptq_by_hand(impl):
    """Each column is rounded as the columns before it have left it; a code beyond the largest is clipped."""
    two = impl.gptq(np.array([[0.375, 0.375]]), np.array([[2.0, 1.0], [1.0, 1.0]]), np.ones((1, 1)), compensation=by_the_first_row)
    assert_close(two, int8([0, 1]), name="codes of the handout's two columns")

    w, scales = np.array([[0.375, 0.375, 1.5], [0.75, 2.0, 0.5]]), np.array([[1.0], [0.25]])
    h = np.array([[4.0, 0.5, 0.0], [0.5, 4.0, 2.0], [0.0, 2.0, 4.0]])
    # row 0: 0.375 -> 0, then 0.375 + 0.1875 -> 1, then 1.5 - 0.875 -> 1
    # row 1: 3, then 8 -> 7 by clipping, then (0.5 + 0.5) / 0.25 -> 4
    codes = impl.gptq(w, h, scales, bits=4, compensation=by_the_first_row)
    assert_close(codes, int8([0, 1, 1], [3, 7, 4]), name="codes of three columns")


# ---- Task 5: accept a word or replace it ------------------------------------------------------------

P, Q = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.2, 0.7])


@number("5.p1")
@weight(1)
@tags("accept")
def test_acceptance_rate_by_hand(impl):
    """(3/4, 1/4) and (1/4, 3/4) give 1/2; equal distributions give 1."""
    two = np.array([[0.75, 0.25], [0.5, 0.5]]), np.array([[0.25, 0.75], [0.5, 0.5]])

    assert_close(impl.acceptance_rate(*two), np.array([0.5, 1.0]), name="rates")


@number("5.p2")
@weight(2)
@tags("accept")
def test_a_token_that_the_target_prefers_is_accepted(impl):
    """Tokens that are at least as probable for the target as for the draft are always accepted."""
    assert_close(law(impl.accept_or_resample, P, Q, 0), {(True, 0): 1.0}, name="law for token 0")
    assert_close(law(impl.accept_or_resample, P, Q, 1), {(True, 1): 1.0}, name="law for token 1")
    assert_close(law(impl.accept_or_resample, P, P, 2), {(True, 2): 1.0}, name="law for token 2 if q = p")


@number("5.p3")
@weight(1)
@tags("accept")
def test_a_token_that_the_draft_prefers_may_be_replaced(impl):
    """p = (5, 3, 2)/10 and q = (1, 2, 7)/10: token 2 is accepted with 2/7, replaced by 0 with 4/7, by 1 with 1/7."""
    found = law(impl.accept_or_resample, P, Q, 2)

    assert_close(found, {(False, 0): 4 / 7, (False, 1): 1 / 7, (True, 2): 2 / 7}, name="law for token 2")


# ---- Task 6: a whole text ---------------------------------------------------------------------------


class Counting:
    """A model with a cache. It counts on: after token t comes t + 1, but after each token of `slips` comes t + 2."""

    unrecorded = True

    def __init__(self, *slips):
        self.slips, self.text, self.calls = slips, [], []

    def __call__(self, tokens, *, keep):
        if not 0 <= keep <= len(self.text):
            raise ValueError(f"keep must be from 0 to {len(self.text)}, the number of tokens in the cache, got {keep}")
        self.calls.append((keep, [int(token) for token in tokens]))
        self.text = self.text[:keep] + self.calls[-1][1]
        return np.eye(40)[[token + 1 + (token in self.slips) for token in self.calls[-1][1]]]


def greedy_accept(p, q, token, *, draw, flip):
    """A stand-in for `accept_or_resample` without luck: the target's most probable token stands in the text."""
    best = int(np.argmax(p))
    return token == best, best


def accept_from_one_row(p, q, token, *, draw, flip):
    """A stand-in for `accept_or_resample`: a token that p and q are sure of is accepted, and any other becomes 0."""
    return (True, token) if p[token] == q[token] == 1 else (False, 0)


WITHOUT_LUCK = {"accept": greedy_accept, "draw": lambda p: int(np.argmax(p)), "flip": lambda p: False}


@number("6.p1")
@weight(2)
@tags("speculate")
def test_a_counting_target_corrects_its_draft(impl):
    """A target that counts continues 3, 4 with 5, …, 9, although its draft skips a number after 6."""
    text = impl.speculative_generate(Counting(), Counting(6), [3, 4], gamma=3, max_new_tokens=5, **WITHOUT_LUCK)
    assert_close(text, [3, 4, 5, 6, 7, 8, 9], name="text")

    text = impl.speculative_generate(Counting(), Counting(), [3, 4], gamma=3, max_new_tokens=9, eos=6, **WITHOUT_LUCK)
    assert_close(text, [3, 4, 5, 6], name="text that ends with eos 6")

    shifted = {**WITHOUT_LUCK, "accept": accept_from_one_row, "warp": lambda rows: np.roll(rows, 1, axis=-1)}
    text = impl.speculative_generate(Counting(), Counting(), [3, 4], gamma=2, max_new_tokens=3, **shifted)
    assert_close(text, [3, 4, 6, 8, 10], name="text if `warp` moves each probability to the next token")


@number("6.p2")
@weight(1)
@tags("speculate")
def test_one_call_of_the_target_in_each_round(impl):
    """γ = 3, and the draft slips after 6: the target reads 3 4 5 6 8 and then, without the 8, 7 8 9."""
    target = Counting()
    target.unrecorded = False  # its calls are looked at
    text = impl.speculative_generate(target, Counting(6), [3, 4], gamma=3, max_new_tokens=6, **WITHOUT_LUCK)

    assert_close(target.calls, [(0, [3, 4, 5, 6, 8]), (4, [7, 8, 9])], name="calls of the target: keep, tokens")
    assert_close(text, [3, 4, 5, 6, 7, 8, 9, 10], name="text")


def two_symbols(first):
    """A model with a cache over two tokens; `first` holds the probability of token 0 after token 0 and after token 1."""

    def model(tokens, *, keep):
        return np.array([[first[token], 1 - first[token]] for token in tokens])

    model.unrecorded = True
    return model


def always_target(p, q, token, *, draw, flip):
    """A stand-in for `accept_or_resample` that rejects every token and draws another one from p."""
    return False, draw(p)


@number("6.p3")
@weight(1)
@tags("speculate")
def test_two_tokens_have_the_distribution_of_the_target(impl):
    """With a stand-in that draws every token from p, texts of two tokens come as often as from the target alone."""
    models = two_symbols((0.25, 0.5)), two_symbols((0.5, 0.5))

    found = law(impl.speculative_generate, *models, [0], gamma=2, max_new_tokens=2, accept=always_target)
    due = {(0, 0, 0): 1 / 16, (0, 0, 1): 3 / 16, (0, 1, 0): 3 / 8, (0, 1, 1): 3 / 8}
    assert_close(found, due, name="distribution of the texts")


# ---- Task 7: how long a draft -----------------------------------------------------------------------


@number("7.p1")
@weight(1)
@tags("speed")
def test_expected_tokens_by_hand(impl):
    """At α = 1/2, a round of one drafted token adds 1.5 tokens; without a draft, it adds one."""
    found = [impl.expected_tokens(0.5, 0), impl.expected_tokens(0.5, 1), impl.expected_tokens(0.0, 4), impl.expected_tokens(1.0, 4)]

    assert_close(found, [1.0, 1.5, 1.0, 5.0], name="tokens for (α, γ) = (1/2, 0), (1/2, 1), (0, 4), (1, 4)")


@number("7.p2")
@weight(1)
@tags("speed")
def test_speedup_by_hand(impl):
    """If a round of four drafted tokens adds 3 tokens and a draft call costs 1/8, the speedup is 2; without a draft, 1."""
    tokens = lambda alpha, gamma: 3.0 if gamma else 1.0

    assert_close(impl.speedup(0.7, 4, 0.125, tokens=tokens), 2.0, name="speedup for γ = 4")
    assert_close(impl.speedup(0.7, 0, 0.125, tokens=tokens), 1.0, name="speedup for γ = 0")


@number("7.p3")
@weight(1)
@tags("speed")
def test_best_draft_length_by_hand(impl):
    """The length with the largest speedup, the shorter one of two equals, and 0 if no draft helps."""
    listed = [1.0, 1.5, 2.0, 2.0, 1.75]

    best = impl.best_draft_length(0.7, 0.1, longest=4, speed=lambda alpha, gamma, cost: listed[gamma])
    assert_close(best, 2, name="best length")
    slower = lambda alpha, gamma, cost: 1.0 - 0.1 * gamma
    assert_close(impl.best_draft_length(0.7, 0.1, longest=4, speed=slower), 0, name="best length if no draft helps")


# ---- Task 8: which tokens an automaton allows -------------------------------------------------------

# A list of digits: [ digit , digit … ]. After [ or a comma, a minus sign leads to state 4, where only a 2 goes on.
OPEN, DIGITS, COMMA, CLOSE, MINUS = b"["[0], b"01", b","[0], b"]"[0], b"-"[0]
MOVES = {
    0: {OPEN: 1},
    1: {**dict.fromkeys(DIGITS, 2), MINUS: 4},
    2: {COMMA: 1, CLOSE: 3},
    4: {b"2"[0]: 2},
}
ACCEPTING = {3}
VOCABULARY = [b"", b"[", b"0", b"1", b",", b"]", b"0,", b"],", b"[1", b"-"]
EOS = 0


@number("8.p1")
@weight(1)
@tags("automaton")
def test_advance_in_the_list_automaton(impl):
    """[1 leads from 0 to 2, and 0, from 1 to 1; after a bracket that closes, no byte has a move."""
    found = [impl.advance(MOVES, 0, b"[1"), impl.advance(MOVES, 1, b"0,"), impl.advance(MOVES, 2, b"],"), impl.advance(MOVES, 3, b",")]

    assert_close(found, [2, 1, None, None], name="states after the tokens")
    assert_close(impl.advance(MOVES, 2, b""), 2, name="state after no byte")


def worked_advance(moves, state, token):
    """A stand-in for `advance`."""
    for byte in token:
        if state is not None:
            state = moves.get(state, {}).get(byte)
    return state


@number("8.p2")
@weight(1)
@tags("automaton")
def test_live_states_of_the_list_automaton(impl):
    """From state 4 only a 2 leads on, and no token holds a 2: states 0 to 3 are live."""
    live = impl.live_states(MOVES, ACCEPTING, VOCABULARY, eos=EOS, advance=worked_advance)

    assert_close(live, {0, 1, 2, 3}, name="live states")


@number("8.p3")
@weight(1)
@tags("automaton")
def test_allowed_tokens_of_the_list_automaton(impl):
    """After a digit come a comma or a closing bracket, but not the token `],`; at the end comes eos only."""
    live = {0, 1, 2, 3}
    found = [
        impl.allowed_tokens(MOVES, ACCEPTING, VOCABULARY, state, live, eos=EOS, advance=worked_advance) for state in range(4)
    ]

    assert_close(found, [[1, 8], [2, 3, 6], [4, 5], [0]], name="allowed tokens in the states 0 to 3")


@number("8.p4")
@weight(1)
@tags("automaton")
def test_forced_run_to_the_end(impl):
    """In a chain of states with one token each, a run takes all of them, and eos at the end; `limit` cuts it."""
    allowed = lambda state: [[7], [8], [9], [0]][state]
    step = lambda state, token: state + 1

    assert_close(impl.forced_run(1, allowed, step, eos=0, limit=9), ([8, 9, 0], 3), name="run from state 1, and its state")
    assert_close(impl.forced_run(0, allowed, step, eos=0, limit=2), ([7, 8], 2), name="run of at most 2 tokens")
    choice = lambda state: [3, 4]
    assert_close(impl.forced_run(5, choice, step, eos=0, limit=9), ([], 5), name="run where there is a choice")


# ---- Task 9: write under a constraint ---------------------------------------------------------------

# Tokens: eos, A, B, C. A text is valid if it is A C or B followed by B or C. States: 0 start, 1 after A, 2 after B, 3 end.
ALLOWED = {0: [1, 2], 1: [3], 2: [2, 3], 3: [0]}
AFTER = {(0, 1): 1, (0, 2): 2, (1, 3): 3, (2, 2): 3, (2, 3): 3}


def allowed(state):
    return ALLOWED[state]


def step(state, token):
    return AFTER[state, token]


def model(text):
    """eos, A, B and C: mostly A at first; after one token 1/2, 1/8, 1/8 and 1/4; after two, eos is certain enough."""
    rows = [(0.125, 0.5, 0.25, 0.125), (0.5, 0.125, 0.125, 0.25), (0.5, 0.25, 0.125, 0.125)]
    return np.array(rows[min(len(text), 2)])


@number("9.p1")
@weight(1)
@tags("constrain")
def test_masked_distribution_by_hand(impl):
    """A and B are allowed, with 1/2 and 1/4: the mask gives them 2/3 and 1/3."""
    found = impl.masked_distribution(model, [], 0, allowed)

    assert_close(found, np.array([0, 2 / 3, 1 / 3, 0]), name="probabilities of eos, A, B, C")


@number("9.p2")
@weight(1)
@tags("constrain")
def test_exact_distribution_by_hand(impl):
    """Given that the text will be valid, A has 4/7 and B 3/7; a text that is too long is not valid."""
    found = impl.exact_distribution(model, [], 0, allowed, step, eos=0, remaining=3)
    assert_close(found, np.array([0, 4 / 7, 3 / 7, 0]), name="probabilities of eos, A, B, C")

    # A may come again and again. Two tokens are left: eos has 1/2, and A eos has 1/4 · 1/2; A A eos is too long
    endless = {"allowed": lambda state: [0, 1], "step": lambda state, token: state, "eos": 0}
    found = impl.exact_distribution(lambda text: np.array([0.5, 0.25, 0.25]), [], 0, remaining=2, **endless)
    assert_close(found, np.array([0.8, 0.2, 0.0]), name="probabilities of eos, A, B with two tokens left")
    assert_refuses(impl.exact_distribution, model, [], 0, allowed, step, eos=0, remaining=2, name="exact_distribution")


@number("9.p3")
@weight(1)
@tags("constrain")
def test_constrained_generate_by_hand(impl):
    """With a stand-in that gives every allowed token the same probability, A C and the two texts with B come as 2 : 1 : 1."""

    def uniform(text, state, remaining):
        return np.isin(np.arange(4), ALLOWED[state]) / len(ALLOWED[state])

    args = {"given": ("draw",), "eos": 0}
    found = law(impl.constrained_generate, uniform, [], 0, allowed, step, max_new_tokens=5, **args)
    assert_close(found, {(1, 3, 0): 0.5, (2, 2, 0): 0.25, (2, 3, 0): 0.25}, name="distribution of the texts")
    found = law(impl.constrained_generate, uniform, [3], 2, allowed, step, max_new_tokens=1, **args)
    assert_close(found, {(3, 2): 0.5, (3, 3): 0.5}, name="distribution of the texts with one new token")
