// dct2 against the double sum, at every level, on awkward sizes and under strides of either sign; and its inverse.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "dct.h"
#include "dispatch.h"
#include "expect.h"

namespace {

double coefficient(const std::vector<double>& x, std::int64_t h, std::int64_t w, std::int64_t k, std::int64_t l) {
  const double pi = std::numbers::pi;
  double total = 0.0;
  for (std::int64_t i = 0; i < h; ++i) {
    for (std::int64_t j = 0; j < w; ++j) {
      total += x[static_cast<std::size_t>(i * w + j)] *
               std::cos(pi * static_cast<double>((2 * i + 1) * k) / static_cast<double>(2 * h)) *
               std::cos(pi * static_cast<double>((2 * j + 1) * l) / static_cast<double>(2 * w));
    }
  }
  const double down = std::sqrt((k == 0 ? 1.0 : 2.0) / static_cast<double>(h));
  return total * down * std::sqrt((l == 0 ? 1.0 : 2.0) / static_cast<double>(w));
}

void check(std::int64_t h, std::int64_t w) {
  const std::vector<double> x = values<double>(h * w);
  std::vector<double> y(x.size());
  std::vector<double> back(x.size());
  const std::array<std::int64_t, 3> shape = {1, h, w};
  forensic::dct2<double>(row_major<const double, 3>(x.data(), shape), row_major<double, 3>(y.data(), shape), false, 2);
  for (std::int64_t k = 0; k < h; ++k) {
    for (std::int64_t l = 0; l < w; ++l) {
      EXPECT(std::fabs(y[static_cast<std::size_t>(k * w + l)] - coefficient(x, h, w, k, l)) < 1e-12);
    }
  }
  forensic::dct2<double>(row_major<const double, 3>(y.data(), shape), row_major<double, 3>(back.data(), shape), true,
                         2);
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT(std::fabs(back[i] - x[i]) < 1e-12);

  // the same picture backwards: negative strides
  std::vector<double> reversed(x.rbegin(), x.rend());
  std::vector<double> again(x.size());
  auto view = row_major<const double, 3>(reversed.data() + reversed.size() - 1, shape);
  view.stride = {0, -w, -1};
  forensic::dct2<double>(view, row_major<double, 3>(again.data(), shape), false, 1);
  EXPECT(again == y);
}

// A plane alone is shared by the threads: the same bits as from one.
void one_plane_shared(std::int64_t h, std::int64_t w, bool inverse) {
  const std::vector<float> x = values<float>(h * w);
  std::vector<float> one(x.size());
  std::vector<float> many(x.size());
  const std::array<std::int64_t, 3> shape = {1, h, w};
  const auto from = row_major<const float, 3>(x.data(), shape);
  forensic::dct2<float>(from, row_major<float, 3>(one.data(), shape), inverse, 1);
  for (const int threads : {2, 5}) {
    forensic::dct2<float>(from, row_major<float, 3>(many.data(), shape), inverse, threads);
    EXPECT(many == one);
  }
}

// Images and results whose rows are whole cache lines, and some that begin later in a line: the same bits, from any
// number of threads.
void large_output(bool inverse) {
  constexpr std::int64_t count = 130;
  constexpr std::int64_t n = 96;
  constexpr std::size_t size = count * n * n;
  constexpr std::size_t line = 16;
  const std::array<std::int64_t, 3> shape = {count, n, n};
  const std::vector<float> x = values<float>(static_cast<std::int64_t>(size));
  const auto begin = [](std::vector<float>& memory, std::size_t offset) {
    float* aligned = memory.data();
    while (reinterpret_cast<std::uintptr_t>(aligned) % 64 != 0) ++aligned;
    return aligned + offset;
  };
  std::vector<float> inputs(size + 2 * line);
  std::vector<float> outputs(size + 2 * line);
  std::vector<float> first;
  struct Way {
    int threads;
    std::size_t from, to;
  };
  for (const Way& way : {Way{1, 0, 1}, {1, 0, 0}, {3, 0, 1}, {3, 0, 0}, {1, 5, 0}, {3, 15, 1}}) {
    float* from = begin(inputs, way.from);
    std::copy(x.begin(), x.end(), from);
    float* y = begin(outputs, way.to);
    forensic::dct2<float>(row_major<const float, 3>(from, shape), row_major<float, 3>(y, shape), inverse, way.threads);
    const std::vector<float> found(y, y + size);
    if (first.empty()) first = found;
    EXPECT(found == first);
  }
}

// (log(|c| + epsilon) - mean) / std of the coefficients c of dct2, and its gradient as dct2 and its inverse give it.
template <typename T>
void check_log(std::int64_t h, std::int64_t w, int threads, double tolerance) {
  const std::int64_t area = h * w;
  const T epsilon = static_cast<T>(0.1);
  const std::vector<T> x = values<T>(4 * area);
  const std::vector<T> mean = values<T>(2 * area, 2);
  const std::vector<T> gradient = values<T>(4 * area, 3);
  std::vector<T> std = values<T>(2 * area, 4);
  for (T& one : std) one += 1;
  std::vector<T> c(x.size());
  std::vector<T> y(x.size());
  std::vector<T> d_x(x.size());
  std::vector<T> expected(x.size());
  const std::array<std::int64_t, 3> shape = {4, h, w};
  const std::array<std::int64_t, 3> two = {2, h, w};
  const auto from = row_major<const T, 3>(x.data(), shape);
  const forensic::DctStatistics<T> statistics{row_major<const T, 3>(mean.data(), two),
                                              row_major<const T, 3>(std.data(), two), epsilon};
  const auto above = row_major<const T, 3>(gradient.data(), shape);
  forensic::dct2<T>(from, row_major<T, 3>(c.data(), shape), false, threads);
  forensic::dct2_log<T>(from, statistics, nullptr, row_major<T, 3>(y.data(), shape), threads);
  forensic::dct2_log<T>(from, statistics, &above, row_major<T, 3>(d_x.data(), shape), threads);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t at = i % static_cast<std::size_t>(2 * area);
    const double exact = (std::log(static_cast<double>(std::fabs(c[i]) + epsilon)) - mean[at]) / std[at];
    EXPECT(std::fabs(y[i] - exact) < tolerance);
    c[i] = (c[i] > 0 ? gradient[i] : -gradient[i]) / ((std::fabs(c[i]) + epsilon) * std[at]);
  }
  forensic::dct2<T>(row_major<const T, 3>(c.data(), shape), row_major<T, 3>(expected.data(), shape), true, threads);
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT(std::fabs(d_x[i] - expected[i]) < 100 * tolerance);
}

}  // namespace

int main() {
  for (const std::string& level : forensic::supported_levels()) {
    forensic::set_level(level);
    for (const auto& [h, w] :
         {std::pair<int, int>{1, 1}, {2, 3}, {8, 8}, {5, 17}, {16, 33}, {31, 12}, {1, 40}, {32, 20}})
      check(h, w);
    // every number of levels above every kind of leaf, along either axis; odd parts of one pass, of two and of three,
    // of factors that are written out and of others
    for (const int n :
         {4,  6,  10, 24, 28, 48, 64, 80, 96,  128, 200, 256, 320, 512, 1024, 7,   9,   11,  13,  15,  25,
          27, 35, 44, 50, 52, 63, 77, 81, 105, 50,  75,  99,  101, 121, 150,  169, 225, 300, 343, 450, 605}) {
      check(n, 1);
      check(1, n);
    }
    const std::vector<float> x = values<float>(37 * 24 * 20);
    std::vector<float> one(x.size());
    std::vector<float> many(x.size());
    const std::array<std::int64_t, 3> shape = {37, 24, 20};
    forensic::dct2<float>(row_major<const float, 3>(x.data(), shape), row_major<float, 3>(one.data(), shape), false, 1);
    for (const int threads : {2, 3, 8}) {
      forensic::dct2<float>(row_major<const float, 3>(x.data(), shape), row_major<float, 3>(many.data(), shape), false,
                            threads);
      EXPECT(many == one);
    }
    check_log<float>(5, 19, 2, 2e-6);
    check_log<double>(12, 16, 2, 1e-14);
    check_log<float>(130, 128, 7, 2e-6);  // fewer planes than threads
    one_plane_shared(130, 144, false);
    one_plane_shared(144, 130, true);
    large_output(false);
    large_output(true);
  }
  return failures == 0 ? 0 : 1;
}
