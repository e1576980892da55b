"""Convolution as a loop, as a matrix, as one product, and back; pooling; the skips of ResNet and U-Net.

Conventions, used by every function here:

- Images have shape (N, C, H, W): example, channel, row, column. Weights have shape (C_out, C_in, K_h, K_w),
  biases (C_out,).
- "Convolution" means cross-correlation, as everywhere in this field: the kernel is laid on the image as it is,
  not flipped.
- stride, padding, dilation and a pool's kernel are an int, or a pair (for rows, for columns).
- Padding adds that many rows and columns on BOTH sides. Row and column 0 of the image are then row and column
  `padding` of the padded image.
- No function changes its arguments. Results have the dtype of the inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

Pair = int | tuple[int, int]
Block = Callable[[np.ndarray], np.ndarray]


# ---------------------------------------------------------------------------------------------------
# Given: settings and checks
# ---------------------------------------------------------------------------------------------------


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


def check_windows(
    dout: np.ndarray,
    image: tuple[int, int],
    kernel: tuple[int, int],
    stride: Pair,
    padding: Pair,
    dilation: Pair = 1,
) -> None:
    """Raise ValueError unless `dout` has as many rows and columns as there are windows with these settings."""
    axes = zip(dout.shape[2:], image, kernel, pair(stride), pair(padding), pair(dilation), strict=True)
    for windows, n, k, s, p, d in axes:
        check_axis(n, k, s, p, d)
        last = (windows - 1) * s + d * (k - 1)  # the last pixel of the last window
        if not last < n + 2 * p <= last + s:  # it fits, and the next one would not
            raise ValueError(f"dout must have a number for each window, got {windows} on {n} + 2 * {p} pixels")


def check_pool(x: np.ndarray, kernel: Pair, padding: Pair) -> None:
    """Raise ValueError unless x is (N, C, H, W) and padding at most half the kernel: no window is empty."""
    if x.ndim != 4:
        raise ValueError(f"x must have shape (N, C, H, W), got {x.shape}")
    for k, p in zip(pair(kernel), pair(padding), strict=True):
        if 2 * p > k:
            raise ValueError(f"padding must be at most half the kernel, got padding {p} and kernel {k}")


# ---------------------------------------------------------------------------------------------------
# Task 1: arithmetic
# ---------------------------------------------------------------------------------------------------


def output_size(size: int, kernel: int, *, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """How many windows fit along one axis: the output's size.

    Windows start at 0, stride, 2 stride, ... of the padded axis, and take `kernel` pixels that are `dilation`
    apart. Only windows that lie inside the padded axis count; pixels left over at the end are not used.

    Args:
        size: Pixels of the image along this axis, >= 1.
        kernel: Taps of the kernel along this axis, >= 1.
        stride, dilation: >= 1.
        padding: Pixels added on EACH side, >= 0.

    Returns:
        An int, >= 1.

    Raises:
        ValueError: If a setting is out of range or the kernel does not fit once.

    >>> output_size(7, 3, stride=2)
    3
    """
    check_axis(size, kernel, stride, padding, dilation)
    # Count the starts.
    # BEGIN SOLUTION arithmetic
    span = dilation * (kernel - 1) + 1
    return (size + 2 * padding - span) // stride + 1
    # END SOLUTION


def receptive_field(layers: Sequence[tuple[int, int, int, int]]) -> tuple[int, int, int]:
    """Which pixels of the input a number deep in a network can depend on, along one axis.

    Output i of the last layer sees the input from pixel `start + i * jump` to `start + i * jump + size - 1`.
    Some of these may be padding, or gaps left by a dilation.

    Args:
        layers: (kernel, stride, padding, dilation) of each layer, the one at the input first. Pooling layers
            count like any other. May be empty.

    Returns:
        (size, jump, start), three ints: the width of the receptive field; how far it moves from one output to
        the next; and where that of output 0 begins, 0 being the image's first pixel, so never positive.

    >>> receptive_field([(3, 1, 1, 1), (2, 2, 0, 1)])
    (4, 2, -1)
    """
    for kernel, stride, padding, dilation in layers:
        check_axis(kernel * dilation, kernel, stride, padding, dilation)
    # Steps: an input pixel, which sees itself; then layer by layer, what each does to the three numbers.
    # BEGIN SOLUTION arithmetic
    size, jump, start = 1, 1, 0
    for kernel, stride, padding, dilation in layers:
        size += dilation * (kernel - 1) * jump
        start -= padding * jump
        jump *= stride
    return size, jump, start
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------
# Task 2: convolution as a loop
# ---------------------------------------------------------------------------------------------------
#
# From here on, functions that need an output's size call an argument, `size`: your own `output_size` unless the
# caller passes another one (the checks pass a working one). The given lines have called it already: h_out and
# w_out are there.


def conv2d(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    size: Callable[..., int] = output_size,
) -> np.ndarray:
    """Slide every filter over every image; each number is a sum of products over a window of all channels.

    out[n, o, i, j] = b[o] + sum_{c, u, v} w[o, c, u, v] x[n, c, i s_h + u d_h - p_h, j s_w + v d_w - p_w],
    where x is 0 outside the image.

    Args:
        x: Images, shape (N, C_in, H, W), floating point.
        w: Weights, shape (C_out, C_in, K_h, K_w).
        b: Biases, shape (C_out,); None for none.
        stride, padding, dilation: An int, or (for rows, for columns).
        size: Computes an output's size along an axis, as `output_size` does.

    Returns:
        Shape (N, C_out, H_out, W_out).

    Raises:
        ValueError: If shapes don't fit one another or a kernel does not fit the padded image.
    """
    check_conv(x, w, b)
    (s_h, s_w), (p_h, p_w), (d_h, d_w) = pair(stride), pair(padding), pair(dilation)
    h_out, w_out = grid(x.shape[2:], w.shape[2:], stride, padding, dilation, size)
    # Steps: the padded images; for each place (i, j), the window against each filter; the bias.
    # BEGIN SOLUTION conv2d
    k_h, k_w = w.shape[2:]
    padded = _padded(x, (p_h, p_w))
    out = np.empty((len(x), len(w), h_out, w_out), dtype=x.dtype)
    for i in range(h_out):
        for j in range(w_out):
            rows = slice(i * s_h, i * s_h + d_h * (k_h - 1) + 1, d_h)
            columns = slice(j * s_w, j * s_w + d_w * (k_w - 1) + 1, d_w)
            out[:, :, i, j] = np.einsum("ncuv,ocuv->no", padded[:, :, rows, columns], w)
    return out if b is None else out + b[:, None, None]
    # END SOLUTION


# BEGIN SOLUTION conv2d
def _padded(x: np.ndarray, padding: tuple[int, int], value: float = 0.0) -> np.ndarray:
    """The images with p_h rows and p_w columns of `value` on both sides."""
    p_h, p_w = padding
    return np.pad(x, ((0, 0), (0, 0), (p_h, p_h), (p_w, p_w)), constant_values=value)


def _tap(
    padded: np.ndarray, place: tuple[int, int], out: tuple[int, int], stride: Pair, dilation: Pair = 1
) -> np.ndarray:
    """A view of what tap (u, v) of the kernel sees, window by window: (N, C, H_out, W_out)."""
    rows, columns = (
        slice(t * d, t * d + s * (n - 1) + 1, s)
        for t, n, s, d in zip(place, out, pair(stride), pair(dilation), strict=True)
    )
    return padded[:, :, rows, columns]


# END SOLUTION


# ---------------------------------------------------------------------------------------------------
# Task 3: convolution as a matrix
# ---------------------------------------------------------------------------------------------------


def conv_matrix(
    w: np.ndarray,
    image_shape: tuple[int, int, int],
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    size: Callable[..., int] = output_size,
) -> np.ndarray:
    """The convolution, without bias, as a matrix T: T @ x.ravel() is the output of image x, raveled.

    Args:
        w: Weights, shape (C_out, C_in, K_h, K_w).
        image_shape: (C_in, H, W) of ONE image.
        stride, padding, dilation, size: As for `conv2d`.

    Returns:
        Shape (C_out * H_out * W_out, C_in * H * W), with the dtype of `w`. Rows and columns are in the order
        of `ravel`: channel, then row, then column. Padding has no columns.

    Raises:
        ValueError: As `conv2d`.
    """
    channels, height, width = image_shape
    check_conv(np.empty((1, channels, height, width)), w)
    (s_h, s_w), (p_h, p_w), (d_h, d_w) = pair(stride), pair(padding), pair(dilation)
    h_out, w_out = grid((height, width), w.shape[2:], stride, padding, dilation, size)
    # For each weight of each filter at each place: which number of the image does it meet there, if any?
    # BEGIN SOLUTION matrix
    c_out, _, k_h, k_w = w.shape
    matrix = np.zeros((c_out, h_out, w_out, channels, height, width), dtype=w.dtype)
    for i, j, u, v in np.ndindex(h_out, w_out, k_h, k_w):
        row, column = i * s_h + u * d_h - p_h, j * s_w + v * d_w - p_w
        if 0 <= row < height and 0 <= column < width:
            matrix[:, i, j, :, row, column] = w[:, :, u, v]
    return matrix.reshape(c_out * h_out * w_out, channels * height * width)
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------
# Task 4: convolution as one product
# ---------------------------------------------------------------------------------------------------


def im2col(
    x: np.ndarray,
    kernel: Pair,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    size: Callable[..., int] = output_size,
) -> np.ndarray:
    """Every window of every image as a column, so that sliding a filter becomes a row times a matrix.

    Args:
        x: Images, shape (N, C, H, W).
        kernel: (K_h, K_w), or an int.
        stride, padding, dilation, size: As for `conv2d`.

    Returns:
        Shape (N, C * K_h * K_w, H_out * W_out). Row c K_h K_w + u K_w + v holds what tap (u, v) sees of
        channel c; column i W_out + j is the window of output (i, j).

    Raises:
        ValueError: If x has not four axes or the kernel does not fit the padded image.
    """
    if x.ndim != 4:
        raise ValueError(f"x must have shape (N, C, H, W), got {x.shape}")
    (k_h, k_w), (s_h, s_w), (p_h, p_w), (d_h, d_w) = pair(kernel), pair(stride), pair(padding), pair(dilation)
    h_out, w_out = grid(x.shape[2:], (k_h, k_w), stride, padding, dilation, size)
    # Steps: the padded images; what each tap sees; the axes in the order above.
    # BEGIN SOLUTION im2col
    n, channels = x.shape[:2]
    padded = _padded(x, (p_h, p_w))
    cols = np.empty((n, channels, k_h, k_w, h_out, w_out), dtype=x.dtype)
    for u, v in np.ndindex(k_h, k_w):
        cols[:, :, u, v] = _tap(padded, (u, v), (h_out, w_out), (s_h, s_w), (d_h, d_w))
    return cols.reshape(n, channels * k_h * k_w, h_out * w_out)
    # END SOLUTION


def conv2d_im2col(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    size: Callable[..., int] = output_size,
    columns: Callable[..., np.ndarray] = im2col,
    matmul: Callable[[np.ndarray, np.ndarray], np.ndarray] = np.matmul,
) -> np.ndarray:
    """The same numbers as `conv2d`, all from ONE call of `matmul`, however many images, filters and windows.

    Args:
        x, w, b, stride, padding, dilation, size: As for `conv2d`.
        columns: Makes the columns, as `im2col` does: your own unless the caller says otherwise.
        matmul: Multiplies two arrays as `np.matmul` does. The only place where weights meet pixels.

    Returns:
        Shape (N, C_out, H_out, W_out).

    Raises:
        ValueError: As `conv2d`.
    """
    check_conv(x, w, b)
    h_out, w_out = grid(x.shape[2:], w.shape[2:], stride, padding, dilation, size)
    # Steps: the columns; their product with the filters; the axes of an image; the bias.
    # BEGIN SOLUTION im2col
    cols = columns(x, w.shape[2:], stride=stride, padding=padding, dilation=dilation, size=size)
    out = matmul(w.reshape(len(w), -1), cols)  # (N, C_out, H_out * W_out)
    out = out.reshape(len(x), len(w), h_out, w_out)
    return out if b is None else out + b[:, None, None]
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------
# Task 5: the backward pass
# ---------------------------------------------------------------------------------------------------


def conv2d_backward(
    dout: np.ndarray,
    x: np.ndarray,
    w: np.ndarray,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients of a loss in the images, the weights and the biases, from its gradient in the output.

    Args:
        dout: dC/dout, shape (N, C_out, H_out, W_out), for out = conv2d(x, w, b, ...) with the same settings.
        x: The images, shape (N, C_in, H, W).
        w: The weights, shape (C_out, C_in, K_h, K_w).
        stride, padding, dilation: As for `conv2d`.

    Returns:
        dx: Shape of x. Pixels that no window reaches get 0.
        dw: Shape of w; a sum over images and places.
        db: Shape (C_out,); a sum over images and places.

    Raises:
        ValueError: If the shapes don't fit one another.
    """
    check_conv(x, w)
    check_dout(dout, len(x), len(w))
    check_windows(dout, x.shape[2:], w.shape[2:], stride, padding, dilation)
    (s_h, s_w), (p_h, p_w), (d_h, d_w) = pair(stride), pair(padding), pair(dilation)
    h_out, w_out = dout.shape[2:]
    # Steps: the three gradients, each by the sum that you derived. dx is that of the images without padding.
    # BEGIN SOLUTION backward
    height, width = x.shape[2:]
    padded = _padded(x, (p_h, p_w))
    dpadded, dw = np.zeros_like(padded), np.empty_like(w)
    for u, v in np.ndindex(w.shape[2:]):
        where = (u, v), (h_out, w_out), (s_h, s_w), (d_h, d_w)
        dw[:, :, u, v] = np.einsum("noij,ncij->oc", dout, _tap(padded, *where))
        seen = _tap(dpadded, *where)
        seen += np.einsum("noij,oc->ncij", dout, w[:, :, u, v])
    dx = dpadded[:, :, p_h : p_h + height, p_w : p_w + width]
    return dx, dw, dout.sum(axis=(0, 2, 3))
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------
# Task 6: pooling
# ---------------------------------------------------------------------------------------------------


def max_pool2d(
    x: np.ndarray,
    kernel: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    size: Callable[..., int] = output_size,
) -> np.ndarray:
    """The largest number of each window, channel by channel. Padding is never the largest.

    Args:
        x: Images, shape (N, C, H, W), finite.
        kernel: (K_h, K_w), or an int.
        stride: An int, or (for rows, for columns); None for the kernel's size, so that windows don't overlap.
        padding: At most half the kernel.
        size: As for `conv2d`.

    Returns:
        Shape (N, C, H_out, W_out).

    Raises:
        ValueError: If a setting is out of range or the kernel does not fit the padded image.
    """
    check_pool(x, kernel, padding)
    kernel, stride, padding = pair(kernel), pair(kernel if stride is None else stride), pair(padding)
    h_out, w_out = grid(x.shape[2:], kernel, stride, padding, 1, size)
    # Steps: the padded images; the maximum of each window.
    # BEGIN SOLUTION pooling
    padded = _padded(x, padding, -np.inf)
    return _windows(padded, kernel, (h_out, w_out), stride).max(axis=0)
    # END SOLUTION


def max_pool2d_backward(
    dout: np.ndarray, x: np.ndarray, kernel: Pair, *, stride: Pair | None = None, padding: Pair = 0
) -> np.ndarray:
    """The gradient of a loss in the images, from its gradient in the maxima.

    Of several equal maxima, the FIRST one of the window, row by row, counts as the maximum.

    Args:
        dout: dC/dout, shape (N, C, H_out, W_out), for out = max_pool2d(x, kernel, ...) with the same settings.
        x: The images, shape (N, C, H, W).
        kernel, stride, padding: As for `max_pool2d`.

    Returns:
        Shape of x.

    Raises:
        ValueError: If a shape or setting is out of range.

    >>> max_pool2d_backward(np.array([[[[8.0]]]]), np.array([[[[1.0, 5.0], [3.0, 4.0]]]]), 2)[0, 0]
    array([[0., 8.],
           [0., 0.]])
    """
    check_pool(x, kernel, padding)
    check_dout(dout, *x.shape[:2])
    kernel, stride, padding = pair(kernel), pair(kernel if stride is None else stride), pair(padding)
    check_windows(dout, x.shape[2:], kernel, stride, padding)
    h_out, w_out = dout.shape[2:]
    # Steps: the maximum of each window; what it means for each pixel.
    # BEGIN SOLUTION pooling
    padded = _padded(x, padding, -np.inf)
    first = _windows(padded, kernel, (h_out, w_out), stride).argmax(axis=0)  # (N, C, H_out, W_out)
    dpadded = np.zeros_like(padded)
    for tap, place in enumerate(np.ndindex(kernel)):
        seen = _tap(dpadded, place, (h_out, w_out), stride)
        seen += dout * (first == tap)
    return _unpadded(dpadded, x.shape, padding)
    # END SOLUTION


def avg_pool2d(
    x: np.ndarray,
    kernel: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    size: Callable[..., int] = output_size,
) -> np.ndarray:
    """The mean of each window, channel by channel. Padding counts, as zeros: the divisor is always K_h K_w. (Given.)

    Args, Returns, Raises: As for `max_pool2d`.
    """
    check_pool(x, kernel, padding)
    kernel, stride, padding = pair(kernel), pair(kernel if stride is None else stride), pair(padding)
    h_out, w_out = grid(x.shape[2:], kernel, stride, padding, 1, size)
    padded = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    out = np.empty((*x.shape[:2], h_out, w_out), dtype=x.dtype)
    for i, j in np.ndindex(h_out, w_out):
        top, left = i * stride[0], j * stride[1]
        out[:, :, i, j] = padded[:, :, top : top + kernel[0], left : left + kernel[1]].mean(axis=(2, 3))
    return out


def avg_pool2d_backward(
    dout: np.ndarray, x: np.ndarray, kernel: Pair, *, stride: Pair | None = None, padding: Pair = 0
) -> np.ndarray:
    """The gradient of a loss in the images, from its gradient in the means that `avg_pool2d` gives.

    Args, Returns, Raises: As for `max_pool2d_backward`. Of `x`, only the shape matters.

    >>> avg_pool2d_backward(np.array([[[[8.0]]]]), np.array([[[[1.0, 5.0], [3.0, 4.0]]]]), 2)[0, 0]
    array([[2., 2.],
           [2., 2.]])
    """
    check_pool(x, kernel, padding)
    check_dout(dout, *x.shape[:2])
    kernel, stride, padding = pair(kernel), pair(kernel if stride is None else stride), pair(padding)
    check_windows(dout, x.shape[2:], kernel, stride, padding)
    h_out, w_out = dout.shape[2:]
    # Steps: what each window means for each pixel in it.
    # BEGIN SOLUTION pooling
    dpadded = np.zeros_like(_padded(x, padding))
    for place in np.ndindex(kernel):
        seen = _tap(dpadded, place, (h_out, w_out), stride)
        seen += dout / (kernel[0] * kernel[1])
    return _unpadded(dpadded, x.shape, padding)
    # END SOLUTION


# BEGIN SOLUTION pooling
def _windows(padded: np.ndarray, kernel: tuple[int, int], out: tuple[int, int], stride: Pair) -> np.ndarray:
    """All windows, tap by tap in row-major order: (K_h * K_w, N, C, H_out, W_out)."""
    return np.stack([_tap(padded, place, out, stride) for place in np.ndindex(kernel)])


def _unpadded(padded: np.ndarray, shape: tuple[int, ...], padding: tuple[int, int]) -> np.ndarray:
    """What is left of padded images of `shape` without their padding."""
    return padded[:, :, padding[0] : padding[0] + shape[2], padding[1] : padding[1] + shape[3]]


# END SOLUTION


# ---------------------------------------------------------------------------------------------------
# Task 7: skips
# ---------------------------------------------------------------------------------------------------


def residual_block(x: np.ndarray, branch: Block, *, shortcut: Block | None = None) -> np.ndarray:
    """What the branch adds to the input: y = x + F(x), or S(x) + F(x) with a shortcut S. (Given.)

    Args:
        x: Images, shape (N, C, H, W).
        branch: F, the layers of the block. Called once.
        shortcut: S, which brings x to the shape of F(x) where the branch changes it; None for the identity.
            Called once.

    Returns:
        Shape of F(x). No activation comes after the sum.
    """
    return (x if shortcut is None else shortcut(x)) + branch(x)


def residual_backward(
    dout: np.ndarray, branch_vjp: Block, *, shortcut_vjp: Block | None = None
) -> np.ndarray:
    """The gradient in x of a loss whose gradient in y = S(x) + F(x) is `dout`.

    Args:
        dout: dC/dy, the shape of y.
        branch_vjp: Takes the gradient in F(x) back to the gradient in x. Called once.
        shortcut_vjp: The same for S; None for the identity. Called once.

    Returns:
        Shape of x.
    """
    # Differentiate y, and read off where dout goes.
    # BEGIN SOLUTION skips
    return (dout if shortcut_vjp is None else shortcut_vjp(dout)) + branch_vjp(dout)
    # END SOLUTION


def unet_join(skip: np.ndarray, up: np.ndarray) -> np.ndarray:
    """The encoder's features beside the decoder's, one set of channels after the other: skip first, then up.

    Args:
        skip: Features kept on the way down, shape (N, C_s, H_s, W_s).
        up: Features on the way up, shape (N, C_u, H, W), with H <= H_s and W <= W_s.

    Returns:
        Shape (N, C_s + C_u, H, W). Of a larger skip the center is kept: (H_s - H) // 2 rows are cut off at
        the top and the rest at the bottom; the same with columns.

    Raises:
        ValueError: If the batches differ, or the skip is smaller.
    """
    if len(skip) != len(up) or skip.shape[2] < up.shape[2] or skip.shape[3] < up.shape[3]:
        raise ValueError(f"skip must have up's N and at least its H and W, got {skip.shape} and {up.shape}")
    # Steps: where the center of the skip begins; both sets of channels.
    # BEGIN SOLUTION skips
    height, width = up.shape[2:]
    top, left = (skip.shape[2] - height) // 2, (skip.shape[3] - width) // 2
    return np.concatenate([skip[:, :, top : top + height, left : left + width], up], axis=1)
    # END SOLUTION


def unet(
    x: np.ndarray,
    encoders: Sequence[Block],
    bottom: Block,
    decoders: Sequence[Block],
    *,
    down: Block,
    up: Block,
    join: Callable[[np.ndarray, np.ndarray], np.ndarray] = unet_join,
) -> np.ndarray:
    """Down through the encoders and up through the decoders, which also get what their level's encoder made. (Given.)

    On the way down, a level is its encoder, whose output is kept, and then `down`. Then comes the bottom. On
    the way up, a level is `up`, then `join` with what that level kept, then its decoder.

    Args:
        x: Images, shape (N, C, H, W).
        encoders: One for each level, the first one first.
        bottom: What comes after the last `down`.
        decoders: As many, in the order in which they are USED: the first belongs to the last encoder's level.
        down, up: Make the image smaller, and larger.
        join: (skip, up) -> both, as `unet_join`.

    Returns:
        What the last decoder gives.

    Raises:
        ValueError: If there are not as many decoders as encoders.
    """
    if len(encoders) != len(decoders):
        raise ValueError(f"encoders and decoders must be as many, got {len(encoders)} and {len(decoders)}")
    skips = []
    for encode in encoders:
        x = encode(x)
        skips.append(x)
        x = down(x)
    x = bottom(x)
    for decode in decoders:
        x = decode(join(skips.pop(), up(x)))
    return x


# ---------------------------------------------------------------------------------------------------
# Task 8: any device, any precision
# ---------------------------------------------------------------------------------------------------


def conv2d_torch(
    x: torch.Tensor,
    w: torch.Tensor,
    b: torch.Tensor | None = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    size: Callable[..., int] = output_size,
) -> torch.Tensor:
    """`conv2d` for tensors: on their device, in their precision, and open to torch's autograd in x, w and b.

    Args:
        x, w, b: As for `conv2d`, tensors of one dtype on one device: float64, float32 or bfloat16.
        stride, padding, dilation, size: As for `conv2d`.

    Returns:
        Shape (N, C_out, H_out, W_out), with the dtype and device of `x`. In bfloat16 the products of one
        output are added up with at least float32's precision, and rounded at the end.

    Raises:
        ValueError: As `conv2d`.
    """
    check_conv(x, w, b)
    (s_h, s_w), (p_h, p_w), (d_h, d_w) = pair(stride), pair(padding), pair(dilation)
    h_out, w_out = grid(x.shape[2:], w.shape[2:], stride, padding, dilation, size)
    # Steps: all windows, without a loop over pixels; their products with the filters; the axes of an image; the bias.
    # BEGIN SOLUTION device
    n, channels, height, width = x.shape
    c_out, _, k_h, k_w = w.shape
    padded = x.new_zeros(n, channels, height + 2 * p_h, width + 2 * p_w)
    padded[:, :, p_h : p_h + height, p_w : p_w + width] = x
    rows, columns = (
        s * torch.arange(count, device=x.device)[:, None] + d * torch.arange(k, device=x.device)
        for s, count, d, k in ((s_h, h_out, d_h, k_h), (s_w, w_out, d_w, k_w))
    )
    windows = padded[:, :, rows[:, None, :, None], columns[:, None, :]]  # (N, C, H_out, W_out, K_h, K_w)
    cols = windows.permute(1, 4, 5, 0, 2, 3).reshape(channels * k_h * k_w, n * h_out * w_out)
    out = w.reshape(c_out, -1) @ cols  # a matrix product of bfloat16 numbers adds up in float32
    out = out.reshape(c_out, n, h_out, w_out).transpose(0, 1)
    return out if b is None else out + b[:, None, None]
    # END SOLUTION
