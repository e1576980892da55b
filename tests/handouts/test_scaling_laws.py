"""What the handout of scaling_laws states, computed with the reference."""

import math

import numpy as np
import pytest
import staff_files
from coursekit.chance import luck


@pytest.fixture(scope="module")
def sl():
    return staff_files.reference("scaling_laws")


@pytest.fixture(scope="module")
def printed(sl):
    return sl.SURFACES["printed"]


# Tasks 1 to 4


def test_llama_2_and_3(sl):
    """The same width, depth and query heads; 6,738,415,616 and 8,030,261,248 parameters; millions by part."""
    small, large = sl.LLAMA["7B"], sl.LLAMA["8B"]
    assert all(small[name] == large[name] for name in ("d_model", "n_layers", "n_heads", "d_k"))
    assert large["n_heads"] == 4 * large["n_kv_heads"] and small["n_heads"] == small["n_kv_heads"]
    counts = sl.parameter_count(small), sl.parameter_count(large)
    totals = [sum(parts.values()) for parts in counts]
    assert totals == [6_738_415_616, 8_030_261_248]
    assert round((totals[1] - totals[0]) / 1e9, 1) == 1.3
    assert [round(parts["attention"] / 1e6) for parts in counts] == [2147, 1342]
    more = {part: round((counts[1][part] - counts[0][part]) / 1e6) for part in counts[0]}
    assert (more["mlp"], more["embedding"], more["head"]) == (1309, 394, 394)
    assert round(large["vocab_size"] / small["vocab_size"], 1) == 4.0


def small_model(sl, **changes):
    sizes = {"vocab_size": 7, "n_layers": 2, "d_model": 10, "n_heads": 3, "d_k": 4, "d_hidden": 5}
    return sl.model(**{**sizes, "norm_biases": False, "mlp_biases": False, **changes})


def test_matrices_of_attention_by_hand(sl):
    """d = 10, three query heads of width 4, one key head: 120 entries in W_Q and W_O each, 40 in W_K and W_V each."""
    assert sl.parameter_count(small_model(sl, n_layers=1, n_kv_heads=1))["attention"] == 2 * 120 + 2 * 40


def test_operations_by_hand(sl):
    """580 entries in a block's matrices; 6960, 864 for 9 pairs and 576 for 6."""
    counts = sl.parameter_count(small_model(sl))
    assert (counts["attention"] + counts["mlp"]) / 2 == 580
    full, causal = (sl.forward_flops(small_model(sl), 3, causal=causal) for causal in (False, True))
    assert (full["matrices"], full["pairs"], causal["pairs"]) == (6960, 864, 576)


def test_share_of_the_pairs(sl):
    """d = 4096: 7.7% at T = 2048, 4.0% if causal; one half and one third at T = 24,576 = 6 d."""
    config = sl.model(d_model=4096, n_heads=32)
    counts = sl.parameter_count(sl.model(d_model=4096, n_heads=32, n_layers=1, mlp_biases=False))
    assert counts["attention"] + counts["mlp"] == 12 * 4096**2

    def share(T, causal):
        flops = sl.forward_flops(config, T, causal=causal)
        return flops["pairs"] / (flops["pairs"] + flops["matrices"])

    assert [round(share(2048, causal), 3) for causal in (False, True)] == [0.077, 0.040]
    assert share(24_576, False) == 0.5 and math.isclose(share(24_576, True), 1 / 3, rel_tol=1e-4)
    assert 24_576 == 6 * 4096


@pytest.mark.parametrize(("T", "percent"), [(2048, 97), (131_072, 30)])
def test_how_wrong_six_nd_is(sl, T, percent):
    forward = sum(sl.forward_flops(sl.LLAMA["8B"], T, causal=True).values())

    assert round(100 * sl.six_nd(sl.parameter_count(sl.LLAMA["8B"]), T) / sl.training_flops(forward)) == percent


def test_bytes_of_training(sl):
    """14 GB of weights; 112, 38.5, 26.25 and 14 GB of state; spacing 8 with 16 pieces."""
    assert sl.state_bytes(7e9)["weights"] == 14e9
    assert [sum(sl.state_bytes(7e9, n_devices=8, stage=stage).values()) / 1e9 for stage in range(4)] == [
        112,
        38.5,
        26.25,
        14,
    ]
    assert sl.checkpoint_plan(64, 1, 1) == (8, 16)
    plans = [math.ceil(5 / k) * 10 + k * 7 for k in range(1, 6)]
    assert plans == [57, 44, 41, 48, 45] and sl.checkpoint_plan(5, 10, 7) == (3, 41)


def test_activations_of_a_sequence(sl):
    """54.5 GB, 20.1 GB without attention's weights, 2.8 GB with checkpoints; a block keeps 51 times its input."""
    block, fused = (sl.activation_bytes(sl.LLAMA["7B"], 4096, fused=fused) for fused in (False, True))
    one_input = 2 * 4096 * 4096
    k, needed = sl.checkpoint_plan(32, one_input, block)

    assert [round(32 * kept / 1e9, 1) for kept in (block, fused)] == [54.5, 20.1]
    assert k == 1 and round(needed / 1e9, 1) == 2.8
    assert round(block / one_input) == 51


def test_docstring_case_of_activations(sl):
    """All widths 1, T = 1: 11 numbers, 22 bytes."""
    assert sl.activation_bytes(sl.model(d_model=1, n_heads=1, d_hidden=1), 1) == 22


def test_clipping_alone_turns_by_21_degrees(sl):
    """And the cosine is 0.934; together, by nothing. (2, 3) and (6) are 7 long."""
    parts = [np.array([3.0, 4.0]), np.array([0.3, 0.4])]
    g = np.concatenate(parts)

    def cosine(clipped):
        h = np.concatenate(clipped)
        return g @ h / np.linalg.norm(g) / np.linalg.norm(h)

    alone = [sl.clip_gradients([part], 1.0)[0][0] for part in parts]
    np.testing.assert_allclose(np.concatenate(alone), [0.6, 0.8, 0.3, 0.4])
    assert round(cosine(alone), 3) == 0.934 and round(math.degrees(math.acos(cosine(alone)))) == 21
    assert math.isclose(cosine(sl.clip_gradients(parts, 1.0)[0]), 1.0)
    assert sl.clip_gradients([np.array([2.0, 3]), np.array([6.0])], 3.5)[1] == 7


def test_rates_by_hand(sl):
    rates = [sl.learning_rate(step, peak=8.0, floor=2.0, warmup=4, total=10) for step in (0, 1, 3, 4, 7, 10)]

    np.testing.assert_allclose(rates, [2, 4, 8, 8, 5, 2])


# Task 5


def test_shares_of_noise():
    """|G|^2 = 1 and S = 400: 99.75% at b = 1, one half at b = 400."""
    assert round(100 * 400 / 401, 2) == 99.75
    assert (400 / 400) / (1 + 400 / 400) == 0.5


def test_noise_scale_of_the_snippet(sl):
    """True 22, from 400 batches 24; single pairs from 4 to 33, and one of -436."""
    draw, _ = luck(0)
    g = 0.3 + 2 * np.random.default_rng(0).normal(size=(50, 10))
    G = g.mean(axis=0)
    small, big = ([sl.batch_norm2(g, size, draw=draw) for _ in range(400)] for size in (4, 32))

    assert round(((g - G) ** 2).sum() / 50 / (G @ G)) == 22
    assert round(sl.noise_scale(small, big, 4, 32)[2]) == 24
    single = [round(sl.noise_scale(small[k : k + 1], big[k : k + 1], 4, 32)[2]) for k in range(8)]
    assert sorted(single)[0] == -436 and sorted(single)[1] == 4 and max(single) == 33
    assert sl.noise_scale([5.0], [2.0], 1, 4) == (1, 4, 4)


# The opening, and Task 6


@pytest.mark.parametrize("C", [1e19, 1e21, 1e23])
def test_compute_for_other_sizes(sl, printed, C):
    """Half 20.8% more, twice 13%, a quarter 189%, a tenth 85,000 times; at 0.0964 never, and the wall is at 0.0965."""

    def factor(share):
        return sl.compute_factor(printed, C, share)

    assert [round(100 * (factor(share) - 1), 1) for share in (0.5, 2, 0.25)] == [20.8, 13.2, 188.6]
    assert round(factor(0.1), -3) == 85_000
    assert math.isfinite(factor(0.0966)) and factor(0.0964) == math.inf
    assert math.isfinite(factor(0.09655)) and factor(0.09645) == math.inf


def test_ten_times_the_compute(sl, printed):
    """30% off L - E, with 2.83 times the parameters and 3.53 times the tokens."""
    N, D = sl.compute_optimal(printed, np.array([1e21, 1e22]))
    above = sl.surface_loss(printed, N, D) - printed[0]

    assert round(N[1] / N[0], 2) == 2.83
    assert round(D[1] / D[0], 2) == 3.53
    assert round(100 * (1 - above[1] / above[0])) == 30


def test_three_fits(sl):
    """Tokens per parameter 50, 34 and 22; half the size 21, 21 and 26%; a tenth 85,000 times, 7 million times, never."""
    ratios, halves, tenths = [], [], []
    for name in ("printed", "more digits", "refit"):
        surface = sl.SURFACES[name]
        N, D = sl.compute_optimal(surface, 1e21)
        ratios.append(round(D / N))
        halves.append(round(100 * (sl.compute_factor(surface, 1e21, 0.5) - 1)))
        tenths.append(sl.compute_factor(surface, 1e21, 0.1))
    assert ratios == [50, 34, 22]
    assert halves == [21, 21, 26]
    assert round(tenths[0], -3) == 85_000 and round(tenths[1] / 1e6) == 7 and tenths[2] == math.inf


def test_factors_by_hand(sl):
    """E = 1, alpha = beta = 1, A = B = 4, C = 96: N = D = 4; N = 3 has 1.125, N = 8 has 4/3, N = 1 an infinite factor."""
    surface = (1.0, 4.0, 4.0, 1.0, 1.0)

    np.testing.assert_allclose(sl.compute_optimal(surface, 96.0), (4, 4))
    assert math.isclose(sl.compute_factor(surface, 96.0, 0.75), 1.125)
    assert math.isclose(sl.compute_factor(surface, 96.0, 2.0), 4 / 3)
    assert sl.compute_factor(surface, 96.0, 0.25) == math.inf


# Tasks 7 and 8


@pytest.mark.parametrize(
    ("low", "high", "percent"), [(1 / 3, 3, 0.9), (0.1, 10, 4.0), (1 / 50, 3, -6.4), (1.5, 20, math.nan)]
)
def test_ranges_of_sizes(sl, printed, low, high, percent):
    best = sl.compute_optimal(printed, 1e20)[0]
    N = best * np.geomspace(low, high, 9)
    (found,) = sl.isoflop_optima(np.full(9, 1e20), N, sl.surface_loss(printed, N, 1e20 / (6 * N)))[1]

    np.testing.assert_allclose(round(100 * (found / best - 1), 1), percent)


def test_line_goes_below_the_floor(sl, printed):
    """R^2 = 0.994; at 10^24 the line says 1.30, the truth is 1.91, and the floor 1.69."""
    C = np.geomspace(1e17, 1e20, 8)
    losses = sl.surface_loss(printed, *sl.compute_optimal(printed, C))
    k, p = sl.fit_power_law(C, losses)

    assert round(np.corrcoef(np.log(C), np.log(losses))[0, 1] ** 2, 3) == 0.994
    assert round(k * 1e24**p, 2) == 1.30
    assert round(sl.surface_loss(printed, *sl.compute_optimal(printed, 1e24)), 2) == 1.91
    assert printed[0] == 1.69


def test_mean_ends_elsewhere(sl, printed):
    """The sum finds the surface, the mean ends at 1.41, 152 and 149, on exact runs."""
    N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e10, 10), np.geomspace(1e9, 1e11, 6)))
    L = sl.surface_loss(printed, N, D)
    starts = [(e, a, a, x, x) for e in (-1, 0, 1) for a in (0, 5, 10) for x in (0.2, 0.5, 1)]
    ends = []
    for divisor in (1, len(L)):

        def objective(theta, divisor=divisor):
            return [part / divisor for part in sl.surface_objective(theta, N, D, L)]

        theta, _ = min((sl.quasi_newton(objective, start) for start in starts), key=lambda found: found[1])
        ends.append(np.exp(theta[:3]))
    np.testing.assert_allclose(ends[0], printed[:3], rtol=1e-3)
    assert round(ends[1][0], 2) == 1.41 and ends[1][1:].round().tolist() == [152, 149]
    np.testing.assert_allclose(sl.fit_surface(N, D, L, starts), printed, rtol=1e-6)


def test_surface_by_hand(sl):
    """Terms 1, 2 and 9; residuals 0.5, -1 and 3 with delta = 1 cost 1/8, 1/2 and 5/2."""
    theta = np.array([0.0, math.log(8), math.log(27), 1.0, 0.5])
    f, _ = sl.log_surface(theta, np.array([4.0]), np.array([9.0]))
    assert math.isclose(f[0], math.log(12))
    for r, cost in ((0.5, 1 / 8), (-1, 1 / 2), (3, 5 / 2)):
        value, _ = sl.surface_objective(theta, np.array([4.0]), np.array([9.0]), 12 * np.exp([-r]), delta=1.0)
        assert math.isclose(value, cost)


# Task 9


def test_slopes_at_two_widths(sl):
    """Usual rules 0.0, 1.0 and 1.5; muP 0.0, 0.0 and 0.1."""
    for rule, want in ((sl.standard_multipliers, [0.0, 1.0, 1.5]), (sl.mup_multipliers, [0.0, 0.0, 0.1])):

        def measure(width, seed, rule=rule):
            return sl.train_network(width, 2**-6, rule(width, 32), seed=seed, n_steps=1)[1]

        np.testing.assert_allclose(sl.coordinate_check(measure, (32, 128), seeds=range(4)).round(1), want)


def test_best_rates(sl):
    """2^-6 at width 32; at 128, 2^-8 by the usual rules and 2^-6 by muP, with losses 0.0011 and 0.0008."""
    powers = range(4, 11)

    def losses(rule, width):
        return [
            np.mean([sl.train_network(width, 2.0**-k, rule(width, 32), seed=s)[0] for s in range(3)]) for k in powers
        ]

    narrow = losses(sl.mup_multipliers, 32)
    usual, mup = (losses(rule, 128) for rule in (sl.standard_multipliers, sl.mup_multipliers))
    assert [powers[int(np.argmin(found))] for found in (narrow, usual, mup)] == [6, 8, 6]
    assert [round(min(found), 4) for found in (narrow, mup)] == [0.0011, 0.0008]


def test_slope_by_hand(sl):
    """Changes of 2, 4 and 16 at the widths 2, 4 and 16: slope 1."""
    got = sl.coordinate_check(lambda width, seed: [(np.zeros(2), np.full(2, float(width)))], (2, 4, 16))

    np.testing.assert_allclose(got, [1.0])
