"""The GRPO reference against autograd over all groups, torch.distributions, closed forms, and sums written out answer by answer.

Libraries that train with GRPO (`trl`) are not among the kit's dependencies; their formulas are here as definitions.
"""

import itertools
import math

import numpy as np
import pytest
import staff_files
import torch
from coursekit.gradcheck import check_vjp
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Categorical, kl_divergence

F64 = torch.float64

grpo = staff_files.reference("grpo")


@pytest.fixture(params=range(3), ids="seed{}".format)
def rng(request):
    return np.random.default_rng(request.param)


def normal(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


def same(got, want, rtol=1e-10, atol=1e-12):
    torch.testing.assert_close(got, torch.as_tensor(want, dtype=got.dtype), rtol=rtol, atol=atol)


def masks(rng, P, G, T):
    return torch.from_numpy(rng.integers(1, T + 1, size=(P, G)))[..., None] > torch.arange(T)


def kind_of(name):
    return lambda rewards: grpo.group_advantages(rewards, kind=name, eps=0.0)


# --- rewards -----------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    a=st.fractions(max_denominator=30).filter(lambda x: abs(x) < 100),
    b=st.fractions(max_denominator=30).filter(lambda x: abs(x) < 100),
    scale=st.integers(1, 9),
)
def test_numbers_compare_by_cross_multiplication(a, b, scale):
    """Whole numbers multiplied crosswise tell whether two fractions are equal, in lowest terms or not."""
    texts = [f"{x.numerator * scale}/{x.denominator * scale}" for x in (a, b)]
    assert grpo.equivalent(*texts) == (a.numerator * b.denominator == b.numerator * a.denominator)
    top, bottom = abs(a.numerator) * scale, a.denominator * scale
    sign = "-" if a < 0 else ""
    assert grpo.equivalent(rf"{sign}\frac{{{top}}}{{{bottom}}}", f"{a.numerator}/{a.denominator}")


@settings(max_examples=200, deadline=None)
@given(parts=st.lists(st.sampled_from(["\\boxed{", "{", "}", "7", " ", "boxed"]), max_size=12))
def test_the_last_box_by_a_stack(parts):
    """A stack of open braces finds every pair; of those that belong to a box, the one that was opened last counts."""
    text, stack, found = "".join(parts), [], {}
    for at, letter in enumerate(text):
        if letter == "{":
            stack.append(at)
        elif letter == "}" and stack:
            found[stack.pop()] = at
    boxes = [start for start in found if text[:start].endswith("\\boxed")]
    want = text[max(boxes) + 1 : found[max(boxes)]].strip() if boxes else None
    assert grpo.final_answer(text) == want


# --- advantages and the expected update --------------------------------------------------------


def test_advantages_in_numpy(rng):
    """NumPy's mean and deviation, and the mean of the others with np.delete."""
    r = rng.standard_normal((3, 5))
    same(grpo.group_advantages(torch.from_numpy(r), kind="centered"), r - r.mean(1, keepdims=True))
    z = (r - r.mean(1, keepdims=True)) / (r.std(1, keepdims=True) + 0.01)
    same(grpo.group_advantages(torch.from_numpy(r), kind="scaled", eps=0.01), z)
    loo = [[row[i] - np.delete(row, i).mean() for i in range(5)] for row in r]
    same(grpo.group_advantages(torch.from_numpy(r), kind="leave_one_out"), loo)


@pytest.mark.parametrize("G", [2, 3, 4])
@pytest.mark.parametrize("kind", ["centered", "scaled", "leave_one_out"])
def test_expected_update_by_autograd(rng, G, kind):
    """The update of each of the K^G groups by autograd; leave-one-out is the true gradient, centered (G - 1)/G of it."""
    logits, rewards = normal(rng, 4), torch.tensor([1.0, 0.0, 0.0, 1.0], dtype=F64)
    p = logits.softmax(-1)
    want = torch.zeros(4, dtype=F64)
    for group in itertools.product(range(4), repeat=G):
        x = logits.clone().requires_grad_()
        A = kind_of(kind)(rewards[list(group)])
        surrogate = sum(a * x.log_softmax(-1)[y] for a, y in zip(A, group, strict=True)) / G
        want += math.prod(float(p[y]) for y in group) * torch.autograd.grad(surrogate, x)[0]

    got = grpo.expected_update(logits, rewards, group_size=G, advantages_of=kind_of(kind))

    same(got, want)
    x = logits.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((x.softmax(-1) * rewards).sum(), x)
    same(grpo.exact_gradient(logits, rewards), gradient)
    if kind != "scaled":
        same(got, gradient * (1 if kind == "leave_one_out" else (G - 1) / G))
    else:  # one prompt: the same direction, by the factor of the plan
        q = float(p[0] + p[3])
        factor = sum(math.comb(G, k) * q**k * (1 - q) ** (G - k) * math.sqrt(k * (G - k)) for k in range(G + 1))
        same(got, gradient * factor / (G * q * (1 - q)), rtol=1e-9)


# --- losses ------------------------------------------------------------------------------------


def one_loss(logp, old, A, level, low, high):
    """The losses of one answer, token by token, in Python numbers."""
    logs = [a - b for a, b in zip(logp, old, strict=True)]
    ratios = [math.exp(x) for x in logs] if level == "token" else [math.exp(sum(logs) / len(logs))] * len(logs)
    return [-min(x * A, min(max(x, 1 - low), 1 + high) * A) for x in ratios]


@pytest.mark.parametrize("level", ["token", "sequence"])
def test_losses_and_divisors_answer_by_answer(rng, level):
    """Loops over answers without any padding; gradients by finite differences."""
    logp, old, A, mask = (
        0.4 * normal(rng, 2, 3, 4) - 2,
        0.4 * normal(rng, 2, 3, 4) - 2,
        normal(rng, 2, 3),
        masks(rng, 2, 3, 4),
    )
    options = {"level": level, "clip_low": 0.2, "clip_high": 0.5}

    losses = grpo.policy_loss(logp, old, A, mask, **options)

    rows = []
    for x, i in itertools.product(range(2), range(3)):
        n = int(mask[x, i].sum())
        rows.append(one_loss(logp[x, i, :n].tolist(), old[x, i, :n].tolist(), float(A[x, i]), level, 0.2, 0.5))
        same(losses[x, i, :n], rows[-1])
        assert not losses[x, i, n:].any()
    check_vjp(lambda z: grpo.policy_loss(z, old, A, mask, **options), [logp])
    total, count = sum(map(sum, rows)), sum(map(len, rows))
    wants = {"sequence": np.mean([np.mean(row) for row in rows]), "token": total / count, "constant": total / (6 * 9)}
    for how, want in wants.items():
        same(grpo.aggregate(losses, mask, how=how, max_len=9), want)
        parts = [(losses[:1], mask[:1]), (losses[1:], mask[1:])]
        same(sum(grpo.micro_batch_losses(parts, how=how, max_len=9)), want)


def test_levels_agree_at_ratio_one(rng):
    """At ratio 1, the sequence level has the token level's gradient, if answers are averaged over their own tokens."""
    logp, A, mask = normal(rng, 2, 3, 4) - 2, normal(rng, 2, 3), masks(rng, 2, 3, 4)
    gradients = []
    for level in ("token", "sequence"):
        x = logp.clone().requires_grad_()
        losses = grpo.policy_loss(x, logp, A, mask, level=level, clip_low=0.2, clip_high=0.2)
        gradients.append(torch.autograd.grad(grpo.aggregate(losses, mask, how="sequence", max_len=4), x)[0])
    same(*gradients)


def test_the_divisor_is_an_objective():
    """Divided by the own length, the expected gradient is that of the mean of 1/length; by a constant, it is 0."""
    q, lengths = 0.3, torch.arange(1, 41, dtype=F64)

    def chances(z):
        stop = torch.sigmoid(z)
        p = stop * (1 - stop) ** (lengths - 1)
        return torch.cat([p[:-1], (1 - stop)[None] ** 39])

    z = torch.tensor(math.log(q / (1 - q)), dtype=F64, requires_grad=True)
    p = chances(z)
    by_length, constant = ((p.detach() * w * p.log()).sum() for w in (1 / lengths, torch.ones(40, dtype=F64)))
    (got,) = torch.autograd.grad(by_length, z, retain_graph=True)
    (want,) = torch.autograd.grad((p / lengths).sum(), z, retain_graph=True)
    same(got, want)
    assert abs(float(torch.autograd.grad(constant, z)[0])) < 1e-12


def test_kl_terms_as_losses(rng):
    """k1 has the mean gradient 0, k2 that of KL(pi || ref), k3 that of KL(ref || pi), all of torch.distributions; k1 and k3 are
    unbiased."""
    x, ref = normal(rng, 5).requires_grad_(), normal(rng, 5)
    logp, logq = x.log_softmax(-1), ref.log_softmax(-1)
    there = kl_divergence(Categorical(logits=x), Categorical(logits=ref))
    back = kl_divergence(Categorical(logits=ref), Categorical(logits=x))
    wants = {"k1": torch.zeros(5, dtype=F64)}
    wants["k2"], wants["k3"] = (torch.autograd.grad(kl, x, retain_graph=True)[0] for kl in (there, back))
    mask = torch.ones(1, 5, 1, dtype=torch.bool)
    for kind, want in wants.items():
        term = grpo.kl_term(logp[None, :, None], logq[None, :, None], mask, kind=kind)[0, :, 0]
        mean = (logp.detach().exp() * term).sum()
        same(torch.autograd.grad(mean, x, retain_graph=True)[0], want)
        assert kind == "k2" or mean.item() == pytest.approx(there.item())
    priced = grpo.penalized_rewards(
        torch.ones(1, 5, dtype=F64), logp[None, :, None], logq[None, :, None], mask, beta=0.3
    )
    same(priced[0], 1 - 0.3 * (logp - logq).detach())
    # the price in the reward pushes each answer as k2 in the loss
    k2 = grpo.kl_term(logp[None, :, None], logq[None, :, None], mask, kind="k2")[0, :, 0]
    for y in range(5):
        (by_loss,) = torch.autograd.grad(k2[y], x, retain_graph=True)
        (score,) = torch.autograd.grad(logp[y], x, retain_graph=True)
        same(by_loss, (logp[y] - logq[y]).detach() * score)


# --- shaping and feedback ----------------------------------------------------------------------


def test_shaping(rng):
    """Sets of rewards, np.interp, and pass@k by all draws."""
    rewards = rng.integers(0, 2, size=(40, 3)) * 0.1
    assert grpo.informative(torch.from_numpy(rewards)).tolist() == [len(set(row)) > 1 for row in rewards.tolist()]
    n = np.arange(0, 140)
    same(grpo.overlong_penalty(torch.from_numpy(n), max_len=100, margin=30), np.interp(n, [70, 100], [0, -1]))
    p = torch.tensor(rng.random(6), requires_grad=True)
    for k in (1, 3, 5):
        passed = sum(
            torch.stack([p if right else 1 - p for right in draw]).prod(0)
            for draw in itertools.product((False, True), repeat=k)
            if any(draw)
        )
        same(grpo.pass_at_k_weights(p.detach(), k), torch.autograd.grad(passed.sum(), p)[0])


def test_filtering_is_maximum_likelihood(rng):
    """No other policy has a higher mean log-probability of the right answers; preferences are Bayes over two labels."""
    logp, rewards = normal(rng, 1, 5).log_softmax(-1), torch.tensor([[1.0, 0.0, 1.0, 1.0, 0.0]], dtype=F64)
    best = grpo.filtered_step(logp, rewards)[0]
    weight, right = (logp.exp() * rewards)[0], rewards[0] > 0
    value = (weight * best)[right].sum()
    for other in normal(rng, 300, 5).log_softmax(-1):
        assert (weight * other)[right].sum() <= value
    a, b = normal(rng, 4, 2), normal(rng, 4, 2)
    want = 0.5 * (a.exp()[:, 0] / a.exp().sum(1) + b.exp()[:, 1] / b.exp().sum(1))
    same(grpo.ai_preference(a, b), want)


# --- training ----------------------------------------------------------------------------------


def test_training_by_autograd(rng):
    """Each step by autograd on the surrogate, prompt by prompt; answers by the inverse of the distribution function."""
    logits, rewards = normal(rng, 4, 3), torch.from_numpy((rng.random((4, 3)) < 0.5).astype(float))
    uniforms = torch.from_numpy(rng.random((5, 4, 4)))

    got, history = grpo.train(logits, rewards, uniforms, advantages_of=kind_of("centered"), lr=0.9)

    want = logits.clone()
    for step in range(5):
        x = want.clone().requires_grad_()
        p = x.detach().softmax(-1).numpy()
        assert history[step] == pytest.approx((p * rewards.numpy()).sum(1).mean())
        parts = []
        for prompt in range(4):
            drawn = [int(np.sum(np.cumsum(p[prompt]) <= u)) for u in uniforms[step, prompt].tolist()]
            r = rewards[prompt][drawn]
            if len(set(r.tolist())) > 1:
                parts.append(((r - r.mean()) * x[prompt].log_softmax(-1)[drawn]).mean())
        if parts:
            want = want + 0.9 * torch.autograd.grad(sum(parts) / len(parts), x)[0]
    same(got, want)


def test_the_path_of_a_proxy(rng):
    """torch.distributions for the divergence, autograd for the slopes."""
    proxy, true = normal(rng, 12), normal(rng, 12)
    s = torch.tensor([0.0, 0.5, 2.0], dtype=F64, requires_grad=True)
    p = (s[:, None] * proxy).softmax(-1)

    path = grpo.overoptimize(proxy, true, s.detach())

    uniform = Categorical(probs=torch.full((3, 12), 1 / 12, dtype=F64))
    same(path["kl"], kl_divergence(Categorical(probs=p.detach()), uniform), atol=1e-9)
    for name, reward in (("proxy", proxy), ("true", true)):
        same(path[name], (p @ reward).detach())
        same(path[f"{name}_slope"], torch.autograd.grad((p @ reward).sum(), s, retain_graph=True)[0])
