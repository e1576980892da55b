"""The whole assignment in another idiom: lists for arrays, a wait for each sample, closed forms for loops.

Events are made before anything is queued and each sample is read as soon as it is done; quantiles come from a
sorted list; the queue's end is a maximum over the kernel before which the device last waited.
"""

import math
import statistics
from bisect import bisect_left
from itertools import accumulate

import numpy as np
import torch

from coursekit.simgpu import CudaDevice


def _sorted_floats(samples):
    samples = [float(sample) for sample in np.asarray(samples, dtype=np.float64).ravel()]
    if not samples:
        raise ValueError("samples must hold at least one number, got none")
    return sorted(samples)


def host_times(device, kernels, n_calls):
    if not kernels or n_calls < 1:
        raise ValueError(f"kernels must not be empty and n_calls at least 1, got {kernels} and {n_calls}")
    for kernel in kernels:
        device.launch(kernel)
    device.synchronize()
    readings = [device.now_ms()]
    for kernel in list(kernels) * n_calls:
        device.launch(kernel)
    readings.append(device.now_ms())
    device.synchronize()
    readings.append(device.now_ms())
    return tuple((reading - readings[0]) / n_calls for reading in readings[1:])


def sample_times(device, kernels, n_samples, *, inputs=(), n_warmup=1, cold=True, stream=None):
    if not kernels or n_samples < 0 or n_warmup < 0:
        raise ValueError(f"kernels must not be empty and counts not negative, got {n_samples} and {n_warmup}")
    copies = tuple(map(device.copy_to_device, inputs))
    start, end = device.event(), device.event()

    def call(times=1):
        for kernel in list(kernels) * times:
            device.launch(kernel, *copies, stream=stream)

    call(n_warmup)
    samples = np.empty(n_samples)
    for i in range(n_samples):
        device.flush_cache(stream)
        call(0 if cold else 1)
        device.record(start, stream)
        call()
        device.record(end, stream)
        device.synchronize()
        samples[i] = device.elapsed_ms(start, end)
    return samples


def _quantile(samples, q):
    ordered = _sorted_floats(samples)
    place = (len(ordered) - 1) * q
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def summarize(samples):
    middle = statistics.median(_sorted_floats(samples))
    return {
        "n": len(samples),
        "p20_ms": _quantile(samples, 0.2),
        "p80_ms": _quantile(samples, 0.8),
        "median_ms": middle,
    }


def median_interval(samples, confidence=0.95):
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    ordered = _sorted_floats(samples)
    n = len(ordered)
    row = [1]  # of Pascal's triangle
    for _ in range(n):
        row = [1, *(a + b for a, b in zip(row, row[1:], strict=False)), 1]
    tails = [count / 2**n for count in accumulate(row)]
    allowed = (1 - confidence) / 2
    r = bisect_left(tails, math.nextafter(allowed, math.inf))
    return (ordered[r - 1], ordered[-r]) if r else (-math.inf, math.inf)


def bootstrap_medians(samples, u):
    samples = [float(sample) for sample in samples]
    n = len(samples)
    return np.array([statistics.median(samples[int(number * n)] for number in row) for row in np.asarray(u)])


def percentile_interval(values, confidence=0.95):
    outside = (1 - confidence) / 2
    return _quantile(values, outside), _quantile(values, 1 - outside)


def measure(
    sample, *, warmup_ms=25.0, batch=20, target=0.01, confidence=0.95, max_samples=1000, interval=None
):
    if min(batch, max_samples) < 1 or min(warmup_ms, target) < 0:
        raise ValueError("batch and max_samples must be at least 1, warmup_ms and target not negative")
    find_interval = interval or median_interval
    sample(1)
    discarded = []
    while len(discarded) < max_samples and math.fsum(discarded) < warmup_ms:
        discarded.extend(sample(batch))
    kept, error = [], math.inf
    while True:
        kept.extend(sample(batch))
        middle = statistics.median(kept)
        low, high = find_interval(np.array(kept), confidence)
        error = (high - low) / (2 * middle)
        if error <= target or len(kept) >= max_samples:
            return {"n": len(kept), "median_ms": float(middle), "low_ms": low, "high_ms": high}


def bench(device, kernels, *, cold=True, stream=None, **options):
    return measure(
        lambda n: sample_times(device, kernels, n, n_warmup=0, cold=cold, stream=stream), **options
    )


def alternate(sample_a, sample_b, n_pairs):
    if n_pairs < 2 or n_pairs % 2:
        raise ValueError(f"n_pairs must be even and at least 2, got {n_pairs}")
    sample_a(), sample_b()
    fours = [[sample_a(), sample_b(), sample_b(), sample_a()] for _ in range(n_pairs // 2)]
    times = np.array(fours, dtype=np.float64)  # (n_pairs / 2, 4)
    return times[:, [0, 3]].ravel(), times[:, [1, 2]].ravel()


def speedup(times_a, times_b, u, *, confidence=0.95, resample=None, interval=None):
    if len(times_a) != len(times_b) or len(times_a) == 0:
        raise ValueError("times_a and times_b must be paired")
    medians = [(resample or bootstrap_medians)(times, u) for times in (times_a, times_b)]
    low, high = (interval or percentile_interval)(np.divide(*medians), confidence)
    verdict = "undecided"
    if low > 1:
        verdict = "faster"
    elif high < 1:
        verdict = "slower"
    ratio = statistics.median(map(float, times_a)) / statistics.median(map(float, times_b))
    return {"verdict": verdict, "low": low, "high": high, "speedup": ratio}


def matmul_cost(m, k, n, *, bytes_per_number=2):
    multiplications = additions = m * n * k
    return multiplications + additions, bytes_per_number * sum((m * k, k * n, m * n))


def softmax_cost(n_rows, n_columns, *, bytes_per_number=2):
    entries = n_rows * n_columns
    return len(["max", "subtract", "exp", "sum", "divide"]) * entries, (entries + entries) * bytes_per_number


def layer_norm_cost(n_rows, n_columns, *, bytes_per_number=2):
    entries, vector = n_rows * n_columns, n_columns
    return 7 * entries, bytes_per_number * (entries + vector + vector + entries)


def attention_cost(batch, n_heads, n_kv_heads, T_q, T_k, d_k, *, fused=True, bytes_per_number=2):
    softmax_operations, softmax_bytes = softmax_cost(T_q, T_k, bytes_per_number=bytes_per_number)
    one_product = 2 * T_q * T_k * d_k
    operations = batch * n_heads * (one_product + softmax_operations + one_product)
    n_bytes = bytes_per_number * batch * d_k * (n_heads * T_q + n_kv_heads * (T_k + T_k) + n_heads * T_q)
    written_and_read = 2 * T_q * T_k * bytes_per_number
    return operations, n_bytes + (0 if fused else batch * n_heads * (written_and_read + softmax_bytes))


def decode_cost(n_weights, *, batch, n_context, n_layers, n_heads, n_kv_heads, d_k, bytes_per_number=2):
    operations, n_bytes = batch * 2 * n_weights, n_weights * bytes_per_number
    for _ in range(n_layers):
        attention, traffic = attention_cost(
            batch, n_heads, n_kv_heads, 1, n_context, d_k, bytes_per_number=bytes_per_number
        )
        query_and_output = 2 * batch * n_heads * d_k * bytes_per_number
        operations, n_bytes = operations + attention, n_bytes + traffic - query_and_output
    return operations, n_bytes


def attainable_tflops(intensity, *, peak_tflops, bandwidth_gb_s):
    sloped = np.asarray(intensity, dtype=np.float64) * (bandwidth_gb_s * 1e9) / 1e12
    return np.where(sloped < peak_tflops, sloped, peak_tflops)


def roofline_ms(operations, n_bytes, *, peak_tflops, bandwidth_gb_s):
    speed = attainable_tflops(operations / n_bytes, peak_tflops=peak_tflops, bandwidth_gb_s=bandwidth_gb_s)
    return float(operations / speed / 1e9)


def bound(operations, n_bytes, *, peak_tflops, bandwidth_gb_s):
    ridge = 1000 * peak_tflops / bandwidth_gb_s
    return "compute" if operations / n_bytes >= ridge else "memory"


def compute_bound_batch(cost, *, peak_tflops, bandwidth_gb_s):
    def computes_longer(batch):
        operations, n_bytes = cost(batch)
        return operations * bandwidth_gb_s >= n_bytes * peak_tflops * 1000

    added = [second - first for first, second in zip(cost(1), cost(2), strict=True)]
    if added[0] * bandwidth_gb_s <= added[1] * peak_tflops * 1000:
        return math.inf
    high = 1
    while not computes_longer(high):
        high *= 2
    return bisect_left(range(high + 1), True, lo=1, key=computes_longer)


def achieved(operations, n_bytes, elapsed_ms):
    seconds = elapsed_ms / 1000
    return operations / seconds / 1e12, n_bytes / seconds / 1e9


def utilization(operations, n_bytes, elapsed_ms, *, peak_tflops, bandwidth_gb_s):
    tflops, gb_s = achieved(operations, n_bytes, elapsed_ms)
    return max(tflops / peak_tflops, gb_s / bandwidth_gb_s)


def queue_times(launch_ms, kernel_ms):
    launch_ms, kernel_ms = np.asarray(launch_ms, np.float64), np.asarray(kernel_ms, np.float64)
    if launch_ms.ndim != 1 or launch_ms.shape != kernel_ms.shape or launch_ms.size == 0:
        raise ValueError(f"launch_ms and kernel_ms must have one shape (n,), got {launch_ms.shape}")
    still_to_run = np.cumsum(kernel_ms[::-1])[::-1]
    total = np.max(np.cumsum(launch_ms) + still_to_run)
    return float(total), float(total - still_to_run[0])


def limiter(issue_ms, busy_ms, roof):
    if roof not in {"memory", "compute"}:
        raise ValueError(f'roof must be "memory" or "compute", got {roof!r}')
    return roof if busy_ms >= issue_ms else "launch"


def fused_add_layer_norm(load, store, n_rows, n_columns, *, rows_per_block, eps=1e-5):
    if rows_per_block < 1:
        raise ValueError(f"rows_per_block must be at least 1, got {rows_per_block}")
    start, vectors = 0, {name: load(name) for name in ("bias", "gain")}
    while start < n_rows:
        stop = start + min(rows_per_block, n_rows - start)
        s = np.add(load("residual", start, stop), load("x", start, stop))
        y = np.empty_like(s)
        for row, out in zip(s, y, strict=True):
            out[:] = (row - row.mean()) * (row.var() + eps) ** -0.5 * vectors["gain"] + vectors["bias"]
        store(start, stop, y)
        start = stop


def gated_residual(x, gate, residual):
    return residual.addcmul(x, gate)


def gpu_kernels(name, n):
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
    device = CudaDevice()
    for kernel in list(kernels) * n_calls:
        device.launch(kernel)
    device.synchronize()
