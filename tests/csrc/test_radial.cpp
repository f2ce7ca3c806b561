// radial_spectrum: rings by hand, Parseval's total, gradient by differences, threads.
#include <algorithm>
#include <cmath>

#include "dispatch.h"
#include "expect.h"
#include "radial.h"

namespace {

std::vector<double> spectrum(const std::vector<double>& x, const std::array<std::int64_t, 3>& shape, int threads) {
  const std::int64_t rings = std::min(shape[1], shape[2]) / 2;
  std::vector<double> y(static_cast<std::size_t>(shape[0] * rings));
  forensic::radial_spectrum<double>(row_major<const double, 3>(x.data(), shape),
                                    row_major<double, 2>(y.data(), {shape[0], rings}), threads);
  return y;
}

void check_gradient(std::int64_t h, std::int64_t w) {
  const std::array<std::int64_t, 3> shape = {1, h, w};
  const std::int64_t rings = std::min(h, w) / 2;
  const std::vector<double> x = values<double>(h * w);
  const std::vector<double> g = values<double>(rings, 9);
  std::vector<double> d_x(x.size());
  forensic::radial_spectrum_gradient<double>(row_major<const double, 3>(x.data(), shape),
                                             row_major<const double, 2>(g.data(), {1, rings}),
                                             row_major<double, 3>(d_x.data(), shape), 1);
  const auto loss = [&](const std::vector<double>& at) {
    const std::vector<double> y = spectrum(at, shape, 1);
    double total = 0.0;
    for (std::size_t r = 0; r < y.size(); ++r) total += y[r] * g[r];
    return total;
  };
  for (std::size_t i = 0; i < x.size(); i += 3) {
    std::vector<double> more = x;
    std::vector<double> less = x;
    more[i] += 1e-4;
    less[i] -= 1e-4;
    EXPECT(std::fabs((loss(more) - loss(less)) / 2e-4 - d_x[i]) < 1e-7 * static_cast<double>(h * w));
  }
}

// The same planes backwards and with their axes exchanged in memory; in float32 within its roundings.
void check_views(std::int64_t h, std::int64_t w) {
  const std::vector<double> x = values<double>(2 * h * w);
  const std::vector<double> expected = spectrum(x, {2, h, w}, 1);
  std::vector<double> turned(x.size());
  std::vector<float> single(x.size());
  double power = 0.0;
  for (std::int64_t p = 0; p < 2; ++p) {
    for (std::int64_t i = 0; i < h; ++i) {
      for (std::int64_t j = 0; j < w; ++j) {
        const double value = x[static_cast<std::size_t>((p * h + i) * w + j)];
        turned[static_cast<std::size_t>((p * w + w - 1 - j) * h + i)] = value;
        single[static_cast<std::size_t>((p * h + i) * w + j)] = static_cast<float>(value);
        power += value * value * static_cast<double>(h * w);
      }
    }
  }
  const std::int64_t rings = std::min(h, w) / 2;
  forensic::TensorView<const double, 3> view{turned.data() + (w - 1) * h, {2, h, w}, {h * w, 1, -h}};
  std::vector<double> y(expected.size());
  forensic::radial_spectrum<double>(view, row_major<double, 2>(y.data(), {2, rings}), 3);
  EXPECT(y == expected);
  std::vector<float> rough(expected.size());
  forensic::radial_spectrum<float>(row_major<const float, 3>(single.data(), {2, h, w}),
                                   row_major<float, 2>(rough.data(), {2, rings}), 1);
  for (std::size_t r = 0; r < y.size(); ++r) EXPECT(std::fabs(static_cast<double>(rough[r]) - y[r]) < 1e-5 * power);
}

}  // namespace

int main() {
  EXPECT(forensic::ring_of(3, 2, 16, 16) == 3);   // sqrt(13)
  EXPECT(forensic::ring_of(13, 2, 16, 16) == 3);  // -3
  EXPECT(forensic::ring_of(3, 4, 16, 16) == 5);   // exactly 5
  EXPECT(forensic::ring_of(0, 8, 16, 32) == 4);
  for (const std::string& level : forensic::supported_levels()) {
    forensic::set_level(level);
    for (const auto& [h, w] : {std::pair<int, int>{4, 4}, {7, 5}, {16, 12}, {9, 34}, {2, 2}}) check_gradient(h, w);
    for (const auto& [h, w] : {std::pair<int, int>{4, 6}, {33, 17}, {24, 40}}) check_views(h, w);
    // a NaN stays in its plane
    std::vector<double> bad = values<double>(3 * 9 * 20);
    bad[9 * 20 + 7] = std::nan("");
    const std::vector<double> rings = spectrum(bad, {3, 9, 20}, 2);
    for (std::size_t r = 0; r < rings.size(); ++r) EXPECT(std::isnan(rings[r]) == (r / 4 == 1));
    // ring 0 is the mean alone
    const std::vector<double> ones(64, 1.0);
    const std::vector<double> flat = spectrum(ones, {1, 8, 8}, 1);
    EXPECT(std::fabs(flat[0] - 4096.0) < 1e-9 && std::fabs(flat[1]) < 1e-20);
    const std::vector<double> x = values<double>(11 * 20 * 14);
    const std::vector<double> one = spectrum(x, {11, 20, 14}, 1);
    for (const int threads : {2, 3, 8}) EXPECT(spectrum(x, {11, 20, 14}, threads) == one);
  }
  return failures == 0 ? 0 : 1;
}
