"""What crosses between judge and worker: typed plain data as bytes, and nothing that can run.

The decoder builds None, bool, int, float, str, bytes, list, tuple, dict, set, frozenset, NumPy arrays and scalars, torch
tensors and dtypes, coursekit's dataclasses, and references to objects and callbacks that stay on the other side. It never
unpickles, evaluates or imports anything that a frame names. Every length is checked against the bytes that are there
before anything is allocated, so a frame costs at most a small multiple of its own size.
"""

from __future__ import annotations

import dataclasses
import struct
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradkit.calls.frames import MAX_FRAME
from gradkit.errors import ProtocolError

MAX_DEPTH = 64
MAX_ITEMS = 500_000  # values in one frame
MAX_COLLISIONS = 64  # keys of one set or dict that may share their hash with another
MAX_INT_BYTES = 4096
MAX_NDIM = 32
MAX_EXTENT = 2**28  # product of an array's axes, those of length 0 left out


@dataclass(frozen=True)
class Ref:
    """An object that stays in the worker."""

    id: int
    type_name: str = ""
    callable: bool = False


@dataclass(frozen=True)
class CallbackRef:
    """A function that stays in the judge."""

    id: int


# ---- encoding ---------------------------------------------------------------------------------------------------


_U32, _U64, _F64 = struct.Struct("<I"), struct.Struct("<Q"), struct.Struct("<d")
_NUMPY_DTYPES = frozenset("? b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8".split())
_TORCH_DTYPES = {
    "bool": "u1", "uint8": "u1", "int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8",
    "float16": "i2", "bfloat16": "i2", "float32": "f4", "float64": "f8",
}  # fmt: skip  # torch's name -> NumPy's code for the same bytes


class Unsendable(Exception):
    """A value that is neither plain data nor, on this side, an object to refer to."""


def encode(value: object, refer: Callable[[object], object] | None = None) -> bytearray:
    """Encode one value.

    Args:
        value: Plain data, or containers of it.
        refer: Turns an object that is not plain data into a `Ref` or `CallbackRef`, or raises.

    Raises:
        Unsendable: For something that has no place in the protocol; the message is for a student.
    """
    out = bytearray()
    _encode(value, out, refer, 0)
    return out


def _encode(value: object, out: bytearray, refer: Callable | None, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Unsendable(f"containers are nested more than {MAX_DEPTH} deep")
    write = _WRITERS.get(type(value), _encode_other)
    write(value, out, refer, depth)


def _encode_other(value: object, out: bytearray, refer: Callable | None, depth: int) -> None:
    """Values of no type that is looked up at once: subclasses, what NumPy and torch have, records, objects."""
    for base, write in _BASES:
        if isinstance(value, base) and not (base in _COLLECTIONS and dataclasses.is_dataclass(value)):
            return write(value, out, refer, depth)
    if _encode_torch(value, out):
        return None
    kind = type(value)
    if kind.__module__.partition(".")[0] == "coursekit" and dataclasses.is_dataclass(value):
        return _encode_record(value, out, refer, depth)
    for base in (bool, int, float, str, bytes):  # an honest subclass, such as an IntEnum
        if isinstance(value, base):
            return _encode(base(value), out, refer, depth)
    if refer is None:
        raise Unsendable(f"a {kind.__name__} can't be sent")
    return _encode(refer(value), out, None, depth + 1)


def _encode_int(value: int, out: bytearray, refer: Callable | None, depth: int) -> None:
    size = (value.bit_length() + 8) // 8
    if size > MAX_INT_BYTES:
        raise Unsendable(f"an integer of {size} bytes is larger than the {MAX_INT_BYTES} that are read")
    out += b"I" + _U32.pack(size) + value.to_bytes(size, "little", signed=True)


def _encode_ref(value: Ref, out: bytearray, refer: Callable | None, depth: int) -> None:
    out += b"H" + _U64.pack(value.id) + (b"\1" if value.callable else b"\0")
    _encode_bytes(b"", value.type_name.encode("utf-8", "replace")[:200], out)


def _encode_items(tag: bytes) -> Callable:
    def write(value: object, out: bytearray, refer: Callable | None, depth: int) -> None:
        items = [item for item in value]  # not list(value), which believes what a subclass says of its length
        out += tag + _U64.pack(len(items))
        for item in items:
            _encode(item, out, refer, depth + 1)

    return write


def _encode_dict(value: dict, out: bytearray, refer: Callable | None, depth: int) -> None:
    pairs = [pair for pair in value.items()]
    out += b"M" + _U64.pack(len(pairs))
    for key, item in pairs:
        _encode(key, out, refer, depth + 1)
        _encode(item, out, refer, depth + 1)


def _encode_bytes(tag: bytes, data: bytes, out: bytearray) -> None:
    out += tag + _U64.pack(len(data))
    out += data


def _encode_array(tag: bytes, array: np.ndarray, out: bytearray) -> None:
    code = array.dtype.str[1:]
    if code not in _NUMPY_DTYPES:
        raise Unsendable(f"a NumPy array of dtype {array.dtype} is not read; use floats, integers or booleans")
    _encode_buffer(
        tag,
        array.dtype.str[1:],
        array.shape,
        np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False)),
        out,
    )


def _encode_buffer(tag: bytes, code: str, shape: tuple[int, ...], array: np.ndarray, out: bytearray) -> None:
    out += tag + bytes([len(code)]) + code.encode() + bytes([len(shape)])
    for size in shape:
        out += _U64.pack(size)
    out += _U64.pack(array.nbytes)
    out += memoryview(array.reshape(-1).view(np.uint8)) if array.nbytes else b""


def _encode_torch(value: object, out: bytearray) -> bool:
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    if isinstance(value, torch.dtype):
        _encode_bytes(b"Y", str(value).removeprefix("torch.").encode(), out)
        return True
    if not isinstance(value, torch.Tensor):
        return False
    name = str(value.dtype).removeprefix("torch.")
    if value.layout is not torch.strided or value.is_quantized or value.is_meta or name not in _TORCH_DTYPES:
        raise Unsendable(
            f"a tensor of dtype {value.dtype} and layout {value.layout} is not read; use a dense float, integer or boolean tensor"
        )
    dense = value.detach().resolve_conj().resolve_neg().cpu().contiguous()
    if name in ("float16", "bfloat16"):
        dense = dense.view(torch.int16)  # NumPy has no bfloat16: the same bytes
    elif name == "bool":
        dense = dense.view(torch.uint8)
    _encode_buffer(b"X", name, tuple(value.shape), dense.numpy(), out)
    return True


def _encode_record(value: object, out: bytearray, refer: Callable | None, depth: int) -> None:
    kind = type(value)
    _encode_bytes(b"R", f"{kind.__module__}:{kind.__qualname__}".encode(), out)
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    _encode(fields, out, refer, depth + 1)


_WRITERS: dict[type, Callable] = {  # by exact type
    type(None): lambda value, out, refer, depth: out.extend(b"N"),
    bool: lambda value, out, refer, depth: out.extend(b"T" if value else b"F"),
    int: _encode_int,
    float: lambda value, out, refer, depth: out.extend(b"D" + _F64.pack(value)),
    str: lambda value, out, refer, depth: _encode_bytes(b"S", value.encode("utf-8", "surrogatepass"), out),
    bytes: lambda value, out, refer, depth: _encode_bytes(b"B", value, out),
    Ref: _encode_ref,
    CallbackRef: lambda value, out, refer, depth: out.extend(b"C" + _U64.pack(value.id)),
    list: _encode_items(b"L"),
    tuple: _encode_items(b"U"),
    frozenset: _encode_items(b"Z"),
    set: _encode_items(b"E"),
    dict: _encode_dict,
    np.ndarray: lambda value, out, refer, depth: _encode_array(b"A", value, out),
}
_COLLECTIONS = (list, tuple, frozenset, set)
_BASES = [  # what a subclass is sent as, in this order
    *((base, _WRITERS[base]) for base in (*_COLLECTIONS, dict)),
    (np.generic, lambda value, out, refer, depth: _encode_array(b"G", np.asarray(value), out)),
    (np.ndarray, _WRITERS[np.ndarray]),
]

# ---- decoding ---------------------------------------------------------------------------------------------------


def decode(
    data: bytes | bytearray | memoryview,
    resolve: Callable[[Ref | CallbackRef], object] | None = None,
    place: Callable[[object], object] | None = None,
) -> object:
    """Decode one value.

    Args:
        data: What `encode` made, or what somebody claims it did.
        resolve: Gives what stands in a reference's place.
        place: Gives what stands in a tensor's place, such as the same on another device.

    Raises:
        ProtocolError: For anything that is not exactly one well-formed value.
    """
    reader = _Reader(memoryview(data), resolve, place)
    try:
        value = reader.value(0)
    except ProtocolError:
        raise
    except (
        struct.error,
        UnicodeDecodeError,
        OverflowError,
        ValueError,
        TypeError,
        MemoryError,
        RecursionError,
    ) as error:
        # TypeError: an unhashable dict key. Everything a malformed frame can cause ends here.
        raise ProtocolError(f"the answer is not well-formed: {type(error).__name__}") from None
    if reader.at != len(reader.data):
        raise ProtocolError("the answer has bytes after its end")
    return value


class _Reader:
    def __init__(self, data: memoryview, resolve: Callable | None = None, place: Callable | None = None) -> None:
        self.data, self.resolve, self.place = data, resolve, place
        self.at = 0
        self.items = 0

    def take(self, size: int) -> memoryview:
        if size > len(self.data) - self.at:
            raise ProtocolError("the answer claims more bytes than it has")
        self.at += size
        return self.data[self.at - size : self.at]

    def u64(self) -> int:
        at = self.at
        if len(self.data) - at < 8:
            raise ProtocolError("the answer claims more bytes than it has")
        self.at = at + 8
        return _U64.unpack_from(self.data, at)[0]

    def sized(self) -> memoryview:
        return self.take(self.u64())

    def value(self, depth: int) -> object:
        self.items += 1
        if depth > MAX_DEPTH + 1 or self.items > MAX_ITEMS:
            raise ProtocolError("the answer is nested too deep or has too many parts")
        read = _READERS.get(self.data[self.at]) if self.at < len(self.data) else None
        self.at += 1
        if read is None:
            raise ProtocolError("the answer holds an unknown type")
        return read(self, depth)

    def count(self, parts: int) -> int:
        count = self.u64()
        if count * parts > len(self.data) - self.at:  # each part is at least a byte
            raise ProtocolError("the answer claims more items than it has bytes")
        return count

    def integer(self, depth: int) -> int:
        size = _U32.unpack(self.take(4))[0]
        if size > MAX_INT_BYTES:
            raise ProtocolError("the answer holds an integer that is too large")
        return int.from_bytes(self.take(size), "little", signed=True)

    def sequence(self, depth: int) -> list:
        return [self.value(depth + 1) for _ in range(self.count(1))]

    def mapping(self, depth: int) -> dict:
        pairs = [(self.value(depth + 1), self.value(depth + 1)) for _ in range(self.count(2))]
        _refuse_collisions([key for key, _ in pairs])
        return dict(pairs)

    def members(self, depth: int) -> list:
        members = self.sequence(depth)
        _refuse_collisions(members)
        return members

    def buffer(self, codes: dict[str, str]) -> tuple[str, tuple[int, ...], np.ndarray]:
        """A dtype's name, a shape, and the values; the byte count must be exactly what the two imply."""
        name = bytes(self.take(self.take(1)[0])).decode("ascii")
        if name not in codes:
            raise ProtocolError("the answer holds an array of an unknown dtype")
        ndim = self.take(1)[0]
        if ndim > MAX_NDIM:
            raise ProtocolError("the answer holds an array of too many dimensions")
        shape = tuple(self.u64() for _ in range(ndim))
        dtype = np.dtype("<" + codes[name])
        size = extent = 1
        for length in shape:  # Python's integers don't wrap
            size *= length
            extent *= length or 1
        if extent > MAX_EXTENT:  # no bytes, and a sum along its empty axis is gigabytes
            raise ProtocolError("the answer holds an array of too large a shape")
        data = self.sized()
        if len(data) != size * dtype.itemsize or max(shape, default=0) > MAX_FRAME:
            raise ProtocolError("the answer holds an array whose bytes don't match its shape")
        return (
            name,
            shape,
            np.frombuffer(data, dtype).reshape(shape).copy(),
        )  # copy: aligned, writable, frame freed

    def array(self, depth: int) -> np.ndarray:
        return self.buffer(_NUMPY_CODES)[2]

    def scalar(self, depth: int) -> np.generic:
        array = self.buffer(_NUMPY_CODES)[2]
        if array.shape != ():
            raise ProtocolError("the answer holds a scalar with a shape")
        return array[()]

    def tensor(self, depth: int) -> object:
        torch = _loaded_torch()
        name, _, array = self.buffer(_TORCH_DTYPES)
        dtype = getattr(torch, name)
        if name == "bool" and array.size and array.max() > 1:
            raise ProtocolError("the answer holds booleans that are neither 0 nor 1")
        tensor = torch.from_numpy(array)
        tensor = tensor.view(dtype) if tensor.dtype is not dtype else tensor
        return self.place(tensor) if self.place is not None else tensor

    def torch_dtype(self, depth: int) -> object:
        torch = _loaded_torch()
        name = bytes(self.sized()).decode("ascii")
        if name not in _TORCH_DTYPES:
            raise ProtocolError("the answer holds an unknown torch dtype")
        return getattr(torch, name)

    def ref(self, depth: int) -> object:
        id = self.u64()
        callable = self.take(1)[0] == 1
        return self.resolved(Ref(id, bytes(self.sized()).decode("utf-8", "replace"), callable))

    def callback(self, depth: int) -> object:
        return self.resolved(CallbackRef(self.u64()))

    def resolved(self, ref: Ref | CallbackRef) -> object:
        return ref if self.resolve is None else self.resolve(ref)

    def record(self, depth: int) -> object:
        name = bytes(self.sized()).decode("utf-8")
        cls = _record_class(name)
        fields = self.value(depth + 1)
        if not isinstance(fields, dict) or set(fields) != {field.name for field in dataclasses.fields(cls)}:
            raise ProtocolError(f"the answer holds a {name} with other fields")
        record = object.__new__(cls)  # no constructor runs
        for key, value in fields.items():
            object.__setattr__(record, key, value)
        return record


def _refuse_collisions(keys: list) -> None:
    """Keys that all hash alike would keep the judge busy for hours: one set of 30,000 took 3 s."""
    if len(keys) - len(set(map(hash, keys))) > MAX_COLLISIONS:
        raise ProtocolError("the answer holds a set or dict of keys that collide")


def _loaded_torch() -> types.ModuleType:
    """torch, where this process has it: naming a tensor imports nothing."""
    torch = sys.modules.get("torch")
    if torch is None:
        raise ProtocolError("the answer holds a tensor where torch is not in use")
    return torch


def _record_class(name: str) -> type:
    """A dataclass defined in a coursekit module that this process has already loaded: naming one imports nothing."""
    module_name, _, class_name = name.partition(":")
    module = sys.modules.get(module_name) if module_name.partition(".")[0] == "coursekit" else None
    cls = vars(module).get(class_name) if module is not None else None
    if not isinstance(cls, type) or not dataclasses.is_dataclass(cls) or cls.__module__ != module_name:
        raise ProtocolError("the answer holds a record of an unknown class")
    return cls


_NUMPY_CODES = {code: code for code in _NUMPY_DTYPES}
_READERS: dict[int, Callable[[_Reader, int], object]] = {  # by tag
    ord("N"): lambda reader, depth: None,
    ord("T"): lambda reader, depth: True,
    ord("F"): lambda reader, depth: False,
    ord("I"): _Reader.integer,
    ord("D"): lambda reader, depth: _F64.unpack(reader.take(8))[0],
    ord("S"): lambda reader, depth: bytes(reader.sized()).decode("utf-8", "surrogatepass"),
    ord("B"): lambda reader, depth: bytes(reader.sized()),
    ord("L"): _Reader.sequence,
    ord("U"): lambda reader, depth: tuple(reader.sequence(depth)),
    ord("E"): lambda reader, depth: set(reader.members(depth)),
    ord("Z"): lambda reader, depth: frozenset(reader.members(depth)),
    ord("M"): _Reader.mapping,
    ord("A"): _Reader.array,
    ord("G"): _Reader.scalar,
    ord("X"): _Reader.tensor,
    ord("Y"): _Reader.torch_dtype,
    ord("H"): _Reader.ref,
    ord("C"): _Reader.callback,
    ord("R"): _Reader.record,
}
