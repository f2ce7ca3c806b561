// Memory in which nobody has written yet: what is read from it shows.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "fiber.h"

#if defined(FIBER_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace cuda_on_cpu {

inline constexpr int kGarbage = 0xff;  // floats and doubles of such bytes are NaN

// Full of garbage, and aligned to no more than it must be.
struct Memory {
  void* whole = nullptr;
  char* data = nullptr;

  Memory() = default;
  Memory(std::size_t bytes, std::size_t alignment) {
    const Fiber::Unobserved unobserved;
    alignment = std::max<std::size_t>(alignment, 16);
    if (posix_memalign(&whole, 2 * alignment, alignment + bytes) != 0) std::abort();
    std::memset(whole, kGarbage, alignment + bytes);
    data = static_cast<char*>(whole) + alignment;
#if defined(FIBER_ASAN)
    __asan_poison_memory_region(whole, alignment);
#endif
  }
};

}  // namespace cuda_on_cpu
