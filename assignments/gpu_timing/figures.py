"""Draws your timer at work, and what a time should be compared with. Run: python figures.py

A figure draws what is ready, says in a line what is missing, and is skipped while nothing is. Everything is simulated
or computed, so no GPU is needed; where there is one, `roofline` shows what your timer measures on it, too.
"""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.drawing import figure, main
from coursekit.plots import COLORS, band, subplots
from coursekit.simgpu import Costs, CudaDevice, Kernel, KernelCost, SimulatedDevice, draw_timeline

MATMUL = Kernel("matmul")
KERNELS = {"matmul": KernelCost(cold_ms=0.25, warm_ms=0.18)}
# An H100's data sheet (SXM, dense bfloat16).
GPU = {"peak_tflops": 989.0, "bandwidth_gb_s": 3350.0}
# A model of eight billion weights, and how much of its context is in use.
N_WEIGHTS = 8 * 10**9
MODEL = {"n_context": 2048, "n_layers": 32, "n_heads": 32, "n_kv_heads": 8, "d_k": 128}



LEFT_OUT = set()


def ready(function, *args, **kwargs):
    """What a function of yours answers; while it is not written None, and one line that says so."""
    try:
        return function(*args, **kwargs)
    except NotImplementedError as error:
        if function.__name__ not in LEFT_OUT:
            print(f"left out: {function.__name__}, {error}")
        LEFT_OUT.add(function.__name__)
        return None


def times_on_a_device(n_samples, costs, seed):
    """What the kernel takes in each of n_samples calls behind a flush, read from the simulation itself."""
    device = SimulatedDevice(KERNELS, costs=costs, seed=seed)
    for _ in range(n_samples + 1):  # the first is for the compiler
        device.launch(MATMUL)
        device.flush_cache()
    spans = [span for span in device.trace if span.what == "kernel"]
    return np.array([span.end_ms - span.start_ms for span in spans[1:]])


@figure("timeline", caption="Red lines are events; each double arrow is a sample.")
def timeline(student):
    costs = Costs(launch_ms=0.03, compile_ms=0.1, ramp_factor=1.0, noise_fraction=0.0, outlier_rate=0.0)
    device = SimulatedDevice(KERNELS, costs=costs)
    student.sample_times(device.api(), [MATMUL], 2)
    events = [span.start_ms for span in device.trace if span.what == "event"]
    pairs = zip(events[::2], events[1::2], strict=False)
    measured = {f"sample {i}": pair for i, pair in enumerate(pairs, start=1)}
    fig, ax = subplots(size=(11, 3.6))
    draw_timeline(ax, device.trace, measured=measured)
    ax.set_title("What your timer does: a warm-up call and two samples")
    return fig


@figure("samples", caption="The first samples are slow: the device has not done enough work yet for its clock to rise.")
def samples(student):
    device = SimulatedDevice(KERNELS, costs=Costs(ramp_ms=15.0, noise_fraction=0.03), seed=3)
    times = student.sample_times(device.api(), [MATMUL], 120)
    warm = times[60:]
    summary = ready(student.summarize, warm)
    fig, ax = subplots(size=(9, 4.2))
    ax.semilogy(times, "o", color=COLORS["blue"], markersize=4)
    for value, name, color in (
        (np.mean(warm), "mean", "red"),
        (summary["median_ms"] if summary else None, "median", "green"),
        (np.min(warm), "minimum", "orange"),
    ):
        if value is None:
            continue
        ax.axhline(value, xmin=0.5, color=COLORS[color], label=f"{name} of the last 60: {value:.4f} ms")
    ax.axhline(0.25, color=COLORS["grey"], linestyle=":", label="the kernel: 0.25 ms")
    ax.set(title="Samples after one warm-up call", xlabel="sample", ylabel="ms")
    ax.set_yticks([0.25, 0.5, 1, 2], ["0.25", "0.5", "1", "2"])
    ax.minorticks_off()
    ax.legend()
    return fig


@figure("convergence", caption="In the lower panel both axes are logarithmic: a straight line is a power of the number of samples.")
def convergence(student):
    times = times_on_a_device(800, Costs(ramp_factor=1.0, noise_fraction=0.03), seed=5)
    counts = np.unique(np.geomspace(6, len(times), 40).astype(int))
    low, high = np.array([student.median_interval(times[:n]) for n in counts]).T
    fig, (top, bottom) = subplots(2, 1, size=(8, 6.4), sharex=True)
    band(top, counts, low, high, label="95% interval for the median")
    top.plot(counts, [np.median(times[:n]) for n in counts], label="median")
    top.plot(counts, [np.mean(times[:n]) for n in counts], label="mean")
    top.axhline(0.25, color=COLORS["grey"], linestyle=":", label="the kernel: 0.25 ms")
    top.set(title="How sure is it?", ylabel="ms")
    top.legend()
    bottom.loglog(counts, 100 * (high - low) / 2 / 0.25, label="half the interval's width")
    bottom.loglog(counts, 8 / np.sqrt(counts), color=COLORS["grey"], linestyle="--", label="what falls like 1/√n")
    bottom.set(xlabel="samples", ylabel="% of the kernel's time")
    bottom.set_xticks([10, 100], ["10", "100"])
    bottom.set_yticks([0.25, 0.5, 1, 2], ["0.25", "0.5", "1", "2"])
    bottom.minorticks_off()
    bottom.legend()
    return fig


def measured_here(student):
    """Operations per byte and TFLOP/s of some float32 work on the GPU of this machine, if it has one."""
    if not torch.cuda.is_available():
        return []
    n, points = 2**26, []
    for name, size, cost in (
        ("matmul", 4096, student.matmul_cost(4096, 4096, 4096, bytes_per_number=4)),
        ("fused", n, (2 * n, 16 * n)),
        ("unfused", n, (2 * n, 16 * n)),
    ):
        elapsed_ms = student.bench(CudaDevice(), student.gpu_kernels(name, size))["median_ms"]
        points.append((name, cost[0] / cost[1], student.achieved(*cost, elapsed_ms)[0]))
    return points


@figure("roofline", caption="The ridge is where the sloped roof meets the flat one.")
def roofline(student):
    intensity = np.geomspace(0.2, 20_000, 200)
    roof = student.attainable_tflops(intensity, **GPU)
    fig, ax = subplots(size=(9, 5))
    ax.loglog(intensity, roof, color=COLORS["black"])
    right, left, above, below = (7, -4, "left"), (-7, 4, "right"), (0, 12, "center"), (0, -14, "center")
    softmax, attention, decode = student.softmax_cost, student.attention_cost, student.decode_cost
    for name, cost, (dx, dy, align) in (
        ("softmax", ready(softmax, 8192, 8192), left),
        ("layer norm", ready(student.layer_norm_cost, 8192, 8192), right),
        ("decode, batch 1", ready(decode, N_WEIGHTS, batch=1, **MODEL), right),
        ("decode, batch 64", ready(decode, N_WEIGHTS, batch=64, **MODEL), right),
        ("attention, unfused", ready(attention, 1, 32, 8, 4096, 4096, 128, fused=False), right),
        ("attention, fused", ready(attention, 1, 32, 8, 4096, 4096, 128), below),
        ("matmul, n = 256", ready(student.matmul_cost, 256, 256, 256), left),
        ("matmul, n = 8192", ready(student.matmul_cost, 8192, 8192, 8192), above),
    ):
        if cost is None:
            continue
        x = cost[0] / cost[1]
        y = float(student.attainable_tflops(x, **GPU))
        ax.plot(x, y, "o", color=COLORS["blue"])
        ax.annotate(name, (x, y), (dx, dy), textcoords="offset points", size=9, ha=align, va="center")
    for name, x, tflops in ready(measured_here, student) or []:
        ax.plot(x, tflops, "x", color=COLORS["red"])
        style = {"textcoords": "offset points", "size": 9, "color": COLORS["red"]}
        ax.annotate(f"{name}, float32, here", (x, tflops), (7, -4), va="center", **style)
    ax.set(
        title="The roofline of an H100, bfloat16",
        xlabel="operations per byte",
        ylabel="TFLOP/s",
        ylim=(0.5, 2500),
    )
    return fig


@figure("launch", caption="Each curve is for one length of the launches.")
def launch(student):
    kernel_us = np.geomspace(0.5, 100, 60)
    fig, ax = subplots(size=(8, 4.2))
    for launch_us in (2.5, 5.0, 10.0):
        busy = []
        for length in kernel_us:
            total, idle = student.queue_times(np.full(200, launch_us / 1000), np.full(200, length / 1000))
            busy.append(100 * (1 - idle / total))
        ax.semilogx(kernel_us, busy, label=f"{launch_us:g} µs to launch")
    ax.set(title="How busy is the GPU?", xlabel="length of each kernel (µs)", ylabel="% of the time")
    ax.set_xticks([1, 10, 100], ["1", "10", "100"])
    ax.legend()
    return fig


@figure("fusion", caption="Both axes are logarithmic: the slope says with which power of the tokens the bytes grow.")
def fusion(student):
    lengths = np.unique(np.geomspace(64, 32_768, 40).astype(int))
    fig, ax = subplots(size=(8, 4.2))
    for fused, label in ((False, "unfused"), (True, "fused")):
        costs = (student.attention_cost(1, 32, 8, n, n, 128, fused=fused) for n in lengths.tolist())
        ax.loglog(lengths, [n_bytes / 1e9 for _, n_bytes in costs], label=label)
    ax.set(title="What attention moves", xlabel="tokens", ylabel="GB")
    ax.legend()
    return fig


if __name__ == "__main__":
    main("gpu_timing")
