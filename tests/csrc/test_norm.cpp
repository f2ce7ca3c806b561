// batch_norm_leaky: a case by hand, a gradient by differences, thread counts and levels, storage in bfloat16.
#include <cmath>

#include "dispatch.h"
#include "expect.h"
#include "norm.h"

namespace {

struct Result {
  std::vector<double> y, mean, variance, d_x, d_weight, d_bias;
};

Result run(std::int64_t channels, const std::vector<double>& x, const std::vector<double>& dy,
           const std::vector<double>& weight, const std::vector<double>& bias, int threads) {
  const auto width = static_cast<std::size_t>(channels);
  const auto pixels = static_cast<std::int64_t>(x.size()) / channels;
  Result r{std::vector<double>(x.size()), std::vector<double>(width), std::vector<double>(width),
           std::vector<double>(x.size()), std::vector<double>(width), std::vector<double>(width)};
  const forensic::NormOptions<double> options{1e-5, 0.2};
  forensic::batch_norm_leaky<double>(pixels, channels, x.data(), weight.data(), bias.data(), options, r.y.data(),
                                     r.mean.data(), r.variance.data(), threads);
  forensic::batch_norm_leaky_gradient<double>(pixels, channels, dy.data(), x.data(), r.mean.data(), r.variance.data(),
                                              weight.data(), bias.data(), options, r.d_x.data(), r.d_weight.data(),
                                              r.d_bias.data(), threads);
  return r;
}

double product(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

int main() {
  for (const std::string& level : forensic::supported_levels()) {
    forensic::set_level(level);
    // two pixels, one channel: mean 2, variance 1
    const Result two = run(1, {1, 3}, {1, 1}, {1}, {0}, 1);
    EXPECT(two.mean[0] == 2 && two.variance[0] == 1);
    EXPECT(std::fabs(two.y[1] - 1 / std::sqrt(1 + 1e-5)) < 1e-15 && std::fabs(two.y[0] + 0.2 * two.y[1]) < 1e-15);
    EXPECT(std::fabs(two.d_bias[0] - 1.2) < 1e-15);

    constexpr std::int64_t channels = 21;
    const auto x = values<double>(channels * 500, 3), dy = values<double>(channels * 500, 4);
    const auto weight = values<double>(channels, 5), bias = values<double>(channels, 6);
    const Result once = run(channels, x, dy, weight, bias, 1);
    for (int threads = 2; threads <= 8; ++threads) {
      const Result again = run(channels, x, dy, weight, bias, threads);
      EXPECT(again.y == once.y && again.d_x == once.d_x && again.d_weight == once.d_weight);
    }
    constexpr double step = 1e-6;
    for (const std::size_t at : {std::size_t{0}, std::size_t{30}, x.size() - 1}) {
      auto up = x, down = x;
      up[at] += step;
      down[at] -= step;
      const double slope = (product(run(channels, up, dy, weight, bias, 1).y, dy) -
                            product(run(channels, down, dy, weight, bias, 1).y, dy)) /
                           (2 * step);
      EXPECT(std::fabs(slope - once.d_x[at]) < 1e-6);
    }

    // 1 + 2^-9 lies between two values of bfloat16 and goes to the even one; NaN stays
    const std::vector<forensic::BFloat16> stored = {{0x3f80}, {0x4040}, {0x7fc0}, {0x3f80}};
    std::vector<forensic::BFloat16> y(4);
    std::vector<float> mean(2), variance(2);
    const std::vector<float> ones = {1, 1}, zeros = {0, 0};
    forensic::batch_norm_leaky<forensic::BFloat16>(2, 2, stored.data(), ones.data(), zeros.data(), {1e-5F, 0.2F},
                                                   y.data(), mean.data(), variance.data(), 1);
    EXPECT(std::isnan(mean[0]) && mean[1] == 2.0F && variance[1] == 1.0F);
    EXPECT((y[0].bits & 0x7fffU) > 0x7f80 && (y[3].bits >> 15U) == 1);

    const Result empty = run(3, {}, {}, {1, 1, 1}, {0, 0, 0}, 2);
    EXPECT(empty.d_bias[2] == 0 && empty.d_weight[0] == 0);
  }
  std::printf("norm: %d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
