#include "radial.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <numbers>
#include <numeric>
#include <utility>
#include <vector>

#include "dispatch.h"
#include "parallel.h"
#include "radial_kernel.h"
#include "scratch.h"

namespace forensic {

std::int64_t ring_of(std::int64_t k, std::int64_t l, std::int64_t height, std::int64_t width) {
  using Wide = unsigned __int128;  // squares of products of two lengths
  const std::int64_t shorter = std::min(height, width);
  const std::int64_t longer = std::max(height, width);
  const auto scaled = [&](std::int64_t frequency, std::int64_t length) {
    const std::int64_t size = std::min(frequency, length - frequency);
    return static_cast<Wide>(size) * static_cast<Wide>(length == shorter ? longer : shorter);
  };
  const Wide y = scaled(k, height);
  const Wide x = scaled(l, width);
  const auto area =
      static_cast<std::int64_t>((y * y + x * x) / (static_cast<Wide>(longer) * static_cast<Wide>(longer)));
  auto root = static_cast<std::int64_t>(std::sqrt(static_cast<double>(area)));
  while (root * root > area) --root;
  while ((root + 1) * (root + 1) <= area) ++root;
  return root;
}

namespace {

// Owns what a DftAxis points at; computed in double, rounded once.
template <typename T>
class DftTables {
 public:
  explicit DftTables(std::int64_t n) : n_(n) {
    std::int64_t stride = 1;
    for (const std::int64_t factor : factors_of(n)) {
      const std::int64_t length = n / stride;
      std::vector<T>& twiddles = constants_.emplace_back();
      for (std::int64_t k = 0; k < length / factor; ++k) {
        for (std::int64_t r = 1; r < factor; ++r) push_root(twiddles, k * r, length);
      }
      std::vector<T>& roots = constants_.emplace_back();
      for (std::int64_t j = 0; j < factor; ++j) push_root(roots, j, factor);
      passes_.push_back({factor, length, stride, twiddles.data(), roots.data()});
      stride *= factor;
    }
  }
  DftTables(const DftTables&) = delete;
  DftTables& operator=(const DftTables&) = delete;

  DftAxis<T> axis() const { return {n_, static_cast<std::int64_t>(passes_.size()), passes_.data()}; }

 private:
  // Odd primes, then 4 once or twice where the rest is no power of 8, then 8.
  static std::vector<std::int64_t> factors_of(std::int64_t n) {
    std::vector<std::int64_t> factors;
    int twos = 0;
    for (; n % 2 == 0; n /= 2) ++twos;
    for (std::int64_t factor = 3; n > 1; factor += 2) {
      if (factor * factor > n) factor = n;
      for (; n % factor == 0; n /= factor) factors.push_back(factor);
    }
    if (twos == 1) factors.push_back(2);
    if (twos > 1) {
      const int fours = (3 - twos % 3) % 3;
      factors.insert(factors.end(), static_cast<std::size_t>(fours), 4);
      factors.insert(factors.end(), static_cast<std::size_t>((twos - 2 * fours) / 3), 8);
    }
    return factors;
  }

  static void push_root(std::vector<T>& to, std::int64_t j, std::int64_t n) {
    const double angle = -2.0 * std::numbers::pi * static_cast<double>(j % n) / static_cast<double>(n);
    to.push_back(static_cast<T>(std::cos(angle)));
    to.push_back(static_cast<T>(std::sin(angle)));
  }

  std::int64_t n_;
  std::deque<std::vector<T>> constants_;
  std::vector<DftPass<T>> passes_;
};

// Ring of each frequency that a plane's transform is made for, and how many frequencies of all a ring has.
struct Rings {
  std::vector<std::int32_t> of;
  std::vector<double> count;  // (R)

  Rings(std::int64_t height, std::int64_t width) {
    const std::int64_t rings = std::min(height, width) / 2;
    const std::int64_t padded = round_up(half_of(height), kMostLanes);
    of.assign(static_cast<std::size_t>(padded * half_of(width)), static_cast<std::int32_t>(rings));
    count.assign(static_cast<std::size_t>(rings), 0.0);
    for (std::int64_t k = 0; k < half_of(height); ++k) {
      for (std::int64_t l = 0; l < half_of(width); ++l) {
        const std::int64_t ring = ring_of(k, l, height, width);
        if (ring >= rings) break;
        of[static_cast<std::size_t>(ring_at(k, l, width))] = static_cast<std::int32_t>(ring);
        count[static_cast<std::size_t>(ring)] += (k == 0 ? 1.0 : 2.0) * (l == 0 ? 1.0 : 2.0);
      }
    }
  }
};

// What was made for the keys seen so far; a program that meets very many starts over now and then.
template <typename Key, typename Value, typename Make>
std::shared_ptr<const Value> remembered(const Key& key, Make make) {
  constexpr std::size_t most = 16;
  static std::mutex mutex;
  static std::map<Key, std::shared_ptr<const Value>> known;
  const std::lock_guard<std::mutex> lock(mutex);
  auto found = known.find(key);
  if (found == known.end()) {
    if (known.size() >= most) known.clear();
    found = known.emplace(key, make()).first;
  }
  return found->second;
}

template <typename T>
std::shared_ptr<const DftTables<T>> tables_of(std::int64_t n) {
  return remembered<std::int64_t, DftTables<T>>(n, [n] { return std::make_shared<const DftTables<T>>(n); });
}

std::shared_ptr<const Rings> rings_of(std::int64_t height, std::int64_t width) {
  return remembered<std::pair<std::int64_t, std::int64_t>, Rings>(
      {height, width}, [&] { return std::make_shared<const Rings>(height, width); });
}

// The constants of one size of planes.
template <typename T>
struct Plan {
  std::shared_ptr<const DftTables<T>> vertical, horizontal;
  std::shared_ptr<const Rings> rings;
  std::size_t scratch;

  Plan(std::int64_t height, std::int64_t width)
      : vertical(tables_of<T>(height)),
        horizontal(tables_of<T>(width)),
        rings(rings_of(height, width)),
        scratch(static_cast<std::size_t>(radial_scratch_size(height, width))) {}

  RadialPlane<T> plane(const TensorView<const T, 3>& x, std::int64_t index) const {
    return {x.data + index * x.stride[0],
            x.stride[1],
            x.stride[2],
            vertical->axis(),
            horizontal->axis(),
            rings->of.data(),
            static_cast<std::int64_t>(rings->count.size()),
            nullptr,
            nullptr,
            nullptr,
            Scratch::of<T>(scratch)};
  }
};

template <typename T>
void check_rings(const TensorView<const T, 3>& x, std::int64_t planes, std::int64_t rings, const char* name) {
  const std::int64_t expected = std::min(x.shape[1], x.shape[2]) / 2;
  FORENSIC_CHECK(planes == x.shape[0] && rings == expected, name, ": expected shape (", x.shape[0], ", ", expected,
                 "), got (", planes, ", ", rings, ")");
}

}  // namespace

template <typename T>
void radial_spectrum(const TensorView<const T, 3>& x, const TensorView<T, 2>& y, int threads) {
  const auto [planes, count] = y.shape;
  check_rings(x, planes, count, "y");
  if (y.size() == 0) return;
  const Plan<T> plan(x.shape[1], x.shape[2]);
  const auto kernel = FORENSIC_AT_LEVEL(radial_sums<T>);
  const std::int64_t rings = count;
  for_each_block(threads, planes, [&](std::int64_t index) {
    std::vector<double> sums(static_cast<std::size_t>((rings + 1) * kRingLanes), 0.0);
    RadialPlane<T> plane = plan.plane(x, index);
    plane.sums = sums.data();
    kernel(plane);
    for (std::int64_t ring = 0; ring < rings; ++ring) {
      const auto first = sums.begin() + ring * kRingLanes;
      const double total = std::accumulate(first, first + kRingLanes, 0.0) / 4.0;
      y.data[index * y.stride[0] + ring * y.stride[1]] =
          static_cast<T>(total / plan.rings->count[static_cast<std::size_t>(ring)]);
    }
  });
}

template <typename T>
void radial_spectrum_gradient(const TensorView<const T, 3>& x, const TensorView<const T, 2>& g,
                              const TensorView<T, 3>& d_x, int threads) {
  check_rings(x, g.shape[0], g.shape[1], "g");
  check_same_shape(x, "x", d_x, "d_x");
  FORENSIC_CHECK(d_x.contiguous(), "d_x: expected a contiguous tensor");
  if (x.size() == 0) return;
  const auto [planes, height, width] = x.shape;
  const Plan<T> plan(height, width);
  const auto kernel = FORENSIC_AT_LEVEL(radial_gradient<T>);
  const std::int64_t rings = g.shape[1];
  const std::int64_t area = height * width;
  if (rings == 0) return void(std::fill_n(d_x.data, x.size(), T(0)));
  for_each_block(threads, planes, [&](std::int64_t index) {
    std::vector<T> weights(static_cast<std::size_t>(rings + 1), T(0));
    for (std::int64_t ring = 0; ring < rings; ++ring) {
      const auto at = static_cast<std::size_t>(ring);
      const auto gradient = static_cast<double>(g.data[index * g.stride[0] + ring * g.stride[1]]);
      weights[at] = static_cast<T>(gradient / plan.rings->count[at]);
    }
    RadialPlane<T> plane = plan.plane(x, index);
    plane.weights = weights.data();
    plane.d_x = d_x.data + index * area;
    kernel(plane);
  });
}

template void radial_spectrum<float>(const TensorView<const float, 3>&, const TensorView<float, 2>&, int);
template void radial_spectrum<double>(const TensorView<const double, 3>&, const TensorView<double, 2>&, int);
template void radial_spectrum_gradient<float>(const TensorView<const float, 3>&, const TensorView<const float, 2>&,
                                              const TensorView<float, 3>&, int);
template void radial_spectrum_gradient<double>(const TensorView<const double, 3>&, const TensorView<const double, 2>&,
                                               const TensorView<double, 3>&, int);

}  // namespace forensic
