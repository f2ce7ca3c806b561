#include "dispatch.h"

#include <algorithm>
#include <atomic>

#include "check.h"

namespace forensic {

namespace {

constexpr const char* kNames[] = {"baseline", "avx2", "avx512"};

// __builtin_cpu_supports asks CPUID and, through XGETBV, whether the operating system saves the wide registers.
Level best_level() {
#ifdef FORENSIC_HAS_avx2
  __builtin_cpu_init();
  const bool has_avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  const bool has_avx512 = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
                          __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  if (has_avx2 && has_avx512) return Level::avx512;
  if (has_avx2) return Level::avx2;
#endif
  return Level::baseline;
}

std::atomic<Level>& current() {
  static std::atomic<Level> chosen{best_level()};
  return chosen;
}

}  // namespace

std::vector<std::string> supported_levels() {
  return {std::begin(kNames), std::begin(kNames) + static_cast<int>(best_level()) + 1};
}

Level level() { return current().load(std::memory_order_relaxed); }

std::string level_name() { return kNames[static_cast<int>(level())]; }

void set_level(const std::string& name) {
  if (name == "auto") {
    current() = best_level();
    return;
  }
  const std::vector<std::string> levels = supported_levels();
  const auto found = std::find(levels.begin(), levels.end(), name);
  std::string known = "auto";
  for (const std::string& one : levels) known += ", " + one;
  FORENSIC_CHECK(found != levels.end(), "FORENSIC_ISA: expected one of ", known, " on this processor, got ", name);
  current() = static_cast<Level>(found - levels.begin());
}

}  // namespace forensic
