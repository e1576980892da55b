"""The scaling_laws reference against built models, torch's counter of operations, schedulers and clipping, SciPy, and enumeration."""

import itertools
import math

import numpy as np
import pytest
import staff_files
import torch
from coursekit import toys
from coursekit.chance import law, mean

optimize = pytest.importorskip("scipy.optimize")


@pytest.fixture(scope="module")
def sl():
    return staff_files.reference("scaling_laws")


@pytest.fixture(params=range(4))
def rng(request):
    return np.random.default_rng([17, request.param])


# Counts


def toy(rng):
    """A small model of coursekit.toys: layer norms with biases, biases in the MLP alone, tied, grouped heads."""
    d_k, n_kv = 2 * int(rng.integers(1, 4)), int(rng.integers(1, 4))
    return toys.ModelConfig(
        vocab_size=int(rng.integers(11, 30)), n_layers=int(rng.integers(1, 4)), n_heads=n_kv * int(rng.integers(1, 4)),
        n_kv_heads=n_kv, d_model=2 * int(rng.integers(5, 12)), d_k=d_k, max_len=40,
    )  # fmt: skip


def as_model(sl, config):
    names = ("vocab_size", "n_layers", "d_model", "n_heads", "n_kv_heads", "d_k")
    return sl.model(**{name: getattr(config, name) for name in names})


def test_parameters_of_the_toy_model(sl, rng):
    """As many as its weights have entries."""
    config = toy(rng)
    entries = sum(math.prod(shape) for shape in toys.weight_shapes(config).values())

    assert sum(sl.parameter_count(as_model(sl, config)).values()) == entries


class Gated(torch.nn.Module):
    def __init__(self, d, hidden, bias):
        super().__init__()
        self.gate, self.up, self.down = (
            torch.nn.Linear(*shape, bias=bias) for shape in ((d, hidden), (d, hidden), (hidden, d))
        )


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("biases", [False, True])
def test_parameters_of_modules(sl, rng, tied, biases):
    """Modules of torch with the same arrays: untied heads, gates, biases everywhere, RMS norms."""
    V, L, d, h, g, k, m = (int(n) for n in rng.integers(3, 9, size=7))
    h = g * h
    config = sl.model(
        vocab_size=V, n_layers=L, d_model=d, n_heads=h, n_kv_heads=g, d_k=k, d_hidden=m, gated=True,
        norm_biases=biases, attention_biases=biases, mlp_biases=biases, tied=tied,
    )  # fmt: skip

    def norm():
        return torch.nn.LayerNorm(d) if biases else torch.nn.RMSNorm(d)

    def linear(a, b):
        return torch.nn.Linear(a, b, bias=biases)

    parts = {
        "embedding": [torch.nn.Embedding(V, d)],
        "attention": [linear(d, h * k), linear(d, g * k), linear(d, g * k), linear(h * k, d)] * L,
        "mlp": [Gated(d, m, biases)] * L,
        "norms": [norm() for _ in range(2 * L + 1)],
        "head": [] if tied else [torch.nn.Linear(d, V, bias=False)],
    }
    built = {part: sum(p.numel() for module in modules for p in module.parameters()) for part, modules in parts.items()}
    assert sl.parameter_count(config) == built


def test_parameters_of_published_models(sl):
    """Llama 2 7B and Llama 3 8B, and GPT-2 small without its 1024 learned positions."""
    assert sum(sl.parameter_count(sl.LLAMA["7B"]).values()) == 6_738_415_616
    assert sum(sl.parameter_count(sl.LLAMA["8B"]).values()) == 8_030_261_248
    assert sum(sl.parameter_count(sl.model(attention_biases=True)).values()) == 124_439_808 - 1024 * 768


def test_operations_of_the_toy_model(sl, rng):
    """Torch counts as many in the forward pass, and three times as many in forward and backward pass together."""
    from torch.utils.flop_counter import FlopCounterMode

    config, T = toy(rng), int(rng.integers(5, 30))
    weights = toys.random_weights(config, rng)
    for weight in weights.values():
        weight.requires_grad_()
    tokens = torch.from_numpy(rng.integers(0, config.vocab_size, size=T))
    forward = sum(sl.forward_flops(as_model(sl, config), T).values())

    with FlopCounterMode(display=False) as counter:
        logits = toys.forward(config, weights, tokens)
    assert counter.get_total_flops() == forward
    with FlopCounterMode(display=False) as counter:
        toys.forward(config, weights, tokens).sum().backward()
    assert counter.get_total_flops() == sl.training_flops(forward)
    assert logits.shape == (T, config.vocab_size)


def test_causal_pairs_by_listing(sl, rng):
    config, T = as_model(sl, toy(rng)), int(rng.integers(1, 20))
    pairs = sum(key <= query for query in range(T) for key in range(T))

    full, causal = (sl.forward_flops(config, T, causal=causal)["pairs"] for causal in (False, True))
    assert causal * T**2 == full * pairs


def test_sharded_states_add_up(sl, rng):
    """Stage 3 on all devices together holds what stage 0 holds on one."""
    N, n = int(rng.integers(10, 99)), int(rng.integers(2, 9))
    everything = sum(sl.state_bytes(N).values())

    assert everything == 16 * N
    assert math.isclose(n * sum(sl.state_bytes(N, n_devices=n, stage=3).values()), everything)
    held = [sum(sl.state_bytes(N, n_devices=n, stage=stage).values()) for stage in range(4)]
    assert held == sorted(held, reverse=True)


def test_activations_that_autograd_keeps(sl, rng):
    """The different tensors that torch saves for the backward pass of a plain block, beside parameters and statistics."""
    config = toy(rng)
    T, d, h, k = 7, config.d_model, config.n_heads, config.d_k
    W_Q, W_K, W_V, W_O, W_1, W_2 = (
        torch.randn(shape, dtype=torch.float64, requires_grad=True)
        for shape in ((d, h * k), (d, h * k), (d, h * k), (h * k, d), (d, 4 * d), (4 * d, d))
    )
    x = torch.randn(T, d, dtype=torch.float64, requires_grad=True)
    parameters = {t.data_ptr() for t in (W_Q, W_K, W_V, W_O, W_1, W_2)}
    kept = {}

    def pack(tensor):
        if (
            tensor.data_ptr() not in parameters and tensor.dim() > 0 and tensor.numel() > T
        ):  # neither weights nor statistics
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes() // 8
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = torch.nn.functional.layer_norm(x, (d,))
        q, key, v = ((y @ W).view(T, h, k).transpose(0, 1).contiguous() for W in (W_Q, W_K, W_V))
        weights = torch.softmax(q @ key.transpose(1, 2) / k**0.5, dim=-1)
        heads = (weights @ v).transpose(0, 1).reshape(T, h * k)
        x2 = x + heads @ W_O
        out = x2 + torch.nn.functional.gelu(torch.nn.functional.layer_norm(x2, (d,)) @ W_1) @ W_2
    block = sl.model(n_layers=1, d_model=d, n_heads=h, d_k=k)
    assert 2 * sum(kept.values()) == sl.activation_bytes(block, T)
    assert out.shape == (T, d)


def test_checkpoint_plan_by_running_it(sl, rng):
    """A schedule, run block by block: the most bytes that are alive during the backward pass."""
    n, inputs, block = int(rng.integers(1, 30)), int(rng.integers(1, 9)), int(rng.integers(1, 30))

    def peak(k):
        kept = [first for first in range(n) if first % k == 0]
        return len(kept) * inputs + max(min(first + k, n) - first for first in kept) * block

    k, needed = sl.checkpoint_plan(n, inputs, block)
    assert needed == min(map(peak, range(1, n + 1))) == peak(k)
    assert all(peak(smaller) > needed for smaller in range(1, k))


@pytest.mark.parametrize("n", [4, 16, 64, 100])
def test_best_spacing_of_equal_sizes_is_near_the_root(sl, n):
    k, needed = sl.checkpoint_plan(n, 1, 1)
    assert k == math.isqrt(n) and needed == 2 * math.isqrt(n)


# The step


def test_cosine_against_torch(sl, rng):
    """After the warm-up: CosineAnnealingLR."""
    total, peak, floor = int(rng.integers(10, 30)), *map(float, rng.uniform([1, 0], [2, 0.5]))
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=peak)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total, eta_min=floor)
    warmup = 6

    for step in range(total + 1):
        got = sl.learning_rate(warmup + step, peak=peak, warmup=warmup, total=warmup + total, floor=floor)
        assert math.isclose(got, optimizer.param_groups[0]["lr"], rel_tol=1e-9, abs_tol=1e-12)
        optimizer.step()
        scheduler.step()


def test_both_ends_of_the_cosine_add_up(sl, rng):
    """lr(W + j) + lr(total - j) = peak + floor."""
    peak, floor, warmup, total = 1.7, 0.2, 5, 31
    options = {"peak": peak, "floor": floor, "warmup": warmup, "total": total}
    for j in range(total - warmup + 1):
        assert math.isclose(
            sl.learning_rate(warmup + j, **options) + sl.learning_rate(total - j, **options), peak + floor
        )


def test_straight_fall_against_torch(sl, rng):
    decay, total = int(rng.integers(3, 9)), 20
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.25, total_iters=decay)
    for step in range(total - decay, total + 3):
        got = sl.learning_rate(step, peak=1.0, warmup=2, total=total, floor=0.25, decay=decay)
        assert math.isclose(got, optimizer.param_groups[0]["lr"], rel_tol=1e-9)
        optimizer.step()
        scheduler.step()


def test_clipping_against_torch(sl, rng):
    """torch adds 1e-6 to the length; clipping twice changes nothing."""
    gradients = [rng.normal(size=shape) for shape in ((3, 4), (5,))]
    tensors = [torch.zeros(g.shape, dtype=torch.float64, requires_grad=True) for g in gradients]
    for tensor, g in zip(tensors, gradients):
        tensor.grad = torch.from_numpy(g.copy())
    norm = torch.nn.utils.clip_grad_norm_(tensors, 1.5)

    clipped, got = sl.clip_gradients(gradients, 1.5)
    assert math.isclose(got, float(norm))
    for ours, tensor in zip(clipped, tensors):
        np.testing.assert_allclose(ours, tensor.grad.numpy(), rtol=1e-6)
        assert not np.allclose(ours, tensor.grad.numpy(), rtol=1e-8, atol=0)
    again, length = sl.clip_gradients(clipped, 1.5)
    assert math.isclose(length, 1.5)
    np.testing.assert_allclose(again[0], clipped[0], rtol=1e-12)


# Noise


def test_estimates_are_unbiased_over_all_batches(sl, rng):
    """Over all 625 pairs of a batch of one and a batch of three from five examples."""
    gradients = rng.normal(size=(5, 3)) + 0.4

    def one(size):
        return law(sl.batch_norm2, gradients, size, given=("draw",))

    small, big = one(1), one(3)
    signal = noise = 0.0
    for (a, p), (b, q) in itertools.product(small.items(), big.items()):
        found = sl.noise_scale([a], [b], 1, 3)
        signal, noise = signal + p * q * found[0], noise + p * q * found[1]
    G = gradients.mean(axis=0)
    assert math.isclose(signal, G @ G, rel_tol=1e-9)
    assert math.isclose(noise, ((gradients - G) ** 2).sum() / 5, rel_tol=1e-9)
    assert math.isclose(mean(big), G @ G + ((gradients - G) ** 2).sum() / 15, rel_tol=1e-9)


# Budgets


def any_surface(rng):
    return tuple(float(v) for v in rng.uniform([1, 100, 100, 0.2, 0.2], [2, 900, 2000, 0.5, 0.5]))


def test_optimum_against_a_minimizer(sl, rng):
    surface, C = any_surface(rng), 10 ** float(rng.uniform(17, 25))
    found = optimize.minimize_scalar(
        lambda x: sl.surface_loss(surface, math.exp(x), C / 6 / math.exp(x)),
        bounds=(10, 35),
        method="bounded",
        options={"xatol": 1e-10},
    )

    N, D = sl.compute_optimal(surface, C)
    assert abs(math.log(N) - found.x) < 1e-5
    assert math.isclose(6 * N * D, C)
    _, A, B, alpha, beta = surface
    assert math.isclose(alpha * A / N**alpha, beta * B / D**beta)


@pytest.mark.parametrize("share", [0.3, 0.5, 2.0, 7.0])
def test_factor_against_a_root_finder(sl, rng, share):
    surface, C = any_surface(rng), 10 ** float(rng.uniform(17, 25))
    N, D = sl.compute_optimal(surface, C)
    target = sl.surface_loss(surface, N, D)
    factor = sl.compute_factor(surface, C, share)

    _, _, _, alpha, beta = surface
    if share <= (1 + alpha / beta) ** (-1 / alpha):
        assert factor == math.inf
        assert sl.surface_loss(surface, share * N, 1e60) > target
        return
    log_D = optimize.brentq(lambda x: sl.surface_loss(surface, share * N, math.exp(x)) - target, 1, 300, xtol=1e-12)
    assert math.isclose(factor, 6 * share * N * math.exp(log_D) / C, rel_tol=1e-7)


def test_exponents_add_up(sl, rng):
    """N's and D's exponents in C add to 1; N's is beta / (alpha + beta)."""
    surface = any_surface(rng)
    (N1, D1), (N2, D2) = (sl.compute_optimal(surface, C) for C in (1e20, 1e22))
    a, b = math.log(N2 / N1) / math.log(100), math.log(D2 / D1) / math.log(100)

    assert math.isclose(a + b, 1)
    assert math.isclose(a, surface[4] / (surface[3] + surface[4]))


def test_parabola_and_power_law_against_scipy(sl, rng):
    x = np.sort(rng.uniform(16, 20, size=9))
    L = 2 + 0.05 * (x - 18) ** 2 + 0.01 * rng.normal(size=9)
    (c, b, a), _ = optimize.curve_fit(lambda x, c, b, a: c + b * (x - 18) + a * (x - 18) ** 2, x, L)

    _, N, loss = sl.isoflop_optima(np.full(9, 1e19), np.exp(x), L)
    assert math.isclose(math.log(N[0]), 18 - b / (2 * a), rel_tol=1e-6)
    assert math.isclose(loss[0], c - b**2 / (4 * a), rel_tol=1e-6)
    stats = pytest.importorskip("scipy.stats")
    y = np.exp(rng.normal(size=9))
    line = stats.linregress(x, np.log(y))
    np.testing.assert_allclose(sl.fit_power_law(np.exp(x), y), (math.exp(line.intercept), line.slope), rtol=1e-8)


# The surface


def runs(rng, *, noise=0.0):
    surface = tuple(float(v) for v in rng.uniform([1.4, 250, 350, 0.32, 0.27], [1.9, 500, 600, 0.4, 0.36]))
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e10, 7), np.geomspace(1e9, 1e11, 5)))
    sl = staff_files.reference("scaling_laws")
    return surface, N, D, sl.surface_loss(surface, N, D) * np.exp(noise * rng.normal(size=len(N)))


def test_slopes_of_the_surface_against_autograd(sl, rng):
    theta = np.array([0.4, 5.5, 6.2, 0.32, 0.38]) + 0.1 * rng.normal(size=5)
    _, N, D, L = runs(rng, noise=0.01)

    def f(theta):
        n, d = torch.from_numpy(np.log(N)), torch.from_numpy(np.log(D))
        return torch.logsumexp(
            torch.stack([theta[0].expand(len(n)), theta[1] - theta[3] * n, theta[2] - theta[4] * d]), dim=0
        )

    def objective(theta, delta):
        return torch.nn.functional.huber_loss(f(theta), torch.from_numpy(np.log(L)), reduction="sum", delta=delta)

    got, J = sl.log_surface(theta, N, D)
    t = torch.from_numpy(theta).requires_grad_()
    np.testing.assert_allclose(got, f(t).detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(J, torch.autograd.functional.jacobian(f, t).numpy(), rtol=1e-9, atol=1e-12)
    for delta in (1e-3, 0.05, 10.0):
        value, gradient = sl.surface_objective(theta, N, D, L, delta=delta)
        assert math.isclose(value, float(objective(t.detach(), delta)), rel_tol=1e-10)
        (want,) = torch.autograd.grad(objective(t, delta), t)
        np.testing.assert_allclose(gradient, want.numpy(), rtol=1e-8, atol=1e-12)


FAR_STARTS = [(e, a, a, x, x) for e in (-1, 1) for a in (0, 10) for x in (0.3, 0.8)]


def test_fit_recovers_the_surface(sl, rng):
    """Exact runs, from far starts, to six digits."""
    surface, N, D, L = runs(rng)

    np.testing.assert_allclose(sl.fit_surface(N, D, L, FAR_STARTS), surface, rtol=1e-6)


def test_fit_with_noise_against_scipy(sl, rng):
    """With noise and a bad run, no minimizer of SciPy's that starts at the answer finds a lower objective."""
    _, N, D, L = runs(rng, noise=0.002)
    L[int(rng.integers(len(L)))] *= 1.3

    E, A, B, alpha, beta = sl.fit_surface(N, D, L, FAR_STARTS)
    theta = np.array([math.log(E), math.log(A), math.log(B), alpha, beta])
    value, _ = sl.surface_objective(theta, N, D, L)

    def objective(t):
        return sl.surface_objective(t, N, D, L)[0]

    better = optimize.minimize(objective, theta, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14})
    assert better.fun >= value * (1 - 1e-6)


def test_bad_run_moves_squares_and_not_huber(sl):
    """One run of sixty is 30% too high: the power of C in the best size stays with Huber and moves with squares."""
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e10, 10), np.geomspace(1e9, 1e11, 6)))
    L = sl.surface_loss(sl.SURFACES["printed"], N, D)
    L[0] *= 1.3

    def power(delta):
        *_, alpha, beta = sl.fit_surface(N, D, L, FAR_STARTS, delta=delta)
        return beta / (alpha + beta)

    assert abs(power(1e-3) - 0.28 / 0.62) < 0.002
    assert abs(power(1e3) - 0.28 / 0.62) > 0.015


def test_bfgs_against_scipy(sl):
    """The given minimizer finds what SciPy's BFGS finds, and a mean in place of a sum stops both early."""
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e10, 10), np.geomspace(1e9, 1e11, 6)))
    L = sl.surface_loss(sl.SURFACES["printed"], N, D)
    start = (0, 5, 5, 0.5, 0.5)

    for divisor in (1, 60):

        def objective(t, divisor=divisor):
            value, gradient = sl.surface_objective(t, N, D, L)
            return value / divisor, gradient / divisor

        ours, _ = sl.quasi_newton(objective, start)
        theirs = optimize.minimize(objective, start, jac=True, method="L-BFGS-B").x
        for theta in (ours, theirs):
            near = abs(math.exp(theta[1]) - 406.4) < 10
            assert near == (divisor == 1)


# Width


def test_network_against_torch(sl):
    """The given network trains as torch's Adam does, with a rate of its own for each layer."""
    width, rate, seed = 24, 0.01, 3
    multipliers = {"input": (1.0, 0.5), "hidden": (0.7, 2.0), "output": (1.3, 1.5)}
    rng = np.random.default_rng(seed)
    X = torch.from_numpy(rng.normal(size=(64, 16)))
    Y = torch.sin(X @ torch.from_numpy(rng.normal(size=(16, 1))) / 2)
    stds = (1 / 4, 0.7 / 32**0.5, 1.3 / 32**0.5)
    W = [
        torch.tensor(std * rng.normal(size=shape), requires_grad=True)
        for std, shape in zip(stds, ((16, width), (width, width), (width, 1)))
    ]
    optimizer = torch.optim.Adam([{"params": [w], "lr": rate * factor} for w, factor in zip(W, (0.5, 2.0, 1.5))])

    def loss():
        return ((torch.relu(torch.relu(X @ W[0]) @ W[1]) @ W[2] - Y) ** 2).mean()

    for _ in range(15):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    got, layers = sl.train_network(width, rate, multipliers, seed=seed, n_steps=15)
    assert math.isclose(got, float(loss().detach()), rel_tol=1e-6)
    np.testing.assert_allclose(layers[0][1], (X @ W[0]).detach().numpy(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("wrong", ["hidden", "hidden_root", "input", "output"])
def test_only_these_powers_keep_changes_equal(sl, wrong):
    """The right rule has slopes near 0; each wrong power shows in some layer."""

    def slopes(rule):
        return sl.coordinate_check(
            lambda width, seed: sl.train_network(width, 2**-6, rule(width), seed=seed, n_steps=1)[1],
            (32, 128),
            seeds=range(6),
        )

    def changed(width):
        right = sl.mup_multipliers(width, 32)
        ratio = width / 32
        layer, rate = {
            "hidden": ("hidden", 1.0), "hidden_root": ("hidden", ratio**-0.5), "input": ("input", 1 / ratio), "output": ("output", 1.0),
        }[wrong]  # fmt: skip
        return {**right, layer: (right[layer][0], rate)}

    assert np.abs(slopes(lambda width: sl.mup_multipliers(width, 32))).max() < 0.15
    assert np.abs(slopes(changed)).max() > 0.25
