"""What the handout, the docstrings and the written question of dpo claim, computed with the reference."""

import math

import numpy as np
import pytest
import staff_files
import torch
from coursekit.toys import random_weights

F64 = torch.float64


dpo = staff_files.reference("dpo")


def numbers(*values):
    return torch.tensor(values, dtype=F64)


def logs(*values):
    return numbers(*values).log()


def table():
    """The table of Tasks 6 and 7 and of the figures: a reference and rewards of twelve answers."""
    generator = torch.Generator().manual_seed(3)
    reference = torch.randn(12, generator=generator, dtype=F64).log_softmax(-1)
    return reference, torch.randn(12, generator=generator, dtype=F64)


def place(logp, reference, reward):
    """KL from the reference, and mean reward."""
    return dpo.kl_divergence(logp, reference).item(), (logp.exp() * reward).sum().item()


def near(value, digits):
    return pytest.approx(value, abs=0.5 * 10**-digits)


# --- Task 1 ------------------------------------------------------------------------------------


def test_a_against_c():
    """ "A beats C with probability 98.8%. After the ten comparisons of A and C, A's chances against B fall from 90% to 64%." """
    wins = numbers([0, 9, 0], [1, 0, 9], [0, 1, 0])
    r = dpo.fit_bradley_terry(wins)
    assert dpo.preference_probability(r[0], r[2]).item() == near(0.988, 3)
    assert dpo.preference_probability(r[0], r[1]).item() == near(0.9, 6)

    wins[0, 2] = wins[2, 0] = 5
    r = dpo.fit_bradley_terry(wins)
    assert dpo.preference_probability(r[0], r[1]).item() == near(0.64, 2)


def test_examples_of_the_rewards():
    """ "Rewards 10 000 + log 3 and 10 000: 3/4." "With rewards -800 and 0: 800, and the gradients are -1 and +1." "Three wins to
    one: (log 3 / 2, -log 3 / 2)." """
    shifted = dpo.preference_probability(numbers(10_000 + math.log(3))[0], numbers(10_000)[0])
    assert shifted.item() == near(0.75, 9)
    pair = [numbers(x).requires_grad_() for x in (-800, 0)]
    loss = dpo.bradley_terry_loss(*pair)
    assert loss.item() == 800 and [g.item() for g in torch.autograd.grad(loss, pair)] == [-1, 1]
    assert dpo.fit_bradley_terry(numbers([0, 3], [1, 0])).tolist() == pytest.approx([math.log(3) / 2, -math.log(3) / 2])


# --- Task 2 ------------------------------------------------------------------------------------


def test_the_price_of_a_rare_answer():
    """ "The rare answer gets 2.2% at β = 1, and 99.8% at β = ½. It gets one half at β = 0.72. Its log π_ref is −13.8, and
    10/13.8 = 0.72." """
    reference, reward = logs(1e-6, 1 - 1e-6), numbers(10, 0)
    share = {beta: dpo.optimal_policy(reference, reward, beta=beta).exp()[0].item() for beta in (1, 0.5, 0.7238)}

    assert share[1] == near(0.022, 3) and share[0.5] == near(0.998, 3) and share[0.7238] == near(0.5, 2)
    assert -math.log(1e-6) == near(13.8, 1) and 10 / -math.log(1e-6) == near(0.72, 2)


def test_half_and_half():
    """ "Reference (½, ½), rewards (2 log 3, 0) and β = 2 give Z = 2, π* = (¾, ¼), KL = 0.1308 and J = 2 log 2." "As beta grows: the
    reference." """
    reference, reward = logs(0.5, 0.5), numbers(2 * math.log(3), 0)
    best = dpo.optimal_policy(reference, reward, beta=2.0)

    assert dpo.log_partition(reference, reward, beta=2.0).exp().item() == pytest.approx(2)
    assert best.exp().tolist() == pytest.approx([0.75, 0.25])
    assert dpo.kl_divergence(best, reference).item() == near(0.1308, 4)
    assert dpo.kl_regularized_objective(best, reference, reward, beta=2.0).item() == pytest.approx(2 * math.log(2))
    assert dpo.optimal_policy(reference, reward, beta=1e9).exp().tolist() == pytest.approx([0.5, 0.5])


def test_a_thousand_policies():
    """The derivation: any policy's objective is a constant minus a divergence, so none of 1,000 random ones is better."""
    reference, reward = table()
    others = torch.randn(1000, 12, generator=torch.Generator().manual_seed(0), dtype=F64).log_softmax(-1)
    best = dpo.optimal_policy(reference, reward, beta=0.5)
    highest = 0.5 * dpo.log_partition(reference, reward, beta=0.5)

    values = dpo.kl_regularized_objective(others, reference, reward, beta=0.5)
    assert (values < highest).all()
    assert (values - (highest - 0.5 * dpo.kl_divergence(others, best))).abs().max() < 1e-12


# --- Task 3 ------------------------------------------------------------------------------------


def test_the_row_of_five():
    """ "Prompt 5 6 and response 8 2 are padded with 2 to a row of five tokens, 5 6 8 2 2. The mask marks the 8 and the first 2." """
    tokens, mask = dpo.collate([[5, 6], [1]], [[8, 2], [1, 1, 1, 2]], pad=2)
    assert tokens[0].tolist() == [5, 6, 8, 2, 2] and mask[0].nonzero().flatten().tolist() == [2, 3]


# --- Task 4 ------------------------------------------------------------------------------------


def test_the_four_pairs():
    """ "C −0.95, A −0.5, B −0.05, D −0.0025"; D's "margin is 6"; "the chosen response became 20 times less likely"."""
    reference = torch.full((4,), -20.0, dtype=F64)
    chosen, rejected = reference + numbers(0, 3, -3, -3), reference + numbers(0, 0, 0, -9)

    push = -4 * dpo.dpo_gradient(chosen, rejected, reference, reference, beta=1.0)[0]

    assert [round(x, 4) for x in push.tolist()] == [0.5, 0.0474, 0.9526, 0.0025]
    assert ["ABCD"[i] for i in push.argsort(descending=True)] == list("CABD")
    metrics = dpo.preference_metrics(chosen[3:], rejected[3:], reference[3:], reference[3:], beta=1.0)
    assert metrics["margin"] == 6 and math.exp(3) == near(20, 0)


def test_one_pair_by_hand():
    """ "Log-ratios log 9 (chosen) and 0 (rejected) with β = ½ give m = log 3, the loss log 4/3 and the gradients −⅛ and +⅛. At the
    reference, the loss is log 2." "Every entry of dL / d policy_chosen is -beta / (2 M)." """
    pair = logs(0.9), logs(0.2), logs(0.1), logs(0.2)

    assert dpo.preference_metrics(*pair, beta=0.5)["margin"] == pytest.approx(math.log(3))
    assert dpo.dpo_loss(*pair, beta=0.5).item() == pytest.approx(math.log(4 / 3))
    assert [g.item() for g in dpo.dpo_gradient(*pair, beta=0.5)] == pytest.approx([-1 / 8, 1 / 8])
    assert dpo.dpo_loss(pair[0], pair[1], pair[0], pair[1], beta=0.5).item() == pytest.approx(math.log(2))
    five = [numbers(*[-3.0] * 5)] * 4
    assert dpo.dpo_gradient(*five, beta=0.5)[0].tolist() == pytest.approx([-0.5 / 10] * 5)


def test_both_fall():
    """ "The loss falls from 0.69 to 0.05 in 20 steps, … and the margin grows to 3. But the log-probability of the chosen answer
    falls as well, by 10.7 nats"; "a third one takes all"."""
    feature, base, theta = numbers(1, 0, 5), logs(1 / 3, 1 / 3, 1 / 3), numbers(0)[0]
    losses = []
    for _ in range(21):
        theta.requires_grad_()
        logp = (theta * feature).log_softmax(-1)
        loss = dpo.dpo_loss(logp[:1], logp[1:2], base[:1], base[1:2], beta=1.0)
        losses.append(loss.item())
        theta = (theta - torch.autograd.grad(loss, theta)[0]).detach()

    assert losses[0] == near(0.69, 2) and losses[20] == near(0.05, 2) and losses == sorted(losses, reverse=True)
    fallen = logp.detach() - base
    assert fallen[0].item() == near(-10.7, 1) and (fallen[0] - fallen[1]).item() == near(3, 0)
    assert logp[2].exp().item() > 0.9999


# --- Task 5 ------------------------------------------------------------------------------------


def test_where_the_losses_end():
    """ "At h = 22"; "IPO's target is h = 5, and ε = 0.3 leads to 8.5 and ε = 0.4 to 4.1. The answer is 0.38, for every β." """
    h, zero = torch.arange(0, 300, dtype=F64) / 10, numbers(0)

    def least(loss, beta, **options):
        losses = [loss(zero + t / (10 * beta), zero, zero, zero, beta=beta, **options) for t in h]
        return (h / (10 * beta))[torch.stack(losses).argmin()].item()

    for beta in (0.1, 1.0):  # the grid of h is as fine as the handout's at beta = 0.1, and scales with 1 / beta
        found = {
            eps: least(dpo.smoothed_dpo_loss, beta, label_smoothing=eps) for eps in (0.1, 0.3, 0.375, 0.38, 0.385, 0.4)
        }
        target = least(dpo.ipo_loss, beta)
        assert target == pytest.approx(0.5 / beta)
        assert [found[eps] for eps in (0.1, 0.3, 0.4)] == pytest.approx([2.2 / beta, 0.85 / beta, 0.41 / beta])
        assert found[0.375] >= target >= found[0.385]
        assert abs(found[0.38] - target) <= 0.011 / beta


def test_example_of_smoothing():
    """ "One pair with margin log 3, eps = 1/4: log 4 - (3/4) log 3." """
    pair = logs(3), logs(1), logs(1), logs(1)
    loss = dpo.smoothed_dpo_loss(*pair, beta=1.0, label_smoothing=0.25)
    assert loss.item() == pytest.approx(math.log(4) - 0.75 * math.log(3))


# --- Task 6 ------------------------------------------------------------------------------------


def test_certain_preferences():
    """ "With P from Task 1's model, the fit would end at π*, at KL 0.45." "After 400 steps the KL is 2.855. It grows to 2.874 =
    −log π_ref(best answer)." """
    reference, reward = table()
    certain = (reward[:, None] > reward).double()[None]
    options = {"beta": 0.5, "lr": 17.6}

    best = dpo.optimal_policy(reference, reward, beta=0.5)
    assert place(best, reference, reward)[0] == near(0.45, 2)
    logp = dpo.fit_table(reference[None], certain, **options, n_steps=400)[0]
    assert place(logp, reference, reward)[0] == near(2.855, 3)
    assert -reference[reward.argmax()].item() == near(2.874, 3)
    longer = dpo.fit_table(reference[None], certain, **options, n_steps=4000)[0]
    assert place(logp, reference, reward)[0] < place(longer, reference, reward)[0] < -reference[reward.argmax()].item()


def test_rewards_come_back():
    """ "Recover rewards from comparisons to fourteen digits", and π* with them."""
    reference, reward = table()
    preferences = dpo.preference_probability(reward[:, None], reward)[None]

    logp = dpo.fit_table(reference[None], preferences, beta=0.5, lr=17.6, n_steps=400)[0]

    found = 0.5 * (logp - reference)
    assert ((found - found.mean()) - (reward - reward.mean())).abs().max() < 1e-14
    assert (logp - dpo.optimal_policy(reference, reward, beta=0.5)).abs().max() < 1e-13


def test_rock_paper_scissors():
    """ "None: the fit is the reference." The loss stays at log 2."""
    cycle = numbers([0.5, 0.9, 0.1], [0.1, 0.5, 0.9], [0.9, 0.1, 0.5])[None]
    reference = logs(0.2, 0.3, 0.5)[None]

    logp = dpo.fit_table(reference, cycle, beta=0.5, lr=4.0, n_steps=2000)

    assert logp.exp()[0].tolist() == pytest.approx([0.2, 0.3, 0.5])
    assert dpo.population_dpo_loss(logp, reference, cycle, beta=0.5).item() == pytest.approx(math.log(2))


# --- Task 7 ------------------------------------------------------------------------------------


def test_best_of_sixteen_and_of_a_thousand():
    """ "At KL 1.79, π* earns 0.847 and best-of-16 earns 0.845." "Best-of-n stops at KL 2.874, where only the best answer is left." """
    reference, reward = table()
    kl, _ = place(dpo.best_of_n(reference.exp(), reward, 1000).log(), reference, reward)
    assert kl == near(2.874, 3) and dpo.best_of_n_kl_bound(1000) > 2 * kl

    kl, earned = place(dpo.best_of_n(reference.exp(), reward, 16).log(), reference, reward)
    assert kl == near(1.79, 2) and earned == near(0.845, 3)
    low, high = 0.01, 5.0
    for _ in range(60):
        beta = math.sqrt(low * high)
        optimum, optimal_reward = place(dpo.optimal_policy(reference, reward, beta=beta), reference, reward)
        low, high = (beta, high) if optimum > kl else (low, beta)
    assert optimum == pytest.approx(kl) and optimal_reward == near(0.847, 3)


def test_examples_of_best_of_n():
    """ "π_ref = (0.5, 0.3, 0.2), rewards (0, 1, 1) and n = 2 give (0.25, 0.45, 0.3)"; "n = 1: 0. n = 2: 0.1931"; "(3 + 3 + 2) / 3"."""
    q = dpo.best_of_n(numbers(0.5, 0.3, 0.2), numbers(0, 1, 1), 2)
    assert q.tolist() == pytest.approx([0.25, 0.45, 0.3])
    assert dpo.best_of_n_kl_bound(1) == 0 and dpo.best_of_n_kl_bound(2) == near(0.1931, 4)
    assert dpo.best_of_n_estimate(numbers(3, 1, 2), 2).item() == pytest.approx(8 / 3)


# --- Task 8 ------------------------------------------------------------------------------------


def test_the_two_starts():
    """ "From A = B = 0 both gradients are 0, so nothing is ever learned. From `new_adapter` only A's gradient is 0, and only until B
    has moved." """
    generator = torch.Generator().manual_seed(0)
    x, W, noise = (torch.randn(*shape, generator=generator, dtype=F64) for shape in ((5, 4), (4, 3), (4, 2)))
    learns = []
    for A, B in ((0 * noise, W.new_zeros(2, 3)), dpo.new_adapter(W, noise)):
        loss = dpo.lora_linear(x, W, A.requires_grad_(), B.requires_grad_(), alpha=2.0).square().sum()
        gradients = torch.autograd.grad(loss, (A, B))
        learns.append([bool(gradient.any()) for gradient in gradients])
    assert learns == [[False, False], [False, True]]

    moved = (B - 0.1 * gradients[1]).detach()
    loss = dpo.lora_linear(x, W, A, moved, alpha=2.0).square().sum()
    assert torch.autograd.grad(loss, A)[0].all()


def test_the_size_of_an_adapter():
    """ "For a W of 4096 × 4096 and rank 8, the adapter has 0.4% as many numbers as W"; "alpha = 2: (45, 76)"."""
    A, B = dpo.new_adapter(torch.zeros(4096, 4096), torch.zeros(4096, 8))
    assert (A.numel() + B.numel()) / 4096**2 == near(0.004, 3)

    out = dpo.lora_linear(numbers(1, 10), torch.eye(2, dtype=F64), numbers([1], [1]), numbers([2, 3]), alpha=2.0)
    assert out.tolist() == [45, 76]


# --- Task 9, and the stretch -------------------------------------------------------------------


def test_chosen_responses_fall_before_they_rise():
    """ "The margin of unseen pairs grows from the first step on." "At β = 0.1 the chosen responses are 0.2 nats less likely
    after 16 steps. After about 30 steps they are more likely than at first"; "the rejected ones fall faster". In the figure's model."""
    figures = staff_files.figures("dpo")
    rng = np.random.default_rng(1)
    weights = random_weights(figures.SIZE, rng)
    seen, unseen = figures.pairs(dpo, rng, 48), figures.pairs(dpo, rng, 200)
    adapters = figures.new_adapters(dpo, weights, rng)
    start = [dpo.model_logps(figures.SIZE, weights, batch) for batch in unseen]
    chosen, rejected = [], []
    for _ in range(10):
        policy = dpo.adapted_weights(weights, adapters, alpha=4.0)
        now = [dpo.model_logps(figures.SIZE, policy, batch) for batch in unseen]
        for ratios, after, before in zip((chosen, rejected), now, start, strict=True):
            ratios.append((after - before).mean().item())
        adapters, _ = dpo.train_dpo(figures.SIZE, weights, adapters, *seen, alpha=4.0, beta=0.1, lr=0.5, n_steps=4)

    assert min(chosen) == chosen[4] == near(-0.2, 1)
    assert chosen[7] < 0 < chosen[8]  # after 28 and 32 steps
    margins = [a - b for a, b in zip(chosen, rejected, strict=True)]
    assert margins == sorted(margins) and margins[0] == 0
    assert rejected == sorted(rejected, reverse=True)
