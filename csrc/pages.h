// Large pages for a large output: memory that is new costs a fault a page at its first touch, every 4 KiB, and all
// faults of a batch take as long as its transform. Where the system gives large pages on request, this is the request.
// It changes no content, and is without effect elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace forensic {

inline constexpr std::size_t kLargeOutput = std::size_t{1} << 22;  // bytes from which it is worth it

inline void ask_for_large_pages([[maybe_unused]] void* data, [[maybe_unused]] std::size_t bytes) {
#if defined(__linux__)
  constexpr std::size_t large = std::size_t{1} << 21;
  if (bytes < kLargeOutput) return;
  const auto first = reinterpret_cast<std::uintptr_t>(data);
  const std::uintptr_t aligned = (first + large - 1) / large * large;
  const std::size_t length = (first + bytes - aligned) / large * large;
  (void)madvise(static_cast<char*>(data) + (aligned - first), length, MADV_HUGEPAGE);  // a refusal is an answer
#endif
}

}  // namespace forensic
