// resize_square: the centre square of a picture in Pillow's bicubic, bit for bit.
//   in   image (H, W, 3) u8, any strides       out  (3, S, S) u8, or f32 in [-1, 1]: (v / 255 - 0.5) / 0.5, any strides
//   s = min(H, W), the square begins at round((H - s) / 2), round((W - s) / 2), halves to even; s = S is copied
//   unchanged. Along each axis output i is the sum of w_j p_j over a window of about 4 max(s/S, 1) inputs, w in units
//   of 2^-22, rounded half up and clipped to 0..255: first along rows for all rows, then along columns.
// Why it is fast: 16 rows are transposed so that one weight meets 16 bytes of one column; no multiplication is wasted
// on
//   partial windows, and the picture is read once.
// Source: Pillow, src/libImaging/Resample.c, as described in the literature notes (bicubic, a = -1/2, 8-bit integers).
// Twin: forensic/kernels/reference.py, resize_square.
#pragma once

#include <cstdint>

#include "tensor.h"

namespace forensic {

// T is std::uint8_t or float.
template <typename T>
void resize_square(const TensorView<const std::uint8_t, 3>& image, const TensorView<T, 3>& out, int threads);

}  // namespace forensic
