"""The checks you can run yourself: `pytest` in this folder, or `pytest --task host` for one task.

With a GPU, `pytest --device cuda` adds those that need one.
"""

import math
import time
from types import MappingProxyType

import numpy as np
import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close
from coursekit.simgpu import Costs, CudaDevice, Kernel, KernelCost, SimulatedDevice

MATMUL, ADD = Kernel("matmul"), Kernel("add")
GPU = MappingProxyType({"peak_tflops": 100.0, "bandwidth_gb_s": 2000.0})


def quiet_device(**costs):
    """A device without ramp, noise and outliers, on which only launching and compiling take the host's time."""
    quiet = {"host_call_ms": 0.0, "launch_ms": 0.02, "flush_ms": 0.2, "ramp_factor": 1.0}
    kernels = {"matmul": KernelCost(cold_ms=0.25, warm_ms=0.15), "add": KernelCost(cold_ms=0.01)}
    return SimulatedDevice(kernels, costs=Costs(**{**quiet, "noise_fraction": 0.0, "outlier_rate": 0.0, **costs}))


# --- Task 1 ------------------------------------------------------------------------------------


@number("1.p1")
@weight(1)
@tags("host")
def test_long_kernels_by_the_hosts_clock(impl):
    """Ten kernels of 0.15 ms behind launches of 0.02 ms: 0.02 and 0.152 ms per call."""
    issue_ms, total_ms = impl.host_times(quiet_device().api(), [MATMUL], 10)

    assert_close(issue_ms, 0.02, name="issue_ms")
    assert_close(total_ms, 0.152, name="total_ms")


@number("1.p2")
@weight(1)
@tags("host")
def test_short_kernels_by_the_hosts_clock(impl):
    """Ten calls of two kernels of 0.01 ms behind launches of 0.02 ms: 0.041 ms per call."""
    _, total_ms = impl.host_times(quiet_device(compile_ms=0.0).api(), [ADD, ADD], 10)

    assert_close(total_ms, 0.041, name="total_ms")


# --- Task 2 ------------------------------------------------------------------------------------


@number("2.p1")
@weight(1)
@tags("events")
def test_a_cold_sample_is_the_kernel_and_nothing_else(impl):
    """Each sample is the cold kernel's 0.25 ms, though compiling takes 80 ms, a flush 0.2 and a launch 0.02."""
    samples = impl.sample_times(quiet_device().api(), [MATMUL], 3)

    assert_close(samples, np.full(3, 0.25), name="cold samples")


@number("2.p2")
@weight(1)
@tags("events")
def test_a_warm_sample_finds_its_data_in_the_cache(impl):
    """With cold=False each sample is the warm kernel's 0.15 ms."""
    device = quiet_device(launch_ms=0.0, flush_ms=0.0, compile_ms=0.0)

    samples = impl.sample_times(device.api(), [MATMUL], 2, n_warmup=0, cold=False)

    assert_close(samples, np.full(2, 0.15), name="warm samples")


@number("2.p3")
@weight(1)
@tags("events")
def test_samples_of_several_kernels_on_a_stream(impl):
    """A call of two kernels lasts 0.26 ms on a stream of its own, while the default stream has work for 3 ms."""
    device = quiet_device(compile_ms=0.0)
    side = device.stream()
    for _ in range(20):
        device.launch(MATMUL)

    samples = impl.sample_times(device.api(), [MATMUL, ADD], 2, n_warmup=0, stream=side)

    assert_close(samples, np.full(2, 0.26), name="samples")


@number("2.p4")
@weight(1)
@tags("events")
def test_inputs_are_copied_once(impl):
    """Two inputs are copied once each, and three warm-up calls and four samples make seven launches."""
    device = quiet_device(launch_ms=0.0, flush_ms=0.0, compile_ms=0.0)

    samples = impl.sample_times(
        device.api(), [MATMUL], 4, inputs=[np.ones(3), np.ones((2, 2))], n_warmup=3
    )

    assert_close(samples, np.full(4, 0.25), name="samples")
    assert_close(device.launches["matmul"], 7, name="launches")
    assert_close(sum(span.what == "copy" for span in device.trace), 2, name="copies")


# --- Task 3 ------------------------------------------------------------------------------------


@number("3.p1")
@weight(1)
@tags("summary")
def test_summary_by_hand(impl):
    """Of 1, 2, 3, 4 and 50 ms the median is 3 ms, and without the 50 it lies halfway between 2 and 3."""
    five = {"median_ms": 3.0, "p20_ms": 1.8, "p80_ms": 13.2, "n": 5}
    assert_close(impl.summarize(np.array([4.0, 1.0, 50.0, 2.0, 3.0])), five, name="summary")
    four = {"median_ms": 2.5, "p20_ms": 1.6, "p80_ms": 3.4, "n": 4}
    assert_close(impl.summarize(np.array([4.0, 1.0, 2.0, 3.0])), four, name="summary")


@number("3.p2")
@weight(1)
@tags("summary")
def test_median_interval_by_hand(impl):
    """Five samples can promise 93.75%, not more; of 20 samples the 6th and the 15th promise 95%."""
    samples = np.array([4.0, 1.0, 50.0, 2.0, 3.0])

    assert_close(impl.median_interval(samples, 0.9375), (1.0, 50.0), name="interval at 93.75%")
    assert_close(impl.median_interval(samples, 0.94), (-math.inf, math.inf), name="interval at 94%")
    assert_close(impl.median_interval(samples, 0.6), (2.0, 4.0), name="interval at 60%")
    assert_close(impl.median_interval(np.arange(20.0, 0.0, -1.0)), (6.0, 15.0), name="interval of 20")


@number("3.p3")
@weight(1)
@tags("summary")
def test_bootstrap_by_hand(impl):
    """u = 0 draws the first sample and u just below 1 the last, and any sample may be drawn again."""
    samples = np.array([5.0, 7.0, 9.0, 20.0])
    u = np.array([[0.0, 0.24, 0.1, 0.2], [0.25, 0.5, 0.75, 0.999], [0.9, 0.8, 0.3, 0.9]])

    assert_close(impl.bootstrap_medians(samples, u), np.array([5.0, 14.5, 20.0]), name="medians")


# --- Task 4 ------------------------------------------------------------------------------------


def from_stock(stock, asked):
    """A `sample` whose single first sample is 100 ms; the others are the numbers of a list, in order.

    It writes down how many were asked for.
    """

    def sample(n):
        start = sum(asked) - asked.count(1)
        asked.append(n)
        if n == 1:
            return np.array([100.0])
        assert start + n <= len(stock), "more samples were taken than it takes"
        return np.array(stock[start : start + n])

    return sample


@number("4.p1")
@weight(1)
@tags("measure")
def test_measure_stops(impl):
    """Pairs are kept until `interval` says 3.8 to 4.2 at 80%: 5% of the median, and the target is 6%. Or, if the
    target is out of reach, until there are max_samples or more."""
    intervals = {2: (0.0, 6.0), 4: (3.8, 4.2), 6: (3.9, 4.1), 8: (3.95, 4.05)}
    given = []

    def interval(samples, confidence):
        given.append(confidence)
        return intervals[len(samples)]

    options = {"warmup_ms": 0.0, "batch": 2, "confidence": 0.8, "interval": interval}
    stock = [1.0, 5.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]

    result = impl.measure(from_stock(stock, []), target=0.06, **options)

    assert_close(result, {"median_ms": 4.0, "low_ms": 3.8, "high_ms": 4.2, "n": 4}, name="result")
    assert_close(given, [0.8, 0.8], name="the confidences that interval was asked for")
    hopeless = impl.measure(from_stock(stock, []), target=0.0, max_samples=5, **options)
    assert_close(hopeless["n"], 6, name="n with a target out of reach")


@number("4.p3")
@weight(1)
@tags("measure")
def test_measure_warms_up_first(impl):
    """The first sample of 100 ms goes and warms nothing; then three batches of 3 ms go, since two are less than 7 ms."""
    asked = []

    result = impl.measure(
        from_stock(18 * [0.5] + 30 * [0.25], asked),
        warmup_ms=7.0,
        batch=6,
        interval=lambda samples, confidence: (0.25, 0.25),
    )

    assert_close(asked, [1, 6, 6, 6, 6], name="the batches asked for")
    assert_close(result["median_ms"], 0.25, name="median_ms")
    assert_close(result["n"], 6, name="n")


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
@weight(1)
@tags("compare")
def test_turns_by_hand(impl):
    """a and b once for nothing, then a b, b a."""
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


@number("5.p2")
@weight(1)
@tags("compare")
def test_speedup_by_hand(impl):
    """6 ms against 3 ms is twice as fast in both resamples, but undecided if the interval reaches from 0.9 to 3."""

    def speedup(low, high):
        return impl.speedup(
            np.array([6.0, 50.0, 5.0]),
            np.array([3.0, 4.0, 1.0]),
            np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]),
            # The device is slower in the second resample, for both kernels alike.
            resample=lambda samples, u: samples[0] * (1 + u[:, 0]),
            interval=lambda values, confidence: (float(low * values.min()), float(high * values.max())),
        )

    wide, narrow = speedup(0.45, 1.5), speedup(0.75, 1.25)

    assert_close(wide, {"speedup": 2.0, "low": 0.9, "high": 3.0, "verdict": "undecided"}, name="result")
    assert_close(narrow, {"speedup": 2.0, "low": 1.5, "high": 2.5, "verdict": "faster"}, name="result")


# --- Task 6 ------------------------------------------------------------------------------------


@number("6.p1")
@weight(1)
@tags("counts")
def test_matmul_cost_by_hand(impl):
    """A (2, 3) times B (3, 4), counted on paper, with 2 and with 4 bytes per number."""
    assert_close(impl.matmul_cost(2, 3, 4), (48, 52), name="matmul_cost")
    assert_close(impl.matmul_cost(2, 3, 4, bytes_per_number=4), (48, 104), name="matmul_cost")


@number("6.p2")
@weight(1)
@tags("counts")
def test_softmax_cost_by_hand(impl):
    """A matrix (2, 3), counted on paper, with 2 and with 4 bytes per number."""
    assert_close(impl.softmax_cost(2, 3), (30, 24), name="softmax_cost")
    assert_close(impl.softmax_cost(2, 3, bytes_per_number=4), (30, 48), name="softmax_cost")


@number("6.p3")
@weight(1)
@tags("counts")
def test_attention_cost_by_hand(impl):
    """Two query heads on one key head, one query, three keys, d_k = 4: counted on paper."""
    assert_close(impl.attention_cost(1, 2, 1, 1, 3, 4), (126, 80), name="attention_cost, fused")
    unfused = impl.attention_cost(1, 2, 1, 1, 3, 4, fused=False, bytes_per_number=4)
    assert_close(unfused, (126, 256), name="attention_cost, unfused")


@number("6.p4")
@weight(1)
@tags("counts")
def test_decode_cost_by_hand(impl):
    """100 weights, two sequences of three tokens, one layer, two query heads on one key head, d_k = 4."""
    size = {"n_context": 3, "n_layers": 1, "n_heads": 2, "n_kv_heads": 1, "d_k": 4}

    assert_close(impl.decode_cost(100, batch=2, **size), (652, 296), name="decode_cost")


# --- Task 7 ------------------------------------------------------------------------------------


@number("7.p1")
@weight(1)
@tags("roofline")
def test_attainable_tflops_by_hand(impl):
    """A device of 100 TFLOP/s and 2000 GB/s has its ridge at 50 operations per byte."""
    tflops = impl.attainable_tflops(np.array([1.0, 50.0, 300.0]), **GPU)

    assert_close(tflops, np.array([2.0, 100.0, 100.0]), name="attainable_tflops")


@number("7.p2")
@weight(1)
@tags("roofline")
def test_roofline_ms_by_hand(impl):
    """4 GB and next to no operations take 2 ms at 2000 GB/s; 400 billion operations and 4 GB take 4 ms."""
    assert_close(impl.roofline_ms(2 * 10**9, 4 * 10**9, **GPU), 2.0, name="roofline_ms")
    assert_close(impl.roofline_ms(4 * 10**11, 4 * 10**9, **GPU), 4.0, name="roofline_ms")


@number("7.p3")
@weight(1)
@tags("roofline")
def test_bound_by_hand(impl):
    """10 operations for each byte are few on this device, and 90 are many."""
    assert_close(impl.bound(10_000, 1000, **GPU), "memory", name="bound")
    assert_close(impl.bound(90_000, 1000, **GPU), "compute", name="bound")


@number("7.p4")
@weight(1)
@tags("roofline")
def test_compute_bound_batch_by_hand(impl):
    """With 151 shared bytes, 200 operations and 2 bytes for each sequence: 76. With 5 bytes for each: never."""
    soon = impl.compute_bound_batch(lambda batch: (200 * batch, 151 + 2 * batch), **GPU)
    never = impl.compute_bound_batch(lambda batch: (200 * batch, 151 + 5 * batch), **GPU)

    assert_close(soon, 76, name="compute_bound_batch")
    assert_close(never, math.inf, name="compute_bound_batch")


# --- Task 8 ------------------------------------------------------------------------------------


@number("8.p1")
@weight(1)
@tags("launch")
def test_queue_by_hand(impl):
    """Launches of 1 ms and kernels that run 1-1.5, 2-2.5 and 3-7 ms: the device is idle for 1 + 0.5 + 0.5 ms."""
    total_ms, idle_ms = impl.queue_times(np.ones(3), np.array([0.5, 0.5, 4.0]))

    assert_close(total_ms, 7.0, name="total_ms")
    assert_close(idle_ms, 2.0, name="idle_ms")


@number("8.p2")
@weight(1)
@tags("launch")
def test_queue_with_a_long_kernel_first(impl):
    """The same kernels, the long one first: they run 1-5, 5-5.5 and 5.5-6 ms."""
    total_ms, _ = impl.queue_times(np.ones(3), np.array([4.0, 0.5, 0.5]))

    assert_close(total_ms, 6.0, name="total_ms")


# --- Task 9 ------------------------------------------------------------------------------------


@number("9.p1")
@weight(1)
@tags("fuse")
def test_fused_add_layer_norm_by_hand(impl):
    """Rows (1, 3) + (0, 0), (2, 2) + (0, 2) and (3, 5) + (4, 0), in blocks of two: 16 numbers come in, 6 go out."""
    arrays = {"x": np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 5.0]])}
    arrays["residual"] = np.array([[0.0, 0.0], [0.0, 2.0], [4.0, 0.0]])
    vectors = {"gain": np.array([2.0, 2.0]), "bias": np.array([1.0, 1.0])}
    y, moved, stores = np.full((3, 2), np.nan), {"loaded": 0, "stored": 0}, []

    def load(name, start=None, stop=None):
        block = np.array(arrays[name][start:stop] if name in arrays else vectors[name])
        moved["loaded"] += block.size
        return block

    def store(start, stop, values):
        moved["stored"] += values.size
        stores.append((start, stop))
        y[start:stop] = values

    impl.fused_add_layer_norm(load, store, 3, 2, rows_per_block=2, eps=3.0)

    assert_close(y, np.array([[0.0, 2.0], [0.0, 2.0], [2.0, 0.0]]), name="y")
    assert_close(stores, [(0, 2), (2, 3)], name="the rows of each store")
    assert_close(moved, {"loaded": 16, "stored": 6}, name="numbers moved")


@number("9.p2")
@weight(1)
@tags("fuse")
def test_gated_residual_by_hand(impl):
    """5 + 2 x 3 is 11, and 5 + 0 x 4 is 5."""
    x, gate = torch.tensor([3.0, 4.0], dtype=torch.float64), torch.tensor([2.0, 0.0], dtype=torch.float64)
    residual = torch.tensor([5.0, 5.0], dtype=torch.float64)

    answer = impl.gated_residual(x, gate, residual)

    assert_close(answer, torch.tensor([11.0, 5.0], dtype=torch.float64), name="gated_residual")
