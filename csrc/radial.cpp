#include "radial.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <numbers>
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
    for (std::int64_t j = 0; j < n; ++j) {
      const double angle = -2.0 * std::numbers::pi * static_cast<double>(j) / static_cast<double>(n);
      roots_.push_back(static_cast<T>(std::cos(angle)));
      roots_.push_back(static_cast<T>(std::sin(angle)));
    }
    std::int64_t rest = n;
    for (std::int64_t factor = 4; rest > 1;) {
      if (rest % factor == 0) {
        factors_.push_back(factor);
        rest /= factor;
      } else {
        factor = factor == 4 ? 2 : factor == 2 ? 3 : factor + 2;
        if (factor * factor > rest && factor > 4) factor = rest;
      }
    }
    factors_.push_back(1);
  }
  DftTables(const DftTables&) = delete;
  DftTables& operator=(const DftTables&) = delete;

  DftAxis<T> axis() const { return {n_, roots_.data(), factors_.data()}; }

 private:
  std::int64_t n_;
  std::vector<T> roots_;
  std::vector<std::int64_t> factors_;
};

// Ring of each frequency of the half spectrum, and how many frequencies of the whole one a ring has.
struct Rings {
  std::vector<std::int32_t> of;
  std::vector<double> count;  // (R)

  Rings(std::int64_t height, std::int64_t width) {
    const std::int64_t columns = half_columns(width);
    const std::int64_t rings = std::min(height, width) / 2;
    of.assign(static_cast<std::size_t>(height * columns), static_cast<std::int32_t>(rings));
    count.assign(static_cast<std::size_t>(rings), 0.0);
    for (std::int64_t k = 0; k < height; ++k) {
      for (std::int64_t l = 0; l <= width / 2; ++l) {
        const std::int64_t ring = ring_of(k, l, height, width);
        if (ring >= rings) continue;
        of[static_cast<std::size_t>(k * columns + l)] = static_cast<std::int32_t>(ring);
        count[static_cast<std::size_t>(ring)] += l == 0 || 2 * l == width ? 1.0 : 2.0;
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
    std::vector<double> sums(static_cast<std::size_t>(rings + 1), 0.0);
    RadialPlane<T> plane = plan.plane(x, index);
    plane.sums = sums.data();
    kernel(plane);
    for (std::int64_t ring = 0; ring < rings; ++ring) {
      const auto at = static_cast<std::size_t>(ring);
      y.data[index * y.stride[0] + ring * y.stride[1]] = static_cast<T>(sums[at] / plan.rings->count[at]);
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
  for_each_block(threads, planes, [&](std::int64_t index) {
    std::vector<T> weights(static_cast<std::size_t>(rings + 1), T(0));
    for (std::int64_t ring = 0; ring < rings; ++ring) {
      const auto at = static_cast<std::size_t>(ring);
      const auto gradient = static_cast<double>(g.data[index * g.stride[0] + ring * g.stride[1]]);
      weights[at] = static_cast<T>(2.0 * gradient / plan.rings->count[at]);
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
