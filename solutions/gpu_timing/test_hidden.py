"""Graded checks of the GPU timing assignment.

The device is `coursekit.simgpu`'s, on a virtual clock: times are exact, and no check waits for anything. A
check of a timer switches one disturbance on at a time, so that its claim says what went wrong. Tasks don't
wait for each other: `sample`, `interval` and `resample` are made here or come from the reference.
"""

import math
import time

import numpy as np
import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close
from coursekit.simgpu import Costs, Kernel, KernelCost, SimulatedDevice

QUIET = {"ramp_factor": 1.0, "noise_fraction": 0.0, "outlier_rate": 0.0}


def steady(**changes):
    """Costs without ramp, noise or outliers, and a host that pays for launching and compiling alone."""
    return Costs(**{"host_call_ms": 0.0, "launch_ms": 0.02, "flush_ms": 0.4, **QUIET, **changes})


def some_kernels(rng, names=("a", "b", "c")):
    """Kernels of 0.1 to 0.4 ms that a warm cache makes a fifth to a half faster."""
    costs = {}
    for name in names:
        cold = float(rng.uniform(0.1, 0.4))
        costs[name] = KernelCost(cold_ms=cold, warm_ms=cold * float(rng.uniform(0.5, 0.8)))
    return costs


def named(names):
    """The kernels of one call."""
    return [Kernel(name) for name in names]


# --- Task 1: what the host's clock sees --------------------------------------------------------


def host_run(impl, costs, kernels, names, n_calls):
    """What the host's clock shows on a fresh device."""
    device = SimulatedDevice(kernels, costs=costs)
    return impl.host_times(device.api(), named(names), n_calls)


@number("1.1")
@weight(3)
@tags("host")
@pytest.mark.parametrize("n_calls", [1, 7])
@pytest.mark.parametrize("names", ["a", "ab", "abc"])
def test_total_ends_when_the_device_is_done(agree, rng, names, n_calls):
    """With kernels longer than their launches, total_ms per call is that of the kernels, and the first launch
    once."""
    kernels, launch_ms = some_kernels(rng), float(rng.uniform(0.01, 0.05))

    _, total_ms = agree(host_run, steady(launch_ms=launch_ms), kernels, names, n_calls)

    # Alone, a kernel finds its own data in the cache; among others it does not.
    work_ms = kernels["a"].warm_ms if names == "a" else sum(kernels[name].cold_ms for name in names)
    assert_close(total_ms, work_ms + launch_ms / n_calls, name="total_ms")


@number("1.2")
@weight(3)
@tags("host")
@pytest.mark.parametrize("n_calls", [3, 10])
def test_issuing_does_not_wait_for_the_device(agree, rng, n_calls):
    """Kernels ten times as long are launched in the same time: issue_ms is the host's work alone."""
    costs = steady(launch_ms=float(rng.uniform(0.01, 0.05)), host_call_ms=0.001)
    short = some_kernels(rng)
    long = {name: KernelCost(10 * cost.cold_ms, 10 * cost.warm_ms) for name, cost in short.items()}

    issue_short, _ = agree(host_run, costs, short, "ab", n_calls)
    issue_long, _ = agree(host_run, costs, long, "ab", n_calls)

    assert_close(issue_long, issue_short, name="issue_ms")


@number("1.3")
@weight(2)
@tags("host")
def test_short_kernels_hide_behind_their_launches(agree, rng):
    """With kernels shorter than their launches, the device is done one kernel after the last launch."""
    launch_ms, kernel_ms, n_calls = float(rng.uniform(0.03, 0.05)), float(rng.uniform(0.002, 0.02)), 8

    issue_ms, total_ms = agree(
        host_run, steady(launch_ms=launch_ms), {"a": KernelCost(kernel_ms)}, "a", n_calls
    )

    assert_close(issue_ms, launch_ms, name="issue_ms")
    assert_close(total_ms, launch_ms + kernel_ms / n_calls, name="total_ms")


# --- Task 2: samples between two events --------------------------------------------------------


def sampled(impl, costs, kernels, names, n_samples, **options):
    """Samples on a fresh device."""
    device = SimulatedDevice(kernels, costs=costs, seed=1)
    return impl.sample_times(device.api(), named(names), n_samples, **options)


@number("2.1")
@weight(3)
@tags("events")
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="compiling"),
        pytest.param({"launch_ms": 0.06}, id="slow launches"),
        pytest.param({"host_call_ms": 0.01}, id="slow host"),
        pytest.param({"flush_ms": 0.9}, id="slow flush"),
    ],
)
def test_samples_do_not_depend_on_the_host(agree, rng, changes):
    """Every sample is the kernel's time from an empty cache: no compiling, launching, flushing or waiting is
    in it."""
    kernels = some_kernels(rng)

    samples = agree(sampled, steady(**changes), kernels, "a", 4)

    assert_close(samples, np.full(4, kernels["a"].cold_ms), name="samples")


@number("2.2")
@weight(2)
@tags("events")
@pytest.mark.parametrize("names", ["ab", "aba"])
def test_a_call_ends_with_its_last_kernel(agree, rng, names):
    """A sample of several kernels is the sum of their times."""
    kernels = some_kernels(rng)

    samples = agree(sampled, steady(), kernels, names, 3)

    assert_close(samples, np.full(3, sum(kernels[name].cold_ms for name in names)), name="samples")


def sampled_beside(impl, costs, kernels, n_samples, **options):
    """Samples on a second stream while the default stream has work for a long time."""
    device = SimulatedDevice(kernels, costs=costs, seed=1)
    side = device.stream()
    for _ in range(30):
        device.launch(Kernel("b"))
    return impl.sample_times(device.api(), named("a"), n_samples, stream=side, **options)


@number("2.3")
@weight(3)
@tags("events")
@pytest.mark.parametrize("cold", [True, False], ids=["cold", "warm"])
def test_flush_launch_and_events_share_a_stream(agree, rng, cold):
    """Samples on a stream of their own are the same while other work fills the default stream."""
    kernels = some_kernels(rng)

    samples = agree(sampled_beside, steady(compile_ms=0.0), kernels, 3, cold=cold)

    want = kernels["a"].cold_ms if cold else kernels["a"].warm_ms
    assert_close(samples, np.full(3, want), name="samples")


@number("2.4")
@weight(3)
@tags("events")
@pytest.mark.parametrize("cold", [True, False], ids=["cold", "warm"])
@pytest.mark.parametrize("n_warmup", [0, 1, 3])
def test_every_sample_is_one_call(agree, rng, n_warmup, cold):
    """With noise and outliers, sample i is the time of the one call due: warming up is not among them, and
    nothing is averaged."""
    costs = steady(compile_ms=0.0, noise_fraction=0.05, outlier_rate=0.2, outlier_factor=5.0)

    agree(sampled, costs, some_kernels(rng), "a", 6, n_warmup=n_warmup, cold=cold)


def sampled_with_inputs(impl, costs, kernels, inputs, n_samples):
    """The samples, what was copied, and the arguments of each launch."""
    device = SimulatedDevice(kernels, costs=costs, seed=1)
    api, copied, launched = device.api(), [], []

    def copy_to_device(data):
        copied.append(np.array(data))
        # What comes back can be told from what went in.
        return device.copy_to_device(data) + 1000.0

    def launch(kernel, *args, stream=None):
        launched.append(list(args))
        return device.launch(kernel, *args, stream=stream)

    copy_to_device.unrecorded = launch.unrecorded = True
    api = type(api)(**{**vars(api), "copy_to_device": copy_to_device, "launch": launch})
    return impl.sample_times(api, named("ab"), n_samples, inputs=inputs), copied, launched


@number("2.5")
@weight(2)
@tags("events")
def test_inputs_are_copied_once_before_the_clock_starts(agree, rng):
    """Each input is copied to the device once, every launch gets its copy, and no sample holds a transfer."""
    kernels, inputs = some_kernels(rng), [rng.standard_normal(3), rng.standard_normal((2, 2))]

    samples, copied, launched = agree(
        sampled_with_inputs, steady(copy_latency_ms=0.05), kernels, inputs, 3
    )

    assert_close(samples, np.full(3, kernels["a"].cold_ms + kernels["b"].cold_ms), name="samples")
    assert_close(copied, inputs, name="copied")
    for args in launched:
        assert_close(args, [data + 1000.0 for data in inputs], name="arguments")


# --- Task 3: one number, and how sure it is ----------------------------------------------------


def noisy_times(rng, n, outliers=0.1):
    """Times around 0.2 ms in random order, a tenth of them eight times too long."""
    times = 0.2 * (1 + 0.05 * rng.uniform(-1, 1, n))
    return np.where(rng.uniform(size=n) < outliers, 8 * times, times)


@number("3.1")
@weight(3)
@tags("summary")
@pytest.mark.parametrize("n", [1, 2, 6, 11, 60])
def test_summary_is_of_quantiles(agree, rng, n):
    """Median, 20% and 80% quantile, interpolated; the median does not care how far off the largest sample is."""
    samples = noisy_times(rng, n)

    summary = agree("summarise", samples)

    stretched = np.where(samples == samples.max(), 100 * samples, samples)
    if n > 2:
        assert_close(agree("summarise", stretched)["median_ms"], summary["median_ms"], name="median_ms")


@number("3.2")
@weight(3)
@tags("summary")
@pytest.mark.parametrize("n", [1, 5, 6, 13, 20, 101])
def test_median_interval_holds_the_median_often_enough(agree, rng, n):
    """The ranks are the innermost that binomial counting allows; too few samples say nothing at all."""
    samples = rng.permutation(np.arange(1.0, n + 1))

    for confidence in (0.5, 0.75, 0.9, 0.95, 0.99):
        low, high = agree("median_interval", samples, confidence)

        if math.isfinite(low):
            # Samples 1 .. n are their own ranks. Below the low-th smallest lie fewer than `low` samples with
            # probability P(Bin(n, 1/2) < low), and likewise above.
            tail = sum(math.comb(n, i) for i in range(round(low))) / 2**n
            assert tail <= (1 - confidence) / 2 < tail + math.comb(n, round(low)) / 2**n
            assert low + high == n + 1


@number("3.3")
@weight(3)
@tags("summary")
@pytest.mark.parametrize("n", [1, 4, 9])
def test_resamples_draw_with_replacement(agree, rng, n):
    """Each row of u draws its own n samples, any of them again and again; the result is their median."""
    samples, u = noisy_times(rng, n), rng.uniform(size=(25, n))
    u[0], u[1] = 0.0, np.nextafter(1.0, 0.0)

    medians = agree("bootstrap_medians", samples, u)

    assert_close(medians[:2], samples[[0, -1]], name="medians of the first and of the last sample alone")


@number("3.4")
@weight(2)
@tags("summary")
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95])
def test_interval_leaves_equal_shares_out(agree, rng, confidence):
    """Between the quantiles (1 - c)/2 and (1 + c)/2, and of 0 ... 100 that is 50 - 50c to 50 + 50c."""
    agree("percentile_interval", noisy_times(rng, 30), confidence)

    low, high = agree("percentile_interval", rng.permutation(np.arange(101.0)), confidence)

    assert_close((low, high), (50 - 50 * confidence, 50 + 50 * confidence), name="interval")


# --- Task 4: repeat until the error is small ---------------------------------------------------


def from_stock(stock, asked):
    """A `sample` that hands out numbers in order, and writes down how many were asked for."""

    def sample(n):
        start = sum(asked)
        asked.append(n)
        assert start + n <= len(stock), "more samples were taken than are due"
        return stock[start : start + n]

    return sample


def measured(impl, stock, interval, options):
    """The result, and how many samples were asked for each time."""
    asked = []
    return impl.measure(from_stock(stock, asked), interval=interval, **options), asked


def narrowing(samples, confidence):
    """An interval about the median of width confidence / n, most of it below."""
    middle = float(np.median(samples))
    return middle - 0.75 * confidence / len(samples), middle + 0.25 * confidence / len(samples)


@number("4.1")
@weight(3)
@tags("measure")
@pytest.mark.parametrize("batch", [5, 8])
@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_batches_are_kept_until_the_error_is_small(agree, rng, scale, batch):
    """It stops with the first batch after which half the interval's width is within the target, relative to
    the median, over all samples kept."""
    stock = scale * (1 + 0.02 * rng.uniform(-1, 1, 400))
    options = {"warmup_ms": 0.0, "batch": batch, "target": 0.011 / scale, "confidence": 0.8}

    result, asked = agree(measured, stock, narrowing, options)

    assert asked[0] == 1 and set(asked[1:]) == {batch}
    kept = stock[1 : 1 + result["n"]]
    assert_close(result["median_ms"], float(np.median(kept)), name="median_ms")


@number("4.2")
@weight(2)
@tags("measure")
@pytest.mark.parametrize("max_samples", [1, 30, 33])
def test_it_gives_up_at_max_samples(agree, rng, max_samples):
    """With a target that can't be reached, whole batches are kept until there are max_samples or more."""
    stock = rng.uniform(1.0, 2.0, 60)
    options = {"warmup_ms": 0.0, "batch": 10, "target": 0.0, "max_samples": max_samples}

    result, _ = agree(measured, stock, narrowing, options)

    assert result["n"] == math.ceil(max_samples / 10) * 10


@number("4.3")
@weight(2)
@tags("measure")
@pytest.mark.parametrize(("warmup_ms", "max_samples"), [(25.0, 1000), (24.0, 1000), (1e9, 40)])
def test_warming_up_is_counted_in_device_time(agree, rng, warmup_ms, max_samples):
    """The first call is thrown away and warms nothing; then batches are, until they add up to warmup_ms, or
    there are max_samples."""
    # 80 ms of compiling; 1.2 ms a sample while it warms up
    stock = np.concatenate([[80.0], 1.2 * rng.uniform(0.9, 1.1, 40), rng.uniform(0.9, 1.1, 40)])
    options = {"warmup_ms": warmup_ms, "batch": 4, "target": 0.06, "max_samples": max_samples}

    agree(measured, stock, narrowing, options)


def benched(impl, costs, kernels, names, seed, **options):
    """What all parts of the submission together measure on a device."""
    device = SimulatedDevice(kernels, costs=costs, seed=seed)
    return impl.bench(device.api(), named(names), **options)


@number("4.4")
@weight(1)
@tags("measure")
@pytest.mark.parametrize("noise", [0.0, 0.01], ids=["exact", "noisy"])
def test_the_whole_timer_finds_the_kernel(agree, impl, rng, noise):
    """Tasks 2 to 4 together: whatever the device's launches, compiler, ramp and outliers, the median is the
    kernel's time, within its noise."""
    kernels = some_kernels(rng)
    changes = {
        "host_call_ms": float(rng.uniform(0, 0.005)),
        "launch_ms": float(rng.uniform(0.003, 0.05)),
        "compile_ms": float(rng.uniform(50, 500)),
        "flush_ms": 0.4,
        "ramp_factor": float(rng.uniform(1.2, 3.0)),
        "ramp_ms": float(rng.uniform(2.0, 10.0)),
    }
    want = kernels["a"].cold_ms

    if not noise:
        result = agree(benched, Costs(**{**QUIET, **changes}), kernels, "a", 0, warmup_ms=12.0)
        assert_close(result["median_ms"], want, name="median_ms")
        return
    # Every sample that is no outlier is within the noise, so the median is, unless half of at least 20 are
    # outliers: at a rate of 0.03 the probability is below 2^20 0.03^10 < 1e-9.
    costs = Costs(**changes, noise_fraction=noise)
    result = benched(impl, costs, kernels, "a", int(rng.integers(2**31)), warmup_ms=12.0)
    assert_close(result["median_ms"], want, rtol=noise + 1e-9, atol=0.0, name="median_ms")


# --- Task 5: two kernels, compared fairly ------------------------------------------------------


def turns(impl, base_a, base_b, drift, n_pairs):
    """The samples of two calls on a device that slows down evenly, and the order of the calls."""
    log = []

    def sample_of(name, base):
        def sample():
            log.append(name)
            # The first call of each compiles.
            return base * (1 + drift * len(log)) + (100.0 if log.count(name) == 1 else 0.0)

        return sample

    times = impl.alternate(sample_of("a", base_a), sample_of("b", base_b), n_pairs)
    return times, "".join(log)


@number("5.1")
@weight(4)
@tags("compare")
@pytest.mark.parametrize("n_pairs", [2, 6])
def test_an_even_drift_cancels(agree, rng, n_pairs):
    """On a device that slows down with every call, the ratio of the medians is exactly that of the kernels."""
    base_a, base_b, drift = (float(rng.uniform(low, 2 * low)) for low in (1.0, 0.7, 0.02))

    (times_a, times_b), log = agree(turns, base_a, base_b, drift, n_pairs)

    assert len(log) == 2 + 2 * n_pairs
    assert_close(np.median(times_a) / np.median(times_b), base_a / base_b, name="ratio of the medians")


@number("5.2")
@weight(2)
@tags("compare")
@pytest.mark.parametrize("ratio", [1.0, 0.5, 3.0])
def test_speedup_is_of_medians_resampled_in_pairs(agree, reference, rng, ratio):
    """The speed-up is the median of a over that of b, and its interval that of the same ratio in resamples of
    the pairs."""
    drift = 1 + rng.uniform(0, 1, 15)
    times_a, times_b = ratio * drift * rng.uniform(0.98, 1.02, 15), drift * rng.uniform(0.98, 1.02, 15)
    times_a[3] *= 20.0

    agree(
        "speedup",
        times_a,
        times_b,
        rng.uniform(size=(40, 15)),
        confidence=0.8,
        resample=reference.bootstrap_medians,
        interval=reference.percentile_interval,
    )


@number("5.3")
@weight(1)
@tags("compare")
@pytest.mark.parametrize(
    "interval",
    [(1.01, 1.2), (1.0, 1.3), (0.9, 1.3), (0.7, 1.0), (0.7, 0.99)],
    ids=["above", "from 1", "around 1", "up to 1", "below"],
)
def test_the_interval_decides(agree, reference, rng, interval):
    """Faster or slower is said only if the whole interval lies on that side of 1, whatever the ratio."""
    times_a = rng.uniform(1.0, 2.0, 5)
    for times_b in (times_a / 1.1, times_a * 1.1):
        agree(
            "speedup",
            times_a,
            times_b,
            rng.uniform(size=(3, 5)),
            resample=reference.bootstrap_medians,
            interval=lambda values, confidence: interval,
        )


# --- Task 6: operations and bytes --------------------------------------------------------------


def sizes(rng, n):
    """Different numbers, so that none stands for another."""
    return [int(size) for size in rng.choice(np.arange(3, 60), size=n, replace=False)]


@number("6.1")
@weight(3)
@tags("counts")
@pytest.mark.parametrize("bytes_per_number", [2, 4])
def test_matmul_counts(agree, rng, bytes_per_number):
    """Two operations for each multiply-add; both inputs and the output cross the memory once."""
    agree("matmul_cost", *sizes(rng, 3), bytes_per_number=bytes_per_number)


@number("6.2")
@weight(2)
@tags("counts")
@pytest.mark.parametrize("bytes_per_number", [2, 4])
@pytest.mark.parametrize("name", ["softmax_cost", "layer_norm_cost"])
def test_row_operations_count(agree, rng, name, bytes_per_number):
    """Five and seven operations for each entry; read once, written once, gain and bias once for all rows."""
    agree(name, *sizes(rng, 2), bytes_per_number=bytes_per_number)


@number("6.3")
@weight(3)
@tags("counts")
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "unfused"])
@pytest.mark.parametrize("bytes_per_number", [2, 4])
def test_attention_counts(agree, rng, fused, bytes_per_number):
    """Scores cost operations for every query head, and bytes only if they leave the chip; keys and values are
    those of the key heads."""
    batch, n_kv_heads, group, T_q, T_k, d_k = sizes(rng, 6)
    heads = (batch, group * n_kv_heads, n_kv_heads)

    agree("attention_cost", *heads, T_q, T_k, d_k, fused=fused, bytes_per_number=bytes_per_number)


@number("6.4")
@weight(3)
@tags("counts")
@pytest.mark.parametrize("bytes_per_number", [1, 2])
def test_decode_counts(agree, rng, bytes_per_number):
    """Weights are read once for the batch and used once for each sequence; each sequence reads its own keys
    and values."""
    batch, n_context, n_layers, n_kv_heads, group, d_k = sizes(rng, 6)
    options = {
        "batch": batch,
        "n_context": n_context,
        "n_layers": n_layers,
        "n_heads": group * n_kv_heads,
        "n_kv_heads": n_kv_heads,
        "d_k": d_k,
        "bytes_per_number": bytes_per_number,
    }

    agree("decode_cost", int(rng.integers(10**5, 10**6)), **options)


# --- Task 7: the roofline ----------------------------------------------------------------------


def some_gpu(rng):
    """A device's two peaks."""
    return {"peak_tflops": float(rng.uniform(50, 1000)), "bandwidth_gb_s": float(rng.uniform(500, 5000))}


def ridge_of(gpu):
    """Operations per byte at which computing and moving take equally long."""
    return 1000 * gpu["peak_tflops"] / gpu["bandwidth_gb_s"]


@number("7.1")
@weight(3)
@tags("roofline")
def test_speed_is_limited_by_the_lower_roof(agree, rng):
    """Left of the ridge the memory limits, right of it the arithmetic; and time is work over that speed."""
    gpu = some_gpu(rng)
    intensity = ridge_of(gpu) * np.array([0.01, 0.5, 1.0, 2.0, 40.0])

    tflops = agree("attainable_tflops", intensity, **gpu)

    n_bytes = int(rng.integers(10**6, 10**9))
    for speed, ops_per_byte in zip(tflops, intensity, strict=True):
        least_ms = agree("roofline_ms", ops_per_byte * n_bytes, n_bytes, **gpu)
        assert_close(least_ms, float(ops_per_byte * n_bytes / speed / 1e9), name="roofline_ms")


@number("7.2")
@weight(2)
@tags("roofline")
def test_the_ridge_divides_memory_from_compute(agree, rng):
    """A kernel is memory-bound below the ridge of its device and compute-bound above it, on any device."""
    n_bytes = int(rng.integers(10**6, 10**9))
    for _ in range(3):
        gpu = some_gpu(rng)
        for factor in (0.02, 0.9, 1.1, 50.0):
            found = agree("bound", factor * ridge_of(gpu) * n_bytes, n_bytes, **gpu)
            assert_close(found, "memory" if factor < 1 else "compute", name="bound")


@number("7.3")
@weight(3)
@tags("roofline")
@pytest.mark.parametrize("factor", [0.05, 0.8, 1.3, 30.0], ids="{}x ridge".format)
def test_utilisation_is_of_the_roof_above(agree, rng, factor):
    """Speeds in TFLOP/s and GB/s; a kernel that takes twice the least time uses half of what limits it."""
    gpu = some_gpu(rng)
    n_bytes = int(rng.integers(10**6, 10**9))
    operations = factor * ridge_of(gpu) * n_bytes
    elapsed_ms = float(rng.uniform(0.5, 5.0))

    tflops, gb_s = agree("achieved", operations, n_bytes, elapsed_ms)
    used = agree("utilisation", operations, n_bytes, elapsed_ms, **gpu)

    # Of the two fractions of a peak, the larger is the one that counts.
    shares = tflops / gpu["peak_tflops"], gb_s / gpu["bandwidth_gb_s"]
    assert_close(used, max(shares), name="utilisation")


# --- Task 8: when the GPU waits for the host ---------------------------------------------------


@number("8.1")
@weight(3)
@tags("launch")
@pytest.mark.parametrize(
    "kernel_ms", [(0.001, 0.02), (0.01, 0.15), (0.1, 0.5)], ids=["short", "mixed", "long"]
)
def test_the_queue_predicts_the_device(agree, rng, kernel_ms):
    """Total and idle time of a queue are those of the simulated device that runs it."""
    launch_ms = 0.06
    kernels = {str(i): KernelCost(float(ms)) for i, ms in enumerate(rng.uniform(*kernel_ms, 9))}
    device = SimulatedDevice(kernels, costs=steady(launch_ms=launch_ms, compile_ms=0.0))
    for name in kernels:
        device.launch(Kernel(name))
    device.synchronize()

    lengths = np.array([cost.cold_ms for cost in kernels.values()])
    total_ms, idle_ms = agree("queue_times", np.full(9, launch_ms), lengths)

    assert_close(total_ms, device.now_ms(), name="total_ms")
    spans = [span for span in device.trace if span.what == "kernel"]
    assert_close(idle_ms, total_ms - sum(span.end_ms - span.start_ms for span in spans), name="idle_ms")
    agree("queue_times", rng.uniform(0, 0.1, 9), rng.uniform(*kernel_ms, 9))


@number("8.2")
@weight(2)
@tags("launch")
@pytest.mark.parametrize("roof", ["memory", "compute"])
def test_a_call_is_launch_bound_if_the_host_is_slower(agree, rng, roof):
    """The host limits a call that takes longer to launch than to run, and only then."""
    busy_ms = float(rng.uniform(0.01, 0.1))
    for factor in (0.1, 0.6, 0.99, 1.0, 1.01, 1.8, 10.0):
        agree("limiter", factor * busy_ms, busy_ms, roof)


# --- Task 9: a fused operation -----------------------------------------------------------------


def fused_run(impl, arrays, rows_per_block, eps):
    """The result, every load and store with its rows, and the numbers that crossed the memory."""
    y, traffic, crossed = np.full(arrays["x"].shape, np.nan), [], [0, 0]

    def load(name, start=None, stop=None):
        block = arrays[name][start:stop]
        traffic.append([name, start, stop])
        crossed[0] += block.size
        return block

    def store(start, stop, values):
        traffic.append(["y", start, stop])
        crossed[1] += np.size(values)
        y[start:stop] = values

    load.unrecorded = store.unrecorded = True  # their order is free
    n_rows, n_columns = arrays["x"].shape
    impl.fused_add_layer_norm(load, store, n_rows, n_columns, rows_per_block=rows_per_block, eps=eps)
    tallest = max((stop - start for _, start, stop in traffic if start is not None), default=0)
    stores = [rows for name, *rows in traffic if name == "y"]
    return y, crossed, tallest, stores


@number("9.1")
@weight(4)
@tags("fuse")
@pytest.mark.parametrize(("n_rows", "rows_per_block"), [(7, 3), (6, 2), (4, 9), (5, 1)])
def test_each_number_crosses_the_memory_once(agree, rng, n_rows, rows_per_block):
    """The layer norm of the sum, in blocks of the size given, with two matrices and two vectors read once and
    one written."""
    n_columns = int(rng.integers(3, 9))
    arrays = {name: rng.normal(0.5, 1.0, (n_rows, n_columns)) for name in ("x", "residual")}
    arrays |= {name: rng.normal(1.0, 0.5, n_columns) for name in ("gain", "bias")}

    _, (loaded, stored), _, _ = agree(fused_run, arrays, rows_per_block, float(rng.uniform(0.01, 0.1)))

    assert (loaded, stored) == (2 * n_rows * n_columns + 2 * n_columns, n_rows * n_columns)


@number("9.2")
@weight(1)
@tags("fuse")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_gated_residual_is_a_sum_of_a_product(agree, torch_rng, dtype):
    """residual + gate x for tensors that broadcast, in their dtype."""
    x, gate, residual = (
        torch.randn(*shape, generator=torch_rng, dtype=dtype) for shape in ((2, 3, 4), (4,), (3, 1))
    )

    agree("gated_residual", x, gate, residual)


@number("9.3")
@weight(2)
@tags("fuse")
@pytest.mark.gpu
def test_the_fused_operation_nears_the_roofline(impl, device):
    """On a GPU, gated_residual moves bytes at four fifths or more of the speed of a plain copy."""
    n = 2**26
    copy_ms, fused_ms = (wall_ms_per_call(impl, impl.gpu_kernels(name, n)) for name in ("copy", "fused"))

    # A copy moves 2n numbers and the fused operation 4n. Unfused, 6n: two thirds of the speed at best.
    assert (4 / fused_ms) / (2 / copy_ms) >= 0.8


def wall_ms_per_call(impl, kernels, few=20, many=100):
    """What a call takes when many follow each other, by the judge's clock, which no submission can set."""
    impl.run_on_gpu(kernels, many)
    took = {few: [], many: []}
    for _ in range(3):
        for n_calls, times in took.items():
            begun = time.perf_counter()
            impl.run_on_gpu(kernels, n_calls)
            times.append(1000 * (time.perf_counter() - begun))
    return (min(took[many]) - min(took[few])) / (many - few)
