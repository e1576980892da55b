"""What crosses between judge and worker arrives as it left, and nothing else is accepted."""

from __future__ import annotations

import math
import pickle
import socket
import struct
import threading

import numpy as np
import pytest
import torch
from coursekit.toys import ModelConfig
from hypothesis import given, settings
from hypothesis import strategies as st

from gradkit.calls import frames, values
from gradkit.calls.frames import Connection, Deadline, Kind
from gradkit.calls.values import CallbackRef, Ref, Unsendable, decode, encode
from gradkit.errors import ProtocolError, WorkerCrashed, WorkerTimeout

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=30,
)


@given(plain)
def test_plain_values_arrive_with_their_types(value):
    """Every plain value comes out equal and of the same type, containers within containers too."""
    assert repr(decode(encode(value))) == repr(value)


@pytest.mark.parametrize("dtype", "? i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8".split())
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3, 4)])
def test_numpy_arrays_arrive_whole(dtype, shape):
    """Shape, dtype and bytes survive, for empty and 0-d arrays as well; the copy is writable."""
    array = np.asarray(np.arange(math.prod(shape)).reshape(shape) % 2).astype(dtype)

    back = decode(encode(array))

    assert back.dtype == array.dtype and back.shape == array.shape and (back == array).all()
    assert back.flags.writeable


def test_strides_and_byte_order_are_not_seen():
    """A transposed view and a big-endian array arrive as plain arrays of the same values."""
    array = np.arange(6.0).reshape(2, 3)

    assert (decode(encode(array.T)) == array.T).all()
    assert (decode(encode(array.astype(">f8"))) == array).all()


@pytest.mark.parametrize("name", sorted(values._TORCH_DTYPES))
def test_tensors_arrive_whole(name):
    """Each torch dtype survives, bfloat16 with its exact bits, detached from any graph."""
    tensor = torch.tensor([[0.0, 1.0, 1.0]]).to(getattr(torch, name)).t()

    back = decode(encode(tensor))

    assert back.dtype == tensor.dtype and torch.equal(back, tensor) and not back.requires_grad


def test_records_of_coursekit_arrive_as_themselves():
    """A dataclass that coursekit defines crosses by its fields, and no constructor runs."""
    config = ModelConfig(vocab_size=5, n_layers=2, n_heads=2, n_kv_heads=1, d_model=8, d_k=4, max_len=16)

    assert decode(encode(config)) == config


@pytest.mark.parametrize(
    "value",
    [torch.zeros(2, dtype=torch.complex64), torch.zeros(2, 2).to_sparse(), torch.zeros(1, device="meta"), np.array(["a"]), np.array([object()]), np.zeros(1, complex), object(), 1 << 40_000],
    ids=["complex tensor", "sparse", "meta", "strings", "objects", "complex array", "object", "huge integer"],
)  # fmt: skip
def test_what_is_not_plain_is_refused_by_name(value):
    """Tensors and arrays of other kinds, and objects, are refused with a message for a student."""
    with pytest.raises(Unsendable, match=r"\w+ "):
        encode(value)


def test_circular_and_deep_containers_are_refused():
    """Nesting is bounded on both sides."""
    circular: list = []
    circular.append(circular)
    deep = b"L" + struct.pack("<Q", 1)

    with pytest.raises(Unsendable, match="deep"):
        encode(circular)
    with pytest.raises(ProtocolError, match="deep"):
        decode(deep * 100 + b"N")


HOSTILE = {
    "huge array": b"A\x02f8\x01" + struct.pack("<QQ", 1 << 60, 8) + b"\0" * 8,
    "wrapping shape": b"A\x02f8\x02" + struct.pack("<QQQ", 1 << 32, 1 << 32, 0),
    "zero-size with a huge axis": b"A\x02f8\x02" + struct.pack("<QQQ", 1 << 62, 0, 0),
    "too many dimensions": b"A\x02f8\xff" + struct.pack("<Q", 1) * 255 + struct.pack("<Q", 8) + b"\0" * 8,
    "object dtype": b"A\x01O\x01" + struct.pack("<QQ", 1, 8) + b"\0" * 8,
    "structured dtype": b"A\x05f8,f8\x01" + struct.pack("<QQ", 1, 16) + b"\0" * 16,
    "string longer than the frame": b"S" + struct.pack("<Q", 1 << 50) + b"a",
    "list longer than the frame": b"L" + struct.pack("<Q", 1 << 50),
    "unhashable key": b"M" + struct.pack("<Q", 1) + b"L" + struct.pack("<Q", 0) + b"N",
    "not UTF-8": b"S" + struct.pack("<Q", 1) + b"\xff",
    "scalar with a shape": b"G\x02f8\x01" + struct.pack("<QQ", 1, 8) + b"\0" * 8,
    "record of another module": b"R" + struct.pack("<Q", 14) + b"os:stat_result" + b"M" + struct.pack("<Q", 0),
    "record of a function": b"R" + struct.pack("<Q", 25) + b"coursekit.compare:compare" + b"M" + struct.pack("<Q", 0),
    "integer of a megabyte": b"I" + struct.pack("<I", 1 << 20) + b"\1" * (1 << 20),
    "pickle": pickle.dumps(ValueError("x")),
    "bytes after the end": b"NN",
    "nothing": b"",
    "boolean tensor of twos": b"X\x04bool\x01" + struct.pack("<QQ", 1, 1) + b"\2",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_frames_are_rejected(data):
    """Each malformed value is a ProtocolError: nothing is allocated for a claim, nothing is imported or run."""
    with pytest.raises(ProtocolError):
        decode(data)


@settings(max_examples=1500, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_never_raise_anything_else(data):
    """The decoder's only failure is ProtocolError."""
    try:
        decode(data)
    except ProtocolError:
        pass


@settings(max_examples=800, deadline=None)
@given(plain | st.just(np.arange(6.0).reshape(2, 3)) | st.just(torch.ones(2, 2)), st.data())
def test_damaged_frames_never_raise_anything_else(value, data):
    """Nor on a real frame with a few bytes changed."""
    frame = encode(value)
    for _ in range(data.draw(st.integers(1, 3))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(frame)
    except ProtocolError:
        pass


# ---- frames over a socket


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Connection(ours), theirs


def test_ten_megabytes_cross_both_ways():
    """A frame larger than any socket buffer is sent and received whole."""
    ours, theirs = (Connection(end) for end in socket.socketpair())
    array = np.random.default_rng(0).normal(size=1_250_000)
    frames = []
    reader = threading.Thread(target=lambda: frames.append(theirs.receive(Deadline(10.0))))
    reader.start()

    ours.send(Kind.CALL, 7, encode(array), Deadline(10.0))
    reader.join()

    kind, request, payload = frames[0]
    assert (kind, request) == (Kind.CALL, 7) and (decode(payload) == array).all()


def test_a_header_that_is_not_one_is_rejected(pair):
    """A text written to the channel is no answer."""
    connection, other = pair
    other.send(b"PASSED: all tests, 100 of 100 points")

    with pytest.raises(ProtocolError, match="not an answer"):
        connection.receive(Deadline(1.0))


def test_a_claimed_length_over_the_cap_is_rejected_before_anything_is_allocated(pair):
    """2^60 bytes are refused by their header alone."""
    connection, other = pair
    other.send(frames._HEADER.pack(frames.MAGIC, Kind.RESULT, 1, 1 << 60))

    with pytest.raises(ProtocolError, match="larger than"):
        connection.receive(Deadline(1.0))


def test_one_deadline_covers_slow_bytes(pair):
    """A byte at a time does not renew the time limit."""
    connection, other = pair
    frame = frames._HEADER.pack(frames.MAGIC, Kind.RESULT, 1, 1000)
    stop = threading.Event()

    def drip():
        for byte in frame:
            if stop.wait(0.05):
                return
            other.send(bytes([byte]))

    thread = threading.Thread(target=drip)
    thread.start()
    with pytest.raises(WorkerTimeout):
        connection.receive(Deadline(0.3))
    stop.set()
    thread.join()


def test_a_side_that_never_reads_times_out(pair):
    """Sending is under the deadline too."""
    connection, _ = pair

    with pytest.raises(WorkerTimeout):
        connection.send(Kind.CALL, 1, bytes(50_000_000), Deadline(0.2))


def test_a_closed_channel_is_a_crash(pair):
    """The end of the stream in the middle of a frame is the worker's end."""
    connection, other = pair
    other.send(b"GK")
    other.close()

    with pytest.raises(WorkerCrashed):
        connection.receive(Deadline(1.0))


def test_a_narrow_deadline_uses_up_the_wider_one(pair):
    """All cases of a submission share one budget."""
    connection, _ = pair
    total = Deadline(0.3)

    for _ in range(2):
        with pytest.raises(WorkerTimeout):
            connection.receive(Deadline(0.2, total))

    assert total.left_s <= 0


def test_references_keep_their_number_and_kind():
    """Objects and callbacks cross as numbers."""
    assert decode(encode((Ref(3, "Tokenizer", True), CallbackRef(9)))) == (
        Ref(3, "Tokenizer", True),
        CallbackRef(9),
    )


def test_an_array_without_bytes_has_a_size_that_can_be_computed_with():
    """A sum along the empty axis of (2**28, 2, 0) is four gigabytes."""
    decode(encode(np.empty((1_000, 0, 1_000))))
    with pytest.raises(ProtocolError, match="too large a shape"):
        decode(encode(np.empty((2**28, 2, 0))))
