// Launches of the CUDA kernels: device pointers, sizes, and a stream. None waits for the device, and none adds
// floating-point numbers in an order that may vary. Scratch memory is allocated and freed in the order of the stream.
// Each throws ValueProblem when a launch fails, MemoryProblem when there is no room for scratch. The device of pointers
// and stream must be the current one.
#pragma once

#include <cstdint>

#include "augment.h"
#include "norm.h"
#include "tensor.h"

namespace forensic::cuda {

using Stream = std::uintptr_t;  // a cudaStream_t as an integer

// x and y (planes, height, width) contiguous.
template <typename T>
void dct2(std::int64_t planes, std::int64_t height, std::int64_t width, const T* x, T* y, bool inverse, Stream stream);

// As dct2_log of dct.h: `mean` has `means` planes and `std` has `stds`, which repeat. With `gradient` (planes, height,
// width) y is the gradient with respect to x.
template <typename T>
void dct2_log(std::int64_t planes, std::int64_t height, std::int64_t width, const T* x, std::int64_t means,
              const T* mean, std::int64_t stds, const T* std, double epsilon, const T* gradient, T* y, Stream stream);

// As resize_square of resize.h, T std::uint8_t or float; both views are of memory on the device.
template <typename T>
void resize_square(const TensorView<const std::uint8_t, 3>& image, const TensorView<T, 3>& out, Stream stream);

template <typename T>
void augment(const AugmentShape& shape, const T* x, const ImageStrides& x_strides, const AugmentWeights<T>& weights,
             T* y, bool adjoint, Stream stream);
template <typename T>
void augment_weight_gradients(const AugmentShape& shape, const T* x, const ImageStrides& x_strides, const T* g,
                              const ImageStrides& g_strides, const AugmentWeights<T>& weights, T* d_w1, T* d_b1,
                              T* d_w2, T* d_b2, Stream stream);

// z (rows, width) with strides; `gradient` (rows, width) contiguous or null.
template <typename T>
void batch_hard_triplet(std::int64_t rows, std::int64_t width, const T* z, std::int64_t row_stride,
                        std::int64_t column_stride, const std::int64_t* labels, std::int64_t label_stride,
                        double margin, bool squared, bool mean, T* loss, T* gradient, Stream stream);

// As in norm.h: x, y, dy and d_x (pixels, channels), the others (channels), all contiguous.
template <typename S>
void batch_norm_leaky(std::int64_t pixels, std::int64_t channels, const S* x, const Computed<S>* weight,
                      const Computed<S>* bias, const NormOptions<S>& options, S* y, Computed<S>* mean,
                      Computed<S>* variance, Stream stream);
template <typename S>
void batch_norm_leaky_gradient(std::int64_t pixels, std::int64_t channels, const S* dy, const S* x,
                               const Computed<S>* mean, const Computed<S>* variance, const Computed<S>* weight,
                               const Computed<S>* bias, const NormOptions<S>& options, S* d_x, Computed<S>* d_weight,
                               Computed<S>* d_bias, Stream stream);

struct PlaneStrides {
  std::int64_t plane, row, column;  // in elements
};

// x (planes, height, width) with strides; y (planes, rings) contiguous, rings = min(height, width) / 2.
template <typename T>
void radial_spectrum(std::int64_t planes, std::int64_t height, std::int64_t width, const T* x,
                     const PlaneStrides& strides, T* y, Stream stream);
// g (planes, rings) and d_x (planes, height, width) contiguous.
template <typename T>
void radial_spectrum_gradient(std::int64_t planes, std::int64_t height, std::int64_t width, const T* x,
                              const PlaneStrides& strides, const T* g, T* d_x, Stream stream);

}  // namespace forensic::cuda
