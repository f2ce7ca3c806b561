#include "dct.h"

#include <algorithm>
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
    constexpr double pi = std::numbers::pi;
    for (std::size_t d = 0; d < depth; ++d) {
      const std::int64_t length = n >> d;
      std::vector<T>& rotation = rotations_.emplace_back();
      for (std::int64_t i = 0; i < length / 2; ++i) {
        const double angle = pi * static_cast<double>(2 * i + 1) / static_cast<double>(4 * length);
        const double sign = i % 2 == 0 ? 1.0 : -1.0;
        for (const double one : {std::cos(angle), std::sin(angle), sign * std::cos(angle), sign * std::sin(angle)}) {
          rotation.push_back(static_cast<T>(one));
        }
      }
    }
    for (const std::vector<T>& rotation : rotations_) pointers_.push_back(rotation.data());
    for (std::int64_t j = 0; j < 8 * odd_; ++j) {
      cosines_.push_back(static_cast<T>(std::cos(pi * static_cast<double>(j) / static_cast<double>(4 * odd_))));
    }
  }
  DctTables(const DctTables&) = delete;
  DctTables& operator=(const DctTables&) = delete;

  DctAxis<T> axis() const { return {n_, odd_, pointers_.data(), cosines_.data()}; }

 private:
  std::int64_t n_, odd_;
  std::vector<T> cosines_;
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

constexpr std::int64_t kShared = 1 << 14;  // elements of a plane that is worth more than one thread
constexpr std::int64_t kSharedLines = 64;  // columns or rows of a block then; a multiple of kDctBlock

}  // namespace

template <typename T>
void dct2(const TensorView<const T, 3>& x, const TensorView<T, 3>& y, bool inverse, int threads) {
  check_same_shape(x, "x", y, "y");
  FORENSIC_CHECK(y.contiguous(), "y: expected a contiguous tensor");
  if (x.size() == 0) return;
  const std::int64_t planes = x.shape[0];
  const std::int64_t height = x.shape[1];
  const std::int64_t width = x.shape[2];
  const auto vertical = tables_of<T>(height);
  const auto horizontal = tables_of<T>(width);
  std::vector<T> row_factors(static_cast<std::size_t>(height + kDctBlock<T>),
                             static_cast<T>(2.0 / std::sqrt(static_cast<double>(height) * static_cast<double>(width))));
  row_factors[0] = static_cast<T>(std::sqrt(2.0 / (static_cast<double>(height) * static_cast<double>(width))));
  const auto columns = FORENSIC_AT_LEVEL(dct_columns<T>);
  const auto rows = FORENSIC_AT_LEVEL(dct_rows<T>);
  const std::int64_t pitch = dct_pitch<T>(width);
  const std::int64_t line = dct_line_size<T>(height, width);
  const auto plane_of = [&](std::int64_t index, T* middle) {
    return DctPlane<T>{x.data + index * x.stride[0],
                       x.stride[1],
                       x.stride[2],
                       y.data + index * height * width,
                       vertical->axis(),
                       horizontal->axis(),
                       row_factors.data(),
                       static_cast<T>(std::sqrt(0.5)),
                       middle,
                       pitch,
                       inverse};
  };
  if (planes >= threads || height * width < kShared) {
    for_each_block(threads, planes, [&](std::int64_t index) {
      T* memory = Scratch::of<T>(static_cast<std::size_t>(height * pitch + line));
      const DctPlane<T> plane = plane_of(index, memory + line);
      inverse ? rows(plane, 0, height, memory) : columns(plane, 0, width, memory);
      inverse ? columns(plane, 0, width, memory) : rows(plane, 0, height, memory);
    });
    return;
  }
  // fewer planes than threads: blocks of columns, then blocks of rows
  const AlignedMemory<T> middle(static_cast<std::size_t>(planes * height * pitch));
  for (const bool across : {inverse, !inverse}) {
    const std::int64_t length = across ? height : width;
    const std::int64_t blocks = (length + kSharedLines - 1) / kSharedLines;
    for_each_block(threads, planes * blocks, [&](std::int64_t block) {
      T* memory = Scratch::of<T>(static_cast<std::size_t>(line));
      const std::int64_t index = block / blocks;
      const std::int64_t first = block % blocks * kSharedLines;
      const std::int64_t last = std::min(first + kSharedLines, length);
      const DctPlane<T> plane = plane_of(index, middle.data() + index * height * pitch);
      across ? rows(plane, first, last, memory) : columns(plane, first, last, memory);
    });
  }
}

template void dct2<float>(const TensorView<const float, 3>&, const TensorView<float, 3>&, bool, int);
template void dct2<double>(const TensorView<const double, 3>&, const TensorView<double, 3>&, bool, int);

}  // namespace forensic
