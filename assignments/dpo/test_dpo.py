"""The checks you can run yourself: `pytest` in this folder, or `pytest --task dpo` for one task."""

import math

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close
from coursekit.toys import ModelConfig, random_weights

F64 = torch.float64


def numbers(*values):
    """A float64 tensor."""
    return torch.tensor(values, dtype=F64)


def logs(*values):
    """A float64 tensor of logarithms."""
    return numbers(*values).log()


# --- Task 1 ------------------------------------------------------------------------------------


@number("1.p1")
@weight(2)
@tags("bradley_terry")
def test_bradley_terry_by_hand(impl):
    """A reward higher by log 3 wins three times in four; and from three wins in four comes log 3 back."""
    r = logs(3, 1)

    assert_close(impl.preference_probability(r[0], r[1]), numbers(0.75)[0])
    assert_close(impl.bradley_terry_loss(r[:1], r[1:]), numbers(math.log(4 / 3))[0])
    fitted = impl.fit_bradley_terry(torch.tensor([[0, 3], [1, 0]], dtype=F64))
    assert_close(fitted, numbers(0.5, -0.5) * math.log(3), rtol=1e-6, atol=1e-6)


# --- Task 2 ------------------------------------------------------------------------------------


@number("2.p1")
@weight(2)
@tags("optimum")
def test_optimum_by_hand(impl):
    """Half and half, and one of the two has exp(r / beta) = 3: the best policy is three quarters."""
    reference, reward = logs(0.5, 0.5), numbers(2 * math.log(3), 0)

    assert_close(impl.log_partition(reference, reward, beta=2.0), numbers(math.log(2))[0])
    best = impl.optimal_policy(reference, reward, beta=2.0)
    assert_close(best, logs(0.75, 0.25))
    kl = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert_close(impl.kl_divergence(best, reference), numbers(kl)[0])
    given = {"beta": 2.0, "kl": lambda p, q: numbers(kl)[0]}
    objective = impl.kl_regularised_objective(best, reference, reward, **given)
    assert_close(objective, numbers(2 * math.log(2))[0])  # beta log Z


@number("2.p2")
@weight(1)
@tags("optimum")
def test_divergence_with_impossible_answers(impl):
    """Certain of one answer against half and half: log 2. The other way round: infinite."""
    certain, even = logs(1, 0), logs(0.5, 0.5)

    assert_close(impl.kl_divergence(certain, even), numbers(math.log(2))[0])
    assert_close(impl.kl_divergence(even, certain), numbers(math.inf)[0])


# --- Task 3 ------------------------------------------------------------------------------------


@number("3.p1")
@weight(1)
@tags("logps")
def test_collate_by_hand(impl):
    """Two pairs of different lengths, padded with 2, which is also the token at which both responses end."""
    tokens, mask = impl.collate([[5, 6], [7]], [[8, 2], [9, 3, 4, 2]], pad=2)

    assert tokens.tolist() == [[5, 6, 8, 2, 2], [7, 9, 3, 4, 2]]
    assert mask.int().tolist() == [[0, 0, 1, 1, 0], [0, 1, 1, 1, 1]]


@number("3.p2")
@weight(2)
@tags("logps")
def test_logps_by_hand(impl):
    """A prompt of one token, two tokens to judge, one of padding: log 1/2 + log 1/4."""
    p = torch.full((4, 3), 0.1, dtype=F64)
    p[0], p[1] = numbers(0.25, 0.5, 0.25), numbers(0.5, 0.25, 0.25)
    tokens = torch.tensor([0, 1, 2, -100])
    mask = torch.tensor([False, True, True, False])

    assert_close(impl.response_logps(p.log(), tokens, mask), numbers(math.log(1 / 8))[0])
    shifted = p.log() + 7.0  # logits are free up to a constant
    assert_close(impl.response_logps(shifted, tokens, mask), numbers(math.log(1 / 8))[0])


# --- Task 4 ------------------------------------------------------------------------------------


@number("4.p1")
@weight(2)
@tags("dpo")
def test_dpo_by_hand(impl, device):
    """The policy says the chosen answer 9 times as often as the reference, the other as often: with
    beta = 1/2 the margin is log 3, the loss log 4/3, and the push 1/4 of beta."""
    pairs = [x.to(device) for x in (logs(0.9), logs(0.2), logs(0.1), logs(0.2))]

    reward = impl.implicit_reward(pairs[0], pairs[2], beta=0.5)
    assert_close(reward.cpu(), logs(3))
    assert_close(impl.dpo_loss(*pairs, beta=0.5).cpu(), numbers(math.log(4 / 3))[0])
    in_chosen, in_rejected = impl.dpo_gradient(*pairs, beta=0.5)
    assert_close(in_chosen.cpu(), numbers(-0.125))
    assert_close(in_rejected.cpu(), numbers(0.125))
    metrics = impl.preference_metrics(*pairs, beta=0.5)
    want = {"chosen": math.log(3), "rejected": 0.0, "margin": math.log(3), "accuracy": 1.0}
    assert_close(metrics, want)


@number("4.p2")
@weight(1)
@tags("dpo")
def test_dpo_at_the_reference(impl, torch_rng):
    """Where policy and reference agree the loss is log 2, and no pair is in order yet."""
    chosen, rejected = (torch.randn(5, generator=torch_rng, dtype=F64) for _ in range(2))

    loss = impl.dpo_loss(chosen, rejected, chosen, rejected, beta=0.1)
    metrics = impl.preference_metrics(chosen, rejected, chosen, rejected, beta=0.1)

    assert_close(loss, numbers(math.log(2))[0])
    assert_close(metrics, {"chosen": 0.0, "rejected": 0.0, "margin": 0.0, "accuracy": 0.0})
    with pytest.raises(ValueError, match="beta"):
        impl.dpo_loss(chosen, rejected, chosen, rejected, beta=0.0)


# --- Task 5 ------------------------------------------------------------------------------------


@number("5.p1")
@weight(2)
@tags("variants")
def test_variants_by_hand(impl):
    """A margin of log 3 at beta = 1/2: a quarter of doubt makes it cost log 4 - 3/4 log 3; and IPO's target
    for the difference of log-ratios, 2 log 3, is 1."""
    pairs = logs(0.9), logs(0.2), logs(0.1), logs(0.2)

    smoothed = impl.smoothed_dpo_loss(*pairs, beta=0.5, label_smoothing=0.25)
    assert_close(smoothed, numbers(math.log(4) - 0.75 * math.log(3))[0])
    assert_close(impl.ipo_loss(*pairs, beta=0.5), numbers((2 * math.log(3) - 1) ** 2)[0])


# --- Task 6 ------------------------------------------------------------------------------------


@number("6.p1")
@weight(2)
@tags("table")
def test_table_by_hand(impl):
    """Two answers, one preferred three times in four: at the reference the loss is log 2; at the end the
    policy's odds are the reference's times 3^(1 / beta)."""
    reference = logs(0.5, 0.5)[None]
    preferences = torch.tensor([[[0.5, 0.75], [0.25, 0.5]]], dtype=F64)

    loss = impl.population_dpo_loss(reference, reference, preferences, beta=0.5)
    logp = impl.fit_table(reference, preferences, beta=0.5, lr=6.0, n_steps=200)

    assert_close(loss, numbers(math.log(2))[0])
    assert_close(logp.exp(), numbers(0.9, 0.1)[None])


# --- Task 7 ------------------------------------------------------------------------------------


@number("7.p1")
@weight(2)
@tags("best_of_n")
def test_best_of_n_by_hand(impl):
    """Two fair draws: the better answer unless both are the worse; ties share as the reference does."""
    assert_close(impl.best_of_n(numbers(0.5, 0.5), numbers(1, 0), 2), numbers(0.75, 0.25))
    tied = impl.best_of_n(numbers(0.5, 0.3, 0.2), numbers(0, 1, 1), 2)
    assert_close(tied, numbers(0.25, 0.45, 0.3))
    assert_close(impl.best_of_n_kl_bound(2), math.log(2) - 0.5)
    # of {3, 1, 2} the pairs are {3, 1}, {3, 2}, {1, 2}
    assert_close(impl.best_of_n_estimate(numbers(3, 1, 2), 2), numbers(8 / 3)[0])


# --- Task 8 ------------------------------------------------------------------------------------


@number("8.p1")
@weight(2)
@tags("lora")
def test_lora_by_hand(impl):
    """A of ones over 2, B of zeros; and a correction of rank 2 at alpha = 1 that counts half, added or merged."""
    A, B = impl.new_adapter(torch.eye(4, 3, dtype=F64), torch.ones(4, 2, dtype=F64))
    assert_close(A, torch.full((4, 2), 0.5, dtype=F64))
    assert_close(B, torch.zeros(2, 3, dtype=F64))

    weight, A, B = torch.eye(2, dtype=F64), torch.eye(2, dtype=F64), 2 * torch.ones(2, 2, dtype=F64)
    assert_close(impl.lora_linear(numbers(1, 10), weight, A, B, alpha=1.0), numbers(12, 21))
    merged = impl.adapted_weights({"W": weight, "b": numbers(5)}, {"W": (A, B)}, alpha=1.0)
    assert_close(merged, {"W": torch.tensor([[2.0, 1.0], [1.0, 2.0]], dtype=F64), "b": numbers(5)})


# --- Task 9 ------------------------------------------------------------------------------------


@number("9.p1")
@weight(2)
@tags("train")
def test_training_raises_the_margin(impl, rng, device):
    """With all your parts together: from log 2 and no margin the loss falls and the margin grows, step by
    step."""
    config = ModelConfig(vocab_size=6, n_layers=1, n_heads=2, n_kv_heads=1, d_model=8, d_k=4)
    weights = {name: weight.to(device) for name, weight in random_weights(config, rng).items()}
    prompts = [[1, 2], [3]]
    chosen = tuple(x.to(device) for x in impl.collate(prompts, [[4, 0], [5, 5, 0]], pad=0))
    rejected = tuple(x.to(device) for x in impl.collate(prompts, [[5, 0], [4, 0]], pad=0))
    weight = weights["blocks.0.W_V"]
    adapter = torch.from_numpy(rng.standard_normal((8, 2)) / 8**0.5).to(device), weight.new_zeros(2, 4)

    _, history = impl.train_dpo(
        config, weights, {"blocks.0.W_V": adapter}, chosen, rejected, alpha=2.0, beta=0.5, lr=0.03, n_steps=5
    )

    losses, margins = ([step[name] for step in history] for name in ("loss", "margin"))
    assert_close(losses[0], math.log(2), name="loss before the first step")
    assert losses == sorted(losses, reverse=True) and margins == sorted(margins) and margins[-1] > 0
