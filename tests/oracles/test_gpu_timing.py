"""The GPU timing reference against torch's counter of operations, SciPy's statistics, and the device's own trace.

Where there is a GPU, also against triton's do_bench and torch's profiler.
"""

import dataclasses
import math

import numpy as np
import pytest
import scipy.stats
import staff_files
import torch
from coursekit.simgpu import (
    IDEAL,
    Costs,
    CudaDevice,
    Kernel,
    KernelCost,
    SimulatedDevice,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

reference = staff_files.reference("gpu_timing")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.fixture(params=range(3), ids="seed{}".format)
def rng(request):
    return np.random.default_rng(request.param)


# --- the timer ---------------------------------------------------------------------------------

seconds = st.floats(0.0, 0.02)


@given(seed=st.integers(0, 2**32 - 1), launch_ms=seconds, host_ms=st.floats(0.0, 0.01), cold=st.booleans())
@settings(max_examples=40, deadline=None)
def test_samples_are_the_kernel_spans_of_the_trace(seed, launch_ms, host_ms, cold):
    """Each sample is the length of the span that the device noted for the timed kernel, noise included."""
    costs = Costs(launch_ms=launch_ms, host_call_ms=host_ms, flush_ms=0.2, ramp_factor=2.0)
    device = SimulatedDevice({"k": KernelCost(0.2, 0.1)}, costs=costs, seed=seed)

    samples = reference.sample_times(device, [Kernel("k")], 7, n_warmup=2, cold=cold)

    spans = [span.end_ms - span.start_ms for span in device.trace if span.what == "kernel"]
    assert samples == pytest.approx(spans[2:] if cold else spans[3::2], abs=1e-9)


@given(
    seed=st.integers(0, 2**32 - 1),
    launch_ms=seconds,
    compile_ms=st.floats(0.0, 500.0),
    ramp=st.floats(1.0, 3.0),
    noise=st.floats(0.0, 0.02),
)
@settings(max_examples=30, deadline=None)
def test_bench_finds_the_kernel(seed, launch_ms, compile_ms, ramp, noise):
    """Within the noise, whatever the host, the compiler and the ramp.

    It is within it unless half of at least 20 samples are outliers: below 2^20 0.03^10 < 1e-9.
    """
    costs = Costs(launch_ms=launch_ms, compile_ms=compile_ms, flush_ms=0.2, ramp_factor=ramp, noise_fraction=noise)
    device = SimulatedDevice({"k": KernelCost(0.2, 0.1)}, costs=costs, seed=seed)

    result = reference.bench(device, [Kernel("k")])

    assert result["median_ms"] == pytest.approx(0.2, rel=noise + 1e-9)


def test_all_ways_agree_on_an_ideal_device():
    """Without any disturbance, host clock, events and the queue's formula give the same."""
    device = SimulatedDevice({"k": KernelCost(0.2)}, costs=IDEAL)

    issue_ms, total_ms = reference.host_times(device, [Kernel("k")], 5)

    assert issue_ms == 0.0
    assert total_ms == pytest.approx(0.2)
    assert reference.sample_times(device, [Kernel("k")], 3) == pytest.approx(0.2)
    assert reference.queue_times(np.zeros(5), np.full(5, 0.2)) == pytest.approx((1.0, 0.0))


def test_host_times_match_the_queue(rng):
    """What the host's clock shows for a call of many kernels is what queue_times predicts."""
    kernels = {str(i): KernelCost(float(ms)) for i, ms in enumerate(rng.uniform(0.001, 0.1, 20))}
    costs = dataclasses.replace(IDEAL, launch_ms=0.03)
    device = SimulatedDevice(kernels, costs=costs)

    issue_ms, total_ms = reference.host_times(device, [Kernel(name) for name in kernels], 1)

    predicted, _ = reference.queue_times(np.full(20, 0.03), [cost.cold_ms for cost in kernels.values()])
    assert (issue_ms, total_ms) == pytest.approx((20 * 0.03, predicted))


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=12))
def test_the_queue_is_a_longest_path(pairs):
    """The end is the longest way through the queue: launches up to one kernel, then the kernels from there."""
    launch, kernel = np.array(pairs).T

    total, idle = reference.queue_times(launch, kernel)

    paths = [launch[: i + 1].sum() + kernel[i:].sum() for i in range(len(pairs))]
    assert total == pytest.approx(max(paths))
    assert idle == pytest.approx(max(paths) - kernel.sum())


# --- statistics --------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 5, 6, 17, 100, 1001])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
def test_median_interval_by_scipys_binomial(rng, n, confidence):
    """The ranks follow from SciPy's binomial quantiles."""
    low, high = reference.median_interval(rng.permutation(np.arange(1.0, n + 1)), confidence)

    tail = scipy.stats.binom.cdf(np.arange(-1, n + 1), n, 0.5)  # entry r: P(Bin <= r - 1)
    r = int(np.flatnonzero(tail <= (1 - confidence) / 2 + 1e-15)[-1])
    assert (low, high) == ((r, n + 1 - r) if r else (-math.inf, math.inf))


def test_median_interval_is_scipys(rng):
    """scipy.stats.quantile_test finds the same interval for an odd number of samples."""
    samples = rng.standard_normal(51)

    theirs = scipy.stats.quantile_test(samples, q=0, p=0.5).confidence_interval(0.95)

    # Theirs is one-sided where ours must be; the same order statistics, or one further in.
    ours = reference.median_interval(samples, 0.95)
    ordered = np.sort(samples)
    ranks = [int(np.flatnonzero(ordered == end)[0]) for end in (*ours, *theirs)]
    assert ranks[0] <= ranks[2] <= ranks[0] + 1 and ranks[1] - 1 <= ranks[3] <= ranks[1]


def test_median_interval_covers(rng):
    """It holds the median of a skewed distribution as often as promised.

    Of 2000 intervals, each holds it with probability p >= 0.95 (exactly 0.9586 for n = 20); the number has
    standard deviation sqrt(2000 p (1 - p)) < 9.8, and the bound is six of them below 0.95.
    """
    held = 0
    for samples in rng.exponential(size=(2000, 20)):
        low, high = reference.median_interval(samples, 0.95)
        held += low <= math.log(2) <= high
    assert held > 1900 - 6 * 9.8


def test_bootstrap_is_scipys(rng):
    """With many resamples the percentile interval is that of scipy.stats.bootstrap.

    Interval ends are order statistics of 20 samples; with 20,000 resamples the two agree to a step between
    neighbors.
    """
    samples = rng.standard_normal(20)
    theirs = scipy.stats.bootstrap(
        (samples,), np.median, n_resamples=20_000, method="percentile", rng=np.random.default_rng(9)
    ).confidence_interval

    medians = reference.bootstrap_medians(samples, rng.uniform(size=(20_000, 20)))
    ours = reference.percentile_interval(medians)

    gap = np.diff(np.sort(samples)).max()
    assert ours == pytest.approx(tuple(theirs), abs=gap)


def test_summary_is_pythons(rng):
    """Quantiles are NumPy's percentiles, and the median the standard library's."""
    import statistics

    samples = rng.exponential(size=34)
    summary = reference.summarize(samples)

    assert summary["median_ms"] == pytest.approx(statistics.median(samples))
    assert [summary["p20_ms"], summary["p80_ms"]] == pytest.approx(np.percentile(samples, [20, 80]))


def test_turns_cancel_a_linear_drift(rng):
    """For any even number of pairs the positions of a and of b have the same median."""
    for n_pairs in range(2, 30, 2):
        count = iter(range(10**6))
        times = reference.alternate(lambda c=count: float(next(c)), lambda c=count: float(next(c)), n_pairs)

        assert np.median(times[0]) == np.median(times[1])
        assert sorted([*times[0], *times[1]]) == list(range(2, 2 + 2 * n_pairs))


def test_speedup_covers(rng):
    """The interval of two kernels of one speed holds 1 nearly always, and that of two speeds says which."""
    u = rng.uniform(size=(300, 40))
    times = rng.uniform(0.9, 1.1, (3, 40))

    assert reference.speedup(times[0], times[1] * 0.5, u)["verdict"] == "faster"
    assert reference.speedup(times[0] * 0.5, times[1], u)["verdict"] == "slower"
    assert reference.speedup(times[2], times[2], u)["verdict"] == "undecided"


# --- operations and bytes ----------------------------------------------------------------------


def counted(function, *args):
    """Operations of the matrix products in a function, by torch's counter, and its result."""
    with FlopCounterMode(display=False) as counter:
        result = function(*args)
    return counter.get_total_flops(), result


def size_of(*tensors):
    return sum(tensor.nbytes for tensor in tensors)


def test_matmul_cost(rng):
    """torch's counter, and the bytes of the three tensors."""
    m, k, n = rng.integers(1, 40, 3).tolist()
    a, b = torch.ones(m, k, dtype=torch.bfloat16), torch.ones(k, n, dtype=torch.bfloat16)

    operations, c = counted(torch.matmul, a, b)

    assert reference.matmul_cost(m, k, n) == (operations, size_of(a, b, c))


def test_attention_cost(rng):
    """torch's counter for the two products, plus five operations a score; the bytes of what goes in and out."""
    batch, h_kv, group, T_q, T_k, d_k = rng.integers(2, 12, 6).tolist()
    h = h_kv * group
    q = torch.ones(batch, h, T_q, d_k)
    k, v = torch.ones(batch, h_kv, T_k, d_k), torch.ones(batch, h_kv, T_k, d_k)

    def attention(q, k, v):
        scores = q @ k.repeat_interleave(group, 1).mT
        return scores, scores.softmax(-1) @ v.repeat_interleave(group, 1)

    operations, (scores, out) = counted(attention, q, k, v)

    heads = (batch, h, h_kv, T_q, T_k, d_k)
    expected = operations + 5 * scores.numel(), size_of(q, k, v, out)
    assert reference.attention_cost(*heads, bytes_per_number=4) == expected
    unfused = expected[0], size_of(q, k, v, out) + 4 * size_of(scores)
    assert reference.attention_cost(*heads, fused=False, bytes_per_number=4) == unfused


def test_row_costs(rng):
    """Bytes of the tensors of torch's softmax and layer norm."""
    rows, columns = rng.integers(2, 40, 2).tolist()
    x, gain, bias = torch.ones(rows, columns), torch.ones(columns), torch.ones(columns)

    softmax = reference.softmax_cost(rows, columns, bytes_per_number=4)
    norm = reference.layer_norm_cost(rows, columns, bytes_per_number=4)

    assert softmax == (5 * rows * columns, size_of(x, x.softmax(-1)))
    y = torch.nn.functional.layer_norm(x, (columns,), gain, bias)
    assert norm == (7 * rows * columns, size_of(x, gain, bias, y))


def test_decode_cost(rng):
    """A step made of products and attentions: the sum of their costs, but for what the step leaves out."""
    batch, n, layers, h_kv, group, d_k = rng.integers(2, 9, 6).tolist()
    h, width = h_kv * group, 24
    size = {"n_layers": layers, "n_heads": h, "n_kv_heads": h_kv, "d_k": d_k}

    ours = reference.decode_cost(layers * width**2, batch=batch, n_context=n, **size)

    product, _ = counted(torch.matmul, torch.ones(batch, width), torch.ones(width, width))
    attention, _ = reference.attention_cost(batch, h, h_kv, 1, n, d_k)
    cache = torch.ones(2, layers, batch, h_kv, n, d_k, dtype=torch.bfloat16)
    assert ours == (layers * (product + attention), 2 * layers * width**2 + size_of(cache))


# --- the roofline, the fused operation ---------------------------------------------------------


@given(st.floats(1e6, 1e15), st.floats(1e3, 1e12), st.floats(1, 2000), st.floats(10, 9000), st.floats(0.01, 99))
def test_roofline_is_consistent(operations, n_bytes, peak, bandwidth, slowdown):
    """Time, speed, bound and utilization are one statement in four forms."""
    gpu = {"peak_tflops": peak, "bandwidth_gb_s": bandwidth}
    least = reference.roofline_ms(operations, n_bytes, **gpu)

    speed = float(reference.attainable_tflops(operations / n_bytes, **gpu))
    tflops, gb_s = reference.achieved(operations, n_bytes, least)

    assert tflops == pytest.approx(speed)
    assert tflops <= peak * (1 + 1e-9) and gb_s <= bandwidth * (1 + 1e-9)
    at_peak = tflops if reference.bound(operations, n_bytes, **gpu) == "compute" else gb_s
    assert at_peak == pytest.approx(peak if at_peak is tflops else bandwidth)
    assert reference.utilization(operations, n_bytes, least * slowdown, **gpu) == pytest.approx(1 / slowdown)


def test_compute_bound_batch_is_the_first_by_bound(rng):
    """Trying one batch after another with `bound`, on devices and models of random size."""
    for _ in range(40):
        gpu = {"peak_tflops": float(rng.uniform(50, 1000)), "bandwidth_gb_s": float(rng.uniform(500, 5000))}
        n_context = int(rng.integers(1, 2000))

        def cost(batch, n_context=n_context):
            size = {"n_layers": 4, "n_heads": 8, "n_kv_heads": 2, "d_k": 64}
            return reference.decode_cost(10**6, batch=batch, n_context=n_context, **size)

        found = reference.compute_bound_batch(cost, **gpu)

        tried = (batch for batch in range(1, 5000) if reference.bound(*cost(batch), **gpu) == "compute")
        first = next(tried, math.inf)
        assert found == first or (first == math.inf and found > 4999)


@pytest.mark.parametrize("rows_per_block", [1, 2, 5, 50])
def test_fused_add_layer_norm_is_torchs(rng, rows_per_block):
    """torch's layer norm of the sum."""
    arrays = {name: rng.standard_normal((7, 6)) for name in ("x", "residual")}
    arrays |= {name: rng.standard_normal(6) for name in ("gain", "bias")}
    y = np.full((7, 6), np.nan)

    def store(start, stop, values):
        y[start:stop] = values

    reference.fused_add_layer_norm(
        lambda name, *rows: arrays[name][slice(*rows)] if rows else arrays[name],
        store, 7, 6, rows_per_block=rows_per_block,
    )  # fmt: skip

    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    theirs = torch.nn.functional.layer_norm(tensors["x"] + tensors["residual"], (6,), tensors["gain"], tensors["bias"])
    np.testing.assert_allclose(y, theirs.numpy(), rtol=1e-12, atol=1e-12)


def test_gated_residual_is_the_obvious_line_and_leaves_its_inputs(torch_rng):
    """residual + gate * x, in a new tensor."""
    x, gate, residual = (torch.randn(3, 4, generator=torch_rng, dtype=torch.float64) for _ in range(3))
    before = residual.clone()

    y = reference.gated_residual(x, gate, residual)

    torch.testing.assert_close(y, residual + gate * x)
    torch.testing.assert_close(residual, before)


# --- a real GPU --------------------------------------------------------------------------------


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize(("name", "n"), [("matmul", 2048), ("copy", 2**25), ("fused", 2**25)])
def test_bench_is_do_bench(name, n):
    """triton's do_bench, which flushes the cache too, to a tenth."""
    testing = pytest.importorskip("triton.testing")
    kernels = reference.gpu_kernels(name, n)

    ours = reference.bench(CudaDevice(), kernels)["median_ms"]
    theirs = testing.do_bench(kernels[0], return_mode="median")

    assert ours == pytest.approx(theirs, rel=0.1)


@pytest.mark.gpu
@needs_gpu
def test_one_kernel_is_launched_by_the_fused_operation():
    """torch's profiler sees one kernel where the obvious line has two, and its time is near ours."""
    from torch.profiler import ProfilerActivity, profile

    launched = {}
    for name in ("fused", "unfused"):
        (work,) = reference.gpu_kernels(name, 2**25)
        work()
        torch.cuda.synchronize()
        with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
            work()
            torch.cuda.synchronize()
        events = [e for e in profiler.events() if e.device_type == torch.autograd.DeviceType.CUDA]
        launched[name] = len([e for e in events if "elementwise" in e.name])
    assert launched == {"fused": 1, "unfused": 2}
