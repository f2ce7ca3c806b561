// batch_hard_triplet: a case by hand, listed against recomputed pairs, levels and thread counts.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "dispatch.h"
#include "triplet.h"

namespace {

using Values = std::vector<double>;

int failures = 0;

void expect(bool good, const std::string& what) {
  if (good) return;
  std::printf("%s\n", what.c_str());
  ++failures;
}

struct Result {
  double loss;
  Values gradient;
};

Result run(const Values& z, std::int64_t width, const std::vector<std::int64_t>& labels, int threads) {
  Result result{NAN, Values(z.size(), NAN)};
  forensic::batch_hard_triplet<double>(static_cast<std::int64_t>(labels.size()), width, z.data(), width, 1,
                                       labels.data(), 1, {0.3, false, true}, &result.loss, result.gradient.data(),
                                       threads);
  return result;
}

}  // namespace

int main() {
  for (const std::string& level : forensic::supported_levels()) {
    forensic::set_level(level);
    // A square: each anchor's positive at sqrt 2, two negatives tied at 1.
    const Result square = run({0, 0, 1, 1, 1, 0, 0, 1}, 2, {0, 0, 1, 1}, 1);
    expect(std::fabs(square.loss - (std::sqrt(2.0) - 1 + 0.3)) < 1e-15, level + ": loss of the square");
    const double corner = (1 - std::sqrt(2.0)) / 4;
    expect(std::fabs(square.gradient[0] - corner) < 1e-15 && std::fabs(square.gradient[1] - corner) < 1e-15,
           level + ": gradient of the square");

    const Result empty = run({}, 3, {}, 2);
    expect(empty.loss == 0, level + ": empty batch");

    // Few points of a grid, many of each: too many tied pairs to list. The gradient of a sum of distances adds up to
    // zero. The larger batch is beyond those whose distances are all kept.
    Values z;
    std::vector<std::int64_t> labels;
    for (const std::int64_t rows : {1100, 90}) {
      z.clear();
      labels.clear();
      for (std::int64_t n = 0; n < rows; ++n) {
        z.push_back(static_cast<double>(n % 3));
        z.push_back(static_cast<double>(n / 3 % 2));
        labels.push_back(n * 7 % 4);
      }
      const Result once = run(z, 2, labels, 1);
      double sum = 0;
      for (const double value : once.gradient) sum += value;
      expect(std::isfinite(once.loss) && std::fabs(sum) < 1e-12, level + ": ties");
      for (int threads = 2; threads <= 8; threads += 3) {
        const Result again = run(z, 2, labels, threads);
        expect(again.loss == once.loss && again.gradient == once.gradient, level + ": other bits with more threads");
      }
    }

    // Longer than one chain of sums: a point, its double, and one at distance 20 in each of two classes.
    Values wide(4 * 400, 1.0);
    for (std::size_t n = 800; n < 1600; ++n) wide[n] = 2.0;
    const Result twins = run(wide, 400, {0, 0, 1, 1}, 3);
    expect(twins.loss == 0 && twins.gradient == Values(1600, 0.0), level + ": doubles far from the others");
    const Result crossed = run(wide, 400, {0, 1, 0, 1}, 3);
    expect(std::fabs(crossed.loss - (20 - 1e-6 + 0.3)) < 1e-12, level + ": doubles of another class");

    z[5] = NAN;
    const Result hidden = run(z, 2, labels, 3);
    expect(std::isnan(hidden.loss) && std::isnan(hidden.gradient[0]), level + ": NaN");
  }
  std::printf("triplet: %d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
