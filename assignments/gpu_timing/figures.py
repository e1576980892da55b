"""Draws your timer at work, and what a time should be compared with. Run: python figures.py

A figure whose task isn't written yet is skipped. Everything is simulated or computed, so no GPU is needed;
where there is one, `roofline` shows what your timer measures on it, too.
"""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.plots import COLORS, band, figure, main, subplots
from coursekit.simgpu import Costs, CudaDevice, Kernel, KernelCost, SimulatedDevice, draw_timeline

MATMUL = Kernel("matmul")
KERNELS = {"matmul": KernelCost(cold_ms=0.25, warm_ms=0.18)}
# An H100's data sheet (SXM, dense bfloat16).
GPU = {"peak_tflops": 989.0, "bandwidth_gb_s": 3350.0}
# A model of eight billion weights.
N_WEIGHTS = 8 * 10**9
MODEL = {"n_layers": 32, "n_heads": 32, "n_kv_heads": 8, "d_k": 128}


@figure("timeline", caption="Each sample lies between two events and holds the kernel, nothing else.")
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


@figure("samples", caption="The clock rises, now and then a sample is far off, and the median doesn't care.")
def samples(student):
    device = SimulatedDevice(KERNELS, costs=Costs(ramp_ms=15.0, noise_fraction=0.03), seed=3)
    times = student.sample_times(device.api(), [MATMUL], 120)
    warm = times[60:]
    fig, ax = subplots(size=(9, 4.2))
    ax.semilogy(times, "o", color=COLORS["blue"], markersize=4)
    for value, name, color in (
        (np.mean(warm), "mean", "red"),
        (student.summarise(warm)["median_ms"], "median", "green"),
        (np.min(warm), "minimum", "orange"),
    ):
        ax.axhline(value, xmin=0.5, color=COLORS[color], label=f"{name} of the last 60: {value:.4f} ms")
    ax.axhline(0.25, color=COLORS["grey"], linestyle=":", label="the kernel: 0.25 ms")
    ax.set(title="Samples after one warm-up call", xlabel="sample", ylabel="ms")
    ax.set_yticks([0.25, 0.5, 1, 2], ["0.25", "0.5", "1", "2"])
    ax.minorticks_off()
    ax.legend()
    return fig


@figure("convergence", caption="Below, four times the samples halve the error; above, outliers keep the mean off.")
def convergence(student):
    device = SimulatedDevice(KERNELS, costs=Costs(ramp_factor=1.0, noise_fraction=0.03), seed=5)
    times = student.sample_times(device.api(), [MATMUL], 800)
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
        return
    n = 2**26
    for name, size, cost in (
        ("matmul", 4096, student.matmul_cost(4096, 4096, 4096, bytes_per_number=4)),
        ("fused", n, (2 * n, 16 * n)),
        ("unfused", n, (2 * n, 16 * n)),
    ):
        elapsed_ms = student.bench(CudaDevice(), student.gpu_kernels(name, size))["median_ms"]
        yield name, cost[0] / cost[1], student.achieved(*cost, elapsed_ms)[0]


@figure("roofline", caption="Left of the ridge a faster memory helps, right of it faster arithmetic does.")
def roofline(student):
    intensity = np.geomspace(0.2, 20_000, 200)
    fig, ax = subplots(size=(9, 5))
    ax.loglog(intensity, student.attainable_tflops(intensity, **GPU), color=COLORS["black"])
    right, left, above, below = (7, -4, "left"), (-7, 4, "right"), (0, 12, "center"), (0, -14, "center")
    for name, cost, (dx, dy, align) in (
        ("softmax", student.softmax_cost(8192, 8192), left),
        ("layer norm", student.layer_norm_cost(8192, 8192), right),
        ("decode, batch 1", student.decode_cost(N_WEIGHTS, batch=1, n_context=2048, **MODEL), right),
        ("decode, batch 64", student.decode_cost(N_WEIGHTS, batch=64, n_context=2048, **MODEL), right),
        ("attention, unfused", student.attention_cost(1, 32, 8, 4096, 4096, 128, fused=False), right),
        ("attention, fused", student.attention_cost(1, 32, 8, 4096, 4096, 128), below),
        ("matmul, n = 256", student.matmul_cost(256, 256, 256), left),
        ("matmul, n = 8192", student.matmul_cost(8192, 8192, 8192), above),
    ):
        x = cost[0] / cost[1]
        y = float(student.attainable_tflops(x, **GPU))
        bound = student.bound(*cost, **GPU)
        ax.plot(x, y, "o", color=COLORS["blue" if bound == "memory" else "orange"], label=f"{bound}-bound")
        ax.annotate(name, (x, y), (dx, dy), textcoords="offset points", size=9, ha=align, va="center")
    for name, x, tflops in measured_here(student):
        ax.plot(x, tflops, "x", color=COLORS["red"])
        style = {"textcoords": "offset points", "size": 9, "color": COLORS["red"]}
        ax.annotate(f"{name}, float32, here", (x, tflops), (7, -4), va="center", **style)
    ax.set(
        title="The roofline of an H100, bfloat16",
        xlabel="operations per byte",
        ylabel="TFLOP/s",
        ylim=(0.5, 2500),
    )
    entries = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    ax.legend(entries.values(), entries.keys())
    return fig


@figure("launch", caption="Kernels shorter than their launch leave the GPU waiting, however fast it is.")
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


@figure("fusion", caption="Unfused attention writes its scores down, and reads them again.")
def fusion(student):
    lengths = np.unique(np.geomspace(64, 32_768, 40).astype(int))
    fig, ax = subplots(size=(8, 4.2))
    for fused, label in ((False, "unfused"), (True, "fused")):
        times = []
        for n in lengths.tolist():
            cost = student.attention_cost(1, 32, 8, n, n, 128, fused=fused)
            times.append(student.roofline_ms(*cost, **GPU))
        ax.loglog(lengths, times, label=label)
    ax.set(title="Attention at the roofline", xlabel="tokens", ylabel="ms")
    ax.legend()
    return fig


if __name__ == "__main__":
    main("gpu_timing")
