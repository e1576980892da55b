"""The checks you can run yourself: `pytest` in this folder, or `pytest --task visible` for one task."""

import math

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.chance import law
from coursekit.compare import assert_close

F64 = torch.float64


def numbers(*values):
    """A float64 tensor."""
    return torch.tensor(values, dtype=F64)


def rows(mask):
    """A boolean mask as rows of 0 and 1, which are easier to read."""
    return mask.int().tolist()


# --- Task 1 ------------------------------------------------------------------------------------


@number("1.p1")
@weight(1)
@tags("visible")
def test_two_kinds_by_hand(impl):
    """In a bidirectional mask everybody sees everybody; in a causal one, itself and what came before."""
    assert_close(rows(impl.visible("bidirectional", 2)), [[1, 1], [1, 1]])
    assert_close(rows(impl.visible("causal", 3)), [[1, 0, 0], [1, 1, 0], [1, 1, 1]])


@number("1.p2")
@weight(1)
@tags("visible")
def test_prefix_by_hand(impl):
    """A prompt of 2 tokens is seen by all; what follows is causal. Each row of a batch may have a prompt of its own."""
    two, three = [[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]], [[1, 1, 1, 0]] * 3 + [[1, 1, 1, 1]]

    assert_close(rows(impl.visible("prefix", 4, prefix=2)), two)
    batch = impl.visible("prefix", 4, prefix=torch.tensor([3, 2]))
    assert_close(rows(batch), [three, two], name="mask of a batch")


@number("1.p3")
@weight(1)
@tags("visible")
def test_padding_by_hand(impl):
    """Nobody sees padding, and the padding token sees what the other rules allow."""
    real = torch.tensor([[True, True, False], [False, True, True]])

    mask = impl.visible("bidirectional", 3, real=real)

    assert_close(rows(mask), [[[1, 1, 0]] * 3, [[0, 1, 1]] * 3])


@number("1.p4")
@weight(1)
@tags("visible")
def test_segments_by_hand(impl):
    """Two texts in one row don't see each other, and each stays causal."""
    mask = impl.visible("causal", 4, segments=torch.tensor([1, 1, 2, 2]))

    assert_close(rows(mask), [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]])


# --- Task 2 ------------------------------------------------------------------------------------


@number("2.p1")
@weight(1)
@tags("reach")
def test_a_chain_by_hand(impl):
    """Each token sees its left neighbor only, and a residual keeps the token itself: one layer reaches one step back, two
    layers reach two."""
    left = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 0]]).bool()

    assert_close(rows(impl.reachable([left])), [[1, 0, 0], [1, 1, 0], [0, 1, 1]])
    assert_close(rows(impl.reachable([left, left])), [[1, 0, 0], [1, 1, 0], [1, 1, 1]], name="reach of two layers")


@number("2.p2")
@weight(1)
@tags("reach")
def test_the_order_of_layers_by_hand(impl):
    """In the first layer, token 1 reads token 0; in the second, token 2 reads token 1 and gets what token 1 has read. In the
    other order token 2 comes too early."""
    first = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 0, 1]]).bool()
    second = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 1, 1]]).bool()

    assert_close(rows(impl.reachable([first, second])), [[1, 0, 0], [1, 1, 0], [1, 1, 1]])
    assert_close(rows(impl.reachable([second, first])), [[1, 0, 0], [1, 1, 0], [0, 1, 1]], name="the other order")


# --- Task 3 ------------------------------------------------------------------------------------


@number("3.p1")
@weight(1)
@tags("pool")
def test_mean_and_max_by_hand(impl):
    """Over the real tokens only: (1, -8) and (3, -2) have the mean (2, -5) and the maximum (3, -2)."""
    states = numbers([1, -8], [3, -2], [90, 90])
    real = torch.tensor([True, True, False])

    assert_close(impl.pool(states, real, how="mean"), numbers(2, -5))
    assert_close(impl.pool(states, real, how="max"), numbers(3, -2), name="maximum")


@number("3.p2")
@weight(1)
@tags("pool")
def test_first_and_last_by_hand(impl):
    """The first and the last real token, for one text with padding on the left and one with padding on the right."""
    states = numbers([[1], [2], [3]], [[4], [5], [6]])
    real = torch.tensor([[False, True, True], [True, True, False]])

    assert_close(impl.pool(states, real, how="cls"), numbers([2], [4]))
    assert_close(impl.pool(states, real, how="last"), numbers([3], [5]), name="last")


@number("3.p3")
@weight(1)
@tags("pool")
@pytest.mark.parametrize("how", ["cls", "last", "mean", "max"])
def test_anything_may_stand_at_padding(impl, vjp, how):
    """NaN at padding reaches neither the vector nor its gradient."""
    states = numbers([math.nan, math.nan], [3, 4], [math.nan, math.nan])
    real = torch.tensor([False, True, False])

    assert_close(impl.pool(states, real, how=how), numbers(3, 4))
    (gradient,) = vjp(impl.pool, states, real, how=how, wrt=(0,), cotangent=numbers(1, 10))
    assert_close(gradient, numbers([0, 0], [1, 10], [0, 0]), name="gradient")


# --- Task 4 ------------------------------------------------------------------------------------


@number("4.p1")
@weight(1)
@tags("decoder")
def test_cross_attention_by_hand(impl):
    """A query that scores all alike gets the mean of the values; padding of the source doesn't count; without any real
    source it gets zeros."""
    one = numbers([1.0])
    weights = (one, numbers([1], [1]), numbers([1], [10]), 2 * one)  # values are a + 10 b, and w_o doubles
    source = numbers([2, 0], [4, 0], [0, 9])  # values 2, 4, 90

    out = impl.cross_attention(numbers([0]), source, weights)
    assert_close(out, numbers([64]))
    real = torch.tensor([True, True, False])
    assert_close(impl.cross_attention(numbers([0], [0]), source, weights, source_real=real), numbers([6], [6]))
    nothing = impl.cross_attention(numbers([0]), source, weights, source_real=torch.zeros(3, dtype=torch.bool))
    assert_close(nothing, numbers([0]), name="output without a source")


def layer_of_ones():
    """One feature, all weights 1, all biases 0."""
    one, zero = numbers([1.0]), numbers(0.0)
    return {"self": (one,) * 4, "cross": (one,) * 4, "mlp": (one, zero, one, zero)}


@number("4.p2")
@weight(1)
@tags("decoder")
def test_decoder_block_by_hand(impl):
    """Three sublayers with three residuals: 2 becomes 4, then 44, then 88. The norm stands before each sublayer."""

    def tenfold(x, source, weights, *, n_heads, source_real):
        return 10 * x

    out = impl.decoder_block(numbers([2]), numbers([7]), layer_of_ones(), norm=lambda x: x, cross=tenfold)
    assert_close(out, numbers([88]))
    # with a norm that doubles: 2 + 4 = 6, 6 + 10 * 12 = 126, 126 + 252 = 378
    out = impl.decoder_block(numbers([2]), numbers([7]), layer_of_ones(), norm=lambda x: 2 * x, cross=tenfold)
    assert_close(out, numbers([378]), name="output with another norm")


@number("4.p3")
@weight(1)
@tags("decoder")
def test_decoder_block_looks_back_only(impl, torch_rng):
    """What changes at the last token changes no token before it. What changes in the source, and which of its tokens are real,
    reaches all of them."""
    x = torch.randn(4, 2, generator=torch_rng, dtype=F64)
    other = torch.cat([x[:3], x[3:] + numbers(1, -2)])
    unit, zero = torch.eye(2, dtype=F64), numbers(0, 0)
    w = torch.randn(4, 2, 2, generator=torch_rng, dtype=F64)
    layer = {"self": tuple(w), "cross": tuple(w), "mlp": (unit, zero, unit, zero)}

    def mean(x, source, weights, *, n_heads, source_real):
        return (source * source_real[:, None]).sum(0) + 0 * x

    real = torch.tensor([True, False])
    block = [impl.decoder_block(y, numbers([1, 5], [9, 9]), layer, source_real=real, cross=mean) for y in (x, other)]
    assert_close(block[1][:3], block[0][:3], name="output at the first three tokens")
    assert bool((block[1][3] - block[0][3]).abs().max() > 1e-3)
    source = impl.decoder_block(x, numbers([5, 1], [9, 9]), layer, source_real=real, cross=mean)
    assert bool(((source - block[0]).abs().amax(-1) > 1e-3).all())


# --- Task 5 ------------------------------------------------------------------------------------


@number("5.p1")
@weight(1)
@tags("memory")
def test_encode_memory_by_hand(impl):
    """Keys and values of the source, in every layer by that layer's weights."""
    one = numbers([1.0])
    layers = [{"cross": (9 * one, 2 * one, 3 * one, 9 * one)}, {"cross": (9 * one, 4 * one, 5 * one, 9 * one)}]

    memory = impl.encode_memory(numbers([1], [2]), layers)

    want = [(numbers([2], [4]), numbers([3], [6])), (numbers([4], [8]), numbers([5], [10]))]
    assert_close(memory, want)


@number("5.p2")
@weight(1)
@tags("memory")
def test_decode_step_by_hand(impl):
    """With queries of 0 all keys score alike: x = 2 meets its past 4, then the memory 10 and 30, then the MLP, and becomes 50."""
    zero, one = numbers([0.0]), numbers([1.0])
    layer = {**layer_of_ones(), "self": (zero, one, one, one), "cross": (zero, one, one, one)}
    memory = [(numbers([1], [1]), numbers([10], [30]))]
    options = {"norm": lambda x: x}

    first, past = impl.decode_step(numbers([4]), [layer], memory, None, **options)
    assert_close(first, numbers([56]), name="output at the first token")  # 4 + 4 + 20 + 28
    assert_close(past, [(numbers([4]), numbers([4]))], name="past after the first token")
    second, past = impl.decode_step(numbers([2]), [layer], memory, past, **options)
    assert_close(second, numbers([50]), name="output at the second token")
    assert_close(past, [(numbers([4], [2]), numbers([4], [2]))], name="past after the second token")
    real = torch.tensor([True, False])
    padded, _ = impl.decode_step(numbers([4]), [layer], memory, None, source_real=real, **options)
    assert_close(padded, numbers([36]), name="output with a padded source")  # 4 + 4 + 10 + 18


# --- Task 6 ------------------------------------------------------------------------------------


@number("6.p1")
@weight(1)
@tags("corrupt")
def test_one_chosen_token_by_hand(impl):
    """A token that is chosen for certain, in a vocabulary of 5 whose last id is the mask: 0.8 for the mask and 0.1 for itself,
    and each of the five ids gets 0.02 more."""
    got = law(impl.mlm_corrupt, [3], special={0}, mask_token=4, n_vocab=5, share=1.0)

    want = {0: 0.02, 1: 0.02, 2: 0.02, 3: 0.12, 4: 0.82}
    assert_close(got, {((token,), (3,)): p for token, p in want.items()}, name="probabilities of what can come out")


@number("6.p2")
@weight(1)
@tags("corrupt")
def test_nothing_is_chosen_by_hand(impl):
    """With share 0 the text stays as it is, and no label asks for anything. Of no text, nothing comes."""
    got = law(impl.mlm_corrupt, [3, 1], special={0}, mask_token=4, n_vocab=5, share=0.0)
    assert_close(got, {((3, 1), (-100, -100)): 1.0}, name="probabilities of what can come out")

    got = law(impl.mlm_corrupt, [], special={0}, mask_token=4, n_vocab=5)
    assert_close(got, {((), ()): 1.0}, name="what becomes of no text")


@number("6.p3")
@weight(1)
@tags("corrupt")
def test_special_tokens_stay(impl):
    """Of [CLS] 3 [SEP] only the 3 can be chosen."""
    got = law(impl.mlm_corrupt, [0, 3, 1], special={0, 1}, mask_token=4, n_vocab=5)

    assert all(text[0] == 0 and text[2] == 1 for text, _ in got)
    assert {(labels[0], labels[2]) for _, labels in got} == {(-100, -100)}
    assert {labels[1] for _, labels in got} >= {3}


# --- Task 7 ------------------------------------------------------------------------------------


@number("7.p1")
@weight(1)
@tags("losses")
def test_mlm_loss_by_hand(impl, vjp):
    """Two labels in three ask: probabilities 1/2 and 1/8 cost 2 log 2 on average. Without a label the loss and its gradient
    are 0."""
    logits = numbers([[1, 1, 2], [5, 0, 0], [1, 1, 6]]).log()[0]
    labels = torch.tensor([2, -100, 0])

    assert_close(impl.mlm_loss(logits, labels), numbers(2 * math.log(2))[0])
    none = torch.full((3,), -100)
    assert_close(impl.mlm_loss(numbers([1, 2], [3, 4], [0, 0]), none), numbers(0)[0], name="loss without labels")
    (gradient,) = vjp(impl.mlm_loss, numbers([1, 2], [3, 4], [0, 0]), none, wrt=(0,), cotangent=numbers(1)[0])
    assert_close(gradient, torch.zeros(3, 2, dtype=F64), name="gradient without labels")


@number("7.p2")
@weight(1)
@tags("losses")
def test_pseudo_log_likelihood_by_hand(impl):
    """This model says at each place: the token on the right is most likely repeated here, 2 : 1 : 1. The last place looks at
    the first one."""

    def model(ids):
        return torch.eye(3, dtype=F64)[ids.roll(-1, dims=-1) % 3] * math.log(2)

    # 0 sees 0 on its right: 1/2; the second 0 sees 1: 1/4; 1 sees 0: 1/4
    got = impl.pseudo_log_likelihood(model, torch.tensor([0, 0, 1]), mask_token=2)
    assert_close(got, numbers(1 / 32).log()[0])
    only = impl.pseudo_log_likelihood(model, torch.tensor([0, 0, 1]), mask_token=2, special={1})
    assert_close(only, numbers(1 / 8).log()[0], name="without special tokens")


@number("7.p3")
@weight(1)
@tags("losses")
def test_seq2seq_loss_by_hand(impl):
    """The decoder reads start, 4 and predicts 4, 1. In the second row only one target counts: probabilities 1/2, 1/4 and 1/8
    cost 2 log 2 on average."""
    targets, fed = torch.tensor([[4, 1], [1, 0]]), []
    p = torch.full((2, 2, 5), 0.125, dtype=F64)
    p[0, 0, 4], p[0, 1, 1], p[1, 0, 1] = 0.5, 0.25, 0.125
    p[..., 2] += 1 - p.sum(-1)

    def model(ids):
        fed.append(ids.tolist())
        return p.log()

    assert_close(impl.seq2seq_loss(model, targets, start=3, pad=0), numbers(2 * math.log(2))[0])
    assert_close(fed, [[[3, 4], [3, 1]]], name="decoder input")


# --- Task 8 ------------------------------------------------------------------------------------


def two_documents(impl):
    """(5, 6, 7) and (8, 9) in rows of five tokens."""
    return impl.pack([[5, 6, 7], [8, 9]], length=5, eos=1, pad=0)


@number("8.p1")
@weight(1)
@tags("pack")
def test_rows_by_hand(impl):
    """Each document ends with eos, a document that does not fit goes on in the next row, and the last row is padded."""
    assert_close(two_documents(impl)["tokens"].tolist(), [[5, 6, 7, 1, 8], [9, 1, 0, 0, 0]])


@number("8.p2")
@weight(1)
@tags("pack")
def test_segments_and_positions_by_hand(impl):
    """Segments are counted in each row from 1, positions in each document from 0."""
    packed = two_documents(impl)

    assert_close(packed["segments"].tolist(), [[1, 1, 1, 1, 2], [1, 1, 0, 0, 0]], name="segments")
    assert_close(packed["positions"].tolist(), [[0, 1, 2, 3, 0], [1, 2, 0, 0, 0]], name="positions")


@number("8.p3")
@weight(1)
@tags("pack")
def test_labels_by_hand(impl):
    """Each token predicts the next one of its piece; the last token of a piece predicts nothing."""
    labels = two_documents(impl)["labels"].tolist()

    assert_close(labels, [[6, 7, 1, -100, -100], [1, -100, -100, -100, -100]], name="labels")


# --- Task 9 ------------------------------------------------------------------------------------


@number("9.p1")
@weight(1)
@tags("spans")
def test_random_spans_by_hand(impl):
    """Three hidden tokens in two spans, and three visible ones: 1 + 2 or 2 + 1 in both cases, all four ways alike. Where only
    one way is left, there is no luck."""
    got = law(impl.random_spans, 6, density=0.5, mean_span=1.5, given=("draw",))
    texts = ("v h v v h h", "v h h v v h", "v v h v h h", "v v h h v h")
    assert_close(got, {tuple(x == "h" for x in text.split()): 0.25 for text in texts}, name="probabilities")

    got = law(impl.random_spans, 4, density=0.5, mean_span=1.0, given=("draw",))
    assert_close(got, {(False, True, False, True): 1.0}, name="probabilities at T = 4")


@number("9.p2")
@weight(1)
@tags("spans")
def test_span_corrupt_by_hand(impl):
    """Two spans, one of them at the start: sentinels 99 and 98 in the input, and 97 ends the target."""
    got = impl.span_corrupt([10, 11, 12, 13, 14], [True, False, True, True, False], n_vocab=100, eos=1)

    assert_close(got, ([99, 11, 98, 14, 1], [99, 10, 98, 12, 13, 97, 1]))


@number("9.p3")
@weight(1)
@tags("spans")
def test_restore_by_hand(impl):
    """The spans go back to where their sentinels stand."""
    assert_close(impl.restore([99, 11, 98, 14, 1], [99, 10, 98, 12, 13, 97, 1], n_vocab=100), [10, 11, 12, 13, 14])
