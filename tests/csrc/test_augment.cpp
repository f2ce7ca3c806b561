// augment against the definition, two plain convolutions in float64: every class of border, level and thread count.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "augment.h"
#include "dispatch.h"

namespace {

using forensic::AugmentShape;
using Values = std::vector<double>;

int failures = 0;

void expect_close(const Values& got, const Values& want, double tolerance, const std::string& what) {
  double largest = 0, worst = 0;
  for (std::size_t n = 0; n < want.size(); ++n) {
    largest = std::max(largest, std::fabs(want[n]));
    const double gap = std::fabs(got[n] - want[n]);
    worst = gap <= worst ? worst : gap;  // a NaN stays
  }
  if (!(worst <= tolerance * largest)) {
    std::printf("%s: off by %g of %g\n", what.c_str(), worst, largest);
    ++failures;
  }
}

Values random_values(std::int64_t count, std::uint32_t seed) {
  Values out;
  for (std::int64_t n = 0; n < count; ++n) {
    seed = seed * 1664525u + 1013904223u;
    out.push_back(static_cast<double>(seed >> 8) / (1 << 23) - 1);
  }
  return out;
}

// out (N, outputs, H, W) = weight (outputs, inputs, k, k) * source + bias; or, adjoint, the transposed map without a
// bias.
Values convolve(const AugmentShape& s, std::int64_t inputs, std::int64_t outputs, const Values& source,
                const Values& weight, const Values& bias, bool adjoint) {
  const std::int64_t k = s.kernel, r = k / 2;
  Values out(static_cast<std::size_t>(s.images * (adjoint ? inputs : outputs) * s.height * s.width), 0.0);
  for (std::int64_t n = 0; n < s.images; ++n)
    for (std::int64_t o = 0; o < outputs; ++o)
      for (std::int64_t y = 0; y < s.height; ++y)
        for (std::int64_t x = 0; x < s.width; ++x) {
          const auto at = static_cast<std::size_t>(((n * outputs + o) * s.height + y) * s.width + x);
          if (!adjoint) out[at] += bias[static_cast<std::size_t>(o)];
          for (std::int64_t i = 0; i < inputs; ++i)
            for (std::int64_t dy = -r; dy <= r; ++dy)
              for (std::int64_t dx = -r; dx <= r; ++dx) {
                if (y + dy < 0 || y + dy >= s.height || x + dx < 0 || x + dx >= s.width) continue;
                const double w = weight[static_cast<std::size_t>(((o * inputs + i) * k + dy + r) * k + dx + r)];
                const auto from = static_cast<std::size_t>(((n * inputs + i) * s.height + y + dy) * s.width + x + dx);
                if (adjoint) {
                  out[from] += w * source[at];
                } else {
                  out[at] += w * source[from];
                }
              }
        }
  return out;
}

double dot(const Values& a, const Values& b) {
  double sum = 0;
  for (std::size_t n = 0; n < a.size(); ++n) sum += a[n] * b[n];
  return sum;
}

void check(const AugmentShape& s, const std::string& what) {
  const std::int64_t area = s.kernel * s.kernel, size = s.images * 3 * s.height * s.width;
  const Values x = random_values(size, 1), g = random_values(size, 2);
  const Values w1 = random_values(s.hidden * 3 * area, 3), b1 = random_values(s.hidden, 4);
  const Values w2 = random_values(s.hidden * 3 * area, 5), b2 = random_values(3, 6);
  const forensic::ImageStrides strides{3 * s.height * s.width, s.height * s.width, s.width, 1};
  const forensic::AugmentWeights<double> weights{w1.data(), b1.data(), w2.data(), b2.data()};
  const Values hidden = convolve(s, 3, s.hidden, x, w1, b1, false);
  const Values want = convolve(s, s.hidden, 3, hidden, w2, b2, false);
  const Values want_x = convolve(s, 3, s.hidden, convolve(s, s.hidden, 3, g, w2, b2, true), w1, b1, true);

  Values first;
  for (int threads = 1; threads <= 4; ++threads) {
    Values y(want.size()), d_x(want.size()), d_w1(w1.size()), d_b1(b1.size()), d_w2(w2.size()), d_b2(3);
    forensic::augment_forward(s, x.data(), strides, weights, y.data(), threads);
    forensic::augment_input_gradient(s, g.data(), strides, weights, d_x.data(), threads);
    forensic::augment_weight_gradients(s, x.data(), strides, g.data(), strides, weights, d_w1.data(), d_b1.data(),
                                       d_w2.data(), d_b2.data(), threads);
    expect_close(y, want, 1e-12, what + " forward");
    expect_close(d_x, want_x, 1e-12, what + " input gradient");
    // The map is linear in (w1, b1) and in (w2, b2): g . y = d_w2 . w2 + d_b2 . b2 = d_w1 . w1 + d_b1 . b1 + d_b2 . b2.
    const double total = dot(g, want);
    expect_close({dot(d_w2, w2) + dot(d_b2, b2), dot(d_w1, w1) + dot(d_b1, b1) + dot(d_b2, b2)}, {total, total}, 1e-10,
                 what + " weight gradients");
    Values all = y;
    for (const Values* part : {&d_x, &d_w1, &d_b1, &d_w2, &d_b2}) all.insert(all.end(), part->begin(), part->end());
    if (threads == 1) first = all;
    if (all != first) {
      std::printf("%s: %d threads give other bits\n", what.c_str(), threads);
      ++failures;
    }
  }
}

// Two augmenters in one call: the bits of a call for each, input gradients added up.
void check_two(const AugmentShape& s, const std::string& what) {
  AugmentShape both = s;
  both.augmenters = 2;
  const std::int64_t area = s.kernel * s.kernel, size = s.images * 3 * s.height * s.width;
  const Values x = random_values(size, 1), g = random_values(2 * size, 2);
  const Values w1 = random_values(2 * s.hidden * 3 * area, 3), b1 = random_values(2 * s.hidden, 4);
  const Values w2 = random_values(2 * s.hidden * 3 * area, 5), b2 = random_values(6, 6);
  const forensic::ImageStrides strides{3 * s.height * s.width, s.height * s.width, s.width, 1, size};
  const forensic::AugmentWeights<double> weights{w1.data(), b1.data(), w2.data(), b2.data()};
  const auto run = [&](const AugmentShape& shape, const double* above, const forensic::AugmentWeights<double>& own,
                       int threads) {
    const auto count = static_cast<std::size_t>(shape.augmenters), pixels = static_cast<std::size_t>(size);
    const std::size_t inner = count * w1.size() / 2;
    std::vector<Values> out = {Values(count * pixels),        Values(pixels), Values(inner),
                               Values(count * b1.size() / 2), Values(inner),  Values(3 * count)};
    forensic::augment_forward(shape, x.data(), strides, own, out[0].data(), threads);
    forensic::augment_input_gradient(shape, above, strides, own, out[1].data(), threads);
    forensic::augment_weight_gradients(shape, x.data(), strides, above, strides, own, out[2].data(), out[3].data(),
                                       out[4].data(), out[5].data(), threads);
    return out;
  };
  const std::vector<Values> together = run(both, g.data(), weights, 3);
  std::vector<Values> apart = run(s, g.data(), weights, 1);
  const std::vector<Values> second = run(s, g.data() + size, forensic::weights_of(s, weights, 1), 2);
  for (std::size_t n = 0; n < apart.size(); ++n) {
    if (n == 1) {
      for (std::size_t m = 0; m < apart[n].size(); ++m) apart[n][m] += second[n][m];
    } else {
      apart[n].insert(apart[n].end(), second[n].begin(), second[n].end());
    }
    if (together[n] == apart[n]) continue;
    std::printf("%s: two augmenters in one call, result %zu differs\n", what.c_str(), n);
    ++failures;
  }
}

}  // namespace

int main() {
  const AugmentShape shapes[] = {{1, 1, 1, 1, 1},  {1, 1, 1, 2, 3},  {2, 1, 7, 2, 3}, {2, 7, 1, 2, 3},
                                 {1, 2, 2, 3, 3},  {1, 3, 3, 3, 3},  {1, 4, 3, 2, 5}, {1, 2, 40, 2, 5},
                                 {1, 35, 6, 2, 7}, {2, 33, 66, 4, 3}};
  for (const std::string& level : forensic::supported_levels()) {
    forensic::set_level(level);
    for (const AugmentShape& s : shapes) {
      check(s,
            level + " " + std::to_string(s.height) + "x" + std::to_string(s.width) + " k" + std::to_string(s.kernel));
      check_two(s, level + " " + std::to_string(s.height) + "x" + std::to_string(s.width));
    }
  }
  std::printf("augment: %d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
