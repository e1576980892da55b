"""A second right solution: one number at a time, seven loops deep, and torch through Tensor.unfold."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

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
    last = size + 2 * padding - dilation * (kernel - 1)  # starts lie before it
    return len(range(0, last, stride))


def receptive_field(layers):
    for kernel, stride, padding, dilation in layers:
        check_axis(kernel * dilation, kernel, stride, padding, dilation)
    # From the output back: which numbers of the layer before do outputs 0 and 1 read?
    first, last, second = 0, 0, 1
    for kernel, stride, padding, dilation in reversed(layers):
        first, second = first * stride - padding, second * stride - padding
        last = last * stride - padding + dilation * (kernel - 1)
    return last - first + 1, second - first, first


def meetings(image, kernel, out, stride, padding, dilation):
    """Every output, tap and pixel that meet: (i, j, u, v, row, column)."""
    (height, width), (s_h, s_w), (p_h, p_w), (d_h, d_w) = image, pair(stride), pair(padding), pair(dilation)
    for i, j, u, v in product(range(out[0]), range(out[1]), range(kernel[0]), range(kernel[1])):
        row, column = i * s_h + u * d_h - p_h, j * s_w + v * d_w - p_w
        if 0 <= row < height and 0 <= column < width:
            yield i, j, u, v, row, column


def conv2d(x, w, b=None, *, stride=1, padding=0, dilation=1, size=output_size):
    check_conv(x, w, b)
    shape = grid(x.shape[2:], w.shape[2:], stride, padding, dilation, size)
    out = np.zeros((len(x), len(w), *shape), x.dtype)
    for n in range(len(x)):
        for o in range(len(w)):
            if b is not None:
                out[n, o] = b[o]
            places = meetings(x.shape[2:], w.shape[2:], shape, stride, padding, dilation)
            for i, j, u, v, row, column in places:
                for c in range(x.shape[1]):
                    out[n, o, i, j] += w[o, c, u, v] * x[n, c, row, column]
    return out


def conv_matrix(w, image_shape, *, stride=1, padding=0, dilation=1, size=output_size):
    channels, height, width = image_shape
    check_conv(np.empty((1, channels, height, width)), w)
    shape = grid((height, width), w.shape[2:], stride, padding, dilation, size)
    h_out, w_out = shape
    matrix = np.zeros((len(w) * h_out * w_out, channels * height * width), w.dtype)
    for i, j, u, v, row, column in meetings((height, width), w.shape[2:], shape, stride, padding, dilation):
        for o, c in product(range(len(w)), range(channels)):
            matrix[(o * h_out + i) * w_out + j, (c * height + row) * width + column] = w[o, c, u, v]
    return matrix


def im2col(x, kernel, *, stride=1, padding=0, dilation=1, size=output_size):
    if x.ndim != 4:
        raise ValueError("four axes")
    k_h, k_w = pair(kernel)
    shape = grid(x.shape[2:], (k_h, k_w), stride, padding, dilation, size)
    cols = np.zeros((len(x), x.shape[1] * k_h * k_w, shape[0] * shape[1]), x.dtype)
    for i, j, u, v, row, column in meetings(x.shape[2:], (k_h, k_w), shape, stride, padding, dilation):
        for c in range(x.shape[1]):
            cols[:, (c * k_h + u) * k_w + v, i * shape[1] + j] = x[:, c, row, column]
    return cols


def conv2d_im2col(x, w, b=None, *, stride=1, padding=0, dilation=1, size=output_size, columns=im2col, matmul=np.matmul):
    check_conv(x, w, b)
    h_out, w_out = grid(x.shape[2:], w.shape[2:], stride, padding, dilation, size)
    cols = columns(x, w.shape[2:], stride=stride, padding=padding, dilation=dilation, size=size)
    # All windows of all images side by side: one plain matrix product.
    wide = cols.transpose(1, 0, 2).reshape(cols.shape[1], -1)
    out = matmul(w.reshape(len(w), -1), wide).reshape(len(w), len(x), h_out, w_out).swapaxes(0, 1)
    return out + (0 if b is None else b.reshape(1, -1, 1, 1))


def conv2d_backward(dout, x, w, *, stride=1, padding=0, dilation=1):
    check_conv(x, w)
    check_dout(dout, len(x), len(w))
    dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros(len(w), dout.dtype)
    for n, o in product(range(len(x)), range(len(w))):
        db[o] += dout[n, o].sum()
        for i, j, u, v, row, column in meetings(
            x.shape[2:], w.shape[2:], dout.shape[2:], stride, padding, dilation
        ):
            dx[n, :, row, column] += dout[n, o, i, j] * w[o, :, u, v]
            dw[o, :, u, v] += dout[n, o, i, j] * x[n, :, row, column]
    return dx, dw, db


def pool_settings(kernel, stride, padding):
    return pair(kernel), pair(kernel if stride is None else stride), pair(padding)


def max_pool2d(x, kernel, *, stride=None, padding=0, size=output_size):
    check_pool(x, kernel, padding)
    kernel, stride, padding = pool_settings(kernel, stride, padding)
    shape = grid(x.shape[2:], kernel, stride, padding, 1, size)
    out = np.full((*x.shape[:2], *shape), -np.inf, x.dtype)
    for i, j, _, _, row, column in meetings(x.shape[2:], kernel, shape, stride, padding, 1):
        out[:, :, i, j] = np.maximum(out[:, :, i, j], x[:, :, row, column])
    return out


def max_pool2d_backward(dout, x, kernel, *, stride=None, padding=0):
    check_pool(x, kernel, padding)
    check_dout(dout, *x.shape[:2])
    kernel, stride, padding = pool_settings(kernel, stride, padding)
    dx = np.zeros_like(x)
    for n, c in product(range(len(x)), range(x.shape[1])):
        best = {}
        for i, j, _, _, row, column in meetings(x.shape[2:], kernel, dout.shape[2:], stride, padding, 1):
            if (i, j) not in best or x[n, c, row, column] > x[n, c][best[i, j]]:
                best[i, j] = row, column
        for place, pixel in best.items():
            dx[n, c][pixel] += dout[n, c][place]
    return dx


def avg_pool2d(x, kernel, *, stride=None, padding=0, size=output_size):
    check_pool(x, kernel, padding)
    kernel, stride, padding = pool_settings(kernel, stride, padding)
    shape = grid(x.shape[2:], kernel, stride, padding, 1, size)
    out = np.zeros((*x.shape[:2], *shape), x.dtype)
    for i, j, _, _, row, column in meetings(x.shape[2:], kernel, shape, stride, padding, 1):
        out[:, :, i, j] += x[:, :, row, column] / (kernel[0] * kernel[1])
    return out


def avg_pool2d_backward(dout, x, kernel, *, stride=None, padding=0):
    check_pool(x, kernel, padding)
    check_dout(dout, *x.shape[:2])
    kernel, stride, padding = pool_settings(kernel, stride, padding)
    dx = np.zeros_like(x)
    for i, j, _, _, row, column in meetings(x.shape[2:], kernel, dout.shape[2:], stride, padding, 1):
        dx[:, :, row, column] += dout[:, :, i, j] / (kernel[0] * kernel[1])
    return dx


def residual_block(x, branch, *, shortcut=None):
    y = branch(x)
    if shortcut is not None:
        x = shortcut(x)
    return y + x


def residual_backward(dout, branch_vjp, *, shortcut_vjp=None):
    dx = branch_vjp(dout)
    return dx + (shortcut_vjp(dout) if shortcut_vjp else dout)


def unet_join(skip, up):
    (n, c_skip, h_skip, w_skip), (n_up, c_up, height, width) = skip.shape, up.shape
    if n != n_up or h_skip < height or w_skip < width:
        raise ValueError("skip too small")
    both = np.empty((n, c_skip + c_up, height, width), skip.dtype)
    top, left = (h_skip - height) // 2, (w_skip - width) // 2
    both[:, :c_skip] = skip[:, :, top : top + height, left : left + width]
    both[:, c_skip:] = up
    return both


def unet(x, encoders, bottom, decoders, *, down, up, join=unet_join):
    """By recursion: a U-Net is a level around a smaller one."""
    if len(encoders) != len(decoders):
        raise ValueError("as many decoders as encoders")
    if not encoders:
        return bottom(x)
    kept = encoders[0](x)
    inner = unet(down(kept), encoders[1:], bottom, decoders[:-1], down=down, up=up, join=join)
    return decoders[-1](join(kept, up(inner)))


def conv2d_torch(x, w, b=None, *, stride=1, padding=0, dilation=1, size=output_size):
    check_conv(x, w, b)
    grid(x.shape[2:], w.shape[2:], stride, padding, dilation, size)
    (s_h, s_w), (p_h, p_w), (d_h, d_w) = pair(stride), pair(padding), pair(dilation)
    k_h, k_w = w.shape[2:]
    wide = torch.float64 if x.dtype == torch.float64 else torch.float32
    padded = torch.nn.functional.pad(x, (p_w, p_w, p_h, p_h)).to(wide)
    windows = padded.unfold(2, d_h * (k_h - 1) + 1, s_h).unfold(3, d_w * (k_w - 1) + 1, s_w)
    windows = windows[..., ::d_h, ::d_w]
    out = torch.einsum("ncijuv,ocuv->noij", windows, w.to(wide))
    if b is not None:
        out = out + b.to(wide)[:, None, None]
    return out.to(x.dtype)
