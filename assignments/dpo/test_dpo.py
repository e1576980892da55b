"""The checks you can run yourself: `pytest` in this folder, or `pytest --task dpo` for one task."""

import itertools
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
@weight(1)
@tags("bradley_terry")
def test_preferences_by_hand(impl):
    """An answer with three times the strength wins with probability 3/4, also if both rewards are near 10 000."""
    reward_a, reward_b = logs(3, 1, 1), logs(1, 3, 1)

    assert_close(impl.preference_probability(reward_a, reward_b), numbers(0.75, 0.25, 0.5))
    huge = impl.preference_probability(10_000 + reward_a, 10_000 + reward_b)
    assert_close(huge, numbers(0.75, 0.25, 0.5), name="preferences of huge rewards")


@number("1.p2")
@weight(1)
@tags("bradley_terry")
def test_reward_loss_by_hand(impl, vjp):
    """Rewards log 3 and 0 cost log(4/3), and equal rewards cost log 2. Rewards -800 (chosen) and 0 (rejected) cost 800, with
    gradients -1 and +1."""
    assert_close(impl.bradley_terry_loss(logs(3), logs(1)), numbers(math.log(4 / 3))[0])
    two = impl.bradley_terry_loss(logs(3, 1), logs(1, 1))
    assert_close(two, numbers(math.log(4 / 3) + math.log(2))[0] / 2, name="loss of two pairs")

    wrong = numbers(-800), numbers(0)
    assert_close(impl.bradley_terry_loss(*wrong), numbers(800)[0], name="loss at -800")
    gradients = vjp(impl.bradley_terry_loss, *wrong, wrt=(0, 1), cotangent=numbers(1)[0])
    assert_close(gradients, (numbers(-1), numbers(1)), name="gradients at -800")


@number("1.p3")
@weight(1)
@tags("bradley_terry")
def test_fit_by_hand(impl):
    """Three wins to one give a difference of log 3. If A beats B 9 : 1 and B beats C 9 : 1, A's reward is log 81 above C's."""
    two = impl.fit_bradley_terry(numbers([0, 3], [1, 0]))
    three = impl.fit_bradley_terry(numbers([0, 9, 0], [1, 0, 9], [0, 1, 0]))

    assert_close(two, numbers(0.5, -0.5) * math.log(3), rtol=1e-6, atol=1e-6)
    assert_close(three, numbers(1, 0, -1) * math.log(9), rtol=1e-6, atol=1e-6)


# --- Task 2 ------------------------------------------------------------------------------------


@number("2.p1")
@weight(1)
@tags("optimum")
def test_log_partition_by_hand(impl):
    """Reference (1/2, 1/2), rewards (2 log 3, 0) and beta = 2 give Z = 2. Rewards of 0 give Z = 1. Rewards of 4000 and -4000 give a
    finite log Z."""
    reference, reward = logs(0.5, 0.5), numbers(2 * math.log(3), 0)

    assert_close(impl.log_partition(reference, reward, beta=2.0), numbers(math.log(2))[0])
    assert_close(impl.log_partition(reference, 0 * reward, beta=2.0), numbers(0)[0], name="log Z of rewards 0")
    for huge in (4000, -4000):
        log_z = impl.log_partition(reference, numbers(huge, huge), beta=2.0)
        assert_close(log_z, numbers(huge / 2)[0], name=f"log Z of two rewards of {huge}")


@number("2.p2")
@weight(1)
@tags("optimum")
def test_no_policy_beats_the_optimum(impl, torch_rng):
    """Reference (1/2, 1/2), rewards (2 log 3, 0) and beta = 2 give (3/4, 1/4). For five answers, none of 1,000 random policies has
    a higher objective than yours, and none of 1,000 policies close to yours."""
    best = impl.optimal_policy(logs(0.5, 0.5), numbers(2 * math.log(3), 0), beta=2.0)
    assert_close(best, logs(0.75, 0.25), name="best policy")

    reference = torch.randn(5, generator=torch_rng, dtype=F64).log_softmax(-1)
    reward = torch.randn(5, generator=torch_rng, dtype=F64)
    best = impl.optimal_policy(reference, reward, beta=0.5)
    noise = torch.randn(1000, 5, generator=torch_rng, dtype=F64)
    others = torch.cat([noise.log_softmax(-1), (best + 0.01 * noise).log_softmax(-1)])
    assert_close(best.exp().sum(), numbers(1)[0], name="sum of probabilities")
    value = impl.kl_regularized_objective(best, reference, reward, beta=0.5)
    assert (impl.kl_regularized_objective(others, reference, reward, beta=0.5) <= value).all()


@number("2.p3")
@weight(1)
@tags("optimum")
def test_divergence_by_hand(impl):
    """The divergence of (3/4, 1/4) from (1/2, 1/2), and that of (1/2, 1/2) from (3/4, 1/4)."""
    p, q = logs(0.75, 0.25), logs(0.5, 0.5)

    assert_close(impl.kl_divergence(p, q), numbers(0.75 * math.log(1.5) + 0.25 * math.log(0.5))[0])
    assert_close(impl.kl_divergence(q, p), numbers(0.5 * math.log(2 / 3) + 0.5 * math.log(2))[0])


@number("2.p4")
@weight(1)
@tags("optimum")
def test_divergence_with_impossible_answers(impl):
    """The divergence of (1, 0, 0) from (1/2, 1/2, 0) is log 2, and the reverse one is infinite. An answer with p = q = 0 adds 0."""
    certain, even = logs(1, 0, 0), logs(0.5, 0.5, 0)

    assert_close(impl.kl_divergence(certain, even), numbers(math.log(2))[0])
    assert_close(impl.kl_divergence(even, certain), numbers(math.inf)[0])


# --- Task 3 ------------------------------------------------------------------------------------


@number("3.p1")
@weight(1)
@tags("logps")
def test_collate_by_hand(impl):
    """Two rows of different lengths are padded with 2. Both responses also end with the token 2, which counts."""
    tokens, mask = impl.collate([[5, 6], [7]], [[8, 2], [9, 3, 4, 2]], pad=2)

    assert tokens.tolist() == [[5, 6, 8, 2, 2], [7, 9, 3, 4, 2]]
    assert_close(mask.int().tolist(), [[0, 0, 1, 1, 0], [0, 1, 1, 1, 1]], name="mask")


def judged():
    """Logits and tokens of two rows: a prompt of one token, a response, and then -100, which is no token."""
    p = torch.full((2, 4, 3), 0.1, dtype=F64)
    p[0, 0], p[0, 1] = numbers(0.25, 0.5, 0.25), numbers(0.5, 0.25, 0.25)
    p[1, 0] = numbers(0.7, 0.2, 0.1)
    return p.log() + 7.0, torch.tensor([[0, 1, 2, -100], [0, 2, -100, -100]])


@number("3.p2")
@weight(1)
@tags("logps")
def test_logps_by_hand(impl):
    """Two tokens of probability 1/2 and 1/4 give log 1/8. One token of probability 1/10 gives log 1/10."""
    logits, tokens = judged()
    mask = torch.tensor([[False, True, True, False], [False, True, False, False]])

    assert_close(impl.response_logps(logits, tokens, mask), logs(1 / 8, 0.1))


@number("3.p3")
@weight(1)
@tags("logps")
def test_the_first_token_never_counts(impl):
    """If the mask marks the first token, that changes nothing. If no token counts, the answer is 0. A token of log-probability
    -1000 gives -1000."""
    logits, tokens = judged()
    first = torch.tensor([True, False, False, False])
    assert_close(impl.response_logps(logits[0], tokens[0], first), numbers(0)[0], name="nothing counts")

    second = torch.tensor([True, True, False, False])
    assert_close(impl.response_logps(logits[1], tokens[1], second), logs(0.1)[0], name="first and second marked")
    far = numbers([0, -1000], [0, 0])
    logp = impl.response_logps(far, torch.tensor([0, 1]), torch.tensor([False, True]))
    assert_close(logp, numbers(-1000)[0], name="an unlikely token")


# --- Task 4 ------------------------------------------------------------------------------------


def one_pair():
    """A pair with the log-ratios log 9 (chosen) and 0 (rejected)."""
    return logs(0.9), logs(0.2), logs(0.1), logs(0.2)


@number("4.p1")
@weight(1)
@tags("dpo")
def test_implicit_reward_by_hand(impl):
    """With beta = 1/2, a log-ratio of log 9 gives the reward log 3, and a log-ratio of 0 gives the reward 0."""
    chosen, rejected, reference_chosen, reference_rejected = one_pair()

    assert_close(impl.implicit_reward(chosen, reference_chosen, beta=0.5), logs(3))
    assert_close(impl.implicit_reward(rejected, reference_rejected, beta=0.5), numbers(0))


@number("4.p2")
@weight(1)
@tags("dpo")
def test_dpo_loss_by_hand(impl, device):
    """Log-ratios log 9 and 0 with beta = 1/2 cost log 4/3, and two copies of the pair cost the same. At the reference, the loss is
    log 2. At margin -800, the loss is 800."""
    pair = [x.to(device) for x in one_pair()]
    loss = impl.dpo_loss(*pair, beta=0.5)
    assert_close(loss.cpu(), numbers(math.log(4 / 3))[0], name="loss of one pair")
    twice = impl.dpo_loss(*(x.repeat(2) for x in pair), beta=0.5)
    assert_close(twice.cpu(), numbers(math.log(4 / 3))[0], name="loss of two copies")

    zero = numbers(0)
    assert_close(impl.dpo_loss(zero - 3, zero - 4, zero - 3, zero - 4, beta=0.1), logs(2)[0], name="at the reference")
    both = [torch.cat([x, numbers(-3)]) for x in one_pair()]
    assert_close(impl.dpo_loss(*both, beta=0.5), numbers(math.log(4 / 3) + math.log(2))[0] / 2, name="the mean of both")
    assert_close(impl.dpo_loss(zero - 8000, zero, zero, zero, beta=0.1), numbers(800)[0], name="loss at margin -800")


@number("4.p6")
@weight(0)
@tags("dpo")
@pytest.mark.gpu
def test_dpo_loss_of_a_large_batch_in_float16(impl, device):
    """On a GPU, for no points: 512 pairs that cost 250 each, in float16. Their sum is beyond 65,504, its largest number; their
    mean is 250."""
    pairs = (torch.full((512,), value, dtype=torch.float16).to(device) for value in (-900.0, -400.0, -400.0, -400.0))

    loss = impl.dpo_loss(*pairs, beta=0.5)

    assert_close(loss.double(), numbers(250)[0], rtol=2.0**-9, name="loss")


@number("4.p3")
@weight(1)
@tags("dpo")
def test_dpo_gradient_by_hand(impl, device):
    """Log-ratios log 9 and 0 with beta = 1/2 give -1/8 and +1/8. Each of two copies gets half of that. At the reference, each of two
    chosen responses gets -beta / 4."""
    pair = [x.to(device) for x in one_pair()]
    in_chosen, in_rejected = impl.dpo_gradient(*pair, beta=0.5)
    assert_close((in_chosen.cpu(), in_rejected.cpu()), (numbers(-0.125), numbers(0.125)), name="one pair")
    in_chosen, _ = impl.dpo_gradient(*(x.repeat(2) for x in pair), beta=0.5)
    assert_close(in_chosen.cpu(), numbers(-0.0625, -0.0625), name="two copies")

    zero = numbers(0, 0)
    assert_close(impl.dpo_gradient(zero, zero, zero, zero, beta=2.0)[0], numbers(-0.5, -0.5), name="at the reference")


@number("4.p4")
@weight(1)
@tags("dpo")
def test_metrics_by_hand(impl):
    """Of two pairs, one is in the right order and one is a tie, so the accuracy is 1/2. At the reference, it is 0."""
    pair = [torch.cat([x, numbers(-1)]) for x in one_pair()]

    metrics = impl.preference_metrics(*pair, beta=0.5)
    at_reference = impl.preference_metrics(pair[0], pair[1], pair[0], pair[1], beta=0.5)

    half = math.log(3) / 2
    assert_close(metrics, {"chosen": half, "rejected": 0.0, "margin": half, "accuracy": 0.5})
    assert_close(at_reference, {"chosen": 0.0, "rejected": 0.0, "margin": 0.0, "accuracy": 0.0})


@number("4.p5")
@weight(1)
@tags("dpo")
def test_dpo_loss_trains_no_reference(impl, vjp):
    """The loss has a gradient in the policy's two log-probabilities, and none in the reference's."""
    gradients = vjp(impl.dpo_loss, *one_pair(), wrt=(0, 1, 2, 3), cotangent=numbers(1)[0], beta=0.5)

    assert (gradients[0].abs() > 0).all() and (gradients[1].abs() > 0).all()
    assert_close(gradients[2:], (numbers(0), numbers(0)), name="gradients in the reference")


# --- Task 5 ------------------------------------------------------------------------------------


@number("5.p1")
@weight(1)
@tags("variants")
def test_smoothing_by_hand(impl):
    """At margin log 3 with eps = 1/4, the loss is 3/4 of log 4/3 and 1/4 of log 4. With eps = 0, it is log 4/3. At margins -800 and
    +800, it is finite."""
    smoothed = impl.smoothed_dpo_loss(*one_pair(), beta=0.5, label_smoothing=0.25)
    assert_close(smoothed, numbers(math.log(4) - 0.75 * math.log(3))[0])
    assert_close(impl.smoothed_dpo_loss(*one_pair(), beta=0.5, label_smoothing=0.0), logs(4 / 3)[0], name="loss with eps = 0")

    far, zero = numbers(-8000, 8000), numbers(0, 0)
    loss = impl.smoothed_dpo_loss(far, zero, zero, zero, beta=0.1, label_smoothing=0.25)
    assert_close(loss, numbers(400)[0], name="loss at margins -800 and +800")  # (600 + 200) / 2


@number("5.p2")
@weight(1)
@tags("variants")
def test_ipo_by_hand(impl):
    """With beta = 1/2, the target of h is 1. A pair with h = log 9 costs (log 9 - 1)^2, and a pair with h = 1 costs 0."""
    loss = impl.ipo_loss(*one_pair(), beta=0.5)
    assert_close(loss, numbers((math.log(9) - 1) ** 2)[0])

    pairs = [torch.cat([x, y]) for x, y in zip(one_pair(), numbers([1], [0], [0], [0]), strict=True)]
    assert_close(impl.ipo_loss(*pairs, beta=0.5), loss / 2, name="loss of two pairs")


@number("5.p3")
@weight(1)
@tags("variants")
@pytest.mark.parametrize("name", ["smoothed_dpo_loss", "ipo_loss"])
def test_variants_train_no_reference(impl, vjp, name):
    """The loss has a gradient in the policy's log-probabilities, and none in the reference's."""
    options = {"label_smoothing": 0.25} if name == "smoothed_dpo_loss" else {}
    options |= {"wrt": (0, 1, 2, 3), "cotangent": numbers(1)[0], "beta": 0.5}

    gradients = vjp(getattr(impl, name), logs(0.8), logs(0.3), logs(0.1), logs(0.2), **options)

    assert (gradients[0].abs() > 0).all() and (gradients[1].abs() > 0).all()
    assert_close(gradients[2:], (numbers(0), numbers(0)), name="gradients in the reference")


# --- Task 6 ------------------------------------------------------------------------------------


@number("6.p1")
@weight(1)
@tags("table")
def test_population_loss_by_hand(impl, vjp):
    """The odds are 1 : 4 under the reference and 9 : 4 under the policy. With beta = 1/2 the margin is log 3, and P = 3/4 weighs the
    losses log 4/3 and log 4. At the reference, the loss is log 2. No gradient reaches the reference, and the diagonal does not
    count."""
    reference, logits = logs(0.2, 0.8)[None], logs(9, 4)[None]
    preferences = numbers([0.3, 0.75], [0.25, -7])[None]
    loss = impl.population_dpo_loss(logits, reference, preferences, beta=0.5)
    assert_close(loss, numbers(math.log(4) - 0.75 * math.log(3))[0])
    at_reference = impl.population_dpo_loss(reference, reference, preferences, beta=0.5)
    assert_close(at_reference, logs(2)[0], name="loss at the reference")

    options = {"wrt": (0, 1), "cotangent": numbers(1)[0], "beta": 0.5}
    gradients = vjp(impl.population_dpo_loss, logits, reference, 1 - preferences, **options)
    assert (gradients[0].abs() > 0).all()
    assert_close(gradients[1], 0 * reference, name="gradient in the reference")


@number("6.p2")
@weight(2)
@tags("table")
def test_fit_table_by_hand(impl):
    """Reference (1/2, 1/2), P = 3/4 and beta = 1/2 lead to the policy (0.9, 0.1). After no step, the policy is the reference."""
    preferences = numbers([0.5, 0.75], [0.25, 0.5])[None]
    logp = impl.fit_table(logs(0.5, 0.5)[None], preferences, beta=0.5, lr=6.0, n_steps=200)
    assert_close(logp.exp(), numbers(0.9, 0.1)[None])

    reference = logs(0.2, 0.8)[None]
    assert_close(impl.fit_table(reference, preferences, beta=0.5, lr=6.0, n_steps=0), reference, name="after no step")


# --- Task 7 ------------------------------------------------------------------------------------


@number("7.p1")
@weight(1)
@tags("best_of_n")
def test_best_of_n_by_hand(impl):
    """Of two draws from (1/2, 1/2), the better answer is kept unless both are the worse one. Answers of equal reward share as
    under the reference. What is never drawn gets 0."""
    assert_close(impl.best_of_n(numbers(0.5, 0.5), numbers(1, 0), 2), numbers(0.75, 0.25))
    tied = impl.best_of_n(numbers(0.5, 0.3, 0.2), numbers(0, 1, 1), 2)
    assert_close(tied, numbers(0.25, 0.45, 0.3), name="with ties")
    never = impl.best_of_n(numbers(1, 0, 0), numbers(0, 1, 2), 3)
    assert_close(never, numbers(1, 0, 0), name="with answers that are never drawn")


@number("7.p2")
@weight(1)
@tags("best_of_n")
def test_bound_by_hand(impl):
    """The bound is 0 for one draw, 0.1931 nats for two, and 0.8094 nats for five."""
    bounds = [impl.best_of_n_kl_bound(n) for n in (1, 2, 5)]

    assert_close(bounds, [0.0, 0.1931471806, 0.8094379124], rtol=0, atol=1e-9)  # ten digits are written here


@number("7.p3")
@weight(1)
@tags("best_of_n")
def test_estimate_by_hand(impl):
    """Two of the rewards 3, 1, 2 can be chosen in three ways, with the maxima 3, 3 and 2. With n = 1 the estimate is their mean, with
    n = 3 their maximum."""
    for n, mean in ((1, 2), (2, 8 / 3), (3, 3)):
        assert_close(impl.best_of_n_estimate(numbers(3, 1, 2), n), numbers(mean)[0], name=f"best of {n}")


# --- Task 8 ------------------------------------------------------------------------------------


def adapter():
    """A weight, and an adapter of rank 2."""
    return numbers([1, 2], [0, 1]), numbers([1, 0], [0, 2]), numbers([4, 0], [2, 2])


@number("8.p1")
@weight(1)
@tags("lora")
def test_lora_linear_by_hand(impl):
    """Adapters of rank 2 and of rank 1, computed by hand. With B = 0, the output is that of W alone."""
    W, A, B = adapter()

    # the base gives (1, 12); x A = (1, 20), and B makes (44, 40) of it, times 6 / 2
    assert_close(impl.lora_linear(numbers(1, 10), W, A, B, alpha=6.0), numbers(133, 132))
    assert_close(impl.lora_linear(numbers(1, 10), W, A, 0 * B, alpha=6.0), numbers(1, 12), name="output with B = 0")
    rank_1 = impl.lora_linear(numbers(1, 10), W, A[:, :1], B[:1], alpha=3.0)  # (1, 12) + 3 (4, 0)
    assert_close(rank_1, numbers(13, 12), name="output with rank 1 and alpha = 3")


@number("8.p2")
@weight(1)
@tags("lora")
def test_adapted_weights_by_hand(impl):
    """An adapter of rank 2 with alpha = 6 is merged into its weight. The other weight stays as it is."""
    W, A, B = adapter()

    merged = impl.adapted_weights({"W": W, "b": numbers(5)}, {"W": (A, B)}, alpha=6.0)

    # A B = [[4, 0], [4, 4]], times 6 / 2
    assert_close(merged, {"W": numbers([13, 2], [12, 13]), "b": numbers(5)})


@number("8.p3")
@weight(1)
@tags("lora")
@pytest.mark.parametrize("name", ["lora_linear", "adapted_weights"])
def test_the_base_is_frozen(impl, vjp, name):
    """A and B get gradients. No weight of the base model gets one, whether it has an adapter or not."""
    W, A, B = adapter()
    function = getattr(impl, name)
    if name == "lora_linear":
        of_W, of_A, of_B = vjp(function, numbers(1, 10), W, A, B, wrt=(1, 2, 3), cotangent=numbers(1, 1), alpha=6.0)
    else:
        base, ones = {"W": W, "b": numbers(5)}, {"W": torch.ones(2, 2, dtype=F64), "b": numbers(1)}
        in_base, in_adapters = vjp(function, base, {"W": (A, B)}, wrt=(0, 1), cotangent=ones, alpha=6.0)
        of_W, (of_A, of_B) = in_base["W"], in_adapters["W"]
        assert_close(in_base["b"], numbers(0), name="gradient in a weight without an adapter")

    assert of_A.abs().sum() > 0 and of_B.abs().sum() > 0
    assert_close(of_W, 0 * W, name="gradient in the weight")


# --- Task 9 ------------------------------------------------------------------------------------


def small_model(rng, device):
    """A small model, a new adapter for one of its weights, and two pairs of responses."""
    config = ModelConfig(vocab_size=6, n_layers=1, n_heads=2, n_kv_heads=1, d_model=8, d_k=4)
    weights = {name: weight.to(device) for name, weight in random_weights(config, rng).items()}
    A = torch.from_numpy(rng.standard_normal((8, 2)) / 8**0.5).to(device)
    adapters = {"blocks.0.W_V": (A, weights["blocks.0.W_V"].new_zeros(2, 4))}
    chosen = torch.tensor([[1, 2, 4, 0], [3, 5, 5, 0]]), torch.tensor([[0, 0, 1, 1], [0, 1, 1, 1]]).bool()
    rejected = torch.tensor([[1, 2, 5, 0], [3, 4, 0, 0]]), torch.tensor([[0, 0, 1, 1], [0, 1, 1, 0]]).bool()
    return config, weights, adapters, *(tuple(x.to(device) for x in batch) for batch in (chosen, rejected))


OPTIONS = {"alpha": 2.0, "beta": 0.5, "lr": 0.03}


@number("9.p1")
@weight(1)
@tags("train")
def test_training_raises_the_margin(impl, rng, device):
    """With Tasks 3, 4, 8 and 9 together, the loss falls in every step and the margin grows."""
    _, history = impl.train_dpo(*small_model(rng, device), **OPTIONS, n_steps=6)

    assert len(history) == 6, f"the history has {len(history)} entries after 6 steps"
    for before, after in itertools.pairwise(history):
        assert after["loss"] < before["loss"], f"the loss does not fall: {before['loss']:.4g}, then {after['loss']:.4g}"
        assert after["margin"] > before["margin"], (
            f"the margin does not grow: {before['margin']:.4g}, then {after['margin']:.4g}"
        )


@number("9.p2")
@weight(1)
@tags("train")
def test_history_begins_before_the_first_step(impl, rng, device):
    """With a new adapter, the first loss is log 2 and the first margin 0. After two steps in one run, a second run goes on as a
    single run of three steps does."""
    config, weights, start, *batches = small_model(rng, device)
    _, whole = impl.train_dpo(config, weights, start, *batches, **OPTIONS, n_steps=3)
    trained, _ = impl.train_dpo(config, weights, start, *batches, **OPTIONS, n_steps=2)
    _, then = impl.train_dpo(config, weights, trained, *batches, **OPTIONS, n_steps=1)

    assert_close(whole[0], {"loss": math.log(2), "margin": 0.0}, name="the first entry of the history")
    assert_close(then, whole[2:], name="the history after two steps in a run before")
