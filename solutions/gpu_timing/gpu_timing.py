"""Timing a GPU: how long a kernel takes, how sure that is, and what it should be compared with.

A GPU works through queues. A launch puts a kernel into one and returns, so the host's clock sees launches,
not kernels. The first half of this file is a timer that sees kernels: it talks to a `Device` of
`coursekit.simgpu`, which is either a simulation on a virtual clock (the checks use it) or a real GPU. The
second half says what a time means: operations, bytes, the roofline, and who waits for whom.

Times are milliseconds, everywhere. A GB is 10^9 bytes, a GB/s 10^9 bytes per second and a TFLOP/s 10^12
operations per second. A multiply-add is two operations. A "call" launches each kernel of a list once, in
order, and a "sample" is the time of one call.

Given, not yours to write: the checks of bad input, `percentile_interval`, `bench` (tasks 2 to 4 together),
`layer_norm_cost`, `achieved`, `utilization`, `limiter`, and at the end of the file the work for a real GPU.
"""

import math

import numpy as np
import torch

from coursekit.simgpu import CudaDevice

# --- Task 1: what the host's clock sees --------------------------------------------------------


def host_times(device, kernels, n_calls):
    """What a call costs by the host's clock: until it is launched, and until it is done.

    One call is made first and waited for, so that nothing is compiled and nothing is left in the queue when
    the clock starts. Then n_calls calls are launched one after another without waiting, and after that the
    host waits once. The clock is read three times: before the launches, after them, and after the wait.

    Args:
        device: A `Device`; uses `launch`, `synchronize` and `now_ms`.
        kernels: The kernels of one call, launched in this order on the default stream.
        n_calls: How many calls, at least 1.

    Returns:
        (issue_ms, total_ms), per call: the time the host needs to launch a call, and the time after which
        all calls are done, divided by n_calls.

    Raises:
        ValueError: If kernels is empty or n_calls is below 1.
    """
    _check_kernels(kernels)
    if n_calls < 1:
        raise ValueError(f"n_calls must be at least 1, got {n_calls}")
    # Steps: a call, and wait; read; launch all; read; wait; read.
    # BEGIN SOLUTION host
    _call(device, kernels)
    device.synchronize()
    start = device.now_ms()
    for _ in range(n_calls):
        _call(device, kernels)
    issued = device.now_ms()
    device.synchronize()
    done = device.now_ms()
    return (issued - start) / n_calls, (done - start) / n_calls
    # END SOLUTION


# BEGIN SOLUTION host
def _call(device, kernels, args=(), stream=None):
    for kernel in kernels:
        device.launch(kernel, *args, stream=stream)


# END SOLUTION


# --- Task 2: samples between two events --------------------------------------------------------


def sample_times(device, kernels, n_samples, *, inputs=(), n_warmup=1, cold=True, stream=None):
    """The device's time for one call, n_samples times, each between two events.

    A sample is the time between two events recorded right before and right after the call, on its stream. Before
    the first event, a flush of the cache is queued on the same stream.

    Args:
        device: A `Device`.
        kernels: The kernels of one call, launched in this order.
        n_samples: How many samples.
        inputs: Arrays on the host. Each is copied to the device once, before anything is launched, and every
            launch gets the copies as arguments: `device.launch(kernel, *copies, stream=stream)`.
        n_warmup: How many calls are made before the first sample, not timed and not flushed.
        cold: Whether a sample starts with an empty cache. If not, one call that is not timed comes between the
            flush and the first event: the cache then holds what that call left there.
        stream: A stream of the device: launches, flushes and events are all on it. None: the default stream.

    Returns:
        Shape (n_samples,), float64, in ms, in the order in which they were taken. Calls in all:
        n_warmup + n_samples, or n_warmup + 2 n_samples if not cold.

    Raises:
        ValueError: If kernels is empty, or n_samples or n_warmup is negative.
    """
    _check_kernels(kernels)
    if n_samples < 0 or n_warmup < 0:
        raise ValueError(f"n_samples and n_warmup must not be negative, got {n_samples} and {n_warmup}")
    # Steps: copy; warm up; per sample: flush, event, record, call, event, record; wait; read the events.
    # BEGIN SOLUTION events
    args = [device.copy_to_device(data) for data in inputs]
    for _ in range(n_warmup):
        _call(device, kernels, args, stream)
    pairs = []
    for _ in range(n_samples):
        device.flush_cache(stream)
        if not cold:
            _call(device, kernels, args, stream)
        start = device.event()
        device.record(start, stream)
        _call(device, kernels, args, stream)
        end = device.event()
        device.record(end, stream)
        pairs.append((start, end))
    # Once is enough: every event keeps its own time.
    device.synchronize()
    return np.array([device.elapsed_ms(start, end) for start, end in pairs], dtype=np.float64)
    # END SOLUTION


# --- Task 3: one number, and how sure it is ----------------------------------------------------


def summarize(samples):
    """What to report of a set of samples: the median, and where the middle 60% lie.

    Quantiles interpolate linearly: quantile q of n sorted samples lies at position (n - 1) q, counted from 0.

    Args:
        samples: Shape (n,), n at least 1, in any order.

    Returns:
        Dict of "median_ms", "p20_ms" and "p80_ms" (floats) and "n" (int).

    Raises:
        ValueError: If samples is empty or has another number of axes than one.
    """
    samples = _checked_samples(samples)
    # BEGIN SOLUTION summary
    low, middle, high = np.quantile(samples, [0.2, 0.5, 0.8])
    return {"median_ms": float(middle), "p20_ms": float(low), "p80_ms": float(high), "n": len(samples)}
    # END SOLUTION


def median_interval(samples, confidence=0.95):
    """An interval for the true median that assumes nothing about the noise but independence.

    It reaches from the r-th smallest to the r-th largest sample. r is the largest number, 1 or more, for which
    the probability that the whole interval lies above the true median is at most (1 - confidence) / 2; for lying
    below, the probability is the same. If there is no such r, the interval is (-inf, inf).

    The probability is exact, not approximated by a bell curve: integers and one division.

    Args:
        samples: Shape (n,), n at least 1, in any order. No two are equal, as with any noise that has a density.
        confidence: Between 0 and 1: how often, at least, such intervals hold the true median.

    Returns:
        (low, high), floats.

    Example:
        At 95%: of 20 samples the 6th and the 15th; of 6 the smallest and the largest; of 5 (-inf, inf).

    Raises:
        ValueError: If samples is empty or has another number of axes than one, or confidence is outside
            (0, 1).
    """
    samples = _checked_samples(samples)
    _check_confidence(confidence)
    # Steps: the probability of missing on one side; the largest r; its two samples.
    # BEGIN SOLUTION summary
    n, r, below = len(samples), 0, 1
    while below / 2**n <= (1 - confidence) / 2:
        r += 1
        below += math.comb(n, r)
    if r == 0:
        return -math.inf, math.inf
    ordered = np.sort(samples)
    return float(ordered[r - 1]), float(ordered[n - r])
    # END SOLUTION


def bootstrap_medians(samples, u):
    """The medians of resamples: how the median could have come out with other luck.

    A resample draws n of the n samples with replacement: the entry at u in [0, 1) is sample floor(n u).

    Args:
        samples: Shape (n,), n at least 1.
        u: Uniform numbers, shape (R, n): a row for each resample.

    Returns:
        Shape (R,), float64: the median of each resample.

    Raises:
        ValueError: If samples is empty or has another number of axes than one, or u is not (R, n) or not in
            [0, 1).
    """
    samples, u = _checked_samples(samples), np.asarray(u, dtype=np.float64)
    if u.ndim != 2 or u.shape[1] != len(samples) or not ((u >= 0) & (u < 1)).all():
        raise ValueError(f"u must lie in [0, 1) and have shape (R, {len(samples)}), got shape {u.shape}")
    # BEGIN SOLUTION summary
    return np.median(samples[np.floor(u * len(samples)).astype(int)], axis=1)
    # END SOLUTION


def percentile_interval(values, confidence=0.95):
    """The middle part of a set of numbers, with equal shares left out on both sides.

    From quantile (1 - confidence) / 2 to quantile (1 + confidence) / 2, interpolated as in `summarize`. Of
    resampled medians, it is the bootstrap's percentile interval. Given.

    Args:
        values: Shape (R,), R at least 1.
        confidence: The share in the middle, between 0 and 1.

    Returns:
        (low, high), floats.

    Raises:
        ValueError: If values is empty or has another number of axes than one, or confidence is outside
            (0, 1).
    """
    values = _checked_samples(values, name="values")
    _check_confidence(confidence)
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


# --- Task 4: repeat until the error is small ---------------------------------------------------


def measure(
    sample,
    *,
    warmup_ms=25.0,
    batch=20,
    target=0.01,
    confidence=0.95,
    max_samples=1000,
    interval=None,
):
    """The median time of a call, from as many samples as it takes to know it well.

    First, one sample is taken and thrown away: it holds what only the first call does, compiling above all.
    It does not count as warming up. Next, batches are thrown away until their samples add up to warmup_ms or
    more, so that the device has reached its clock; but not more than max_samples samples. Then batches are
    kept, until half the width of the interval for the median of all samples kept is at most target times
    that median, or max_samples or more are kept.

    Args:
        sample: `sample(n)` takes n samples and returns them, shape (n,), in ms.
        warmup_ms: What the samples thrown away after the first add up to at least, unless max_samples come first.
            With 0, only the first is thrown away.
        batch: How many samples are taken at a time.
        target: Relative error to reach.
        confidence: Of the interval.
        max_samples: When to give up. Batches are never cut: a last one may go past it.
        interval: `interval(samples, confidence)` returns (low, high). Default: `median_interval`.

    Returns:
        Dict of "median_ms", "low_ms" and "high_ms" (floats) and "n" (int, samples kept).

    Raises:
        ValueError: If batch or max_samples is below 1, or warmup_ms or target is negative.
    """
    if batch < 1 or max_samples < 1:
        raise ValueError(f"batch and max_samples must be at least 1, got {batch} and {max_samples}")
    if warmup_ms < 0 or target < 0:
        raise ValueError(f"warmup_ms and target must not be negative, got {warmup_ms} and {target}")
    interval = median_interval if interval is None else interval
    # Steps: the first call; warm up; collect until it is good enough; report.
    # BEGIN SOLUTION measure
    sample(1)
    warmed, n_warmed = 0.0, 0
    while warmed < warmup_ms and n_warmed < max_samples:
        warmed += float(np.sum(sample(batch)))
        n_warmed += batch
    times = np.empty(0)
    while True:
        times = np.concatenate([times, sample(batch)])
        median = float(np.median(times))
        low, high = interval(times, confidence)
        if (high - low) / 2 <= target * median or len(times) >= max_samples:
            return {"median_ms": median, "low_ms": low, "high_ms": high, "n": len(times)}
    # END SOLUTION


def bench(device, kernels, *, cold=True, stream=None, **options):
    """Tasks 2 to 4 together: the median time of a call on a device. Given.

    Args:
        device, kernels, cold, stream: As for `sample_times`.
        **options: As for `measure`.

    Returns:
        What `measure` returns.
    """

    def sample(n):
        return sample_times(device, kernels, n, n_warmup=0, cold=cold, stream=stream)

    return measure(sample, **options)


# --- Task 5: two kernels, compared fairly ------------------------------------------------------


def alternate(sample_a, sample_b, n_pairs):
    """Samples of two calls taken in turns, so that a drift of the device hits both alike.

    Each is called once before, a first, and these two samples are thrown away. Then come n_pairs pairs, in
    the order a b, b a, a b, b a, ...

    Args:
        sample_a, sample_b: Each takes one sample and returns it in ms: `sample_a()`.
        n_pairs: How many pairs: even, at least 2.

    Returns:
        (times_a, times_b), each of shape (n_pairs,), float64: entry i is from pair i.

    Raises:
        ValueError: If n_pairs is odd or below 2.
    """
    if n_pairs < 2 or n_pairs % 2:
        raise ValueError(f"n_pairs must be even and at least 2, got {n_pairs}")
    # BEGIN SOLUTION compare
    sample_a()
    sample_b()
    times_a, times_b = [], []
    for i in range(n_pairs):
        turns = [(times_a, sample_a), (times_b, sample_b)]
        for times, sample in turns if i % 2 == 0 else reversed(turns):
            times.append(sample())
    return np.array(times_a, dtype=np.float64), np.array(times_b, dtype=np.float64)
    # END SOLUTION


def speedup(times_a, times_b, u, *, confidence=0.95, resample=None, interval=None):
    """How many times faster b is than a, with an interval, and whether that is known.

    The speed-up is median(a) / median(b): above 1, b is faster. Its interval is the bootstrap's: the ratio
    of the two medians is taken in each resample, and one resample draws the same pairs for a and b.

    Args:
        times_a, times_b: Paired samples, each of shape (n,).
        u: Uniform numbers, shape (R, n), as for `bootstrap_medians`.
        confidence: Of the interval.
        resample: `resample(samples, u)` returns medians. Default: `bootstrap_medians`.
        interval: `interval(values, confidence)` returns (low, high). Default: `percentile_interval`.

    Returns:
        Dict of "speedup", "low" and "high" (floats) and "verdict": "faster" if the whole interval is above
        1, "slower" if it is all below 1, else "undecided".

    Raises:
        ValueError: If times_a and times_b are empty or differ in shape.
    """
    times_a, times_b = _checked_samples(times_a, name="times_a"), _checked_samples(times_b, name="times_b")
    if times_a.shape != times_b.shape:
        raise ValueError(
            f"times_a and times_b must be paired, got shapes {times_a.shape} and {times_b.shape}"
        )
    resample = bootstrap_medians if resample is None else resample
    interval = percentile_interval if interval is None else interval
    # BEGIN SOLUTION compare
    low, high = interval(resample(times_a, u) / resample(times_b, u), confidence)
    verdict = "faster" if low > 1 else "slower" if high < 1 else "undecided"
    return {
        "speedup": float(np.median(times_a) / np.median(times_b)),
        "low": low,
        "high": high,
        "verdict": verdict,
    }
    # END SOLUTION


# --- Task 6: operations and bytes --------------------------------------------------------------
#
# Each function returns (operations, bytes), both int. A kernel reads each of its inputs from the GPU's memory
# once and writes each output once; what stays on the chip in between is free. What counts as an operation is
# said in each docstring.


def matmul_cost(m, k, n, *, bytes_per_number=2):
    """The cost of C = A B with A (m, k) and B (k, n), by one kernel.

    A multiply-add is two operations.

    Returns:
        (operations, bytes).

    Example:
        (2, 3) times (3, 4), 2 bytes per number: (48, 52).
    """
    # BEGIN SOLUTION counts
    return 2 * m * k * n, (m * k + k * n + m * n) * bytes_per_number
    # END SOLUTION


def softmax_cost(n_rows, n_columns, *, bytes_per_number=2):
    """The cost of a softmax over the rows of a matrix, by one kernel.

    An entry takes part in a maximum, a subtraction, an exponential, a sum and a division: one operation each.

    Returns:
        (operations, bytes).

    Example:
        A matrix (2, 3), 2 bytes per number: (30, 24).
    """
    # BEGIN SOLUTION counts
    return 5 * n_rows * n_columns, 2 * n_rows * n_columns * bytes_per_number
    # END SOLUTION


def layer_norm_cost(n_rows, n_columns, *, bytes_per_number=2):
    """The cost of a layer norm over the rows of a matrix, by one kernel. Given, as a model for the others.

    Seven operations for each entry: sum for the mean, subtraction of the mean, square and sum for the
    variance, multiplication by 1/sigma, gain, bias. What is done once for a row is not counted. Gain and
    bias have n_columns numbers each and are read once.

    Returns:
        (operations, bytes).
    """
    return 7 * n_rows * n_columns, (2 * n_rows * n_columns + 2 * n_columns) * bytes_per_number


def attention_cost(batch, n_heads, n_kv_heads, T_q, T_k, d_k, *, fused=True, bytes_per_number=2):
    """The cost of attention, softmax(Q K^T) V, without a scale and without a mask.

    The shapes: Q and the output (batch, n_heads, T_q, d_k), K and V (batch, n_kv_heads, T_k, d_k). Several query
    heads share a key head. A kernel reads a key head's numbers once, for all of its query heads.

    Args:
        fused: One kernel for everything. If not, there are three kernels, Q K^T, the softmax and the product with
            V, and each reads its inputs from memory and writes its output there. Operations are the same.

    Returns:
        (operations, bytes).

    Example:
        Two query heads on one key head, one query, three keys, d_k = 4, 2 bytes per number: (126, 80) fused and
        (126, 128) unfused.
    """
    # BEGIN SOLUTION counts
    scores = batch * n_heads * T_q * T_k
    numbers = 2 * batch * n_heads * T_q * d_k + 2 * batch * n_kv_heads * T_k * d_k
    if not fused:
        numbers += 4 * scores
    return scores * (4 * d_k + 5), numbers * bytes_per_number
    # END SOLUTION


def decode_cost(n_weights, *, batch, n_context, n_layers, n_heads, n_kv_heads, d_k, bytes_per_number=2):
    """The cost of one decoding step: one new token for each sequence of a batch, with a key/value cache.

    Every weight takes part in one multiply-add for each token. In each layer each sequence attends with one query
    per head to its own n_context cached tokens, with the operations of `attention_cost`. The bytes are those of
    the weights and of the cached keys and values. Queries, activations and what is appended to the cache are
    small and not counted.

    Args:
        n_weights: Numbers in the model's matrices.
        batch: Sequences.
        n_context: Tokens in the cache of each, the new one included.
        n_layers, n_heads, n_kv_heads, d_k: The model's size.
        bytes_per_number: For weights and cache.

    Returns:
        (operations, bytes).

    Example:
        100 weights, two sequences of three tokens, one layer, two query heads on one key head, d_k = 4:
        (652, 296).
    """
    # BEGIN SOLUTION counts
    scores = batch * n_layers * n_heads * n_context
    cached = 2 * batch * n_layers * n_kv_heads * n_context * d_k
    return 2 * n_weights * batch + scores * (4 * d_k + 5), (n_weights + cached) * bytes_per_number
    # END SOLUTION


# --- Task 7: the roofline ----------------------------------------------------------------------


def attainable_tflops(intensity, *, peak_tflops, bandwidth_gb_s):
    """The roofline: what speed a kernel can reach at most, given what it does with a byte.

    The device computes and moves at the same time.

    Args:
        intensity: Operations for each byte moved: a float or an array.
        peak_tflops: What the device computes at most, TFLOP/s.
        bandwidth_gb_s: What its memory moves at most, GB/s.

    Returns:
        TFLOP/s, with the shape of intensity.

    Example:
        With 100 TFLOP/s and 2000 GB/s, 1 operation per byte allows 2 TFLOP/s.

    Source:
        Williams, Waterman and Patterson 2009, "Roofline".
    """
    # BEGIN SOLUTION roofline
    return np.minimum(peak_tflops, np.asarray(intensity) * bandwidth_gb_s / 1000)
    # END SOLUTION


def roofline_ms(operations, n_bytes, *, peak_tflops, bandwidth_gb_s):
    """The least time in which a device can do so much, if it computes and moves at the same time.

    Returns:
        Float, in ms.
    """
    # BEGIN SOLUTION roofline
    return max(operations / (peak_tflops * 1e9), n_bytes / (bandwidth_gb_s * 1e6))
    # END SOLUTION


def bound(operations, n_bytes, *, peak_tflops, bandwidth_gb_s):
    """Which of the two takes longer at full speed.

    Returns:
        "memory" if moving takes longer than computing, else "compute".
    """
    # BEGIN SOLUTION roofline
    moving = n_bytes / (bandwidth_gb_s * 1e6)
    return "memory" if moving > operations / (peak_tflops * 1e9) else "compute"
    # END SOLUTION


def compute_bound_batch(cost, *, peak_tflops, bandwidth_gb_s):
    """From which batch size on a step is compute-bound.

    A step's operations are proportional to the batch. Its bytes are those that the batch shares, more than 0, and
    a fixed amount for each sequence.

    Args:
        cost: `cost(batch)` returns the (operations, bytes) of a step, for any whole number batch from 1 on.
        peak_tflops, bandwidth_gb_s: The device.

    Returns:
        The smallest batch, an int of 1 or more, for which computing takes at least as long as moving; `math.inf` if
        there is none. It may be in the millions.

    Example:
        100 TFLOP/s and 2000 GB/s, 151 shared bytes, and for each sequence 200 operations and 2 bytes: 76. With 5
        bytes for each sequence: inf.
    """
    # Steps: what one more sequence adds; whether more of them ever tip the balance; the batch that does.
    # BEGIN SOLUTION roofline
    (operations, n_bytes), (more_operations, more_bytes) = cost(1), cost(2)
    ridge = 1000 * peak_tflops / bandwidth_gb_s
    # What a sequence adds to the time for computing, less what it adds to that for moving; in bytes.
    gain = (more_operations - operations) / ridge - (more_bytes - n_bytes)
    if gain <= 0:
        return math.inf
    return max(1, math.ceil((2 * n_bytes - more_bytes) / gain))
    # END SOLUTION


def achieved(operations, n_bytes, elapsed_ms):
    """The speeds of a kernel that took so long. Given.

    Returns:
        (tflops, gb_s), floats: TFLOP/s computed and GB/s moved.
    """
    return operations / (elapsed_ms * 1e9), n_bytes / (elapsed_ms * 1e6)


def utilization(operations, n_bytes, elapsed_ms, *, peak_tflops, bandwidth_gb_s):
    """The fraction of the roofline that a kernel reaches: 1 means that nothing could be faster. Given.

    Of the memory's peak if it is memory-bound, of the computing peak if it is compute-bound.

    Returns:
        Float: the least time possible over the time it took.
    """
    fastest = roofline_ms(operations, n_bytes, peak_tflops=peak_tflops, bandwidth_gb_s=bandwidth_gb_s)
    return fastest / elapsed_ms


# --- Task 8: when the GPU waits for the host ---------------------------------------------------


def queue_times(launch_ms, kernel_ms):
    """When a queue of kernels is done, and how long the device was idle until then.

    The host launches one kernel after another from time 0 on, without waiting; launch i takes it
    launch_ms[i]. The device runs the kernels one at a time, in order, each as soon as it can.

    Args:
        launch_ms: Shape (n,), n at least 1: what each launch costs the host.
        kernel_ms: Shape (n,): how long each kernel runs.

    Returns:
        (total_ms, idle_ms), floats: the end of the last kernel, and how much of that time no kernel ran, the
        time before the first one included.

    Raises:
        ValueError: If the two are empty or differ in shape.

    Example:
        Launches of 1, 1, 1 ms and kernels of 0.5, 0.5, 4 ms run 1 to 1.5, 2 to 2.5 and 3 to 7: (7, 2).
    """
    launch_ms = _checked_samples(launch_ms, name="launch_ms")
    kernel_ms = _checked_samples(kernel_ms, name="kernel_ms")
    if launch_ms.shape != kernel_ms.shape:
        raise ValueError(
            f"launch_ms and kernel_ms must have one shape, got {launch_ms.shape} and {kernel_ms.shape}"
        )
    # BEGIN SOLUTION launch
    launched = end = 0.0
    for launch, kernel in zip(launch_ms, kernel_ms, strict=True):
        launched += launch
        end = max(launched, end) + kernel
    return float(end), float(end - np.sum(kernel_ms))
    # END SOLUTION


def limiter(issue_ms, busy_ms, roof):
    """What to work on if a call is to become faster. Given.

    Args:
        issue_ms: What launching a call costs the host, as `host_times` measures it.
        busy_ms: How long the device works on a call, as `bench` measures it.
        roof: "memory" or "compute", as `bound` says.

    Returns:
        "launch" if the host needs longer than the device, so that the device waits; else `roof`.

    Raises:
        ValueError: If roof is something else.
    """
    if roof not in ("memory", "compute"):
        raise ValueError(f'roof must be "memory" or "compute", got {roof!r}')
    return "launch" if issue_ms > busy_ms else roof


# --- Task 9: a fused operation -----------------------------------------------------------------


def fused_add_layer_norm(load, store, n_rows, n_columns, *, rows_per_block, eps=1e-5):
    """The layer norm of a sum, block by block, in one pass over the GPU's memory.

        s = x + residual,  y = (s - mean(s)) / sqrt(var(s) + eps) gain + bias

    Mean and variance are over the columns of each row; the variance is biased. A block of rows is loaded, worked
    on while it is on the chip, and stored. Blocks are taken in order; the last one may be shorter. Every number
    is loaded once and every result stored once.

    Args:
        load: `load("x", start, stop)` and `load("residual", start, stop)` return rows start .. stop - 1,
            shape (stop - start, n_columns); `load("gain")` and `load("bias")` return shape (n_columns,). What
            comes back is a copy on the chip, yours to overwrite.
        store: `store(start, stop, values)` writes the rows start .. stop - 1 of y.
        n_rows, n_columns: Shape of x, residual and y.
        rows_per_block: How many rows fit on the chip at once, at least 1. Every block but the last has so
            many.
        eps: Inside the root.

    Raises:
        ValueError: If rows_per_block is below 1.
    """
    if rows_per_block < 1:
        raise ValueError(f"rows_per_block must be at least 1, got {rows_per_block}")
    # Steps: what all blocks need; then per block: load, add, normalize, store.
    # BEGIN SOLUTION fuse
    gain, bias = load("gain"), load("bias")
    for start in range(0, n_rows, rows_per_block):
        stop = min(start + rows_per_block, n_rows)
        s = load("x", start, stop) + load("residual", start, stop)  # (rows, n_columns)
        centered = s - s.mean(axis=1, keepdims=True)
        variance = np.mean(centered**2, axis=1, keepdims=True)
        store(start, stop, centered / np.sqrt(variance + eps) * gain + bias)
    # END SOLUTION


def gated_residual(x, gate, residual):
    """residual + gate x, computed by one torch call that launches one kernel.

    Two calls, a product and a sum, would write the product to memory and read it again.

    Args:
        x, gate, residual: Tensors of one dtype that broadcast with each other.

    Returns:
        A new tensor of their common shape; the three are left as they are.
    """
    # BEGIN SOLUTION fuse
    return torch.addcmul(residual, gate, x)
    # END SOLUTION


# --- Given -------------------------------------------------------------------------------------


def gpu_kernels(name, n):
    """Work for a real GPU: kernels that `CudaDevice` can launch. Needs a GPU.

    Args:
        name: "matmul", of two float32 matrices (n, n); "copy", "unfused" or "fused", on float32 vectors (n,):
            y = x, residual + gate * x, and `gated_residual`.
        n: Size.

    Returns:
        List of functions without arguments.
    """
    shape = (n, n) if name == "matmul" else (n,)
    a, b, c = (torch.randn(shape, device="cuda") for _ in range(3))
    work = {
        "matmul": lambda: a @ b,
        "copy": lambda: c.copy_(a),
        "unfused": lambda: c + b * a,
        "fused": lambda: gated_residual(a, b, c),
    }
    return [work[name]]


def run_on_gpu(kernels, n_calls):
    """Make n_calls calls on the GPU and wait for them. Needs a GPU."""
    device = CudaDevice()
    for _ in range(n_calls):
        for kernel in kernels:
            device.launch(kernel)
    device.synchronize()


def _check_kernels(kernels):
    if len(kernels) == 0:
        raise ValueError("kernels must hold at least one kernel, got none")


def _check_confidence(confidence):
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")


def _checked_samples(samples, name="samples"):
    """Samples as a float64 array of shape (n,), n at least 1."""
    samples = np.asarray(samples, dtype=np.float64)
    if samples.ndim != 1 or samples.size == 0:
        raise ValueError(f"{name} must have shape (n,) with n at least 1, got shape {samples.shape}")
    return samples
