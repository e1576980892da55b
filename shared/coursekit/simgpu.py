"""A device to try a timer on: simulated with a virtual clock, or a real GPU behind the same calls.

`Device` is the interface that a timer talks to. `SimulatedDevice` implements it without a GPU, without
sleeping and with the same result on every run; `CudaDevice` wraps CUDA streams and events.

The cost model of `SimulatedDevice`. All times are virtual milliseconds; there is one host clock, and a
queue for each stream.

1. Every call costs the host `host_call_ms` before it does anything, `now_ms` included, which then answers.
2. `launch` costs the host `launch_ms` more. The first launch of each kernel costs it `compile_ms` on top: the
   host compiles before it launches. Then the kernel is queued and the host goes on.
3. A kernel starts when the host has queued it and everything queued on its stream before has ended. Streams
   neither wait for nor slow each other. The default stream is 0.
4. A kernel takes  base x slowdown x (1 + noise_fraction u) [x outlier_factor]  where
   - base is its `warm_ms` if the cache holds its data, else its `cold_ms`. The cache holds the data of the
     kernel launched last, on any stream; `flush_cache` empties it;
   - slowdown falls linearly from `ramp_factor` to 1 while the device does its first `ramp_ms` of work, in which its
     clock rises: 1 + (ramp_factor - 1) max(0, 1 - work / ramp_ms) at the kernel's launch. It does not go up again;
   - u is uniform in [-1, 1], new for each launch;
   - the last factor applies with probability `outlier_rate`, independently.
   So after the ramp, every sample that is not an outlier lies within base (1 ± noise_fraction).
5. `flush_cache` queues a write through the whole cache on a stream: `flush_ms` times the slowdown, no noise,
   at the host cost of a launch. It takes part in the ramp like any work.
6. An event recorded on a stream holds the time at which everything queued there before has ended, or the
   host's time if that is later. An idle stream passes the event at once: a kernel launched next starts only
   when its launch is done, and that gap lies between the two. If there is work in the queue, there is no gap.
7. `synchronize` makes the host wait until all streams are empty. `elapsed_ms` needs events that have passed.
8. `copy_to_device` and `copy_to_host` make the host wait for the default stream and then for the copy, which
   takes `copy_latency_ms` + bytes / `copy_bytes_per_ms`.

Randomness is drawn once for each launch, in the order of launches, from the seed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from coursekit.compare import Difference, Mismatch
from coursekit.describe import describe


class DeviceError(Mismatch, RuntimeError):
    """A device was used in a way that a real one refuses too; the message says which rule was broken.

    It is a `Mismatch` as well, so that a check can show what it says.
    """

    def __init__(self, message: str):
        Mismatch.__init__(self, Difference("value", message, ""))

    def __reduce__(self):
        return (DeviceError, (self.difference.summary,))


class Device(Protocol):
    """What a timer may ask of a device. Streams and events are handles: pass them back, don't look inside.

    Wherever a stream may be given, None means the default stream.
    """

    def launch(self, kernel: Any, *args: Any, stream: Any = None) -> Any:
        """Queue a kernel and return without waiting for it. On a real device, returns the kernel's result."""

    def synchronize(self) -> None:
        """Wait until all streams are empty."""

    def stream(self) -> Any:
        """Return a new stream: a queue beside the others."""

    def event(self) -> Any:
        """Return a new event, not recorded yet."""

    def record(self, event: Any, stream: Any = None) -> None:
        """Queue an event behind the work on a stream; its time is when the device passes it."""

    def elapsed_ms(self, start: Any, end: Any) -> float:
        """Return the device time from one event to another. Both must have been passed: synchronize first.

        Raises:
            DeviceError: If an event was not recorded or has not been passed.
        """

    def now_ms(self) -> float:
        """Return the host's clock, with an arbitrary origin. It does not know what the device is still doing."""

    def flush_cache(self, stream: Any = None) -> None:
        """Queue a write that replaces everything in the cache."""

    def copy_to_device(self, data: Any) -> Any:
        """Copy an array to the device and wait for it; returns what is there."""

    def copy_to_host(self, data: Any) -> Any:
        """Copy an array from the device and wait for it; returns what is here."""


@dataclass(frozen=True)
class DeviceApi:
    """The calls of a `Device` as plain functions, for a device that lives in another process.

    `SimulatedDevice.api` returns one. A timer can't tell it from the device itself, and sees nothing else: neither
    the costs of the virtual clock nor the answer.
    """

    launch: Callable[..., Any]
    synchronize: Callable[[], None]
    stream: Callable[[], int]
    event: Callable[[], int]
    record: Callable[..., None]
    elapsed_ms: Callable[[int, int], float]
    now_ms: Callable[[], float]
    flush_cache: Callable[..., None]
    copy_to_device: Callable[[Any], Any]
    copy_to_host: Callable[[Any], Any]


@dataclass(frozen=True)
class Kernel:
    """Something to launch on a simulated device: a name, and nothing that says how long it takes."""

    name: str


@dataclass(frozen=True)
class KernelCost:
    """How long a kernel takes on a simulated device, without noise and at full clock.

    Attributes:
        cold_ms: If none of its data is in the cache.
        warm_ms: If it was the last to run. Default: the same.
    """

    cold_ms: float
    warm_ms: float | None = None

    def __post_init__(self) -> None:
        if self.cold_ms < 0:
            raise ValueError(f"cold_ms must not be negative, got {self.cold_ms}")
        if self.warm_ms is None:
            object.__setattr__(self, "warm_ms", self.cold_ms)
        if not 0 <= self.warm_ms <= self.cold_ms:
            raise ValueError(f"warm_ms must lie between 0 and cold_ms = {self.cold_ms}, got {self.warm_ms}")


@dataclass(frozen=True)
class Costs:
    """The numbers of the cost model, which the module's docstring explains. Names say units."""

    host_call_ms: float = 0.0005
    launch_ms: float = 0.005
    compile_ms: float = 80.0
    flush_ms: float = 0.1
    ramp_factor: float = 1.5
    ramp_ms: float = 5.0
    noise_fraction: float = 0.01
    outlier_rate: float = 0.03
    outlier_factor: float = 8.0
    copy_latency_ms: float = 0.01
    copy_bytes_per_ms: float = 16e6

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 0:
                raise ValueError(f"{field.name} must not be negative, got {getattr(self, field.name)}")
        if self.noise_fraction >= 1:
            raise ValueError(f"noise_fraction must be below 1, got {self.noise_fraction}")
        if self.outlier_rate > 1:
            raise ValueError(f"outlier_rate must be at most 1, got {self.outlier_rate}")
        for name in ("ramp_factor", "outlier_factor"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.copy_bytes_per_ms == 0:
            raise ValueError("copy_bytes_per_ms must be above 0, got 0")


IDEAL = Costs(
    host_call_ms=0.0,
    launch_ms=0.0,
    compile_ms=0.0,
    ramp_factor=1.0,
    noise_fraction=0.0,
    outlier_rate=0.0,
    copy_latency_ms=0.0,
)
"""A device without any disturbance: every way of timing gives the same answer on it."""


@dataclass(frozen=True)
class Span:
    """One thing that took time, for a timeline.

    Attributes:
        lane: "host", or "stream 0", "stream 1", ...
        what: "compile", "launch" or "wait" on the host; "kernel", "flush", "copy" or "event" on a stream.
        name: The kernel's name, or the call's.
        start_ms, end_ms: Virtual time; equal for an event.
    """

    lane: str
    what: str
    name: str
    start_ms: float
    end_ms: float


class SimulatedDevice(Device):
    """A `Device` on a virtual clock. Deterministic, and as fast as the calls to it.

    Args:
        kernels: What can be launched, by name.
        costs: The numbers of the cost model.
        seed: Seed of the noise and the outliers.

    Attributes:
        trace: What took time so far, in the order of the calls: a list of `Span`.
        launches: How often each kernel was launched so far, by name.
    """

    def __init__(self, kernels: Mapping[str, KernelCost], *, costs: Costs = Costs(), seed: int = 0):
        self.costs = costs
        self.trace: list[Span] = []
        self.launches: dict[str, int] = dict.fromkeys(kernels, 0)
        self._kernels = dict(kernels)
        self._rng = np.random.default_rng(seed)
        self._host_ms = 0.0
        self._queue_ends_ms: list[float] = [0.0]
        self._event_ms: list[float | None] = []
        self._work_ms = 0.0
        self._cached: str | None = None

    def api(self) -> DeviceApi:
        """Return the calls alone, to hand to code that should see nothing else."""
        return DeviceApi(**{field.name: getattr(self, field.name) for field in fields(DeviceApi)})

    # What a timer may call

    def launch(self, kernel: Kernel, *args: Any, stream: int | None = None) -> None:
        """Queue a kernel. Arguments are accepted, as a real kernel has them, and cost nothing."""
        name = getattr(kernel, "name", None)
        if name not in self._kernels:
            raise DeviceError(f"launch needs one of the device's kernels, got {describe(kernel)}")
        queue = self._queue(stream)
        self._call()
        if self.launches[name] == 0:
            self._host("compile", name, self.costs.compile_ms)
        self.launches[name] += 1
        self._host("launch", name, self.costs.launch_ms)
        cost = self._kernels[name]
        duration = cost.warm_ms if self._cached == name else cost.cold_ms
        duration *= self._slowdown()
        # Both numbers are drawn on every launch, so that the costs never shift what comes after.
        u, chance = self._rng.uniform(-1, 1), self._rng.uniform()
        duration *= 1 + self.costs.noise_fraction * u
        if chance < self.costs.outlier_rate:
            duration *= self.costs.outlier_factor
        self._cached = name
        self._enqueue(queue, "kernel", name, duration)

    def synchronize(self) -> None:
        self._call()
        self._wait_until(max(self._queue_ends_ms), "synchronize")

    def stream(self) -> int:
        self._call()
        self._queue_ends_ms.append(0.0)
        return len(self._queue_ends_ms) - 1

    def event(self) -> int:
        self._call()
        self._event_ms.append(None)
        return len(self._event_ms) - 1

    def record(self, event: int, stream: int | None = None) -> None:
        self._check_event(event)
        queue = self._queue(stream)
        self._call()
        passed_ms = max(self._host_ms, self._queue_ends_ms[queue])
        self._event_ms[event] = passed_ms
        self.trace.append(Span(f"stream {queue}", "event", f"event {event}", passed_ms, passed_ms))

    def elapsed_ms(self, start: int, end: int) -> float:
        self._call()
        times = []
        for event in (start, end):
            self._check_event(event)
            passed_ms = self._event_ms[event]
            if passed_ms is None:
                raise DeviceError("elapsed_ms was asked about an event that was never recorded")
            if passed_ms > self._host_ms:
                raise DeviceError("elapsed_ms was asked about an event that the device has not passed yet")
            times.append(passed_ms)
        return times[1] - times[0]

    def now_ms(self) -> float:
        self._call()
        return self._host_ms

    def flush_cache(self, stream: int | None = None) -> None:
        queue = self._queue(stream)
        self._call()
        self._host("launch", "flush", self.costs.launch_ms)
        self._cached = None
        self._enqueue(queue, "flush", "flush", self.costs.flush_ms * self._slowdown())

    def copy_to_device(self, data: Any) -> Any:
        return self._copy(data, "copy to device")

    def copy_to_host(self, data: Any) -> Any:
        return self._copy(data, "copy to host")

    # What the device does

    def _call(self) -> None:
        self._host_ms += self.costs.host_call_ms

    def _host(self, what: str, name: str, duration_ms: float) -> None:
        start_ms = self._host_ms
        self._host_ms += duration_ms
        self.trace.append(Span("host", what, name, start_ms, self._host_ms))

    def _wait_until(self, time_ms: float, name: str) -> None:
        self._host("wait", name, max(0.0, time_ms - self._host_ms))
        # Exactly then: adding a difference may round to just before it.
        self._host_ms = max(self._host_ms, time_ms)

    def _enqueue(self, queue: int, what: str, name: str, duration_ms: float) -> None:
        start_ms = max(self._host_ms, self._queue_ends_ms[queue])
        self._queue_ends_ms[queue] = start_ms + duration_ms
        self._work_ms += duration_ms
        self.trace.append(Span(f"stream {queue}", what, name, start_ms, start_ms + duration_ms))

    def _copy(self, data: Any, name: str) -> Any:
        size = getattr(data, "nbytes", None)
        if size is None:
            raise DeviceError(f"{name} needs an array, got {describe(data)}")
        self._call()
        self._wait_until(self._queue_ends_ms[0], name)
        duration_ms = self.costs.copy_latency_ms + size / self.costs.copy_bytes_per_ms
        self._enqueue(0, "copy", name, duration_ms)
        self._work_ms -= duration_ms  # a copy does not warm the device's clock
        self._wait_until(self._queue_ends_ms[0], name)
        return data

    def _slowdown(self) -> float:
        if self.costs.ramp_ms == 0:
            return 1.0
        return 1 + (self.costs.ramp_factor - 1) * max(0.0, 1 - self._work_ms / self.costs.ramp_ms)

    def _queue(self, stream: int | None) -> int:
        if stream is None:
            return 0
        if type(stream) is not int or not 0 <= stream < len(self._queue_ends_ms):
            raise DeviceError(f"stream must come from stream(), got {describe(stream)}")
        return stream

    def _check_event(self, event: int) -> None:
        if type(event) is not int or not 0 <= event < len(self._event_ms):
            raise DeviceError(f"event must come from event(), got {describe(event)}")


# How often and in what order a timer uses the device is up to the timer: a grader looks at the times.
for _field in fields(DeviceApi):
    getattr(SimulatedDevice, _field.name).unrecorded = True


# A real GPU

_FLUSH_BUFFERS: dict[int, Any] = {}  # device index to its buffer; made at the first flush


@dataclass(frozen=True)
class CudaDevice(Device):
    """A `Device` that is a GPU: kernels are Python functions that launch CUDA work on the current stream.

    Torch is imported, and CUDA touched, at the first call.

    Attributes:
        index: Which GPU.
    """

    index: int = 0

    def launch(self, kernel: Callable[..., Any], *args: Any, stream: Any = None) -> Any:
        torch = _torch()
        with torch.cuda.device(self.index), torch.cuda.stream(stream):
            return kernel(*args)

    def synchronize(self) -> None:
        _torch().cuda.synchronize(self.index)

    def stream(self) -> Any:
        return _torch().cuda.Stream(self.index)

    def event(self) -> Any:
        return _torch().cuda.Event(enable_timing=True)

    def record(self, event: Any, stream: Any = None) -> None:
        torch = _torch()
        event.record(torch.cuda.current_stream(self.index) if stream is None else stream)

    def elapsed_ms(self, start: Any, end: Any) -> float:
        try:
            passed = start.query() and end.query()
            if not passed:
                raise DeviceError("elapsed_ms was asked about an event that the device has not passed yet")
            return float(start.elapsed_time(end))
        except (RuntimeError, ValueError) as error:
            if isinstance(error, DeviceError):
                raise
            raise DeviceError("elapsed_ms was asked about an event that was never recorded") from error

    def now_ms(self) -> float:
        return time.perf_counter() * 1e3

    def flush_cache(self, stream: Any = None) -> None:
        torch = _torch()
        if self.index not in _FLUSH_BUFFERS:
            # Four times the L2 cache: nothing of use survives a write that long.
            cache = getattr(torch.cuda.get_device_properties(self.index), "L2_cache_size", 64 * 2**20)
            _FLUSH_BUFFERS[self.index] = torch.empty(
                4 * max(cache, 2**20), dtype=torch.uint8, device=f"cuda:{self.index}"
            )
        with torch.cuda.stream(stream):
            _FLUSH_BUFFERS[self.index].zero_()

    def copy_to_device(self, data: Any) -> Any:
        copied = _torch().as_tensor(data).to(f"cuda:{self.index}")
        self.synchronize()
        return copied

    def copy_to_host(self, data: Any) -> Any:
        return data.cpu()


def _torch() -> Any:
    import torch

    return torch


# A timeline


def draw_timeline(
    ax: Any,
    trace: Sequence[Span],
    *,
    measured: Mapping[str, tuple[float, float]] | None = None,
    limits: tuple[float, float] | None = None,
) -> None:
    """Draw what host and streams did over time, as bars in lanes, and below them what timers measured.

    Args:
        ax: Where to draw.
        trace: As `SimulatedDevice.trace` holds it.
        measured: What a timer measured from when to when, in virtual ms, by the timer's name.
        limits: Only what lies between these two times. Default: everything.
    """
    from coursekit.plots import COLORS

    shown = [s for s in trace if limits is None or (s.end_ms >= limits[0] and s.start_ms <= limits[1])]
    lanes = ["host", *sorted({s.lane for s in shown if s.lane != "host"}), *(measured or {})]
    height = {lane: len(lanes) - 1 - i for i, lane in enumerate(lanes)}
    color = {
        "compile": COLORS["purple"],
        "launch": COLORS["grey"],
        "wait": "#E4E4E4",
        "copy": COLORS["sky"],
        "kernel": COLORS["blue"],
        "flush": COLORS["orange"],
    }
    start = min((span.start_ms for span in shown), default=0.0)
    low, high = limits or (start, max((span.end_ms for span in shown), default=1.0))
    used = []
    for span in shown:
        y = height[span.lane]
        label = span.what if span.what not in used else "_nolegend_"
        used.append(span.what)
        if span.what == "event":
            line = {"color": COLORS["red"], "linewidth": 1.5, "clip_on": False}  # whole at the edge, too
            ax.vlines(span.start_ms, y - 0.42, y + 0.42, label=label, **line)
            continue
        width = span.end_ms - span.start_ms
        ax.barh(y, width, left=span.start_ms, height=0.6, color=color[span.what], label=label, linewidth=0)
        if span.what == "kernel" and width > 0.06 * (high - low):
            ax.text(span.start_ms + width / 2, y, span.name, ha="center", va="center", color="white", size=9)
    for name, (start_ms, end_ms) in (measured or {}).items():
        y = height[name]
        arrow = {"arrowstyle": "<->", "color": COLORS["red"], "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (end_ms, y), (start_ms, y), arrowprops=arrow)
        middle, text = (start_ms + end_ms) / 2, f"{end_ms - start_ms:.3g} ms"
        ax.text(middle, y + 0.12, text, ha="center", va="bottom", size=9, color=COLORS["red"])
    ax.set_yticks([height[lane] for lane in lanes], lanes)
    ax.set_ylim(-0.6, len(lanes) - 0.4)
    ax.set_xlim(low, high)
    ax.set_xlabel("virtual time (ms)")
    ax.grid(axis="y", visible=False)
    if used:
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=6)
