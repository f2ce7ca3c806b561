// Lines of memory that the next block reads or writes, asked for a few at a time while this block is computed. All at
// once they would take the places where loads that miss the first cache wait, a dozen or so, and this block would wait
// behind them. For NAME_kernel.cpp only.
#pragma once

#include <cstdint>

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

class Ahead {
 public:
  static constexpr std::int64_t kLine = 64;

  Ahead() = default;
  // `count` lines that begin `step` bytes apart.
  Ahead(const void* first, std::int64_t step, std::int64_t count)
      : next_(static_cast<const char*>(first)), step_(step), left_(count) {}

  // Up to `Count` of them; asking is harmless anywhere, so the last ones are not counted out.
  template <int Count>
  void ask() {
    if (left_ <= 0) return;
#pragma GCC unroll 8
    for (int i = 0; i < Count; ++i) __builtin_prefetch(next_ + i * step_, 0, 2);
    next_ += Count * step_;
    left_ -= Count;
  }
  void ask_all() {
    while (left_ > 0) ask<1>();
  }

 private:
  const char* next_ = nullptr;
  std::int64_t step_ = 0;
  std::int64_t left_ = 0;
};

}  // namespace
}  // namespace FORENSIC_LEVEL
}  // namespace forensic
