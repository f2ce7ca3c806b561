// The CUDA sources beside the CPU kernels, for the sanitizers: every way through them, with low thresholds, at sizes
// that leave parts of tiles empty. tests/kernels asserts what the numbers must be.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "../expect.h"
#include "augment.h"
#include "block.h"
#include "cuda_launch.h"
#include "dct.h"
#include "norm.h"
#include "radial.h"
#include "resize.h"
#include "triplet.h"

namespace {

using forensic::cuda::Stream;
constexpr Stream kStream = cuda_on_cpu::kStream;

template <typename T>
std::vector<T> unwritten(std::int64_t count) {
  return std::vector<T>(static_cast<std::size_t>(count), static_cast<T>(NAN));
}

template <typename T>
void expect_close(const std::vector<T>& got, const std::vector<T>& want, const std::string& what) {
  double largest = 0, worst = 0;
  for (std::size_t n = 0; n < want.size(); ++n) {
    largest = std::max(largest, std::fabs(static_cast<double>(want[n])));
    const double gap = std::fabs(static_cast<double>(got[n]) - static_cast<double>(want[n]));
    worst = gap <= worst ? worst : gap;  // a NaN stays
  }
  if (worst <= (sizeof(T) == 4 ? 1e-4 : 1e-11) * std::max(largest, 1.0)) return;
  std::printf("%s: off by %g of %g\n", what.c_str(), worst, largest);
  ++failures;
}

template <typename T>
void dct(std::int64_t planes, std::int64_t height, std::int64_t width) {
  const std::string what = "dct2 " + std::to_string(height) + " x " + std::to_string(width);
  const std::int64_t count = planes * height * width;
  const auto x = values<T>(count), mean = values<T>(height * width, 3), above = values<T>(count, 4);
  auto std = values<T>(height * width, 2);
  for (T& value : std) value += T(1);
  auto got = unwritten<T>(count), want = got;
  const auto in = row_major<const T, 3>(x.data(), {planes, height, width});
  const auto out = row_major<T, 3>(want.data(), {planes, height, width});
  for (const bool inverse : {false, true}) {
    forensic::dct2<T>(in, out, inverse, 1);
    forensic::cuda::dct2(planes, height, width, x.data(), got.data(), inverse, kStream);
    expect_close(got, want, what);
  }
  const auto repeated = [&](const std::vector<T>& all) {
    return row_major<const T, 3>(all.data(), {1, height, width});
  };
  const forensic::DctStatistics<T> statistics{repeated(mean), repeated(std), T(1e-3)};
  const auto slope = row_major<const T, 3>(above.data(), {planes, height, width});
  for (const bool gradient : {false, true}) {
    forensic::dct2_log<T>(in, statistics, gradient ? &slope : nullptr, out, 1);
    forensic::cuda::dct2_log(planes, height, width, x.data(), 1, mean.data(), 1, std.data(), 1e-3,
                             gradient ? above.data() : nullptr, got.data(), kStream);
    if (sizeof(T) == 8) expect_close(got, want, what + (gradient ? " gradient of the logarithm" : " logarithm"));
  }
}

// A cut of a larger picture into pixels that lie side by side: the same bits, and nothing beside them.
template <typename T>
void resize(std::int64_t side, std::int64_t size, const std::array<std::int64_t, 3>& stride) {
  std::vector<std::uint8_t> image;
  for (const double value : values<double>(3 * (side + 2) * (side + 1)))
    image.push_back(static_cast<std::uint8_t>((value + 0.5) * 255.9));
  auto in = row_major<const std::uint8_t, 3>(image.data(), {side + 2, side, 3});
  in.stride = stride;
  std::vector<T> made[2];
  for (const bool device : {false, true}) {
    made[device].resize(static_cast<std::size_t>(3 * size * size), T(77));
    auto out = row_major<T, 3>(made[device].data(), {3, size, size});
    if (size % 2 == 0) out.stride = {1, 3 * size, 3};
    if (device) {
      forensic::cuda::resize_square<T>(in, out, kStream);
    } else {
      forensic::resize_square<T>(in, out, 1);
    }
  }
  if (made[0] == made[1]) return;
  std::printf("resize_square %d to %d: other bits\n", static_cast<int>(side), static_cast<int>(size));
  ++failures;
}

template <typename T>
void resizes() {
  resize<T>(1, 1, {3, 3, 1});
  resize<T>(5, 37, {18, 3, 1});         // a gap behind each row
  resize<T>(70, 18, {70, 1, 72 * 70});  // planar
  resize<T>(70, 33, {1, 72, 72 * 70});  // transposed planes
  resize<T>(400, 3, {1200, 3, 1});      // windows longer than what is in shared memory
  resize<T>(40, 40, {120, 3, 1});       // copied
}

template <typename T>
void augment(std::int64_t images, std::int64_t height, std::int64_t width, std::int64_t hidden, std::int64_t kernel) {
  const std::string what = "augment " + std::to_string(height) + " x " + std::to_string(width);
  const std::int64_t count = images * 3 * height * width, inner = hidden * 3 * kernel * kernel;
  const forensic::AugmentShape shape{images, height, width, hidden, kernel};
  const forensic::ImageStrides strides{3 * height * width, height * width, width, 1};
  const auto x = values<T>(count), above = values<T>(count, 6);
  const auto w1 = values<T>(inner, 2), b1 = values<T>(hidden, 3), w2 = values<T>(inner, 4), b2 = values<T>(3, 5);
  const forensic::AugmentWeights<T> weights{w1.data(), b1.data(), w2.data(), b2.data()};
  auto got = unwritten<T>(count), want = got;
  forensic::augment_forward(shape, x.data(), strides, weights, want.data(), 1);
  forensic::cuda::augment(shape, x.data(), strides, weights, got.data(), false, kStream);
  expect_close(got, want, what);
  forensic::augment_input_gradient(shape, x.data(), strides, weights, want.data(), 1);
  forensic::cuda::augment(shape, x.data(), strides, weights, got.data(), true, kStream);
  expect_close(got, want, what + ", gradient of the images");
  std::vector<T> of[2][4];
  for (auto& all : of) {
    all[0] = all[2] = unwritten<T>(inner);
    all[1] = unwritten<T>(hidden);
    all[3] = unwritten<T>(3);
  }
  forensic::augment_weight_gradients(shape, x.data(), strides, above.data(), strides, weights, of[0][0].data(),
                                     of[0][1].data(), of[0][2].data(), of[0][3].data(), 1);
  forensic::cuda::augment_weight_gradients(shape, x.data(), strides, above.data(), strides, weights, of[1][0].data(),
                                           of[1][1].data(), of[1][2].data(), of[1][3].data(), kStream);
  for (int n = 0; n < 4; ++n) expect_close(of[1][n], of[0][n], what + ", gradient of the weights");
}

template <typename T>
void triplet(std::int64_t rows, std::int64_t width) {
  const std::string what = "batch_hard_triplet of " + std::to_string(rows);
  const auto z = values<T>(rows * width);
  std::vector<std::int64_t> labels;
  for (std::int64_t n = 0; n < rows; ++n) labels.push_back(n * 7 % 4);
  std::vector<T> loss[2] = {unwritten<T>(1), unwritten<T>(1)};
  std::vector<T> gradient[2] = {unwritten<T>(rows * width), unwritten<T>(rows * width)};
  forensic::batch_hard_triplet<T>(rows, width, z.data(), width, 1, labels.data(), 1, {0.3, false, true}, loss[0].data(),
                                  gradient[0].data(), 1);
  forensic::cuda::batch_hard_triplet<T>(rows, width, z.data(), width, 1, labels.data(), 1, 0.3, false, true,
                                        loss[1].data(), gradient[1].data(), kStream);
  expect_close(loss[1], loss[0], what);
  expect_close(gradient[1], gradient[0], what + ", gradient");
}

template <typename T>
void norm(std::int64_t pixels, std::int64_t channels) {
  const std::string what = "batch_norm_leaky of " + std::to_string(pixels) + " x " + std::to_string(channels);
  const std::int64_t count = pixels * channels;
  const auto x = values<T>(count), above = values<T>(count, 2);
  const auto weight = values<T>(channels, 3), bias = values<T>(channels, 4);
  const forensic::NormOptions<T> options{T(1e-3), T(0.2)};
  std::vector<T> y[2], d_x[2], mean[2], variance[2], d_weight[2], d_bias[2];
  for (int n = 0; n < 2; ++n) {
    y[n] = d_x[n] = unwritten<T>(count);
    mean[n] = variance[n] = d_weight[n] = d_bias[n] = unwritten<T>(channels);
  }
  forensic::batch_norm_leaky<T>(pixels, channels, x.data(), weight.data(), bias.data(), options, y[0].data(),
                                mean[0].data(), variance[0].data(), 1);
  forensic::cuda::batch_norm_leaky<T>(pixels, channels, x.data(), weight.data(), bias.data(), options, y[1].data(),
                                      mean[1].data(), variance[1].data(), kStream);
  forensic::batch_norm_leaky_gradient<T>(pixels, channels, above.data(), x.data(), mean[0].data(), variance[0].data(),
                                         weight.data(), bias.data(), options, d_x[0].data(), d_weight[0].data(),
                                         d_bias[0].data(), 1);
  forensic::cuda::batch_norm_leaky_gradient<T>(pixels, channels, above.data(), x.data(), mean[0].data(),
                                               variance[0].data(), weight.data(), bias.data(), options, d_x[1].data(),
                                               d_weight[1].data(), d_bias[1].data(), kStream);
  expect_close(y[1], y[0], what);
  expect_close(mean[1], mean[0], what + ", mean");
  expect_close(variance[1], variance[0], what + ", variance");
  expect_close(d_x[1], d_x[0], what + ", gradient");
  expect_close(d_weight[1], d_weight[0], what + ", gradient of the weight");
  expect_close(d_bias[1], d_bias[0], what + ", gradient of the bias");
}

template <typename T>
void radial(std::int64_t planes, std::int64_t height, std::int64_t width) {
  const std::string what = "radial_spectrum " + std::to_string(height) + " x " + std::to_string(width);
  const std::int64_t count = planes * height * width, rings = std::min(height, width) / 2;
  const auto x = values<T>(count), g = values<T>(planes * rings, 2);
  std::vector<T> y[2], d_x[2];
  for (int n = 0; n < 2; ++n) {
    y[n] = unwritten<T>(planes * rings);
    d_x[n] = unwritten<T>(count);
  }
  const auto in = row_major<const T, 3>(x.data(), {planes, height, width});
  const forensic::cuda::PlaneStrides strides{height * width, width, 1};
  forensic::radial_spectrum<T>(in, row_major<T, 2>(y[0].data(), {planes, rings}), 1);
  forensic::cuda::radial_spectrum(planes, height, width, x.data(), strides, y[1].data(), kStream);
  expect_close(y[1], y[0], what);
  forensic::radial_spectrum_gradient<T>(in, row_major<const T, 2>(g.data(), {planes, rings}),
                                        row_major<T, 3>(d_x[0].data(), {planes, height, width}), 1);
  forensic::cuda::radial_spectrum_gradient(planes, height, width, x.data(), strides, g.data(), d_x[1].data(), kStream);
  expect_close(d_x[1], d_x[0], what + ", gradient");
}

template <typename T>
void all() {
  for (const std::int64_t size : {8, 16, 32, 64}) dct<T>(3, size, size);
  if (sizeof(T) == 4) dct<T>(1, 128, 128);
  dct<T>(1, 1, 1);
  dct<T>(2, 7, 33);   // small tiles
  dct<T>(3, 65, 40);  // large ones, more than one across
  augment<T>(2, 9, 13, 2, 3);
  augment<T>(1, 11, 131, 1, 3);
  augment<T>(1, 3, 4, 2, 3);
  augment<T>(1, 9, 36, 1, 5);
  augment<T>(2, 0, 7, 2, 3);
  triplet<T>(20, 5);
  triplet<T>(50, 35);  // large tiles
  triplet<T>(101, 3);  // no matrix
  norm<T>(1, 1);
  norm<T>(700, 3);
  norm<T>(333, 37);  // two tiles, shares and runs of several
  radial<T>(3, 16, 24);
  radial<T>(7, 9, 7);
  radial<T>(2, 75, 130);  // long lines
}

}  // namespace

int main() {
  resizes<std::uint8_t>();
  resizes<float>();
  all<float>();
#if !defined(FIBER_TSAN)  // races are those of float
  all<double>();
#endif
  std::printf("cuda kernels on the cpu: %d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
