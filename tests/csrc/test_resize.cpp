// resize_square: constants stay, copies are exact, levels and threads agree, nothing outside the square is read.
#include <algorithm>

#include "dispatch.h"
#include "expect.h"
#include "resize.h"

namespace {

std::vector<std::uint8_t> picture(std::int64_t h, std::int64_t w) {
  std::vector<std::uint8_t> bytes;
  for (const double value : values<double>(h * w * 3))
    bytes.push_back(static_cast<std::uint8_t>((value + 0.5) * 255.9));
  return bytes;
}

std::vector<std::uint8_t> resized(const std::vector<std::uint8_t>& image, std::int64_t h, std::int64_t w,
                                  std::int64_t size, int threads) {
  std::vector<std::uint8_t> out(static_cast<std::size_t>(3 * size * size));
  forensic::resize_square<std::uint8_t>(row_major<const std::uint8_t, 3>(image.data(), {h, w, 3}),
                                        row_major<std::uint8_t, 3>(out.data(), {3, size, size}), threads);
  return out;
}

}  // namespace

int main() {
  const std::vector<std::uint8_t> image = picture(61, 83);
  forensic::set_level("baseline");
  const std::vector<std::uint8_t> expected = resized(image, 61, 83, 24, 1);
  for (const std::string& level : forensic::supported_levels()) {
    forensic::set_level(level);
    for (const int threads : {1, 2, 5}) EXPECT(resized(image, 61, 83, 24, threads) == expected);
    const std::vector<std::uint8_t> grey(static_cast<std::size_t>(19 * 40 * 3), 93);
    const std::vector<std::uint8_t> out = resized(grey, 19, 40, 33, 2);
    EXPECT(std::all_of(out.begin(), out.end(), [](std::uint8_t v) { return v == 93; }));
    const std::vector<std::uint8_t> one = {7, 8, 9};
    EXPECT(resized(one, 1, 1, 1, 1) == one);
  }
  try {
    (void)resized({}, 0, 4, 8, 1);
    EXPECT(false && "an empty picture must throw");
  } catch (const forensic::ValueProblem&) {
  }
  return failures == 0 ? 0 : 1;
}
