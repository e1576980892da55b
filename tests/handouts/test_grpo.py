"""What the handout, the docstrings and the figures of grpo claim, computed with the reference."""

import math

import numpy as np
import pytest
import staff_files
import torch

F64 = torch.float64


grpo = staff_files.reference("grpo")
figures = staff_files.figures("grpo")


def numbers(*values):
    return torch.tensor(values, dtype=F64)


def near(value, digits):
    return pytest.approx(value, abs=0.5 * 10**-digits)


def kind_of(kind, **options):
    return lambda rewards: grpo.group_advantages(rewards, kind=kind, **options)


# --- the opening, and Task 4 -------------------------------------------------------------------


def test_lengths():
    """ "Some of the model's answers are many times as long as before." "Wrong answers go from 2 words to 9.1 after 100 steps. After
    400 steps they reach 32.0, held back by the cut. Right answers go to 1.2 and 1.1. If the divisor is a constant, both stay at 2.0." """
    paths = {
        (how, who): figures.lengths(grpo, how, *of)
        for how in ("sequence", "constant")
        for who, of in (("wrong", (-0.3, 0.7)), ("right", (0.7, 0.3)))
    }
    wrong, right = paths["sequence", "wrong"], paths["sequence", "right"]
    assert wrong[0] == right[0] == near(2, 6)
    assert wrong[100] == near(9.1, 1) and wrong[400] == near(32.0, 1) and wrong[400] / wrong[0] == near(16, 1)
    assert right[100] == near(1.2, 1) and right[400] == near(1.1, 1)
    for who in ("wrong", "right"):
        assert paths["constant", who] == pytest.approx([2.0] * 401, abs=1e-9)


def test_what_division_by_the_length_optimizes():
    """ "For P(n words) and q = ½, your expected value is 0.69, and its derivative in q is 0.77. With a constant, it is 0." """
    n = torch.arange(1, 200, dtype=F64)
    for divisor, value, slope in ((n, 0.69, 0.77), (torch.full_like(n, 4), 0.25, 0.0)):
        q = numbers(0.5)[0].requires_grad_()
        logp = q.log() + (n - 1) * (1 - q).log()
        weighted = logp.exp() / divisor
        (got,) = torch.autograd.grad(weighted.sum(), q, retain_graph=True)
        (update,) = torch.autograd.grad((weighted.detach() * logp).sum(), q)
        assert weighted.sum().item() == near(value, 2)
        assert got.item() == near(slope, 2) and update.item() == pytest.approx(got.item(), abs=1e-12)


def test_two_answers():
    """The docstrings' batch: "sequence (6 + 2) / 2 = 4; token 10/3; constant 10/8"; "as two parts: sequence 3 and 1; token 2 and 4/3"."""
    losses, mask = numbers([[6, 0], [1, 3]]), torch.tensor([[[True, False], [True, True]]])
    parts = [(losses[:, :1], mask[:, :1]), (losses[:, 1:], mask[:, 1:])]
    for how, want, shares in (
        ("sequence", 4, (3, 1)),
        ("token", 10 / 3, (2, 4 / 3)),
        ("constant", 10 / 8, (6 / 8, 4 / 8)),
    ):
        assert grpo.aggregate(losses, mask, how=how, max_len=4).item() == pytest.approx(want)
        assert [x.item() for x in grpo.micro_batch_losses(parts, how=how, max_len=4)] == pytest.approx(shares)


# --- Task 1 ------------------------------------------------------------------------------------


def test_boxes_and_numbers():
    r""" "The text \boxed{3}, no: \boxed{ \frac{1}{2} }, not \boxed{ has the answer \frac{1}{2}." "Which of these texts mean 1/2?" """
    assert grpo.final_answer(r"\boxed{3}, no: \boxed{ \frac{1}{2} }, not \boxed{") == r"\frac{1}{2}"
    assert grpo.final_answer(r"So \boxed{ \frac{1}{2} }, not \boxed{") == r"\frac{1}{2}"
    assert [grpo.equivalent(x, "1/2") for x in ("0.50", r"\frac{2}{4}", "0.4999")] == [True, True, False]
    assert grpo.equivalent("0.1", "0.10") and not grpo.equivalent("x", "X")


# --- Task 2 ------------------------------------------------------------------------------------


def test_rare_successes():
    """ "One right: 2.65 and −0.38. Four: 1 and −1. Seven: 0.38 and −2.65." And the square roots that students derive."""
    for k, right, wrong in ((1, 2.65, -0.38), (4, 1, -1), (7, 0.38, -2.65)):
        advantages = grpo.group_advantages((torch.arange(8) < k).double(), kind="scaled")
        assert advantages[0].item() == near(right, 2) and advantages[-1].item() == near(wrong, 2)
        assert advantages[0].item() == near(math.sqrt((8 - k) / k), 4)
        assert advantages[-1].item() == near(-math.sqrt(k / (8 - k)), 4)


def test_groups_by_hand():
    """ "Rewards (5, 1, 1, 1) have the deviation √3. The first scaled advantage is √3 for eps = 0"; the docstring's 3, 0, 0; "three
    rewards of 0.1 whose computed mean is not 0.1"."""
    rewards = numbers(5, 1, 1, 1)
    assert rewards.std(correction=0).item() == pytest.approx(math.sqrt(3))
    assert grpo.group_advantages(rewards, kind="scaled", eps=0.0)[0].item() == pytest.approx(math.sqrt(3))
    three = numbers(3, 0, 0)
    assert grpo.group_advantages(three, kind="centered").tolist() == [2, -1, -1]
    assert grpo.group_advantages(three, kind="leave_one_out").tolist() == [3, -1.5, -1.5]
    assert grpo.group_advantages(three, kind="scaled", eps=0.0).tolist() == pytest.approx(
        [1.414, -0.707, -0.707], abs=5e-4
    )
    assert numbers(0.1, 0.1, 0.1).mean().item() != 0.1


# --- Task 3 ------------------------------------------------------------------------------------


def token_gradient(old, new, clip_high=0.2):
    logp, old_logp = numbers([[new]]).log().requires_grad_(), numbers([[old]]).log()
    loss = grpo.policy_loss(logp, old_logp, numbers([1]), logp < 0, level="token", clip_low=0.2, clip_high=clip_high)
    return torch.autograd.grad(loss.sum(), logp)[0].item()


def test_where_the_push_stops():
    """ "The rare token stops at 0.012. The frequent token would stop at 1.08, so this token never stops. A larger `clip_high` helps only the
    rare token." """
    assert token_gradient(0.01, 0.0119) == pytest.approx(-1.19) and token_gradient(0.01, 0.0121) == 0
    assert 0.9 * 1.2 == near(1.08, 2) and token_gradient(0.9, 0.9999) < 0
    assert token_gradient(0.01, 0.0121, clip_high=0.3) < 0
    assert token_gradient(0.9, 0.9999, clip_high=0.3) == token_gradient(0.9, 0.9999)


def test_ratios_by_hand():
    """ "At level token, the ratios 2 and ½ cost −1.5 and −0.5 if A = 1, and they cost 2 and 0.8 if A = −1. At level sequence, tokens with
    the ratios 4 and ½ share the ratio √2." """
    zero, mask, limits = (
        torch.zeros(1, 2, 2, dtype=F64),
        torch.ones(1, 2, 2, dtype=torch.bool),
        {"clip_low": 0.2, "clip_high": 0.5},
    )
    shared = grpo.policy_loss(
        numbers([[4, 0.5], [4, 0.5]]).log(), zero, numbers([1, 1]), mask, level="sequence", **limits
    )
    assert shared.flatten().tolist() == pytest.approx([-math.sqrt(2)] * 4)
    losses = grpo.policy_loss(
        numbers([[2, 0.5], [2, 0.5]]).log(), zero, numbers([1, -1]), mask, level="token", **limits
    )
    assert losses.flatten().tolist() == pytest.approx([-1.5, -0.5, 2, 0.8])


# --- Task 5 ------------------------------------------------------------------------------------


def test_parts_of_the_gradient():
    """ "(1) One half and three quarters, in exactly the same direction. Leave-one-out gives the whole gradient. For r = 1, μ = ½ and
    G = 4, the expected advantages are 3/8 (centered) and ½ (leave-one-out)." """
    logits, rewards = numbers(0.5, -1, 0, 1), numbers(1, 0, 0, 1)
    gradient = grpo.exact_gradient(logits, rewards)
    for G, part in ((2, 1 / 2), (4, 3 / 4)):
        for kind, want in (("centered", part), ("leave_one_out", 1.0)):
            update = grpo.expected_update(logits, rewards, group_size=G, advantages_of=kind_of(kind))
            assert (update / gradient).tolist() == pytest.approx([want] * 4)
    groups = numbers(
        *([1.0, *(float(n >> i & 1) for i in range(3))] for n in range(8))
    )  # the other three, at even odds
    for kind, want in (("centered", 3 / 8), ("leave_one_out", 1 / 2)):
        assert grpo.group_advantages(groups, kind=kind)[:, 0].mean().item() == pytest.approx(want)


def test_boosts():
    """ "For G = 2, both boosts are 2. For G = 8, the boosts are 2.66 and 2.12, a factor of 1.25. Still, the prompt with p = 0.5 is
    pushed harder: 0.46 against 0.21." """
    scaled, boost = {}, {}
    for G in (2, 8):
        for p in (0.1, 0.5):
            scaled[G, p] = figures.push(grpo, p, "scaled", G)
            boost[G, p] = scaled[G, p] / figures.push(grpo, p, "centered", G)
    assert boost[2, 0.1] == near(2, 4) and boost[2, 0.5] == near(2, 4)
    assert boost[8, 0.1] == near(2.66, 2) and boost[8, 0.5] == near(2.12, 2)
    assert boost[8, 0.1] / boost[8, 0.5] == near(1.25, 2)
    assert scaled[8, 0.5] == near(0.46, 2) and scaled[8, 0.1] == near(0.21, 2)
    half = grpo.exact_gradient(numbers(0, 0), numbers(1, 0))
    assert half.tolist() == [0.25, -0.25]
    assert grpo.expected_update(numbers(0, 0), numbers(1, 0), group_size=2, advantages_of=lambda r: r).tolist() == [
        0.25,
        -0.25,
    ]


# --- Task 6 ------------------------------------------------------------------------------------


def test_pulls():
    """ "k2 pulls exactly as KL(π‖π_ref) does. For each answer, k2 in the loss gives the update that −k1 gives in the reward. k3 pulls as
    KL(π_ref‖π) does: answer 1's gradient is 0.155, not 0.234. k1 doesn't pull at all, although its mean is the divergence." """
    there, back = figures.divergences()
    k1, k2, k3 = (figures.pull(grpo, kind) for kind in ("k1", "k2", "k3"))
    assert k1.abs().max() < 1e-12 and (k2 - there).abs().max() < 1e-12 and (k3 - back).abs().max() < 1e-12
    assert k3[0].item() == near(0.155, 3) and k2[0].item() == near(0.234, 3)
    logits, ref = figures.four_answers()
    logp, logq = logits.log_softmax(-1), ref.log_softmax(-1)
    mask = torch.ones(1, 4, 1, dtype=torch.bool)
    term = grpo.kl_term(logp[None, :, None], logq[None, :, None], mask, kind="k1")[0, :, 0]
    assert (logp.exp() * term).sum().item() == pytest.approx((logp.exp() * (logp - logq)).sum().item())
    logits.requires_grad_()
    logp = logits.log_softmax(-1)
    in_loss = grpo.kl_term(logp[None, :, None], logq[None, :, None], mask, kind="k2")[0, :, 0]
    for y in range(4):
        (of_k2,) = torch.autograd.grad(in_loss[y], logits, retain_graph=True)
        (of_logp,) = torch.autograd.grad(logp[y], logits, retain_graph=True)
        assert (-of_k2 - -term[y] * of_logp).abs().max() < 1e-12


def test_the_deviation_divides_the_price_away():
    """ "The advantages are −1.41, 0, 0 and 1.41 for every β far above eps = 10⁻⁶." Not so for β near eps, and 0 at β = 0."""
    k1 = numbers([[2], [0], [0], [-2]])
    for beta in (1.0, 0.1, 0.001):
        rewards = grpo.penalized_rewards(torch.ones(1, 4, dtype=F64), k1 - 5, 0 * k1 - 5, k1 < 9, beta=beta)
        advantages = grpo.group_advantages(rewards, kind="scaled")[0].tolist()
        assert advantages == pytest.approx([-1.41, 0, 0, 1.41], abs=0.006)
    rewards = grpo.penalized_rewards(torch.ones(1, 4, dtype=F64), k1 - 5, 0 * k1 - 5, k1 < 9, beta=0.0)
    assert not grpo.group_advantages(rewards, kind="scaled").any()
    rewards = grpo.penalized_rewards(torch.ones(1, 4, dtype=F64), k1 - 5, 0 * k1 - 5, k1 < 9, beta=1e-6)
    assert grpo.group_advantages(rewards, kind="scaled")[0, 3].item() < 1


def test_estimates_by_hand():
    """ "pi = 1/2 and pi_ref = 1/4: k1 = 0.693, k2 = 0.240, k3 = 0.193"; "Reward 1, beta = 0.1 and two tokens with pi / pi_ref = 2 and 8: 1 - 0.1 log 16"."""
    one = torch.ones(1, 1, 1, dtype=torch.bool)
    for kind, want in (("k1", 0.693), ("k2", 0.240), ("k3", 0.193)):
        assert grpo.kl_term(numbers([[0.5]]).log(), numbers([[0.25]]).log(), one, kind=kind).item() == near(want, 3)
    ratios = numbers([[2, 8]]).log()
    priced = grpo.penalized_rewards(numbers([1]), ratios - 5, 0 * ratios - 5, ratios < 9, beta=0.1)
    assert priced.item() == pytest.approx(1 - 0.1 * math.log(16))


# --- Task 7 ------------------------------------------------------------------------------------


def test_what_teaches():
    """ "(1) 0.08, 0.57, 0.99. (2) 7.5, 0.06"; "85 tokens get −¼"; "three rewards of 0.1 whose computed mean is not 0.1"."""
    groups = (torch.arange(256)[:, None] >> torch.arange(8) & 1).double()
    for p, want in ((0.01, 0.08), (0.1, 0.57), (0.5, 0.99)):
        chance = torch.where(groups > 0, p, 1 - p).prod(-1)
        share = chance[grpo.informative(groups)].sum().item()
        assert share == near(want, 2) and share == pytest.approx(1 - p**8 - (1 - p) ** 8)
    weights = grpo.pass_at_k_weights(numbers(0.01, 0.5), 8).tolist()
    assert weights == [near(7.5, 1), near(0.06, 2)]
    assert grpo.overlong_penalty(torch.tensor(85), max_len=100, margin=20).item() == -0.25


# --- Task 8 ------------------------------------------------------------------------------------


def test_what_becomes_of_variety():
    """ "Probabilities of 0.3, 0.3 and 0.4 (wrong) become ½, ½ and 0." "20%, then 3.3%." And the docstring's judge."""
    r, x = numbers(1, 1, 0), numbers(0.4, 0.1, 0.5).log()
    assert grpo.filtered_step(numbers([0.3, 0.3, 0.4]).log(), r[None]).exp()[0].tolist() == pytest.approx([0.5, 0.5, 0])
    assert grpo.filtered_step(x[None], r[None]).exp()[0].tolist() == pytest.approx([0.8, 0.2, 0])
    steps = 0
    while x.softmax(-1)[:2].sum() < 0.99:
        x, steps = x + 0.5 * grpo.exact_gradient(x, r), steps + 1
    p = x.softmax(-1)
    assert (p[1] / p[:2].sum()).item() == near(0.033, 3) and steps < 1000
    judge = grpo.ai_preference(numbers(0.6, 0.2).log(), numbers(0.3, 0.3).log())
    assert judge.item() == pytest.approx((0.75 + 0.5) / 2)


# --- Task 9 ------------------------------------------------------------------------------------


def test_the_best_of_many():
    """ "Normal errors: 0, 1.3, 2.3. Heavy tails: 0, 0.7, 0.1, because a high proxy means a large error." By the handout's lines."""
    rng, got, wrong = np.random.default_rng(0), [], []
    for error in (rng.standard_normal, lambda shape: rng.standard_t(2, size=shape)):
        for n in (1, 16, 1024):
            true = rng.standard_normal((2000, n))
            errors = error((2000, n))
            best = (true + errors).argmax(1)
            got.append(true[np.arange(2000), best].mean())
            wrong.append(errors[np.arange(2000), best].mean())
    assert got == [near(0, 1), near(1.3, 1), near(2.3, 1), near(0, 1), near(0.7, 1), near(0.1, 1)]
    assert wrong[5] > 20 > wrong[2]


def test_step_sizes_that_push_equally_hard():
    """The figure `training`: "Step sizes are such that all kinds push equally hard at p = ½." """
    pushes = [figures.STEP_SIZES[kind] * figures.push(grpo, 0.5, kind) for kind in figures.KINDS]
    assert pushes == pytest.approx([pushes[0]] * 3, rel=1e-3)


def test_scaling_helps_at_both_ends():
    """ "In `training`, hard prompts reach 90% after 123 steps (scaled) or 147 (other kinds), and easy prompts after 18 or 22. Scaling
    saves about a sixth of the steps at both ends." """
    reached = {}
    for kind in figures.KINDS:
        rng = np.random.default_rng(0)
        logits, rewards = figures.arithmetic(rng)
        assert logits.softmax(-1)[:3, 0].tolist() == pytest.approx([0.8, 0.2, 0.02])
        path = []
        for _ in range(150):
            path.append([logits.softmax(-1)[at::3, 0].mean().item() for at in (0, 2)])
            uniforms = torch.from_numpy(rng.random((1, len(logits), 8)))
            logits, _ = grpo.train(logits, rewards, uniforms, advantages_of=kind_of(kind), lr=figures.STEP_SIZES[kind])
        reached[kind] = (np.array(path) >= 0.9).argmax(0).tolist()
    assert reached == {"centered": [22, 147], "scaled": [18, 123], "leave_one_out": [22, 147]}
    assert 1 - 18 / 22 == pytest.approx(1 / 6, abs=0.02) and 1 - 123 / 147 == pytest.approx(1 / 6, abs=0.02)


def test_the_docstrings_path():
    """ "Proxy (log 3, 0), true (0, 1), s = 1: probabilities 3/4 and 1/4, true 0.25, kl 0.1308, true_slope -0.206." """
    path = grpo.overoptimize(numbers(3, 1).log(), numbers(0, 1), numbers(1))
    assert path["true"].item() == pytest.approx(0.25) and path["kl"].item() == near(0.1308, 4)
    assert path["true_slope"].item() == near(-0.206, 3)


def test_what_the_proxy_buys():
    """ "At 4 nats in `proxy`, the true reward is 1.8 with normal errors and 0.18 with heavy tails." "Only the slope of the true reward can
    be negative." """
    at_four, pressures = {}, torch.cat([torch.zeros(1, dtype=F64), torch.logspace(-2, 0.5, 40, dtype=F64)])
    for kind in ("normal", "t"):
        sums, slopes = {"kl": 0.0, "true": 0.0}, []
        for seed in range(30):
            rng = np.random.default_rng(seed)
            true = rng.normal(size=1000)
            proxy = true + figures.errors(kind, rng, 1000)
            path = grpo.overoptimize(torch.from_numpy(proxy), torch.from_numpy(true), pressures)
            sums = {name: sums[name] + path[name].numpy() / 30 for name in sums}
            assert path["proxy_slope"].min() >= 0
            slopes.append(path["true_slope"].min().item())
        at_four[kind] = np.interp(4, sums["kl"], sums["true"])
        assert min(slopes) < 0 or kind == "normal"
    assert at_four["normal"] == near(1.8, 1) and at_four["t"] == near(0.18, 2)
