"""The simulated device follows its cost model to the last term, and timers fail on it as they do on a GPU."""

import dataclasses
import math
import pickle

import numpy as np
import pytest
from coursekit import plots, simgpu
from coursekit.compare import Mismatch
from coursekit.simgpu import (
    IDEAL,
    Costs,
    CudaDevice,
    Device,
    DeviceApi,
    DeviceError,
    Kernel,
    KernelCost,
    SimulatedDevice,
    draw_timeline,
)
from hypothesis import given, settings
from hypothesis import strategies as st

MATMUL = Kernel("matmul")
KERNELS = {"matmul": KernelCost(cold_ms=0.25, warm_ms=0.18), "add": KernelCost(cold_ms=0.004)}
STEADY = Costs(compile_ms=0.0, ramp_factor=1.0, noise_fraction=0.0, outlier_rate=0.0)


def device(seed=0, **costs) -> SimulatedDevice:
    return SimulatedDevice(KERNELS, costs=dataclasses.replace(STEADY, **costs), seed=seed)


def timed(d: Device, kernel=MATMUL, *, flush=True, stream=None) -> float:
    """One launch between two events, read after a synchronisation."""
    if flush:
        d.flush_cache()
    start, end = d.event(), d.event()
    d.record(start, stream)
    d.launch(kernel, stream=stream)
    d.record(end, stream)
    d.synchronize()
    return d.elapsed_ms(start, end)


# The cost model, term by term


def test_launches_are_asynchronous():
    """A launch costs the host its latency; the kernel's own time passes while the host goes on."""
    d = device(host_call_ms=0.001, launch_ms=0.005, compile_ms=0.0)

    before = d.now_ms()
    d.launch(MATMUL)
    after = d.now_ms()
    d.synchronize()
    done = d.now_ms()

    assert after - before == pytest.approx(0.001 + 0.005 + 0.001)
    # It began when the launch was done, one reading of the clock before `after`.
    assert done - after == pytest.approx(0.25 - 0.001 + 0.001)


def test_the_first_launch_of_each_kernel_compiles():
    """Compiling blocks the host, once for each kernel."""
    d = device(compile_ms=80.0, host_call_ms=0.0, launch_ms=0.0)
    times = []
    for kernel in (MATMUL, MATMUL, Kernel("add"), MATMUL):
        before = d.now_ms()
        d.launch(kernel)
        times.append(d.now_ms() - before)

    assert times == pytest.approx([80.0, 0.0, 80.0, 0.0])
    assert d.launches == {"matmul": 3, "add": 1}


def test_the_cache_holds_the_last_kernels_data():
    """A kernel is warm right after itself, and cold after a flush or after another kernel."""
    d = device()
    other = Kernel("add")

    assert timed(d, flush=True) == pytest.approx(0.25)
    for kernel, duration_ms in ((MATMUL, 0.18), (other, 0.004), (MATMUL, 0.25), (MATMUL, 0.18)):
        d.launch(kernel)
        assert d.trace[-1].end_ms - d.trace[-1].start_ms == pytest.approx(duration_ms)


def test_an_idle_stream_passes_an_event_at_once():
    """After an event on an idle stream the next kernel waits for its launch; behind a flush it does not."""
    d = device(host_call_ms=0.001, launch_ms=0.05, flush_ms=0.2, compile_ms=0.0)
    d.launch(MATMUL)
    d.synchronize()

    idle = timed(d, flush=False)
    busy = timed(d, flush=True)

    assert idle == pytest.approx(0.18 + 0.05 + 0.001)
    assert busy == pytest.approx(0.25)


def test_the_clock_ramps_up_with_work():
    """The slowdown falls linearly with the work done, and is gone after ramp_ms of it."""
    d = device(ramp_factor=2.0, ramp_ms=1.0, flush_ms=0.0)
    durations = []
    for _ in range(6):
        d.flush_cache()
        d.launch(MATMUL)
        durations.append(d.trace[-1].end_ms - d.trace[-1].start_ms)

    work, expected = 0.0, []
    for _ in range(6):
        expected.append(0.25 * (1 + max(0.0, 1 - work)))
        work += expected[-1]
    assert durations == pytest.approx(expected)
    assert durations[-1] == pytest.approx(0.25)


def test_copies_wait_for_the_device_and_block_the_host():
    """A copy takes its latency and its bytes over the bandwidth, after the work on the default stream."""
    d = device(host_call_ms=0.0, launch_ms=0.0, compile_ms=0.0, copy_latency_ms=0.01, copy_bytes_per_ms=1e6)
    data = np.zeros(125_000)

    d.launch(MATMUL)
    assert d.copy_to_device(data) is data
    assert d.now_ms() == pytest.approx(0.25 + 0.01 + 1.0)
    d.copy_to_host(data)
    assert d.now_ms() == pytest.approx(0.25 + 2 * (0.01 + 1.0))


def test_streams_run_beside_each_other():
    """Kernels on two streams overlap; an event on one stream knows nothing of the other."""
    d = device(host_call_ms=0.0, launch_ms=0.0, compile_ms=0.0)
    side = d.stream()
    start, end, wrong = d.event(), d.event(), d.event()

    d.record(start)
    d.launch(MATMUL)
    d.launch(Kernel("add"), stream=side)
    d.record(wrong, side)
    d.record(end)
    d.synchronize()

    assert d.elapsed_ms(start, end) == pytest.approx(0.25)
    assert d.elapsed_ms(start, wrong) == pytest.approx(0.004)
    assert d.now_ms() == pytest.approx(0.25)


def test_the_queue_keeps_its_order():
    """Kernels on one stream run one after another, in the order of their launches."""
    d = device()
    for _ in range(5):
        d.launch(MATMUL)
    kernels = [s for s in d.trace if s.what == "kernel"]

    assert all(a.end_ms == b.start_ms for a, b in zip(kernels, kernels[1:], strict=False))


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.3))
@settings(max_examples=50)
def test_noise_is_bounded(seed, noise):
    """Past the ramp every sample lies within the noise fraction of the kernel's time."""
    d = SimulatedDevice(KERNELS, costs=dataclasses.replace(STEADY, noise_fraction=noise), seed=seed)

    samples = np.array([timed(d) for _ in range(40)])

    assert (np.abs(samples / 0.25 - 1) <= noise + 1e-9).all()


def test_outliers_are_as_many_as_said():
    """Outliers come independently at their rate and are longer by their factor.

    With n = 2000 and p = 0.05 their number is 100 with standard deviation √(n p (1 - p)) = 9.7; the bound is
    six of them.
    """
    d = device(outlier_rate=0.05, outlier_factor=10.0)

    samples = np.array([timed(d) for _ in range(2000)])

    outliers = samples > 1.0
    assert samples[outliers] == pytest.approx(2.5)
    assert samples[~outliers] == pytest.approx(0.25)
    assert abs(outliers.sum() - 100) < 6 * 9.75


def test_a_seed_fixes_everything():
    """Equal seeds and calls give equal times; the host's costs leave the device's randomness as it was."""
    costs = Costs(compile_ms=0.0)
    slow_host = dataclasses.replace(costs, launch_ms=0.04, host_call_ms=0.01)
    runs = [
        [timed(d) for _ in range(30)]
        for d in (
            SimulatedDevice(KERNELS, costs=costs, seed=1),
            SimulatedDevice(KERNELS, costs=costs, seed=1),
            SimulatedDevice(KERNELS, costs=costs, seed=2),
            SimulatedDevice(KERNELS, costs=slow_host, seed=1),
        )
    ]

    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert runs[0] == pytest.approx(runs[3])


# What timers see


def naive(d):
    start = d.now_ms()
    d.launch(MATMUL)
    return d.now_ms() - start


def careful(d):
    for _ in range(40):
        d.launch(MATMUL)
    d.synchronize()
    return float(np.median([timed(d) for _ in range(101)]))


@given(
    st.integers(0, 2**32 - 1),
    st.floats(0, 0.03),
    st.floats(0, 0.02),
    st.floats(0, 500),
    st.floats(1, 3),
    st.floats(0, 0.05),
)
@settings(max_examples=60)
def test_a_careful_timer_sees_only_the_kernel(seed, launch_ms, host_ms, compile_ms, ramp, outlier_rate):
    """The median over events behind a flush does not depend on the host, the compiler or the ramp.

    It is within the noise fraction unless half of 101 samples are outliers, which at a rate of 0.05 has a
    probability below 2^101 0.05^51 < 1e-35.
    """
    costs = Costs(
        launch_ms=launch_ms,
        host_call_ms=host_ms,
        compile_ms=compile_ms,
        ramp_factor=ramp,
        outlier_rate=outlier_rate,
        flush_ms=0.15,
        noise_fraction=0.02,
    )
    d = SimulatedDevice(KERNELS, costs=costs, seed=seed)

    assert careful(d) == pytest.approx(0.25, rel=0.02 + 1e-9)


def test_careless_timers_are_off():
    """Known mistakes show: no synchronisation, a first call, a warm cache, outliers, a copy."""
    fresh = lambda: SimulatedDevice(KERNELS, costs=Costs(), seed=0)  # noqa: E731

    d = fresh()
    assert naive(d) > 50  # compiling
    assert naive(d) < 0.02  # launching only
    d = fresh()
    warm = [timed(d, flush=False) for _ in range(200)]
    assert np.median(warm) < 0.21
    d = fresh()
    samples = [timed(d) for _ in range(200)]
    assert np.mean(samples) > 1.1 * np.median(samples)
    assert samples[0] > 50
    d = fresh()
    before = d.now_ms()
    d.copy_to_device(np.zeros(10**6))
    d.launch(MATMUL)
    d.synchronize()
    assert d.now_ms() - before > 0.5


def test_every_way_of_timing_agrees_on_an_ideal_device():
    """Without any disturbance the host clock with a synchronisation and events give the same."""
    d = SimulatedDevice(KERNELS, costs=IDEAL)
    before = d.now_ms()
    d.launch(MATMUL)
    d.synchronize()

    assert d.now_ms() - before == timed(d) == pytest.approx(0.25)


# Misuse, the interface


def test_misuse_is_refused_with_the_rule():
    """What a real device refuses is refused here, as a RuntimeError that a check can show."""
    d = device()
    start, end = d.event(), d.event()
    with pytest.raises(DeviceError, match="an event that was never recorded"):
        d.elapsed_ms(start, end)
    d.record(start)
    d.launch(MATMUL)
    d.record(end)
    with pytest.raises(RuntimeError, match="has not passed yet"):
        d.elapsed_ms(start, end)
    with pytest.raises(Mismatch, match="stream must come from stream"):
        d.launch(MATMUL, stream=7)
    with pytest.raises(DeviceError, match=r"event must come from event\(\), got a float"):
        d.record(0.5)
    with pytest.raises(DeviceError, match="one of the device's kernels"):
        d.launch(Kernel("unknown"))
    with pytest.raises(DeviceError, match="copy to device needs an array, got a list of 1 item"):
        d.copy_to_device([1.0])
    error = DeviceError("rule")
    assert str(pickle.loads(pickle.dumps(error))) == "rule"


def test_the_api_is_the_device_and_nothing_else():
    """The calls alone do what the device does, and show neither costs nor trace."""
    d = device()
    api = d.api()

    assert timed(api) == pytest.approx(0.25)
    assert isinstance(api, DeviceApi)
    assert {name for name in vars(api)} == {f.name for f in dataclasses.fields(DeviceApi)}
    names = {name for name in vars(Device) if not name.startswith("_")}
    assert {f.name for f in dataclasses.fields(DeviceApi)} == names


def test_streams_and_events_are_plain_numbers():
    """Handles of the simulated device can cross a process boundary."""
    d = device()

    assert type(d.stream()) is int and type(d.event()) is int


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Costs(launch_ms=-1), "launch_ms must not be negative, got -1"),
        (lambda: Costs(noise_fraction=1.0), "noise_fraction must be below 1"),
        (lambda: Costs(outlier_rate=1.5), "outlier_rate must be at most 1"),
        (lambda: Costs(ramp_factor=0.5), "ramp_factor must be at least 1"),
        (lambda: Costs(copy_bytes_per_ms=0), "copy_bytes_per_ms must be above 0"),
        (lambda: KernelCost(-1.0), "cold_ms must not be negative"),
        (lambda: KernelCost(1.0, 2.0), "warm_ms must lie between 0 and cold_ms"),
    ],
)
def test_costs_are_checked(make, text):
    """Costs that make no device are refused with the rule and the value."""
    with pytest.raises(ValueError, match=text):
        make()


def test_a_timeline_shows_lanes_and_measurements():
    """Host, streams and measured spans each get a lane, and every kernel a bar."""
    d = device(compile_ms=80.0)
    side = d.stream()
    timed(d)
    d.launch(Kernel("add"), stream=side)
    d.launch(MATMUL)
    d.synchronize()
    fig, ax = plots.subplots()

    draw_timeline(ax, d.trace, measured={"host clock": (0.0, 80.0)}, limits=(80.0, d.now_ms()))

    lanes = [label.get_text() for label in ax.get_yticklabels()]
    assert lanes == ["host", "stream 0", "stream 1", "host clock"]
    assert any("80 ms" in text.get_text() for text in ax.texts)
    assert math.isclose(ax.get_xlim()[0], 80.0)


# CUDA, with a stand-in and for real


class FakeCuda:
    """Stands in for torch: records what is asked of torch.cuda."""

    def __init__(self):
        self.calls = []
        self.cuda = self
        self.uint8 = "uint8"

    def __getattr__(self, name):
        def call(*args, **kwargs):
            self.calls.append((name, args))
            return self

        return call

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        return False

    L2_cache_size = 2**20


def test_the_cuda_device_asks_torch_for_the_same_things(monkeypatch):
    """Launches run under their stream; the buffer for flushing is made once, larger than the cache."""
    fake = FakeCuda()
    monkeypatch.setattr(simgpu, "_torch", lambda: fake)
    monkeypatch.setattr(simgpu, "_FLUSH_BUFFERS", {})
    d = CudaDevice()

    assert d.launch(lambda a, b: a + b, 1, 2, stream="s") == 3
    assert ("stream", ("s",)) in fake.calls
    d.event()
    d.flush_cache()
    d.flush_cache()
    names = [name for name, _ in fake.calls]
    assert names.count("empty") == 1 and names.count("zero_") == 2
    assert ("empty", (4 * 2**20,)) in fake.calls
    assert d.now_ms() <= d.now_ms()


@pytest.mark.gpu
def test_the_cuda_device_times_a_real_kernel():
    """On a GPU, events time a matrix product as torch's own events do, and misuse is refused alike."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    d = CudaDevice()
    a = d.copy_to_device(np.ones((2048, 2048), np.float32))

    samples = [timed(d, lambda: a @ a) for _ in range(20)]

    assert 0 < np.median(samples) < 100
    with pytest.raises(DeviceError, match="never recorded"):
        d.elapsed_ms(d.event(), d.event())
    assert d.copy_to_host(a).device.type == "cpu"
