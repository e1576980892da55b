"""Graded checks of the GPU timing assignment.

The device is `coursekit.simgpu`'s, on a virtual clock: times are exact, and no check waits for anything. A
check of a timer switches one disturbance on at a time, so that its claim says what went wrong and one slip
costs the points of one check. Tasks don't wait for each other: `sample`, `interval` and `resample` are made here
or come from the reference.
"""

import math
import time

import numpy as np
import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close
from coursekit.simgpu import Costs, Kernel, KernelCost, SimulatedDevice

QUIET = {"ramp_factor": 1.0, "noise_fraction": 0.0, "outlier_rate": 0.0}


def steady(**changes):
    """Costs without ramp, noise, outliers and compiling, and a host that pays for launching alone."""
    return Costs(
        **{"host_call_ms": 0.0, "launch_ms": 0.02, "compile_ms": 0.0, "flush_ms": 0.4, **QUIET, **changes}
    )


def instant(**changes):
    """The same, with a host and a flush that take no time."""
    return steady(**{"launch_ms": 0.0, "flush_ms": 0.0, **changes})


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
@weight(2)
@tags("host")
@pytest.mark.parametrize("n_calls", [1, 7])
@pytest.mark.parametrize("names", ["a", "ab", "abc"])
def test_total_ends_when_the_device_is_done(impl, rng, names, n_calls):
    """With kernels longer than their launches, total_ms lasts from the first launch to the end of the last kernel."""
    kernels, launch_ms = some_kernels(rng), float(rng.uniform(0.01, 0.05))
    if names == "a":  # alone, it would find its own data in the cache
        kernels = {"a": KernelCost(kernels["a"].cold_ms)}

    _, total_ms = host_run(impl, steady(launch_ms=launch_ms), kernels, names, n_calls)

    work_ms = sum(kernels[name].cold_ms for name in names)
    assert_close(total_ms, work_ms + launch_ms / n_calls, name="total_ms")


@number("1.2")
@weight(2)
@tags("host")
@pytest.mark.parametrize(("names", "n_calls"), [("a", 3), ("ab", 10)])
def test_issuing_does_not_wait_for_the_device(impl, rng, names, n_calls):
    """Kernels ten times as long are launched in the same time: issue_ms is the host's work alone."""
    launch_ms, call_ms = float(rng.uniform(0.01, 0.05)), 0.001
    costs = steady(launch_ms=launch_ms, host_call_ms=call_ms)
    short = some_kernels(rng)
    long = {name: KernelCost(10 * cost.cold_ms, 10 * cost.warm_ms) for name, cost in short.items()}

    issue_short, _ = host_run(impl, costs, short, names, n_calls)
    issue_long, _ = host_run(impl, costs, long, names, n_calls)

    assert_close(issue_long, issue_short, name="issue_ms with longer kernels")
    # Each launch, and the second of the three readings of the clock.
    want = len(names) * (launch_ms + call_ms) + call_ms / n_calls
    assert_close(issue_short, want, name="issue_ms")


@number("1.3")
@weight(2)
@tags("host")
@pytest.mark.parametrize("n_calls", [1, 8])
def test_short_kernels_hide_behind_their_launches(impl, rng, n_calls):
    """With kernels shorter than their launches, the device is done one kernel after the last launch."""
    launch_ms, kernel_ms = float(rng.uniform(0.03, 0.05)), float(rng.uniform(0.002, 0.02))

    _, total_ms = host_run(impl, steady(launch_ms=launch_ms), {"a": KernelCost(kernel_ms)}, "a", n_calls)

    assert_close(total_ms, launch_ms + kernel_ms / n_calls, name="total_ms")


@number("1.4")
@weight(2)
@tags("host")
@pytest.mark.parametrize("n_calls", [1, 5])
def test_the_first_call_is_not_timed(impl, rng, n_calls):
    """A compiler that takes 50 to 500 ms at the first launch of each kernel leaves issue_ms as it is."""
    launch_ms, compile_ms = float(rng.uniform(0.01, 0.05)), float(rng.uniform(50, 500))

    issue_ms, _ = host_run(
        impl, steady(launch_ms=launch_ms, compile_ms=compile_ms), some_kernels(rng), "a", n_calls
    )

    assert_close(issue_ms, launch_ms, name="issue_ms")


# --- Task 2: samples between two events --------------------------------------------------------


def sampled(impl, costs, kernels, names, n_samples, **options):
    """Samples on a fresh device."""
    device = SimulatedDevice(kernels, costs=costs, seed=1)
    return impl.sample_times(device.api(), named(names), n_samples, **options)


@number("2.1")
@weight(4)
@tags("events")
@pytest.mark.parametrize(
    ("costs", "n_warmup"),
    [
        pytest.param(instant(compile_ms=80.0), 1, id="compiling"),
        pytest.param(steady(launch_ms=0.06), 0, id="slow launches"),
        pytest.param(steady(launch_ms=0.0, host_call_ms=0.01), 0, id="slow host"),
        pytest.param(steady(launch_ms=0.0, flush_ms=0.9), 0, id="slow flush"),
    ],
)
def test_samples_do_not_depend_on_the_host(impl, rng, costs, n_warmup):
    """Every sample is the kernel's time from an empty cache: no compiling, launching, flushing or waiting is
    in it."""
    kernels = some_kernels(rng)

    samples = sampled(impl, costs, kernels, "a", 4, n_warmup=n_warmup)

    assert_close(samples, np.full(4, kernels["a"].cold_ms), name="samples")


@number("2.2")
@weight(2)
@tags("events")
@pytest.mark.parametrize("names", ["ab", "aba"])
def test_a_call_ends_with_its_last_kernel(impl, rng, names):
    """A sample of several kernels is the sum of their times."""
    kernels = some_kernels(rng)

    samples = sampled(impl, instant(), kernels, names, 3, n_warmup=0)

    assert_close(samples, np.full(3, sum(kernels[name].cold_ms for name in names)), name="samples")


def sampled_beside(impl, costs, kernels, n_samples, **options):
    """Samples on a second stream while the default stream has work for a long time."""
    device = SimulatedDevice(kernels, costs=costs, seed=1)
    side = device.stream()
    for _ in range(30):
        device.launch(Kernel("b"))
    return impl.sample_times(device.api(), named("a"), n_samples, stream=side, n_warmup=0, **options)


@number("2.3")
@weight(2)
@tags("events")
@pytest.mark.parametrize("cold", [True, False], ids=["cold", "warm"])
def test_flush_launch_and_events_share_a_stream(impl, rng, cold):
    """Samples on a stream of their own are the same while other work fills the default stream."""
    kernels = some_kernels(rng)

    samples = sampled_beside(impl, steady(), kernels, 3, cold=cold)

    want = kernels["a"].cold_ms if cold else kernels["a"].warm_ms
    assert_close(samples, np.full(3, want), name="samples")


@number("2.4")
@weight(2)
@tags("events")
@pytest.mark.parametrize("cold", [True, False], ids=["cold", "warm"])
@pytest.mark.parametrize("n_warmup", [0, 1, 3])
def test_every_sample_is_one_call(agree, rng, n_warmup, cold):
    """With noise and outliers, sample i is the time of the one call due: warming up is not among them, and
    nothing is averaged."""
    costs = instant(noise_fraction=0.05, outlier_rate=0.2, outlier_factor=5.0)

    agree(sampled, costs, some_kernels(rng), "a", 6, n_warmup=n_warmup, cold=cold)


def sampled_with_inputs(impl, costs, kernels, inputs, n_samples):
    """The samples, what was copied, and the arguments of each launch; nothing handed in may be changed."""
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
    samples = assert_leaves_arguments(
        impl.sample_times, api, named("ab"), n_samples, inputs=inputs, n_warmup=0, name="sample_times"
    )
    return samples, copied, launched


@number("2.5")
@weight(2)
@tags("events")
def test_inputs_are_copied_once_before_the_clock_starts(impl, rng):
    """Each input is copied to the device once, every launch gets its copy, and no sample holds a transfer."""
    kernels, inputs = some_kernels(rng), [rng.standard_normal(3), rng.standard_normal((2, 2))]

    samples, copied, launched = sampled_with_inputs(
        impl, instant(copy_latency_ms=0.05), kernels, inputs, 3
    )

    assert_close(copied, inputs, name="copied")
    assert len(launched) == 6
    for args in launched:
        assert_close(args, [data + 1000.0 for data in inputs], name="arguments")
    assert_close(samples, np.full(3, kernels["a"].cold_ms + kernels["b"].cold_ms), name="samples")


# --- Task 3: one number, and how sure it is ----------------------------------------------------


def noisy_times(rng, n, outliers=0.1):
    """Times around 0.2 ms in random order, a tenth of them eight times too long."""
    times = 0.2 * (1 + 0.05 * rng.uniform(-1, 1, n))
    return np.where(rng.uniform(size=n) < outliers, 8 * times, times)


@number("3.1")
@weight(3)
@tags("summary")
@pytest.mark.parametrize("n", [1, 4, 10, 13, 60])  # neither quantile is one of the samples, but for n = 1
def test_summary_is_of_quantiles(agree, rng, n):
    """Median, 20% and 80% quantile, interpolated, however far off the longest samples are."""
    agree("summarize", noisy_times(rng, n))


@number("3.2")
@weight(3)
@tags("summary")
@pytest.mark.parametrize("n", [1, 2, 5, 6, 13, 20, 101])
def test_median_interval_holds_the_median_often_enough(impl, rng, n):
    """The ranks are the innermost that hold the median as often as promised; too few samples say nothing at all."""
    ordered = np.sort(rng.uniform(1.0, 2.0, n))
    samples = rng.permutation(ordered)

    # With 0.5, 0.75 and 0.9375 some tails are exactly as large as allowed.
    for confidence in (0.5, 0.75, 0.9, 0.9375, 0.95, 0.99):
        low, high = impl.median_interval(samples, confidence)

        allowed = (1 - confidence) / 2
        if 0.5**n > allowed:
            assert_close((low, high), (-math.inf, math.inf), name="interval of too few samples")
            continue
        r = int(np.searchsorted(ordered, low)) + 1
        # Below the r-th smallest lie fewer than r samples with probability P(Bin(n, 1/2) < r), likewise above.
        tail = sum(math.comb(n, i) for i in range(r)) / 2**n
        assert tail <= allowed < tail + math.comb(n, r) / 2**n
        assert_close((low, high), (ordered[r - 1], ordered[n - r]), name="interval")


@number("3.3")
@weight(3)
@tags("summary")
@pytest.mark.parametrize("n", [1, 4, 9])
def test_resamples_draw_with_replacement(agree, rng, n):
    """Each row of u draws its own n samples, any of them again and again; the result is their median."""
    samples, u = noisy_times(rng, n), rng.uniform(size=(25, n))
    u[0], u[1] = 0.0, np.nextafter(1.0, 0.0)

    agree("bootstrap_medians", samples, u)


@number("3.4")
@weight(2)
@tags("summary")
@pytest.mark.parametrize("name", ["summarize", "median_interval", "bootstrap_medians"])
def test_samples_are_left_as_they_came(impl, rng, name):
    """What is handed in keeps its order and its values."""
    middle = float(rng.uniform(1.0, 2.0))
    samples = np.array([middle + 0.5, middle - 0.5, middle])
    # The answers are such that an error in the values alone is charged by other checks.
    arguments, want = {
        "summarize": ((samples,), middle),
        "median_interval": ((samples, 0.7), (middle - 0.5, middle + 0.5)),
        "bootstrap_medians": ((samples, np.full((2, 3), [[0.1], [0.5]])), samples[:2].copy()),
    }[name]

    answer = assert_leaves_arguments(getattr(impl, name), *arguments, name=name)

    assert_close(answer["median_ms"] if name == "summarize" else answer, want, name=name)


# --- Task 4: repeat until the error is small ---------------------------------------------------


def from_stock(stock, asked):
    """A `sample` whose single first sample is 80 ms; the others are handed out in order.

    It writes down how many were asked for.
    """

    def sample(n):
        start = sum(asked) - asked.count(1)
        asked.append(n)
        if n == 1:
            return np.array([80.0])
        assert start + n <= len(stock), "more samples were taken than are due"
        return stock[start : start + n]

    return sample


def measured(impl, stock, interval, options):
    """The result."""
    return impl.measure(from_stock(stock, []), interval=interval, **options)


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

    agree(measured, stock, narrowing, options)


@number("4.2")
@weight(2)
@tags("measure")
@pytest.mark.parametrize("max_samples", [1, 30, 33])
def test_it_gives_up_at_max_samples(impl, rng, max_samples):
    """With a target that can't be reached, whole batches are kept until there are max_samples or more."""
    middle_ms = float(rng.uniform(1.0, 2.0))
    stock = np.tile([0.75 * middle_ms, 1.25 * middle_ms], 30)
    options = {"warmup_ms": 0.0, "batch": 10, "target": 0.0, "max_samples": max_samples}

    result = measured(impl, stock, narrowing, options)

    assert_close(result["n"], math.ceil(max_samples / 10) * 10, name="n")
    assert_close(result["median_ms"], middle_ms, name="median_ms")


@number("4.3")
@weight(2)
@tags("measure")
@pytest.mark.parametrize(
    ("warmup", "max_samples"), [(40, 1000), (37, 1000), (10**6, 30)], ids=["exactly", "more", "at most"]
)
def test_warming_up_is_counted_in_device_time(impl, rng, warmup, max_samples):
    """The first call is thrown away and warms nothing; then batches are, until they add up to warmup_ms, or
    there are max_samples."""
    # A power of two, so that sums are exact; warming up takes `warmup` such samples. 80 ms of compiling are more.
    each_ms, asked = 2.0 ** -float(rng.integers(0, 4)), []

    result = impl.measure(
        from_stock(np.full(80, each_ms), asked),
        warmup_ms=warmup * each_ms,
        batch=8,
        max_samples=max_samples,
        interval=lambda samples, confidence: (each_ms, each_ms),
    )

    n_thrown_away = min(math.ceil(warmup / 8), math.ceil(max_samples / 8))
    assert_close(asked, [1] + [8] * (n_thrown_away + 1), name="the batches asked for")
    assert_close(result["n"], 8, name="n")
    assert_close(result["median_ms"], each_ms, name="median_ms")


def benched(impl, costs, kernels, names, seed, **options):
    """What all parts of the submission together measure on a device."""
    device = SimulatedDevice(kernels, costs=costs, seed=seed)
    return impl.bench(device.api(), named(names), **options)


@number("4.4")
@weight(1)
@tags("measure")
@pytest.mark.parametrize("noise", [0.0, 0.01], ids=["exact", "noisy"])
def test_the_whole_timer_finds_the_kernel(impl, rng, noise):
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
        result = benched(impl, Costs(**{**QUIET, **changes}), kernels, "a", 0, warmup_ms=12.0)
        assert_close(result["median_ms"], want, name="median_ms")
        return
    # Every sample that is no outlier is within the noise, so the median is, unless half of at least 20 are
    # outliers: at a rate of 0.03 the probability is below 2^20 0.03^10 < 1e-9.
    costs = Costs(**changes, noise_fraction=noise)
    result = benched(impl, costs, kernels, "a", int(rng.integers(2**31)), warmup_ms=12.0)
    assert_close(result["median_ms"], want, rtol=noise + 1e-9, atol=0.0, name="median_ms")


# --- Task 5: two kernels, compared fairly ------------------------------------------------------


def turns(impl, base_a, base_b, drift, n_pairs):
    """The samples of two calls on a device that slows down evenly."""
    log = []

    def sample_of(name, base):
        def sample():
            log.append(name)
            # The first call of each compiles.
            return base * (1 + drift * len(log)) + (100.0 if log.count(name) == 1 else 0.0)

        return sample

    return impl.alternate(sample_of("a", base_a), sample_of("b", base_b), n_pairs)


@number("5.1")
@weight(2)
@tags("compare")
@pytest.mark.parametrize("n_pairs", [2, 6])
def test_an_even_drift_cancels(impl, rng, n_pairs):
    """On a device that slows down with every call, the ratio of the medians is exactly that of the kernels."""
    base_a, base_b, drift = (float(rng.uniform(low, 2 * low)) for low in (1.0, 0.7, 0.02))

    times_a, times_b = turns(impl, base_a, base_b, drift, n_pairs)

    assert_close(np.median(times_a) / np.median(times_b), base_a / base_b, name="ratio of the medians")
    places = np.array([(3, 6, 7, 10, 11, 14), (4, 5, 8, 9, 12, 13)])[:, :n_pairs]
    want_a, want_b = np.array([[base_a], [base_b]]) * (1 + drift * places)
    assert_close(times_a, want_a, name="times_a")
    assert_close(times_b, want_b, name="times_b")


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
        numbers_of_speedup,
        times_a,
        times_b,
        rng.uniform(size=(40, 15)),
        confidence=0.8,
        resample=reference.bootstrap_medians,
        interval=reference.percentile_interval,
    )


def numbers_of_speedup(impl, *args, **kwargs):
    """All but the verdict, which another check looks at."""
    result = impl.speedup(*args, **kwargs)
    return result["speedup"], result["low"], result["high"]


@number("5.3")
@weight(2)
@tags("compare")
@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        pytest.param((1.01, 1.2), "faster", id="above"),
        pytest.param((1.0, 1.3), "undecided", id="from 1"),
        pytest.param((0.9, 1.3), "undecided", id="around 1"),
        pytest.param((0.7, 1.0), "undecided", id="up to 1"),
        pytest.param((0.7, 0.99), "slower", id="below"),
    ],
)
def test_the_interval_decides(impl, reference, rng, interval, verdict):
    """Faster or slower is said only if the whole interval lies on that side of 1, whatever the ratio."""
    times_a = rng.uniform(1.0, 2.0, 5)
    for times_b in (times_a / 1.1, times_a * 1.1):
        result = impl.speedup(
            times_a,
            times_b,
            rng.uniform(size=(3, 5)),
            resample=reference.bootstrap_medians,
            interval=lambda values, confidence: interval,
        )
        assert_close(result["verdict"], verdict, name="verdict")
        assert_close((result["low"], result["high"]), interval, name="interval")


@number("5.4")
@weight(1)
@tags("compare")
def test_times_are_left_as_they_came(impl, reference, rng):
    """speedup changes neither the times nor u; a kernel against itself is neither faster nor slower."""
    times, u = rng.uniform(1.0, 2.0, 7), rng.uniform(size=(9, 7))

    result = assert_leaves_arguments(
        impl.speedup,
        times,
        times.copy(),
        u,
        resample=reference.bootstrap_medians,
        interval=reference.percentile_interval,
        name="speedup",
    )

    assert_close(result["speedup"], 1.0, name="speedup")


# --- Task 6: operations and bytes --------------------------------------------------------------


def sizes(rng, n):
    """Different numbers, so that none stands for another."""
    return [int(size) for size in rng.choice(np.arange(3, 60), size=n, replace=False)]


@number("6.1")
@weight(2)
@tags("counts")
@pytest.mark.parametrize("bytes_per_number", [2, 4])
def test_matmul_counts(agree, rng, bytes_per_number):
    """Two operations for each multiply-add; both inputs and the output cross the memory once."""
    agree("matmul_cost", *sizes(rng, 3), bytes_per_number=bytes_per_number)


@number("6.2")
@weight(1)
@tags("counts")
@pytest.mark.parametrize("bytes_per_number", [2, 4])
def test_softmax_counts(agree, rng, bytes_per_number):
    """Five operations for each entry; read once, written once."""
    agree("softmax_cost", *sizes(rng, 2), bytes_per_number=bytes_per_number)


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
@weight(2)
@tags("roofline")
def test_speed_is_limited_by_the_nearer_roof(impl, rng):
    """Left of the ridge the memory limits, right of it the arithmetic; the intensities are left as they came."""
    gpu = some_gpu(rng)
    factors = np.array([[0.01, 0.5, 1.0], [2.0, 40.0, 1.5]])

    tflops = assert_leaves_arguments(
        impl.attainable_tflops, ridge_of(gpu) * factors, **gpu, name="attainable_tflops"
    )

    # At the ridge the memory just feeds the arithmetic.
    want = gpu["peak_tflops"] * np.array([[0.01, 0.5, 1.0], [1.0, 1.0, 1.0]])
    assert_close(tflops, want, name="attainable_tflops")


@number("7.2")
@weight(2)
@tags("roofline")
@pytest.mark.parametrize("factor", [0.05, 0.8, 1.3, 30.0], ids="{}x ridge".format)
def test_the_least_time_on_both_sides_of_the_ridge(agree, rng, factor):
    """Whatever takes longer decides, and while it is at work the other is done, too."""
    gpu, n_bytes = some_gpu(rng), int(rng.integers(10**6, 10**9))

    agree("roofline_ms", factor * ridge_of(gpu) * n_bytes, n_bytes, **gpu)


@number("7.3")
@weight(2)
@tags("roofline")
@pytest.mark.parametrize("factor", [0.02, 0.9, 1.1, 50.0], ids="{}x ridge".format)
def test_the_ridge_divides_memory_from_compute(impl, rng, factor):
    """A kernel is memory-bound below the ridge of its device and compute-bound above it, on any device."""
    n_bytes = int(rng.integers(10**6, 10**9))
    for _ in range(3):
        gpu = some_gpu(rng)
        found = impl.bound(factor * ridge_of(gpu) * n_bytes, n_bytes, **gpu)
        assert_close(found, "memory" if factor < 1 else "compute", name="bound")


@number("7.4")
@weight(2)
@tags("roofline")
@pytest.mark.parametrize("batch", [1, 40, 3_000_000, math.inf])
def test_the_batch_that_tips_the_balance(impl, rng, batch):
    """At the batch returned computing takes as long as moving or longer, at one sequence fewer it does not; or
    moving takes longer at any batch."""
    gpu = some_gpu(rng)
    more_bytes = int(rng.integers(1000, 2000))
    # What a sequence adds: `surplus` bytes less than could be moved while it is computed.
    surplus = float(rng.uniform(0.1, 2.0)) * more_bytes
    if math.isinf(batch):
        shared, operations = int(rng.integers(10**3, 10**9)), ridge_of(gpu) * more_bytes * float(rng.uniform(0.1, 0.9))
    else:
        # Half a sequence away from a tie on either side, so that no rounding decides.
        shared, operations = max(1, round((batch - 0.5) * surplus)), ridge_of(gpu) * (more_bytes + surplus)

    def cost(batch):
        return operations * batch, shared + more_bytes * batch

    cost.unrecorded = True  # with which batches it is asked is free

    assert_close(impl.compute_bound_batch(cost, **gpu), batch, name="compute_bound_batch")


# --- Task 8: when the GPU waits for the host ---------------------------------------------------


def queue_on_device(rng, kernel_ms):
    """The arguments for `queue_times`, and the simulated device that ran such a queue."""
    launch_ms = 0.06
    kernels = {str(i): KernelCost(float(ms)) for i, ms in enumerate(rng.uniform(*kernel_ms, 9))}
    device = SimulatedDevice(kernels, costs=steady(launch_ms=launch_ms))
    for name in kernels:
        device.launch(Kernel(name))
    device.synchronize()
    return (np.full(9, launch_ms), np.array([cost.cold_ms for cost in kernels.values()])), device


@number("8.1")
@weight(2)
@tags("launch")
@pytest.mark.parametrize(
    "kernel_ms", [(0.001, 0.02), (0.01, 0.15), (0.1, 0.5)], ids=["short", "mixed", "long"]
)
def test_the_queue_ends_when_the_device_does(impl, rng, kernel_ms):
    """The total time of a queue is that of the simulated device that runs it."""
    arguments, device = queue_on_device(rng, kernel_ms)

    total_ms, _ = impl.queue_times(*arguments)

    assert_close(total_ms, device.now_ms(), name="total_ms")


@number("8.2")
@weight(1)
@tags("launch")
@pytest.mark.parametrize(
    "kernel_ms", [(0.001, 0.02), (0.01, 0.15), (0.1, 0.5)], ids=["short", "mixed", "long"]
)
def test_idle_is_when_no_kernel_runs(impl, rng, kernel_ms):
    """The idle time is what the device's trace leaves between kernels and before them; the arguments stay."""
    arguments, device = queue_on_device(rng, kernel_ms)

    _, idle_ms = assert_leaves_arguments(impl.queue_times, *arguments, name="queue_times")

    spans = [span for span in device.trace if span.what == "kernel"]
    assert_close(
        idle_ms, device.now_ms() - sum(span.end_ms - span.start_ms for span in spans), name="idle_ms"
    )


# --- Task 9: a fused operation -----------------------------------------------------------------


def fused_run(impl, arrays, rows_per_block, eps=1e-5):
    """The result, the numbers loaded and stored, the largest number of rows loaded at once, the rows of each store."""
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


def fused_values(impl, *args):
    """The result alone."""
    return fused_run(impl, *args)[0]


def fused_traffic(impl, *args):
    """What crossed the memory; of the result only the order within each row, which no norm changes."""
    y, *traffic = fused_run(impl, *args)
    return [*traffic, np.argsort(y, axis=1)]


@number("9.1")
@weight(2)
@tags("fuse")
@pytest.mark.parametrize(("n_rows", "rows_per_block"), [(7, 3), (6, 2), (4, 9), (5, 1)])
def test_rows_are_normalized(agree, rng, n_rows, rows_per_block):
    """The layer norm of the sum: each row by its own mean and variance, eps inside the root, then gain and bias."""
    n_columns = int(rng.integers(3, 9))
    arrays = {name: rng.normal(0.5, 1.0, (n_rows, n_columns)) for name in ("x", "residual")}
    arrays |= {name: rng.normal(1.0, 0.5, n_columns) for name in ("gain", "bias")}

    agree(fused_values, arrays, rows_per_block, float(rng.uniform(0.01, 0.1)))


@number("9.4")
@weight(2)
@tags("fuse")
@pytest.mark.parametrize(("n_rows", "rows_per_block"), [(7, 3), (6, 2), (4, 9), (5, 1)])
def test_each_number_crosses_the_memory_once(agree, rng, n_rows, rows_per_block):
    """In blocks of the size given, every number is loaded once and every result stored once."""
    n_columns = int(rng.integers(5, 9))
    arrays = {name: rng.normal(0.5, 1.0, (n_rows, n_columns)) for name in ("x", "residual")}
    arrays |= {"gain": np.ones(n_columns), "bias": np.zeros(n_columns)}

    crossed, _, _, _ = agree(fused_traffic, arrays, rows_per_block)

    assert_close(crossed, [2 * n_rows * n_columns + 2 * n_columns, n_rows * n_columns], name="numbers moved")


@number("9.2")
@weight(1)
@tags("fuse")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_gated_residual_is_a_sum_of_a_product(impl, torch_rng, dtype):
    """residual + gate x for tensors that broadcast, in their dtype and in a new tensor."""
    x, gate, residual = (
        torch.randn(*shape, generator=torch_rng, dtype=dtype) for shape in ((4,), (3, 1), (2, 3, 4))
    )

    answer = assert_leaves_arguments(impl.gated_residual, x, gate, residual, name="gated_residual")

    assert_close(answer, residual + gate * x, name="gated_residual")


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
