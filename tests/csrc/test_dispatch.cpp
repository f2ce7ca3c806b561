// Levels: each name brings its own code and no other, "auto" the best, an unknown one an error.
#include <stdexcept>

#include "dispatch.h"
#include "expect.h"

namespace {

int in_baseline() { return 0; }
int in_avx2() { return 1; }
int in_avx512() { return 2; }

}  // namespace

int main() {
  const std::vector<std::string> levels = forensic::supported_levels();
  EXPECT(!levels.empty() && levels.front() == "baseline");
#if defined(__x86_64__)
  EXPECT((__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0) == (levels.size() > 1));
  if (levels.size() == 3) EXPECT(__builtin_cpu_supports("avx512bw") != 0);
#else
  EXPECT(levels.size() == 1);
#endif
  for (std::size_t n = 0; n < levels.size(); ++n) {
    forensic::set_level(levels.at(n));
    EXPECT(forensic::level_name() == levels.at(n));
    EXPECT(forensic::at_level(&in_baseline, &in_avx2, &in_avx512)() == static_cast<int>(n));
  }
  forensic::set_level("baseline");
  try {
    forensic::set_level("sse9");
    EXPECT(false && "must throw");
  } catch (const std::invalid_argument&) {
  }
  EXPECT(forensic::level_name() == "baseline");  // a refused name changes nothing
  forensic::set_level("auto");
  EXPECT(forensic::level_name() == levels.back());
  return failures == 0 ? 0 : 1;
}
