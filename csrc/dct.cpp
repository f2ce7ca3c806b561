#include "dct.h"

#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <numbers>
#include <vector>

#include "dct_kernel.h"
#include "dispatch.h"
#include "parallel.h"
#include "scratch.h"

namespace forensic {

namespace {

// Owns what a DctAxis points at; computed in double, rounded once.
template <typename T>
class DctTables {
 public:
  explicit DctTables(std::int64_t n) : n_(n), odd_(n) {
    std::size_t depth = 0;
    for (; odd_ % 2 == 0; odd_ /= 2) ++depth;
    const auto count = static_cast<double>(n);
    scale_.assign(static_cast<std::size_t>(n), static_cast<T>(std::sqrt(2.0 / count)));
    scale_[0] = static_cast<T>(std::sqrt(1.0 / count));
    constexpr double pi = std::numbers::pi;
    for (std::size_t d = 0; d < depth; ++d) {
      const std::int64_t length = n >> d;
      std::vector<T>& rotation = rotations_.emplace_back();
      for (std::int64_t i = 0; i < length / 2; ++i) {
        const double angle = pi * static_cast<double>(2 * i + 1) / static_cast<double>(4 * length);
        rotation.push_back(static_cast<T>(std::cos(angle)));
        rotation.push_back(static_cast<T>(std::sin(angle)));
      }
    }
    for (const std::vector<T>& rotation : rotations_) pointers_.push_back(rotation.data());
    for (std::int64_t j = 0; j < 8 * odd_; ++j) {
      cosines_.push_back(static_cast<T>(std::cos(pi * static_cast<double>(j) / static_cast<double>(4 * odd_))));
    }
  }
  DctTables(const DctTables&) = delete;
  DctTables& operator=(const DctTables&) = delete;

  DctAxis<T> axis() const { return {n_, odd_, scale_.data(), pointers_.data(), cosines_.data()}; }

 private:
  std::int64_t n_, odd_;
  std::vector<T> scale_, cosines_;
  std::vector<std::vector<T>> rotations_;
  std::vector<const T*> pointers_;
};

// Tables of the lengths seen so far; a program that meets very many lengths starts over now and then.
template <typename T>
std::shared_ptr<const DctTables<T>> tables_of(std::int64_t n) {
  constexpr std::size_t most = 64;
  static std::mutex mutex;
  static std::map<std::int64_t, std::shared_ptr<const DctTables<T>>> known;
  const std::lock_guard<std::mutex> lock(mutex);
  auto found = known.find(n);
  if (found == known.end()) {
    if (known.size() >= most) known.clear();
    found = known.emplace(n, std::make_shared<const DctTables<T>>(n)).first;
  }
  return found->second;
}

}  // namespace

template <typename T>
void dct2(const TensorView<const T, 3>& x, const TensorView<T, 3>& y, bool inverse, int threads) {
  check_same_shape(x, "x", y, "y");
  FORENSIC_CHECK(y.contiguous(), "y: expected a contiguous tensor");
  if (x.size() == 0) return;
  const auto [planes, height, width] = x.shape;
  const auto vertical = tables_of<T>(height);
  const auto horizontal = tables_of<T>(width);
  const auto kernel = FORENSIC_AT_LEVEL(dct_plane<T>);
  const auto scratch_size = static_cast<std::size_t>(dct_scratch_size(height, width));
  const std::int64_t area = height * width;
  for_each_block(threads, planes, [&](std::int64_t plane) {
    kernel({x.data + plane * x.stride[0], x.stride[1], x.stride[2], y.data + plane * area, vertical->axis(),
            horizontal->axis(), Scratch::of<T>(scratch_size), inverse});
  });
}

template void dct2<float>(const TensorView<const float, 3>&, const TensorView<float, 3>&, bool, int);
template void dct2<double>(const TensorView<const double, 3>&, const TensorView<double, 3>&, bool, int);

}  // namespace forensic
