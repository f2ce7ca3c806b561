// radial_spectrum: mean power on rings of equal spatial frequency, and its gradient.
//   in   x (P, H, W) f32|f64, any strides      out  y (P, R), R = min(H, W) / 2, contiguous
//   F = un-normalised DFT of x, no window, mean not removed; frequencies signed and scaled to m = min(H, W):
//   fy = k m / H, fx = l m / W;  y[r] = mean of |F|^2 over the frequencies with floor(sqrt(fx^2 + fy^2)) = r; what lies
//   beyond ring R - 1 is left out.
//   gradient  d_x = sum over f of (2 g[ring f] / count) Re(F_f exp(+2 pi i ...)): another DFT, without 1/HW
//   A NaN or an infinity makes all rings of its plane non-finite and leaves other planes alone.
// Why it is fast: lanes are columns, then rows, and the plane is transposed once on its way between the axes. Two sets
// of columns are the real and the imaginary part of one transform, so half of the rows are left for the second axis;
// the rest mirrors them, and what is at H/2 or W/2 lies on no ring. Passes of 8 and 4 in registers (radial_dft.h). Sums
// are in double, frequency by frequency in one order, by the one thread that has the plane. Lengths: any. Factors 8, 4,
// 2, 3, 5 in registers, other primes p by p^2 sums: slow where the length has a large prime factor. Source: POSE,
// figure 2 (azimuthal integral of the power spectrum); Stockham's autosort FFT. Twin: forensic/kernels/reference.py,
// radial_spectrum.
#pragma once

#include "tensor.h"

namespace forensic {

template <typename T>
void radial_spectrum(const TensorView<const T, 3>& x, const TensorView<T, 2>& y, int threads);

// d_x (P, H, W) contiguous: the gradient of sum(g * y) for g (P, R).
template <typename T>
void radial_spectrum_gradient(const TensorView<const T, 3>& x, const TensorView<const T, 2>& g,
                              const TensorView<T, 3>& d_x, int threads);

// Ring of frequency (k, l) of an (H, W) DFT, not limited to R: floor(sqrt(fx^2 + fy^2)), exact.
std::int64_t ring_of(std::int64_t k, std::int64_t l, std::int64_t height, std::int64_t width);

}  // namespace forensic
