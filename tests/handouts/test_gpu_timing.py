"""What the GPU timing handout states in numbers, computed from the reference."""

import math

import numpy as np
import pytest
import staff_files
from coursekit.simgpu import Costs, Kernel, KernelCost, SimulatedDevice

K = Kernel("k")
QUIET = Costs(ramp_factor=1.0, noise_fraction=0.0, outlier_rate=0.0)
H100 = {"peak_tflops": 989.0, "bandwidth_gb_s": 3350.0}


reference = staff_files.reference("gpu_timing")


def device(cold_ms=0.25, warm_ms=None, costs=QUIET, seed=0):
    return SimulatedDevice({"k": KernelCost(cold_ms, warm_ms)}, costs=costs, seed=seed)


def decode(batch, *, n_context=2048, n_kv_heads=8):
    size = {"n_context": n_context, "n_layers": 32, "n_heads": 32, "n_kv_heads": n_kv_heads, "d_k": 128}
    return reference.decode_cost(8 * 10**9, batch=batch, **size)


def intensity(cost):
    return cost[0] / cost[1]


# --- the opening, Task 1 -----------------------------------------------------------------------


def test_asking_takes_five_microseconds():
    """ "You start a stopwatch, call it, stop: 0.005 ms." """
    timed = device()
    timed.launch(K)
    start = timed.now_ms()
    timed.launch(K)

    assert timed.now_ms() - start == pytest.approx(0.005, abs=0.0011)  # two more calls of the host


def test_ten_kernels_by_hand():
    """ "ten kernels of 0.15 ms behind launches of 0.02 ms give 0.02 and 0.152" """
    costs = Costs(host_call_ms=0.0, launch_ms=0.02, ramp_factor=1.0, noise_fraction=0.0, outlier_rate=0.0)

    assert reference.host_times(device(0.15, costs=costs), [K], 10) == pytest.approx((0.02, 0.152))


def test_short_kernels_look_alike():
    """Task 1's prediction: a kernel of 0.002 ms and one twice as fast both take 0.0055 ms, one of 0.25 ms takes 0.25."""
    totals = [reference.host_times(device(ms), [K], 1000)[1] for ms in (0.25, 0.002, 0.001)]

    assert [round(total, 4) for total in totals] == [0.25, 0.0055, 0.0055]


# --- Task 2 ------------------------------------------------------------------------------------


def test_two_errors_hide_each_other():
    """ "0.1855: 0.0055 too long for the gap, 0.07 too short for the warm cache"; "Behind a flush, 0.25 cold and 0.18 warm." """
    timed = device(0.25, 0.18)
    timed.launch(K)
    timed.synchronize()
    start, end = timed.event(), timed.event()
    timed.record(start)
    timed.launch(K)
    timed.record(end)
    timed.synchronize()

    assert timed.elapsed_ms(start, end) == pytest.approx(0.1855)
    assert 0.1855 == pytest.approx(0.25 + 0.0055 - 0.07)
    assert reference.sample_times(timed, [K], 2) == pytest.approx(0.25)
    assert reference.sample_times(timed, [K], 2, cold=False) == pytest.approx(0.18)


# --- Task 3 ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "r"), [(6, 1), (20, 6), (100, 40)])
def test_ranks_of_the_interval(n, r):
    """ "1 for n = 6; 6 for n = 20"; "The 40th and the 61st" """
    assert reference.median_interval(np.arange(1.0, n + 1)) == (r, n + 1 - r)


def test_five_samples_promise_nothing():
    """ "At 95%: no r for n = 5"; the docstring and the public check: 93.75% is the most."""
    assert reference.median_interval(np.arange(5.0)) == (-math.inf, math.inf)
    assert reference.median_interval(np.arange(5.0), 0.9375) == (0.0, 4.0)
    assert reference.median_interval(np.arange(5.0), 0.938) == (-math.inf, math.inf)


def test_the_interval_keeps_its_promise():
    """ "they hold the median in 96.3% of the trials"; "exactly 96.5% are due" """
    noise = np.random.default_rng(0).lognormal(size=(4000, 100))
    held = np.mean([low <= 1 <= high for low, high in map(reference.median_interval, noise)])
    due = 1 - 2 * sum(math.comb(100, i) for i in range(40)) / 2**100

    assert f"{held:.1%}" == "96.3%"
    assert f"{due:.1%}" == "96.5%"


def test_three_samples_of_hint_2():
    """Task 3, Hint 2: with three samples, all lie above the median once in eight, which 75% just allows."""
    assert reference.median_interval(np.arange(3.0), 0.75) == (0.0, 2.0)
    assert reference.median_interval(np.arange(3.0), 0.751) == (-math.inf, math.inf)


def test_the_mean_is_off_by_most():
    """ "The mean is 0.301, a fifth too long; the minimum 0.2425, …; the median 0.2501." In the figure's own data, too."""
    costs = Costs(ramp_factor=1.0, noise_fraction=0.03)
    times = reference.sample_times(device(0.25, 0.18, costs=costs, seed=5), [K], 800)
    figures = staff_files.figures("gpu_timing")

    assert round(np.mean(times), 3) == 0.301
    assert round(np.min(times), 4) == 0.2425
    assert round(reference.summarize(times)["median_ms"], 4) == 0.2501
    assert figures.times_on_a_device(800, costs, seed=5) == pytest.approx(times)


def test_the_minimum_falls():
    """ "it falls with every further sample": never rises, and is lower for 800 samples than for 80 and for 8."""
    costs = Costs(ramp_factor=1.0, noise_fraction=0.03)
    times = reference.sample_times(device(costs=costs, seed=5), [K], 800)

    assert times[:8].min() > times[:80].min() > times.min()


# --- Task 5 ------------------------------------------------------------------------------------


def test_the_order_decides():
    """ "0.846, 0.992", and 1 for a b, b a: equal kernels under a drift of 1% of the first sample."""
    times, clock = 1 + 0.01 * np.arange(40), iter(1 + 0.01 * np.arange(42))
    times_a, times_b = reference.alternate(lambda: next(clock), lambda: next(clock), 20)

    assert round(np.median(times[:20]) / np.median(times[20:]), 3) == 0.846
    assert round(np.median(times[::2]) / np.median(times[1::2]), 3) == 0.992
    assert np.median(times_a) / np.median(times_b) == pytest.approx(1.0)


# --- Task 6 ------------------------------------------------------------------------------------


def test_worked_costs():
    """The docstrings' examples: (48, 52), (30, 24), (126, 80) and (126, 128), (652, 296)."""
    size = {"n_layers": 1, "n_heads": 2, "n_kv_heads": 1, "d_k": 4}

    assert reference.matmul_cost(2, 3, 4) == (48, 52)
    assert reference.softmax_cost(2, 3) == (30, 24)
    assert reference.attention_cost(1, 2, 1, 1, 3, 4) == (126, 80)
    assert reference.attention_cost(1, 2, 1, 1, 3, 4, fused=False) == (126, 128)
    assert reference.decode_cost(100, batch=2, n_context=3, **size) == (652, 296)


def test_the_ridge_of_an_h100():
    """ "An H100 has its ridge at 295 operations per byte." """
    assert round(1000 * H100["peak_tflops"] / H100["bandwidth_gb_s"]) == 295


def test_square_products_are_compute_bound_from_886():
    """ "(1) 886." """
    bounds = [reference.bound(*reference.matmul_cost(n, n, n), **H100) for n in range(1, 1200)]

    assert bounds == 885 * ["memory"] + 314 * ["compute"]


def test_decoding_never_gets_compute_bound():
    """ "(2) Never: 1.05, 33, 53, 60, and at most 63.6. With one key head in place of 8, the limit is 509; with 32, it is 16." """
    found = [intensity(decode(batch)) for batch in (1, 64, 300, 1000, 10**9)]

    assert [f"{value:.3g}" for value in found] == ["1.05", "33", "53.1", "60.1", "63.6"]
    assert all(reference.bound(*decode(batch), **H100) == "memory" for batch in (1, 10**3, 10**6, 10**9, 10**15))
    assert [round(intensity(decode(10**9, n_kv_heads=heads))) for heads in (1, 32)] == [509, 16]


# --- Task 7 ------------------------------------------------------------------------------------


def test_compute_bound_batches():
    """ "759, never, 659" """
    found = [
        reference.compute_bound_batch(
            lambda batch, n=n, heads=heads: decode(batch, n_context=n, n_kv_heads=heads), **H100
        )
        for n, heads in ((256, 8), (2048, 8), (2048, 1))
    ]

    assert found == [759, math.inf, 659]


def test_the_worked_batch():
    """ "76. With 5 bytes for each sequence: inf." """
    gpu = {"peak_tflops": 100.0, "bandwidth_gb_s": 2000.0}
    costs = [lambda batch, each=each: (200 * batch, 151 + each * batch) for each in (2, 5)]

    assert [reference.compute_bound_batch(cost, **gpu) for cost in costs] == [76, math.inf]
    assert reference.bound(*costs[0](75), **gpu) == "memory"
    assert reference.bound(*costs[0](76), **gpu) == "compute"
    assert reference.attainable_tflops(1.0, **gpu) == pytest.approx(2.0)


def test_twice_the_memory_speed():
    """ "six points gain a factor of exactly 2; fused attention and the product with n = 8192 gain nothing" """
    faster = {**H100, "bandwidth_gb_s": 2 * H100["bandwidth_gb_s"]}
    attention = (1, 32, 8, 4096, 4096, 128)
    costs = {
        "softmax": reference.softmax_cost(8192, 8192),
        "layer norm": reference.layer_norm_cost(8192, 8192),
        "decode, batch 1": decode(1),
        "decode, batch 64": decode(64),
        "attention, unfused": reference.attention_cost(*attention, fused=False),
        "attention, fused": reference.attention_cost(*attention),
        "matmul, n = 256": reference.matmul_cost(256, 256, 256),
        "matmul, n = 8192": reference.matmul_cost(8192, 8192, 8192),
    }
    gains = {
        name: reference.roofline_ms(*cost, **H100) / reference.roofline_ms(*cost, **faster)
        for name, cost in costs.items()
    }

    assert {name for name, gain in gains.items() if gain == 1.0} == {"attention, fused", "matmul, n = 8192"}
    assert sum(gain == pytest.approx(2.0) for gain in gains.values()) == 6


# --- Task 8 ------------------------------------------------------------------------------------


def test_busy_shares():
    """ "A GPU that is busy 20%": kernels of 1, 2 and 5 µs behind launches of 5 µs keep a device busy 20, 40 and 99.5%."""
    busy = []
    for us in (1, 2, 5):
        total, idle = reference.queue_times(np.full(200, 0.005), np.full(200, us / 1000))
        busy.append(round(100 * (1 - idle / total), 1))

    assert busy == [20.0, 39.9, 99.5]


def test_the_long_kernel_goes_first():
    """Task 8's prediction: with the long kernel first the queue ends after 0.073 ms, with it last after 0.1 ms."""
    kernels = np.array([0.05] + 9 * [0.002])
    ends = [reference.queue_times(np.full(10, 0.005), order)[0] for order in (kernels, kernels[::-1])]

    assert ends == pytest.approx([0.073, 0.1])


def test_the_worked_queue():
    """ "Launches of 1, 1, 1 ms and kernels of 0.5, 0.5, 4 ms …: (7, 2)." """
    assert reference.queue_times(np.ones(3), np.array([0.5, 0.5, 4.0])) == (7.0, 2.0)


# --- Task 9, the stretch -----------------------------------------------------------------------


def test_what_fusion_saves():
    """ "5 and 3, so 1.67 times faster; 6 and 4, so at most 67% of a copy's speed" """
    moved = []

    def load(name, *rows):
        block = np.ones((rows[1] - rows[0], 512)) if rows else np.ones(512)
        moved.append(block.size)
        return block

    reference.fused_add_layer_norm(
        load, lambda start, stop, values: moved.append(values.size), 1024, 512, rows_per_block=64
    )
    fused = sum(moved) / (1024 * 512)
    # The sum reads two matrices and writes one; the norm, by the cost that is given, reads and writes one each.
    apart = 3 + reference.layer_norm_cost(1024, 512, bytes_per_number=1)[1] / (1024 * 512)

    assert (round(fused), round(apart)) == (3, 5)
    assert f"{apart / fused:.2f}" == "1.67"
    assert f"{4 / 6:.0%}" == "67%"


def test_outliers_of_the_stretch():
    """The stretch: 20 samples do at outlier rates of 0.03 and 0.3; at 0.5 no number up to 1,000 does, and the median is an outlier."""
    results = [reference.bench(device(costs=Costs(outlier_rate=rate)), [K]) for rate in (0.03, 0.3, 0.5)]

    assert [result["n"] for result in results] == [20, 20, 1000]
    assert results[2]["median_ms"] == pytest.approx(8 * 0.25, rel=0.02)
    assert results[2]["low_ms"] == pytest.approx(0.25, rel=0.02)


def test_short_attention_is_memory_bound():
    """ "Fused attention is memory-bound at 256 tokens and compute-bound at 512." """
    bounds = [
        reference.bound(*reference.attention_cost(1, 32, 8, n, n, 128), **H100) for n in (64, 128, 256, 512, 1024)
    ]

    assert bounds == ["memory", "memory", "memory", "compute", "compute"]
