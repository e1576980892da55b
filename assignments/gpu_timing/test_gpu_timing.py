"""The checks you can run yourself: `pytest` in this folder, or `pytest --task host` for one task.

With a GPU, `pytest --device cuda` adds those that need one.
"""

import math
import time

import numpy as np
import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close
from coursekit.simgpu import Costs, CudaDevice, Kernel, KernelCost, SimulatedDevice

MATMUL, ADD = Kernel("matmul"), Kernel("add")
KERNELS = {"matmul": KernelCost(cold_ms=0.25, warm_ms=0.15), "add": KernelCost(cold_ms=0.01)}
# Only launching and compiling take the host's time; no ramp, no noise, no outliers.
STEADY = Costs(
    host_call_ms=0.0, launch_ms=0.02, flush_ms=0.2, ramp_factor=1.0, noise_fraction=0.0, outlier_rate=0.0
)


# --- Task 1 ------------------------------------------------------------------------------------


@number("1.p1")
@weight(2)
@tags("host")
def test_host_by_hand(impl):
    """Ten launches of 0.02 ms; the kernels of 0.15 ms begin after the first of them, and end 1.52 ms after
    the start."""
    device = SimulatedDevice(KERNELS, costs=STEADY)

    issue_ms, total_ms = impl.host_times(device.api(), [MATMUL], 10)

    assert_close(issue_ms, 0.02, name="issue_ms")
    assert_close(total_ms, (0.02 + 10 * 0.15) / 10, name="total_ms")


# --- Task 2 ------------------------------------------------------------------------------------


@number("2.p1")
@weight(2)
@tags("events")
def test_samples_see_the_kernel_only(impl):
    """Each sample is the cold kernel's 0.25 ms; or 0.15 ms when a call in front has warmed the cache."""
    device = SimulatedDevice(KERNELS, costs=STEADY)
    cold = impl.sample_times(device.api(), [MATMUL], 3)
    warm = impl.sample_times(device.api(), [MATMUL], 2, cold=False)

    assert_close(cold, np.full(3, 0.25), name="cold samples")
    assert_close(warm, np.full(2, 0.15), name="warm samples")


@number("2.p2")
@weight(1)
@tags("events")
def test_samples_of_several_kernels_on_a_stream(impl):
    """A call of two kernels lasts as long as both, on a stream of its own beside other work."""
    device = SimulatedDevice(KERNELS, costs=STEADY)
    side = device.stream()
    for _ in range(20):
        device.launch(MATMUL)

    samples = impl.sample_times(device.api(), [MATMUL, ADD], 2, stream=side)

    assert_close(samples, np.full(2, 0.26), name="samples")


# --- Task 3 ------------------------------------------------------------------------------------


@number("3.p1")
@weight(2)
@tags("summary")
def test_summary_by_hand(impl):
    """One sample of 50 ms among five moves neither the median nor the interval's lower end."""
    samples = np.array([4.0, 1.0, 50.0, 2.0, 3.0])

    assert_close(
        impl.summarise(samples), {"median_ms": 3.0, "p20_ms": 1.8, "p80_ms": 13.2, "n": 5}, name="summary"
    )
    # P(Bin(5, 1/2) = 0) = 1/32: 1 - 2/32 = 0.9375 of confidence can be had from five samples, not more.
    assert_close(impl.median_interval(samples, 0.93), (1.0, 50.0), name="interval at 0.93")
    assert_close(impl.median_interval(samples, 0.94), (-math.inf, math.inf), name="interval at 0.94")
    # P(Bin(5, 1/2) <= 1) = 6/32
    assert_close(impl.median_interval(samples, 0.6), (2.0, 4.0), name="interval at 0.6")


@number("3.p2")
@weight(1)
@tags("summary")
def test_bootstrap_by_hand(impl):
    """u = 0 draws the first sample and u just below 1 the last; the middle half of 0 ... 4 is 1 ... 3."""
    samples = np.array([5.0, 7.0, 9.0, 20.0])
    u = np.array([[0.0, 0.24, 0.1, 0.2], [0.25, 0.5, 0.75, 0.999], [0.9, 0.8, 0.3, 0.9]])

    assert_close(impl.bootstrap_medians(samples, u), np.array([5.0, 14.5, 20.0]), name="medians")
    assert_close(impl.percentile_interval(np.arange(5.0), 0.5), (1.0, 3.0), name="interval")


# --- Task 4 ------------------------------------------------------------------------------------


def from_stock(stock, asked):
    """A `sample` that hands out the numbers of a list in order, and writes down how many were asked for."""

    def sample(n):
        start = sum(asked)
        asked.append(n)
        assert start + n <= len(stock), "more samples were taken than it takes"
        return np.array(stock[start : start + n])

    return sample


@number("4.p1")
@weight(2)
@tags("measure")
def test_measure_by_hand(impl):
    """The first sample goes, then 7 ms of warming up, then pairs are kept until four of them agree."""
    asked = []
    stock = [100.0, 4.0, 2.0, 2.0, 2.0, 1.0, 3.0, 2.0, 2.0]
    widths = {2: (1.0, 3.0), 4: (1.9, 2.1)}

    result = impl.measure(
        from_stock(stock, asked),
        warmup_ms=7.0,
        batch=2,
        target=0.06,
        interval=lambda samples, confidence: widths[len(samples)],
    )

    assert_close(result, {"median_ms": 2.0, "low_ms": 1.9, "high_ms": 2.1, "n": 4}, name="result")
    assert_close(asked, [1, 2, 2, 2, 2], name="the batches asked for")


@number("4.p2")
@weight(2)
@tags("measure")
@pytest.mark.gpu
def test_the_timer_agrees_with_a_wall_clock(impl, device):
    """On a GPU, the time of a matrix product is within a quarter of what a wall clock shows for many of them."""
    kernels = impl.gpu_kernels("matmul", 2048)

    estimate = impl.bench(CudaDevice(), kernels, target=0.05)["median_ms"]

    assert 0.75 * estimate <= wall_ms_per_call(impl, kernels) <= 1.25 * estimate


def wall_ms_per_call(impl, kernels, few=20, many=100):
    """What a call takes when many follow each other: a difference, so that starting and waiting cancel."""
    impl.run_on_gpu(kernels, many)
    took = {few: [], many: []}
    for _ in range(3):
        for n_calls, times in took.items():
            begun = time.perf_counter()
            impl.run_on_gpu(kernels, n_calls)
            times.append(1000 * (time.perf_counter() - begun))
    # Other programs only ever add time to a wall clock's reading: here the least is the best.
    return (min(took[many]) - min(took[few])) / (many - few)


# --- Task 5 ------------------------------------------------------------------------------------


@number("5.p1")
@weight(2)
@tags("compare")
def test_turns_by_hand(impl):
    """a and b once for nothing, then a b, b a; and 2 against 1 is twice as fast."""
    log = []

    def sample_of(name):
        def sample():
            log.append(name)
            return float(len(log))

        return sample

    times_a, times_b = impl.alternate(sample_of("a"), sample_of("b"), 2)

    assert_close("".join(log), "ababba", name="the order of the calls")
    assert_close(times_a, np.array([3.0, 6.0]), name="times_a")
    assert_close(times_b, np.array([4.0, 5.0]), name="times_b")
    result = impl.speedup(
        np.array([2.0, 2.0]),
        np.array([1.0, 1.0]),
        np.zeros((3, 2)),
        resample=lambda samples, u: np.full(3, samples[0]),
        interval=lambda values, confidence: (values.min(), values.max()),
    )
    assert_close(result, {"speedup": 2.0, "low": 2.0, "high": 2.0, "verdict": "faster"}, name="result")


# --- Task 6 ------------------------------------------------------------------------------------


@number("6.p1")
@weight(3)
@tags("counts")
def test_counts_by_hand(impl):
    """A (2, 3) times B (3, 4), and other small cases counted on paper."""
    assert_close(impl.matmul_cost(2, 3, 4), (48, 52), name="matmul_cost")
    assert_close(impl.softmax_cost(2, 3), (30, 24), name="softmax_cost")
    assert_close(impl.layer_norm_cost(2, 3, bytes_per_number=4), (42, 72), name="layer_norm_cost")
    # 2 query heads on 1 key head, 1 query, 3 keys, d_k = 4: 6 scores
    assert_close(impl.attention_cost(1, 2, 1, 1, 3, 4), (126, 80), name="attention_cost")
    assert_close(impl.attention_cost(1, 2, 1, 1, 3, 4, fused=False), (126, 128), name="attention_cost")
    size = {"n_layers": 1, "n_heads": 2, "n_kv_heads": 1, "d_k": 4}
    assert_close(
        impl.decode_cost(100, batch=2, n_context=3, **size), (400 + 252, 200 + 96), name="decode_cost"
    )


# --- Task 7 ------------------------------------------------------------------------------------


@number("7.p1")
@weight(2)
@tags("roofline")
def test_roofline_by_hand(impl):
    """A device of 100 TFLOP/s and 2000 GB/s has its ridge at 50 operations per byte."""
    gpu = {"peak_tflops": 100.0, "bandwidth_gb_s": 2000.0}

    tflops = impl.attainable_tflops(np.array([1.0, 50.0, 300.0]), **gpu)
    assert_close(tflops, np.array([2.0, 100.0, 100.0]), name="attainable_tflops")
    assert_close(impl.roofline_ms(2 * 10**9, 4 * 10**9, **gpu), 2.0, name="roofline_ms")
    assert [impl.bound(n, 1000, **gpu) for n in (10_000, 90_000)] == ["memory", "compute"]
    assert_close(impl.achieved(3 * 10**9, 6 * 10**6, 1.5), (2.0, 4.0), name="achieved")
    assert_close(impl.utilisation(2 * 10**9, 4 * 10**9, 2.5, **gpu), 0.8, name="utilisation")


# --- Task 8 ------------------------------------------------------------------------------------


@number("8.p1")
@weight(1)
@tags("launch")
def test_queue_by_hand(impl):
    """Launches of 1 ms and kernels that run 1-1.5, 2-2.5 and 3-7: the device is idle for 1 + 0.5 + 0.5 ms."""
    total_ms, idle_ms = impl.queue_times(np.ones(3), np.array([0.5, 0.5, 4.0]))

    assert_close(total_ms, 7.0, name="total_ms")
    assert_close(idle_ms, 2.0, name="idle_ms")
    assert impl.limiter(0.02, 0.01, "memory") == "launch"
    assert impl.limiter(0.02, 0.30, "memory") == "memory"


# --- Task 9 ------------------------------------------------------------------------------------


@number("9.p1")
@weight(2)
@tags("fuse")
def test_fused_operations_by_hand(impl):
    """The rows (1, 3) + (0, 0) and (2, 2) + (0, 4) both become (-1, 1), times 2 plus 1; and 5 + 2 x 3 is 11."""
    arrays = {"x": np.array([[1.0, 3.0], [2.0, 2.0]]), "residual": np.array([[0.0, 0.0], [0.0, 4.0]])}
    vectors = {"gain": np.array([2.0, 2.0]), "bias": np.array([1.0, 1.0])}
    y = np.full((2, 2), np.nan)

    def load(name, start=None, stop=None):
        return arrays[name][start:stop] if name in arrays else vectors[name]

    def store(start, stop, values):
        y[start:stop] = values

    impl.fused_add_layer_norm(load, store, 2, 2, rows_per_block=1, eps=0.0)

    assert_close(y, np.array([[-1.0, 3.0], [-1.0, 3.0]]), name="y")
    x, gate, residual = (torch.tensor([value], dtype=torch.float64) for value in (3.0, 2.0, 5.0))
    want = torch.tensor([11.0], dtype=torch.float64)
    assert_close(impl.gated_residual(x, gate, residual), want, name="gated_residual")
