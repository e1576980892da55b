"""The checks you can run yourself: `pytest` in this folder, or `pytest --task sft` for one task."""

import math

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close

F64 = torch.float64


def numbers(*values):
    """A float64 tensor."""
    return torch.tensor(values, dtype=F64)


def one(value):
    """A float64 tensor of shape ()."""
    return torch.tensor(value, dtype=F64)


# --- Task 1 ------------------------------------------------------------------------------------

HEADERS = {"system": [1], "user": [2, 3], "assistant": [2, 4]}
OPTIONS = {"headers": HEADERS, "end_of_turn": 9}
TURNS = [("user", [50, 51]), ("assistant", [60]), ("user", [52]), ("assistant", [61, 62])]


@number("1.p1")
@weight(1)
@tags("chat")
def test_ids_by_hand(impl):
    """Four turns: header, words and end of each. An open reply adds the assistant's header."""
    ids, _ = impl.render_chat(TURNS, **OPTIONS)
    assert_close(ids, [2, 3, 50, 51, 9, 2, 4, 60, 9, 2, 3, 52, 9, 2, 4, 61, 62, 9], name="ids")

    ids, _ = impl.render_chat([("system", [70]), ("user", [50])], **OPTIONS, open_reply=True)
    assert_close(ids, [1, 70, 9, 2, 3, 50, 9, 2, 4], name="ids with an open reply")


@number("1.p2")
@weight(1)
@tags("chat")
def test_mask_by_hand(impl):
    """What the assistant must produce by itself counts; with only_last, only that of its last turn does. What opens a reply
    does not."""
    ids, mask = impl.render_chat(TURNS, **OPTIONS)
    assert_close([i for i, counts in zip(ids, mask, strict=True) if counts], [60, 9, 61, 62, 9], name="counted ids")
    assert_close(mask, [c == "x" for c in ".......xx......xxx"], name="mask")

    _, mask = impl.render_chat(TURNS, **OPTIONS, only_last=True)
    assert_close(mask, [c == "x" for c in "...............xxx"], name="mask with only_last")
    _, mask = impl.render_chat(TURNS[:3], **OPTIONS, only_last=True, open_reply=True)
    assert_close(mask, [c == "x" for c in ".......xx......"], name="mask with both options, the user spoke last")


# --- Task 2 ------------------------------------------------------------------------------------


def two_rows():
    """Logits over three tokens for two rows of three, and ids."""
    p = torch.full((2, 3, 3), 1 / 3, dtype=F64)
    p[0, 0], p[0, 1], p[1, 0] = numbers(0.5, 0.25, 0.25), numbers(0.25, 0.25, 0.5), numbers(0.1, 0.1, 0.8)
    return p.log() + 5.0, torch.tensor([[2, 0, 1], [1, 2, 0]])


@number("2.p1")
@weight(2)
@tags("sft")
def test_loss_by_hand(impl):
    """One row has tokens of probability 1/2 and 1/4, the other has one of 0.8: the mean of three surprises."""
    logits, ids = two_rows()

    loss = impl.sft_loss(logits[:1], ids[:1], torch.tensor([[False, True, False]]))
    assert_close(loss, one(math.log(2)), name="loss of one token")
    loss = impl.sft_loss(logits, ids, torch.tensor([[False, True, True], [False, True, False]]))
    assert_close(loss, one((math.log(2) + math.log(4) - math.log(0.8)) / 3), name="loss of three tokens")


@number("2.p2")
@weight(1)
@tags("sft")
def test_what_never_counts(impl):
    """The first token of a row never counts. Uncounted ids may be -100. Nothing counted: 0. A token at -1,000 costs 1,000."""
    logits, ids = two_rows()
    logits, ids, mask = logits[:1], ids[:1], torch.tensor([[True, True, False]])

    loss = impl.sft_loss(logits, ids.masked_fill(~mask, -100), mask)
    assert_close(loss, one(math.log(2)), name="loss with a marked first token")
    assert_close(impl.sft_loss(logits, ids, mask & False), one(0.0), name="loss where nothing counts")
    far = impl.sft_loss(numbers([[0, -1000], [0, 0]]), torch.tensor([[0, 1]]), torch.tensor([[False, True]]))
    assert_close(far, one(1000.0), name="loss of an unlikely token")


def micro_batch(pattern):
    """One row of a micro-batch for each word: x counts, a dot does not."""
    mask = torch.tensor([[c == "x" for c in row] for row in pattern.split()])
    return torch.zeros(mask.shape, dtype=torch.int64), mask


@number("2.p3")
@weight(1)
@tags("sft")
def test_accumulated_by_hand(impl):
    """One micro-batch has a single counted token and the other has three: losses 8 and 4 make 5. A micro-batch in which nothing
    counts is never asked for."""
    empty = one(math.nan), {"W": numbers([math.nan, math.nan]), "b": one(math.nan)}
    answers = {1: (one(8.0), {"W": numbers([4, 0]), "b": one(1.0)}), 3: (one(4.0), {"W": numbers([0, 8]), "b": one(5.0)})}
    asked = []

    def loss_and_gradients(ids, mask):
        asked.append(len(ids))
        return answers.get(len(ids), empty)

    batches = [micro_batch(".x."), micro_batch("x.. ..."), micro_batch("xxx .x. x..")]
    loss, gradients = impl.accumulate(batches, loss_and_gradients)

    assert_close(sorted(asked), [1, 3], name="numbers of rows of the micro-batches that were asked for")
    assert_close(loss, one(5.0), name="loss")
    assert_close(gradients, {"W": numbers([1, 6]), "b": one(4.0)}, name="gradients")


# --- Task 3 ------------------------------------------------------------------------------------


@number("3.p1")
@weight(1)
@tags("packing")
def test_best_fit_by_hand(impl):
    """Lengths 2, 5, 4, 4, 3 in rows of 8: first the 5, then 4 and 4 together, then the 3 beside the 5. The 2 needs a new row. Of
    equal examples the earlier goes first, and of equally full rows the one opened first is used."""
    assert_close(impl.best_fit([2, 5, 4, 4, 3], row_len=8), [[1, 4], [2, 3], [0]], name="rows")
    assert_close(impl.best_fit([2, 8, 5, 12], row_len=16), [[3], [1, 2, 0]], name="rows, a later one is fuller")
    assert_close(impl.best_fit([1, 5, 5], row_len=7), [[1, 0], [2]], name="rows, of equally full ones")


@number("3.p2")
@weight(1)
@tags("packing")
def test_packed_by_hand(impl):
    """Two examples in one row of six, one in another. One example counts its first token, which nothing precedes."""
    examples = [([5, 6], [True, True]), ([7, 8, 9], [False, True, True]), ([4], [True])]

    ids, mask, positions, segments = impl.packed_batch(examples, [[1, 0], [2]], row_len=6, pad=0)

    assert_close(ids, torch.tensor([[7, 8, 9, 5, 6, 0], [4, 0, 0, 0, 0, 0]]), name="ids")
    assert_close(positions, torch.tensor([[0, 1, 2, 0, 1, 0], [0] * 6]), name="positions")
    assert_close(segments, torch.tensor([[1, 1, 1, 2, 2, 0], [1, 0, 0, 0, 0, 0]]), name="segments")
    assert_close(mask[0], torch.tensor([False, True, True, False, True, False]), name="mask of the first row")
    assert_close(mask[1], torch.zeros(6, dtype=torch.bool), name="mask of the second row")


# --- Task 4 ------------------------------------------------------------------------------------

NAMES = ["embedding", "blocks.0.W_Q", "blocks.0.norm_1.gain", "blocks.1.W_Q", "blocks.1.norm_1.gain", "norm.gain", "head.W"]


@number("4.p1")
@weight(1)
@tags("freezing")
def test_select_by_hand(impl):
    """Only the head; block 1 without its norms; everything except a norm that a later pattern takes back."""
    assert_close(impl.select(NAMES, ["head.*"]), ["head.W"])
    assert_close(impl.select(NAMES, ["head.*", "blocks.1.*", "!*.norm_*"]), ["blocks.1.W_Q", "head.W"])
    back = impl.select(NAMES, ["*", "!*norm*", "norm.gain"])
    assert_close(back, ["embedding", "blocks.0.W_Q", "blocks.1.W_Q", "norm.gain", "head.W"], name="names, one taken back")


@number("4.p2")
@weight(1)
@tags("freezing")
def test_rates_by_hand(impl):
    """Two blocks and a decay of a half: 8 for the head, 4 and 2 for the blocks, 1 for the embedding."""
    rates = impl.layer_rates(NAMES, lr=8.0, decay=0.5)

    assert_close(rates, dict(zip(NAMES, (1.0, 2.0, 2.0, 4.0, 4.0, 8.0, 8.0), strict=True)))


@number("4.p3")
@weight(1)
@tags("freezing")
def test_trainable_share_by_hand(impl):
    """A quarter of the numbers. If the head is the embedding under another name, the model has fewer numbers."""
    sizes = {"embedding": 40, "W": 40, "b": 10, "head": 40, "scale": 30}

    assert_close(impl.trainable_share(sizes, ["head"]), 0.25)
    assert_close(impl.trainable_share(sizes, ["W", "b"], tied={"head": "embedding"}), 50 / 120, name="share, head tied")
    assert_close(impl.trainable_share(sizes, ["head"], tied={"head": "embedding"}), 40 / 120, name="share of a tied tensor")


# --- Task 5 ------------------------------------------------------------------------------------


def factors():
    """A gradient in a weight of shape (2, 3), and an adapter of rank 1."""
    return numbers([1, 2, 3], [0, 1, 0]), numbers([2], [10]), numbers([1, 0, 4])


@number("5.p1")
@weight(1)
@tags("lora")
def test_gradients_by_hand(impl):
    """Rank 1 and alpha 3: each entry of A meets a row of G, and each entry of B a column. At B = 0, A has no gradient."""
    G, A, B = factors()

    in_A, in_B = impl.lora_gradients(G, A, B, alpha=3.0)
    assert_close(in_A, numbers([39], [0]), name="gradient in A")
    assert_close(in_B, numbers([6, 42, 18]), name="gradient in B")
    in_A, in_B = impl.lora_gradients(G, A, 0 * B, alpha=3.0)
    assert_close((in_A, in_B), (numbers([0], [0]), numbers([6, 42, 18])), name="gradients at B = 0")
    in_A, in_B = impl.lora_gradients(G, torch.cat([A, A], 1), torch.cat([B, B]), alpha=3.0)
    assert_close(in_B, numbers([3, 21, 9], [3, 21, 9]), name="gradient in B at rank 2")


@number("5.p2")
@weight(1)
@tags("lora")
def test_first_change_by_hand(impl):
    """A = (2, 10), G = (3) in its first row and 0 below, alpha = 1, a rate of 0.1: B moves to -0.6, W' by A times that."""
    change = impl.first_change(numbers([3], [0]), numbers([2], [10]), alpha=1.0, lr=0.1)
    assert_close(change, numbers([-1.2], [-6]))

    twice = impl.first_change(numbers([3], [0]), numbers([2], [10]), alpha=2.0, lr=0.1)
    assert_close(twice, numbers([-4.8], [-24]), name="change at twice the alpha")


@number("5.p3")
@weight(1)
@tags("lora")
def test_merge_by_hand(impl):
    """Rank 1 at alpha 3, and rank 2 at alpha 1: both corrections are added to the weight, each with its own factor."""
    W, A, B = factors()
    second = (numbers([2, 0], [0, 4]), numbers([1, 0, 0], [0, 0, 1]), 1.0)

    assert_close(impl.merge(W, []), W, name="weight without an adapter")
    assert_close(impl.merge(W, [(A, B, 3.0)]), numbers([7, 2, 27], [30, 1, 120]), name="one adapter")
    assert_close(impl.merge(W, [(A, B, 3.0), second]), numbers([8, 2, 27], [30, 1, 122]), name="two adapters")


@number("5.p4")
@weight(1)
@tags("lora")
def test_unmerge_by_hand(impl):
    """Out of a weight with two adapters either can be taken, or both."""
    W, A, B = factors()
    both = numbers([8, 2, 27], [30, 1, 122])
    second = (numbers([2, 0], [0, 4]), numbers([1, 0, 0], [0, 0, 1]), 1.0)

    assert_close(impl.unmerge(both, [second]), numbers([7, 2, 27], [30, 1, 120]), name="the second taken out")
    assert_close(impl.unmerge(both, [(A, B, 3.0), second]), W, name="both taken out")


# --- Task 6 ------------------------------------------------------------------------------------


@number("6.p1")
@weight(1)
@tags("adapters")
def test_adapter_by_hand(impl):
    """Two numbers go through one: 1 - 2 + 3 = 2 passes ReLU, and 1 - 9 + 3 = -5 does not."""
    W_down, b_down, W_up, b_up = numbers([1], [-1]), numbers(3), numbers([10, 20]), numbers(0, 5)

    out = impl.adapter(numbers([1, 2], [1, 9]), W_down, b_down, W_up, b_up)

    assert_close(out, numbers([21, 47], [1, 14]))


@number("6.p2")
@weight(1)
@tags("adapters")
def test_a_new_adapter_is_nothing(impl):
    """What is added to h is 0 for every h, and yet some entry of the two matrices has a gradient."""
    W_down, b_down, W_up, b_up = start = impl.new_adapter(numbers([1], [-2], [3]))

    assert_close([tuple(x.shape) for x in start], [(3, 1), (1,), (1, 3), (3,)], name="shapes")
    for x in start:
        x.requires_grad_()
    added = (numbers([1, 2, 3], [-1, -2, -3]) @ W_down + b_down).relu() @ W_up + b_up
    assert_close(added.detach(), torch.zeros(2, 3, dtype=F64), name="what is added")
    assert_close((b_down.detach(), b_up.detach()), (numbers(0), numbers(0, 0, 0)), name="biases")
    gradients = torch.autograd.grad((added - 1).square().sum(), (W_down, W_up))
    learns = any(bool(gradient.any()) for gradient in gradients)
    assert_close(learns, True, name="whether any entry of the two matrices has a gradient")


@number("6.p3")
@weight(1)
@tags("adapters")
def test_factors_are_folded_by_hand(impl):
    """One number in, one key, one value, two hidden numbers. The folded weights need no factors."""
    x = numbers([1], [2], [-3])
    weights = {"W_K": numbers([2]), "W_V": numbers([3]), "W_1": numbers([1, -1]), "b_1": numbers(0.5, 2)}
    weights |= {"W_2": numbers([4], [5]), "b_2": numbers(7)}
    scales = {"keys": numbers(10), "values": numbers(-1), "hidden": numbers(2, 100)}

    folded = impl.fold_scales(weights, scales)

    keys, values = x @ folded["W_K"], x @ folded["W_V"]
    assert_close(keys, numbers([20], [40], [-60]), name="keys")
    assert_close(values, numbers([-3], [-6], [9]), name="values")
    gelu = torch.nn.functional.gelu
    want = (scales["hidden"] * gelu(x @ weights["W_1"] + weights["b_1"])) @ weights["W_2"] + weights["b_2"]
    out = gelu(x @ folded["W_1"] + folded["b_1"]) @ folded["W_2"] + folded["b_2"]
    assert_close(out, want, name="output of the MLP")


# --- Task 7 ------------------------------------------------------------------------------------


@number("7.p1")
@weight(1)
@tags("prefix")
def test_soft_prompt_by_hand(impl):
    """One soft vector before two tokens: it is at position 0, and has the id -100."""
    embedding, positions = numbers([1, 1], [2, 2], [3, 3]), numbers([10, 0], [20, 0], [30, 0], [40, 0])
    ids, mask = torch.tensor([[2, 0], [1, 1]]), torch.tensor([[True, True], [False, True]])

    x, new_ids, new_mask = impl.soft_prompt(numbers([0.5, 0.25]), embedding, positions, ids, mask)

    assert_close(x[0], numbers([10.5, 0.25], [23, 3], [31, 1]), name="vectors of the first row")
    assert_close(x[1], numbers([10.5, 0.25], [22, 2], [32, 2]), name="vectors of the second row")
    assert_close(new_ids, torch.tensor([[-100, 2, 0], [-100, 1, 1]]), name="ids")
    assert_close(new_mask, torch.tensor([[False, True, True], [False, False, True]]), name="mask")


def text():
    """Attention over a text: 3 keys of score 0 and values 0, 3 and 6. Its mean is 3, its log-sum-exp log 3."""
    return {"base": numbers([3]), "base_lse": numbers(math.log(3))}


def query_and_key():
    """A query, and a key whose score is log 3."""
    return numbers([2, 0, 0, 0]), numbers([math.log(3), 0, 0, 0])  # 2 log 3 / sqrt(4)


@number("7.p2")
@weight(1)
@tags("prefix")
def test_share_of_a_prefix_by_hand(impl):
    """Three keys of score 0 in the text, and one prefix key of score log 3: it has half of the weight. Two such: two thirds."""
    q, key = query_and_key()

    _, share = impl.prefix_attention(q, key, numbers([7]), **text())
    assert_close(share, numbers(0.5), name="share of one key")
    _, share = impl.prefix_attention(q, torch.cat([key, key]), numbers([6], [9]), **text())
    assert_close(share, numbers(2 / 3), name="share of two keys")


@number("7.p3")
@weight(1)
@tags("prefix")
def test_output_with_a_prefix_by_hand(impl):
    """The text gives 3, and a prefix key with half of the weight has the value 7. Two keys of values 6 and 9 have a third each."""
    q, key = query_and_key()

    out, _ = impl.prefix_attention(q, key, numbers([7]), **text())
    assert_close(out, numbers([5]), name="output with one key")
    out, _ = impl.prefix_attention(q, torch.cat([key, key]), numbers([6], [9]), **text())
    assert_close(out, numbers([6]), name="output with two keys")


# --- Task 8 ------------------------------------------------------------------------------------


@number("8.p1")
@weight(1)
@tags("votes")
def test_few_shot_by_hand(impl):
    """Three examples and a query of two tokens; the query is whole even if nothing else has room."""
    examples, query = [[1, 1, 1], [2], [3, 3]], [8, 9]

    for budget, want in ((8, [1, 1, 1, 2, 3, 3, 8, 9]), (7, [2, 3, 3, 8, 9]), (4, [3, 3, 8, 9]), (1, [8, 9])):
        assert_close(impl.few_shot_prompt(examples, query, budget=budget), want, name=f"prompt within {budget} tokens")


@number("8.p2")
@weight(1)
@tags("votes")
def test_answers_by_hand(impl):
    """The last number, written in one way; None where there is none."""
    texts = {
        "3 boxes of 400 make 1,200.50.": "1200.5",
        "It is -7": "-7",
        "10-4 = 6.0 apples": "6",
        "minus 0: -0.0": "0",
        "room 007": "7",
        "I don't know": None,
    }

    for text, want in texts.items():
        assert_close(impl.extract_answer(text), want, name=f"answer in {text!r}")


@number("8.p3")
@weight(1)
@tags("votes")
def test_votes_by_hand(impl):
    """The most frequent answer, of equally frequent ones the first; None does not vote."""
    assert_close(impl.vote(["7", "8", "8"]), "8")
    assert_close(impl.vote(["9", "8", "8", "9"]), "9", name="vote with a tie")
    assert_close(impl.vote([None, None, None, "6"]), "6", name="vote with samples that don't vote")
    assert_close(impl.vote([None, None]), None, name="vote in which nobody votes")


@number("8.p4")
@weight(1)
@tags("votes")
def test_vote_accuracy_by_hand(impl):
    """Three votes, two answers, .6 right: .648. One vote in four is silent, and the rest is right: only two silent ones fail."""
    assert_close(impl.vote_accuracy([0.6, 0.4], 1), 0.6)
    assert_close(impl.vote_accuracy([0.6, 0.4], 3), 0.648, name="accuracy of three votes")
    assert_close(impl.vote_accuracy([0.75], 2), 0.9375, name="accuracy of two votes, some silent")
    assert_close(impl.vote_accuracy([0.5, 0.25, 0.25], 2), 0.5, name="accuracy of two votes, where two often tie")


# --- Task 9 ------------------------------------------------------------------------------------


def small_network(rng):
    """Weights of a small network, and six inputs of three classes."""
    shapes = {"W_1": (4, 5), "b_1": (5,), "W_2": (5, 3), "b_2": (3,)}
    weights = {name: torch.from_numpy(rng.standard_normal(shape)) for name, shape in shapes.items()}
    return weights, torch.from_numpy(rng.standard_normal((6, 4))), torch.from_numpy(rng.integers(0, 3, size=6))


def loss_of(weights, x, y):
    """The loss, by definition."""
    hidden = torch.tanh(x @ weights["W_1"] + weights["b_1"])
    return torch.nn.functional.cross_entropy(hidden @ weights["W_2"] + weights["b_2"], y)


@number("9.p1")
@weight(1)
@tags("adapt")
@pytest.mark.parametrize("method", ["full", "head", "bias", "lora"])
def test_adapting_lowers_the_loss(impl, rng, method):
    """Each method learns something. Only the weights that it trains are other ones afterwards, and without a step none is."""
    weights, x, y = small_network(rng)
    options = {"method": method, "lr": 0.05}
    if method == "lora":
        options |= {"noise": torch.from_numpy(rng.standard_normal((4, 2))), "alpha": 2.0}

    after = impl.adapt(weights, x, y, **options, n_steps=5)

    assert_close(impl.adapt(weights, x, y, **options, n_steps=0), weights, name="weights after no step")
    assert_close(bool(loss_of(after, x, y) < loss_of(weights, x, y)), True, name="whether the loss is lower after five steps")
    moved = {name for name in weights if (after[name] != weights[name]).any()}
    trains = {"full": {"W_1", "b_1", "W_2", "b_2"}, "head": {"W_2", "b_2"}, "bias": {"b_1", "b_2"}, "lora": {"W_1"}}
    assert_close(sorted(moved), sorted(trains[method]), name="names of the weights that moved")


@number("9.p2")
@weight(1)
@tags("adapt")
def test_least_change_by_hand(impl):
    """One example x = (1, 1) with output 6 and weights (1, 3): both weights share what is missing. At a penalty of 2 they make
    up half of it."""
    W, X, Y = numbers([1], [3]), numbers([1, 1]), numbers([6])

    assert_close(impl.least_change(W, X, Y), numbers([2], [4]))
    near = impl.least_change(W, X, Y, penalty=2.0)
    assert_close(near, numbers([1.5], [3.5]), name="weights with a penalty")
