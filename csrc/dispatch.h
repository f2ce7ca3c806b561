// Which instruction set the kernels use. A level is chosen once, by what processor and operating system support, or
// named by the caller; naming one that the processor lacks is an error.
#pragma once

#include <string>
#include <vector>

#include "levels.h"

namespace forensic {

enum class Level { baseline, avx2, avx512 };

std::vector<std::string> supported_levels();  // from the least to the best
Level level();
std::string level_name();
// "auto" or a name from supported_levels(); throws ValueProblem for another.
void set_level(const std::string& name);

template <typename Function>
Function* at_level(Function* baseline, [[maybe_unused]] Function* avx2, [[maybe_unused]] Function* avx512) {
  switch (level()) {
    case Level::avx512:
      return avx512;
    case Level::avx2:
      return avx2;
    default:
      return baseline;
  }
}

}  // namespace forensic

// FORENSIC_AT_LEVEL(f) is f of the current level, where FORENSIC_EACH_LEVEL declared it.
#ifdef FORENSIC_HAS_avx2
#define FORENSIC_AT_LEVEL(...) ::forensic::at_level(&baseline::__VA_ARGS__, &avx2::__VA_ARGS__, &avx512::__VA_ARGS__)
#else
#define FORENSIC_AT_LEVEL(...) (&baseline::__VA_ARGS__)
#endif
