"""Draws timeline.svg: one call of 0.15 ms, and what three timers make of it. Run: python img/timeline.py"""

from pathlib import Path

from coursekit.drawing import save
from coursekit.plots import style, subplots
from coursekit.simgpu import Costs, Kernel, KernelCost, SimulatedDevice, draw_timeline

COSTS = Costs(
    host_call_ms=0.002,
    launch_ms=0.04,
    compile_ms=0.0,
    flush_ms=0.12,
    ramp_factor=1.0,
    noise_fraction=0.0,
    outlier_rate=0.0,
)
MATMUL = Kernel("matmul")


def one_call(*, flush):
    """A call after a warm-up, and the times at which the host read its clock and the events passed."""
    device = SimulatedDevice({"matmul": KernelCost(cold_ms=0.15)}, costs=COSTS)
    device.launch(MATMUL)
    device.synchronize()
    device.trace.clear()
    if flush:
        device.flush_cache()
    start, end = device.event(), device.event()
    before = device.now_ms()
    device.record(start)
    device.launch(MATMUL)
    device.record(end)
    launched = device.now_ms()
    device.synchronize()
    done = device.now_ms()
    passed = [span.start_ms for span in device.trace if span.what == "event"]
    return device.trace, (before, launched), (before, done), tuple(passed)


def draw():
    fig, axes = subplots(1, 2, size=(12.5, 4.2), width_ratios=[3, 4])
    for ax, flush, title in zip(
        axes, (False, True), ("On an idle stream", "Behind a flush"), strict=True
    ):
        trace, unwaited, waited, events = one_call(flush=flush)
        start, end = trace[0].start_ms - 0.02, max(span.end_ms for span in trace) + 0.03
        measured = {"host clock": unwaited, "host clock,\nwith a wait": waited, "two events": events}
        draw_timeline(ax, trace, measured=measured, limits=(start, end))
        ax.set_title(title)
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
    caption = "A launch and its kernel in time, and what three timers measure, without and with a flush in front"
    svg, png = save(fig, Path(__file__).parent, "timeline", caption)
    png.unlink()
