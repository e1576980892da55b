"""What the handout, the docstrings and the figures of finetuning claim, computed with the reference."""

import inspect
import math

import numpy as np
import pytest
import staff_files
import torch
from torch.nn import functional as F

F64 = torch.float64


finetuning = staff_files.reference("finetuning")
figures = staff_files.figures("finetuning")


def numbers(*values):
    return torch.tensor(values, dtype=F64)


def near(value, digits):
    return pytest.approx(value, abs=0.5 * 10**-digits)


# --- Opening and Task 8 ------------------------------------------------------------------------


def test_the_votes_of_the_opening():
    """ "Ask it 31 times and take a vote: the vote is right with probability .58"; "the same vote is right with probability .19"."""
    assert finetuning.vote_accuracy([0.4, 0.35, 0.25], 31) == near(0.58, 2)
    assert finetuning.vote_accuracy([0.3, 0.4, 0.3], 31) == near(0.19, 2)


def test_what_a_second_vote_is_worth():
    """ ".40, .40, .422: two votes are worth one. With silent samples .40, .52, .568"; ".6 right and .4 wrong … .648"."""
    full, silent = ([finetuning.vote_accuracy(p, n) for n in (1, 2, 3)] for p in ([0.4, 0.35, 0.25], [0.4, 0.3]))
    assert full == pytest.approx([0.4, 0.4, 0.422], abs=5e-4) and full[1] == pytest.approx(full[0], abs=1e-15)
    assert silent == pytest.approx([0.4, 0.52, 0.568], abs=5e-4)
    assert [finetuning.vote_accuracy([0.6, 0.4], n) for n in (3, 4)] == pytest.approx([0.648, 0.648])


@pytest.mark.parametrize("p", [[0.4, 0.35, 0.25], [0.3, 0.4, 0.3], [0.9, 0.1]], ids=str)
def test_two_votes_are_worth_one_for_everybody(p):
    """ "What do you gain by asking twice?" Nothing, whatever the probabilities, if every sample has an answer."""
    assert finetuning.vote_accuracy(p, 2) == pytest.approx(p[0], abs=1e-15)


def test_a_vote_finds_the_most_likely_answer():
    """ "With many samples, a vote finds the most likely answer, right or wrong." """
    assert (
        finetuning.vote_accuracy([0.4, 0.3, 0.3], 100) > 0.8 and finetuning.vote_accuracy([0.3, 0.4, 0.3], 100) < 0.12
    )


def test_examples_of_answers():
    """ "6 and 6.0 agree"; the docstring's examples."""
    assert finetuning.extract_answer("6") == finetuning.extract_answer("6.0") == "6"
    docstring = finetuning.extract_answer.__doc__
    for text, want in (("3 boxes of 400 make 1,200.50.", "1200.5"), ("minus 0: -0.0", "0"), ("I don't know", None)):
        assert text in docstring and finetuning.extract_answer(text) == want


# --- Task 1 ------------------------------------------------------------------------------------


def test_four_of_nineteen_tokens():
    """ "How many of these 19 tokens count?" "4 of the 19"."""
    turns = [("user", [7] * 10), ("assistant", [8] * 3)]
    ids, mask = finetuning.render_chat(turns, headers={"user": [1, 2], "assistant": [1, 3]}, end_of_turn=0)
    assert len(ids) == 19 and sum(mask) == 4


def test_the_row_of_nine_and_the_pairs():
    """ "become 2 3 50 51 9 2 4 60 9"; "Without (31, 0) and (32, 0), it would never learn to say 0 and stop"."""
    ids, _ = finetuning.render_chat(
        [("user", [50, 51]), ("assistant", [60])], headers={"user": [2, 3], "assistant": [2, 4]}, end_of_turn=9
    )
    assert ids == [2, 3, 50, 51, 9, 2, 4, 60, 9]

    turns = [("user", [20]), ("assistant", [30, 31]), ("user", [21]), ("assistant", [30, 32])]
    ids, mask = finetuning.render_chat(turns, headers={"user": [1], "assistant": [2]}, end_of_turn=0)
    pairs = [(before, token) for before, token, counts in zip(ids, ids[1:], mask[1:], strict=False) if counts]
    assert [pair for pair in pairs if pair[1] == 0] == [(31, 0), (32, 0)]


# --- Task 2 ------------------------------------------------------------------------------------


def test_losses_by_hand():
    """ "(log 2 + log 4 − log 0.8)/3"; "losses 8 and 4 of micro-batches with one and three counted tokens make 5"; hint 2's multiples."""
    p = numbers([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [1 / 3] * 3], [[0.1, 0.1, 0.8], [1 / 3] * 3, [1 / 3] * 3])
    ids, mask = torch.tensor([[0, 0, 0], [0, 2, 0]]), torch.tensor([[False, True, True], [False, True, False]])
    assert finetuning.sft_loss(p.log(), ids, mask).item() == pytest.approx(
        (math.log(2) + math.log(4) - math.log(0.8)) / 3
    )

    masks = [torch.tensor([[False, True]]), torch.tensor([[False, True, True, True]])]
    loss, _ = finetuning.accumulate(
        [(m.long(), m) for m in masks], lambda ids, mask: (8.0 if ids.shape[1] == 2 else 4.0, {})
    )
    assert loss == 5
    assert (3 + 6 + 9) / 3 == 1 / 3 * 3 + 2 / 3 * 7.5


def test_the_plain_mean_of_2_and_200():
    """ "weighs 100 times as much, and the error is 107% of the gradient. At 101 and 101 tokens it is 0." """
    ids = (20 * torch.rand(1, 203, generator=torch.Generator().manual_seed(0), dtype=F64) ** 3).long()
    mask = torch.ones(1, 203, dtype=torch.bool)
    whole = figures.frequencies(ids, mask)[1]["logits"]
    errors = {}
    for n in (2, 101):
        batches = [(ids[:, : n + 1], mask[:, : n + 1]), (ids[:, n:], mask[:, n:])]
        plain = sum(figures.frequencies(*batch)[1]["logits"] for batch in batches) / 2
        errors[n] = float((plain - whole).norm() / whole.norm())
        yours = finetuning.accumulate(batches, figures.frequencies)[1]["logits"]
        assert (yours - whole).norm() < 1e-15
    assert errors[2] == near(1.07, 2) and errors[101] < 1e-12
    assert (1 / 2 / 2) / (1 / 2 / 200) == 100


# --- Task 3 ------------------------------------------------------------------------------------


def test_rows_for_400_examples():
    """ "400 examples with 47,034 tokens"; "400, 110 and 92 rows. 47,034/512 is 91.9, so no method needs fewer than 92"."""
    lengths = figures.example_lengths()
    in_order, used = 1, 0
    for n in lengths:
        if used + n > 512:
            in_order, used = in_order + 1, 0
        used += n
    assert (len(lengths), sum(lengths), in_order) == (400, 47_034, 110)
    assert len(finetuning.best_fit(lengths, row_len=512)) == 92 == math.ceil(47_034 / 512) and 47_034 / 512 == near(
        91.9, 1
    )


def test_four_lengths():
    """ "Lengths 2, 8, 5, 12 in rows of 16 give the rows [3] and [1, 2, 0]." """
    assert finetuning.best_fit([2, 8, 5, 12], row_len=16) == [[3], [1, 2, 0]]


# --- Task 4 ------------------------------------------------------------------------------------


def test_a_gradient_of_0_is_no_freezing():
    """ "AdamW's weight decay takes it to 0.99 in one step, and to 0.366 in 100." """
    w = torch.ones(1, requires_grad=True)
    w.grad, optimizer = torch.zeros(1), torch.optim.AdamW([w], lr=0.1, weight_decay=0.1)
    path = []
    for _ in range(100):
        optimizer.step()
        path.append(w.item())
    assert path[0] == near(0.99, 6) and path[-1] == near(0.366, 3)


def test_rates_of_two_blocks():
    """ "8 for the head and the last norm, 4 for block 1, 2 for block 0, and 1 for the embedding"; select's example."""
    names = ["embedding", "blocks.0.W_Q", "blocks.1.W_Q", "norm.gain", "head.W"]
    assert list(finetuning.layer_rates(names, lr=8.0, decay=0.5).values()) == [1, 2, 4, 8, 8]
    names = ["embedding", "blocks.0.W_Q", "blocks.0.W_V", "head.W"]
    assert finetuning.select(names, ["blocks.*", "!*.W_Q", "head.W"]) == names[2:]


# --- Task 5 ------------------------------------------------------------------------------------


def test_which_factor_moves_first():
    """ "Only B; if both are 0, neither ever moves." """
    generator = torch.Generator().manual_seed(0)
    G, A = (torch.randn(*shape, generator=generator, dtype=F64) for shape in ((5, 4), (5, 2)))
    for start, moves in ((A, [False, True]), (0 * A, [False, False])):
        gradients = finetuning.lora_gradients(G, start, torch.zeros(2, 4, dtype=F64), alpha=2.0)
        assert [bool(g.any()) for g in gradients] == moves


def test_the_first_step_at_two_ranks():
    """ "A quarter as much: 0.99 and 0.25 … With α/√rank, both are 4.0." """
    falls = {}
    for rank in (4, 16):
        for alpha in (16.0, 16.0 * rank**0.5):
            total = 0.0
            for seed in range(100):
                generator = torch.Generator().manual_seed(seed)
                G, A = figures.normal(generator, 64, 64), figures.normal(generator, 64, rank) / 8
                total -= float((finetuning.first_change(G, A, alpha=alpha, lr=1.0) * G).sum() / (G * G).sum())
            falls[rank, round(alpha)] = total / 100
    assert falls[4, 16] == near(0.99, 2) and falls[16, 16] == near(0.25, 2)
    assert falls[4, 32] == near(4.0, 1) and falls[16, 64] == near(4.0, 1)


def test_one_change_by_hand():
    """ "B becomes −0.6, and W′ changes by (−1.2, −6)ᵀ. With α = 2, W′ changes by (−4.8, −24)ᵀ." """
    G, A = numbers([3], [0]), numbers([2], [10])
    in_A, in_B = finetuning.lora_gradients(G, A, numbers([0]), alpha=1.0)
    assert (-0.1 * in_B).tolist() == [[pytest.approx(-0.6)]] and not in_A.any()
    assert finetuning.first_change(G, A, alpha=1.0, lr=0.1).flatten().tolist() == pytest.approx([-1.2, -6])
    assert finetuning.first_change(G, A, alpha=2.0, lr=0.1).flatten().tolist() == pytest.approx([-4.8, -24])


# --- Task 6 ------------------------------------------------------------------------------------


def test_only_one_start_can_learn():
    """ "which matrix must be 0, so that nothing is added for any h, and yet training can start?" Both starts add nothing, and in one of them
    no entry of either matrix has a gradient."""
    noise = numbers([1, 2], [-2, 1], [3, -1])
    h = torch.randn(9, 3, generator=torch.Generator().manual_seed(0), dtype=F64)
    learns = {}
    starts = {
        "reference": finetuning.new_adapter(noise),
        "other": (0 * noise, torch.zeros(2, dtype=F64), noise.T.clone(), torch.zeros(3, dtype=F64)),
    }
    for name, start in starts.items():
        start = [w.requires_grad_() for w in start]
        out = finetuning.adapter(h, *start)
        assert (out == h).all()
        gradients = torch.autograd.grad((out - 1).square().sum(), (start[0], start[2]))
        learns[name] = any(bool(g.any()) for g in gradients)
    assert learns == {"reference": True, "other": False}


# --- Task 7 ------------------------------------------------------------------------------------


def test_shares_of_one_prefix_key():
    """ "½ and .957"; "log 1000 ≈ 6.9"."""
    q, no = torch.ones(1, 1), torch.zeros(1000, 1)
    base, lse = finetuning.attention(q, no, no)
    shares = [
        finetuning.prefix_attention(q, torch.tensor([[score]]), torch.ones(1, 1), base=base, base_lse=lse)[1].item()
        for score in (math.log(1000), 10.0)
    ]
    assert shares == [near(0.5, 4), near(0.957, 3)] and math.log(1000) == near(6.9, 1)


def test_every_ratio_is_the_same():
    """ "Each ratio is .90." """
    generator = torch.Generator().manual_seed(0)
    q, k, prefix_k = (figures.normal(generator, *shape) for shape in ((1, 8), (10, 8), (3, 8)))
    values = torch.eye(13, dtype=F64)
    base, lse = finetuning.attention(q, k, values[3:])
    ratios = (finetuning.prefix_attention(q, prefix_k, values[:3], base=base, base_lse=lse)[0] / base)[0, 3:]
    assert ratios.tolist() == pytest.approx([ratios[0].item()] * 10) and ratios[0].item() == near(0.90, 2)


def test_a_text_of_three_keys():
    """ "has the output 3 and lse = log 3. A prefix key with score log 3 and value 7 has the share ½ and makes the output 5." """
    q, no, v = numbers([1]), torch.zeros(3, 1, dtype=F64), numbers([0], [3], [6])
    base, lse = finetuning.attention(q, no, v)
    assert base.item() == pytest.approx(3) and lse.item() == pytest.approx(math.log(3))
    out, share = finetuning.prefix_attention(q, numbers([math.log(3)]), numbers([7]), base=base, base_lse=lse)
    assert share.item() == pytest.approx(0.5) and out.item() == pytest.approx(5)


# --- Task 9 ------------------------------------------------------------------------------------


def test_what_three_examples_change():
    """ "0 up to rounding, and 4.2"; 5,000 steps of descent end there."""
    g = torch.Generator().manual_seed(0)
    W, X, Y, z = (torch.randn(*shape, generator=g).double() for shape in ((10, 3), (3, 10), (3, 3), (10,)))
    end, descent, Q = finetuning.least_change(W, X, Y), W.clone(), torch.linalg.qr(X.T).Q
    for _ in range(5000):
        descent -= 0.02 * X.T @ (X @ descent - Y)
    assert (descent - end).abs().max() < 1e-12
    assert ((z - Q @ (Q.T @ z)) @ (end - W)).norm() < 1e-13 and (z @ (end - W)).norm().item() == near(4.2, 1)


def test_one_example_by_hand():
    """ "W = (1, 3)ᵀ, x = (1, 1), y = 6: the weights go to (2, 4)ᵀ, and to (1.5, 3.5)ᵀ with penalty 2." """
    W, X, Y = numbers([1], [3]), numbers([1, 1]), numbers([6])
    assert finetuning.least_change(W, X, Y).flatten().tolist() == pytest.approx([2, 4])
    assert finetuning.least_change(W, X, Y, penalty=2.0).flatten().tolist() == pytest.approx([1.5, 3.5])


def test_who_forgets_least():
    """ "On average over twelve networks, accuracy on the old task falls from .95 to .70 with all weights, to .51 with LoRA, and to .39
    with the head. Neither LoRA nor the head learns the new task better. The biases alone forget least of all, and learn least"; the
    shares 100%, 32% and 23%."""
    results = {method: [] for method in ("start", "full", "head", "lora", "bias")}
    for seed in range(12):
        old, new, old_test, new_test, start, noise = figures.two_tasks(finetuning, seed=seed)
        ends = {"start": start}
        for method in ("full", "head", "lora", "bias"):
            options = {"noise": noise, "alpha": 2.0} if method == "lora" else {}
            ends[method] = finetuning.adapt(start, *new, method=method, lr=0.3, n_steps=256, **options)
        for method, weights in ends.items():
            results[method].append([finetuning.accuracy(weights, *task) for task in (new_test, old_test)])
    new, old = ({method: float(np.mean(values, axis=0)[k]) for method, values in results.items()} for k in (0, 1))

    bias = old.pop("bias")
    assert old == {"start": near(0.95, 2), "full": near(0.70, 2), "head": near(0.39, 2), "lora": near(0.51, 2)}
    assert old["full"] < bias < old["start"] and new["bias"] == min(
        new[method] for method in ("full", "head", "lora", "bias")
    )
    assert new["full"] > new["head"] and new["full"] > new["lora"]
    sizes = {name: weight.numel() for name, weight in start.items()}
    assert sum(sizes.values()) == 212
    assert finetuning.trainable_share(sizes, ["W_2", "b_2"]) == near(0.32, 2)
    assert sum(factor.numel() for factor in finetuning.new_lora(noise, 16)) / 212 == near(0.23, 2)


def test_a_row_of_the_table_of_symbols():
    """The score of a key is q k / sqrt(d_k), and lse the log of the sum of exp(score)."""
    q, k = numbers([1, 2, 0, 1]), numbers([1, 1, 0, 0], [0, 2, 1, 0])
    assert finetuning.attention(q, k, k)[1].item() == pytest.approx(math.log(math.exp(3 / 2) + math.exp(4 / 2)))
    assert "log(sum over keys of exp(score))" in inspect.getdoc(finetuning.attention)
    assert F.softmax(numbers(1.5, 2.0), 0)[0].item() == pytest.approx(
        math.exp(1.5 - finetuning.attention(q, k, k)[1].item())
    )
