"""A second right solution: windows as views, gradients as convolutions, the matrix by its columns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

Pair = int | tuple[int, int]
Block = Callable[[np.ndarray], np.ndarray]


def pair(value: Pair) -> tuple[int, int]:
    """A setting as (for rows, for columns): 2 is (2, 2)."""
    rows, columns = (value, value) if isinstance(value, (int, np.integer)) else value
    return int(rows), int(columns)


def check_axis(size: int, kernel: int, stride: int, padding: int, dilation: int) -> None:
    """Raise ValueError unless a kernel with these settings fits at least once on an axis of `size` pixels."""
    for name, value, least in (
        ("size", size, 1),
        ("kernel", kernel, 1),
        ("stride", stride, 1),
        ("padding", padding, 0),
        ("dilation", dilation, 1),
    ):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    span = dilation * (kernel - 1) + 1
    if span > size + 2 * padding:
        raise ValueError(
            f"the kernel must fit the padded image, got a span of {span} on {size} + 2 * {padding} pixels"
        )


def grid(
    image: tuple[int, int],
    kernel: tuple[int, int],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    size: Callable[..., int],
) -> tuple[int, int]:
    """Check the settings, and ask `size` for the number of windows: (H_out, W_out)."""
    counts = []
    for settings in zip(image, kernel, pair(stride), pair(padding), pair(dilation), strict=True):
        n, k, s, p, d = map(int, settings)
        check_axis(n, k, s, p, d)
        counts.append(int(size(n, k, stride=s, padding=p, dilation=d)))
    return counts[0], counts[1]


def check_conv(x, w, b=None) -> None:
    """Raise ValueError unless images, weights and biases, arrays or tensors, fit one another in shape."""
    if x.ndim != 4:
        raise ValueError(f"x must have shape (N, C, H, W), got {tuple(x.shape)}")
    if w.ndim != 4 or w.shape[1] != x.shape[1]:
        raise ValueError(f"w must have shape (C_out, {x.shape[1]}, K_h, K_w) to fit x, got {tuple(w.shape)}")
    if b is not None and tuple(b.shape) != (w.shape[0],):
        raise ValueError(f"b must have shape ({w.shape[0]},), one per output channel, got {tuple(b.shape)}")


def check_dout(dout: np.ndarray, n: int, channels: int) -> None:
    """Raise ValueError unless `dout` has shape (n, channels, H_out, W_out)."""
    if dout.ndim != 4 or dout.shape[:2] != (n, channels):
        raise ValueError(f"dout must have shape ({n}, {channels}, H_out, W_out), got {dout.shape}")


def check_pool(x: np.ndarray, kernel: Pair, padding: Pair) -> None:
    """Raise ValueError unless x is (N, C, H, W) and padding at most half the kernel: no window is empty."""
    if x.ndim != 4:
        raise ValueError(f"x must have shape (N, C, H, W), got {x.shape}")
    for k, p in zip(pair(kernel), pair(padding), strict=True):
        if 2 * p > k:
            raise ValueError(f"padding must be at most half the kernel, got padding {p} and kernel {k}")


def output_size(size, kernel, *, stride=1, padding=0, dilation=1):
    check_axis(size, kernel, stride, padding, dilation)
    return int(np.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride)) + 1


def receptive_field(layers):
    for kernel, stride, padding, dilation in layers:
        check_axis(kernel * dilation, kernel, stride, padding, dilation)
    strides = [1, *np.cumprod([layer[1] for layer in layers], dtype=int).tolist()]
    size = 1 + sum(d * (k - 1) * jump for (k, _, _, d), jump in zip(layers, strides))
    return size, strides[-1], -sum(p * jump for (_, _, p, _), jump in zip(layers, strides))


def windows_of(x, kernel, stride, padding, dilation, value=0.0):
    """A view of every window: (N, C, H_out, W_out, K_h, K_w)."""
    (k_h, k_w), (s_h, s_w), (p_h, p_w), (d_h, d_w) = pair(kernel), pair(stride), pair(padding), pair(dilation)
    padded = np.pad(x, ((0, 0), (0, 0), (p_h, p_h), (p_w, p_w)), constant_values=value)
    spans = d_h * (k_h - 1) + 1, d_w * (k_w - 1) + 1
    views = np.lib.stride_tricks.sliding_window_view(padded, spans, axis=(2, 3))
    return views[:, :, ::s_h, ::s_w, ::d_h, ::d_w]


def conv2d(x, w, b=None, *, stride=1, padding=0, dilation=1, size=output_size):
    check_conv(x, w, b)
    grid(x.shape[2:], w.shape[2:], stride, padding, dilation, size)
    out = np.einsum("ncijuv,ocuv->noij", windows_of(x, w.shape[2:], stride, padding, dilation), w)
    return out if b is None else out + b[:, None, None]


def conv_matrix(w, image_shape, *, stride=1, padding=0, dilation=1, size=output_size):
    channels, height, width = image_shape
    n = channels * height * width
    # Column k is what the convolution makes of an image that is 1 at pixel k and 0 elsewhere.
    units = np.eye(n, dtype=w.dtype).reshape(n, channels, height, width)
    out = conv2d(units, w, stride=stride, padding=padding, dilation=dilation, size=size)
    return out.reshape(n, -1).T


def im2col(x, kernel, *, stride=1, padding=0, dilation=1, size=output_size):
    if x.ndim != 4:
        raise ValueError("four axes")
    h_out, w_out = grid(x.shape[2:], pair(kernel), stride, padding, dilation, size)
    (s_h, s_w), (p_h, p_w), (d_h, d_w) = pair(stride), pair(padding), pair(dilation)
    padded = np.pad(x, ((0, 0), (0, 0), (p_h, p_h), (p_w, p_w)))
    channel, u, v = (z.reshape(-1, 1) for z in np.indices((x.shape[1], *pair(kernel))))
    i, j = (z.reshape(1, -1) for z in np.indices((h_out, w_out)))
    return padded[:, channel, i * s_h + u * d_h, j * s_w + v * d_w]


def conv2d_im2col(x, w, b=None, *, stride=1, padding=0, dilation=1, size=output_size, columns=im2col, matmul=np.matmul):
    check_conv(x, w, b)
    h_out, w_out = grid(x.shape[2:], w.shape[2:], stride, padding, dilation, size)
    cols = columns(x, w.shape[2:], stride=stride, padding=padding, dilation=dilation, size=size)
    out = matmul(cols.swapaxes(1, 2).reshape(-1, cols.shape[1]), w.reshape(len(w), -1).T)
    out = np.moveaxis(out.reshape(len(x), h_out, w_out, len(w)), -1, 1)
    return out if b is None else out + b[:, None, None]


def conv2d_backward(dout, x, w, *, stride=1, padding=0, dilation=1):
    check_conv(x, w)
    check_dout(dout, len(x), len(w))
    (s_h, s_w), (p_h, p_w), (d_h, d_w) = pair(stride), pair(padding), pair(dilation)
    h_out, w_out = dout.shape[2:]
    k_h, k_w = w.shape[2:]
    windows = windows_of(x, (k_h, k_w), stride, padding, dilation)
    dw = np.einsum("noij,ncijuv->ocuv", dout, windows)
    # dx: spread dout by the stride, give it a rim as wide as a window, and slide the turned kernel over it.
    rim_h, rim_w = d_h * (k_h - 1), d_w * (k_w - 1)
    tall, wide = x.shape[2] + 2 * p_h, x.shape[3] + 2 * p_w
    spread = np.zeros((*dout.shape[:2], tall + rim_h, wide + rim_w), dout.dtype)
    rows = rim_h + s_h * np.arange(h_out)
    columns = rim_w + s_w * np.arange(w_out)
    spread[:, :, rows[:, None], columns] = dout
    turned = w[:, :, ::-1, ::-1]
    dpadded = np.einsum("noijuv,ocuv->ncij", windows_of(spread, (k_h, k_w), 1, 0, dilation), turned)
    dx = dpadded[:, :, p_h : tall - p_h, p_w : wide - p_w]
    return dx, dw, np.einsum("noij->o", dout)


def pool_settings(kernel, stride, padding):
    return pair(kernel), pair(kernel if stride is None else stride), pair(padding)


def max_pool2d(x, kernel, *, stride=None, padding=0, size=output_size):
    check_pool(x, kernel, padding)
    kernel, stride, padding = pool_settings(kernel, stride, padding)
    grid(x.shape[2:], kernel, stride, padding, 1, size)
    return windows_of(x, kernel, stride, padding, 1, -np.inf).max(axis=(-2, -1))


def scattered(shares, place, shape, kernel, stride, padding):
    """Shares (N, C, H_out, W_out, m) added at the pixels `place`, (N, C, H_out, W_out, m), of their windows."""
    n, c, h_out, w_out, _ = shares.shape
    tall, wide = shape[2] + 2 * padding[0], shape[3] + 2 * padding[1]
    rows = np.arange(h_out)[:, None, None] * stride[0] + place // kernel[1]
    columns = np.arange(w_out)[:, None] * stride[1] + place % kernel[1]
    out = np.zeros((n, c, tall, wide), shares.dtype)
    example, channel = np.indices((n, c))[..., None, None, None]
    np.add.at(out, (example, channel, rows, columns), shares)
    return out[:, :, padding[0] : tall - padding[0], padding[1] : wide - padding[1]]


def max_pool2d_backward(dout, x, kernel, *, stride=None, padding=0):
    check_pool(x, kernel, padding)
    check_dout(dout, *x.shape[:2])
    kernel, stride, padding = pool_settings(kernel, stride, padding)
    windows = windows_of(x, kernel, stride, padding, 1, -np.inf)
    first = windows.reshape(*windows.shape[:4], -1).argmax(axis=-1)
    return scattered(dout[..., None], first[..., None], x.shape, kernel, stride, padding)


def avg_pool2d(x, kernel, *, stride=None, padding=0, size=output_size):
    check_pool(x, kernel, padding)
    kernel, stride, padding = pool_settings(kernel, stride, padding)
    grid(x.shape[2:], kernel, stride, padding, 1, size)
    return windows_of(x, kernel, stride, padding, 1).mean(axis=(-2, -1))


def avg_pool2d_backward(dout, x, kernel, *, stride=None, padding=0):
    check_pool(x, kernel, padding)
    check_dout(dout, *x.shape[:2])
    kernel, stride, padding = pool_settings(kernel, stride, padding)
    taps = kernel[0] * kernel[1]
    shares = np.repeat(dout[..., None] / taps, taps, axis=-1)
    return scattered(shares, np.broadcast_to(np.arange(taps), shares.shape), x.shape, kernel, stride, padding)


def residual_block(x, branch, *, shortcut=lambda x: x):
    return np.add(branch(x), x if shortcut is None else shortcut(x))


def residual_backward(dout, branch_vjp, *, shortcut_vjp=None):
    ways = [branch_vjp, shortcut_vjp or (lambda gradient: gradient)]
    return sum(way(dout) for way in ways)


def unet_join(skip, up):
    spare = [skip.shape[axis] - up.shape[axis] for axis in (2, 3)]
    if len(skip) != len(up) or min(spare) < 0:
        raise ValueError("skip too small")
    rows, columns = (slice(s // 2, s // 2 + up.shape[axis]) for axis, s in zip((2, 3), spare))
    return np.hstack([skip[:, :, rows, columns], up])


def unet(x, encoders, bottom, decoders, *, down, up, join=unet_join):
    if len(encoders) != len(decoders):
        raise ValueError("as many decoders as encoders")
    kept = []
    for encode in encoders:
        kept.append(encode(x if not kept else down(kept[-1])))
    x = bottom(down(kept[-1])) if kept else bottom(x)
    for skip, decode in zip(reversed(kept), decoders):
        x = decode(join(skip, up(x)))
    return x


def conv2d_torch(x, w, b=None, *, stride=1, padding=0, dilation=1, size=output_size):
    check_conv(x, w, b)
    h_out, w_out = grid(x.shape[2:], w.shape[2:], stride, padding, dilation, size)
    (s_h, s_w), (p_h, p_w), (d_h, d_w) = pair(stride), pair(padding), pair(dilation)
    n, channels = x.shape[:2]
    c_out, _, k_h, k_w = w.shape
    padded = torch.nn.functional.pad(x, (p_w, p_w, p_h, p_h)).contiguous()
    e, c, r, q = padded.stride()
    windows = torch.as_strided(
        padded, (n, channels, k_h, k_w, h_out, w_out), (e, c, d_h * r, d_w * q, s_h * r, s_w * q)
    )
    out = (w.reshape(c_out, -1) @ windows.reshape(n, -1, h_out * w_out)).reshape(n, c_out, h_out, w_out)
    return out if b is None else out + b.reshape(1, -1, 1, 1)
