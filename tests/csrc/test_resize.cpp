// resize_square: constants stay, copies are exact, levels and threads agree, nothing outside the square is read
// or written.
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

// A cut of the right size is copied, whatever the strides of either side; bytes beside it stay.
void check_copy(std::int64_t size) {
  const std::int64_t wide = size + 9;
  const std::vector<std::uint8_t> image = picture(wide, wide);
  auto cut = row_major<const std::uint8_t, 3>(image.data() + 3 * (4 * wide + 5), {size, size, 3});
  cut.stride = {3 * wide, 3, 1};
  const auto at = [&](std::int64_t y, std::int64_t x, std::int64_t c) {
    return image[static_cast<std::size_t>(3 * ((4 + y) * wide + 5 + x) + c)];
  };
  std::vector<std::uint8_t> planar(static_cast<std::size_t>(3 * size * size + 1), 77);
  forensic::resize_square<std::uint8_t>(cut, row_major<std::uint8_t, 3>(planar.data(), {3, size, size}), 1);
  std::vector<float> scaled(static_cast<std::size_t>(3 * size * size));
  forensic::resize_square<float>(cut, row_major<float, 3>(scaled.data(), {3, size, size}), 1);
  // mirrored in, pixels side by side out
  auto mirrored = cut;
  mirrored.data += 3 * (size - 1);
  mirrored.stride[1] = -3;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(3 * size * size));
  auto side_by_side = row_major<std::uint8_t, 3>(pixels.data(), {3, size, size});
  side_by_side.stride = {1, 3 * size, 3};
  forensic::resize_square<std::uint8_t>(mirrored, side_by_side, 1);
  for (std::int64_t y = 0; y < size; ++y) {
    for (std::int64_t x = 0; x < size; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        const auto place = static_cast<std::size_t>((c * size + y) * size + x);
        EXPECT(planar[place] == at(y, x, c));
        EXPECT(scaled[place] == (static_cast<float>(at(y, x, c)) / 255.0F - 0.5F) / 0.5F);
        EXPECT(pixels[static_cast<std::size_t>((y * size + x) * 3 + c)] == at(y, size - 1 - x, c));
      }
    }
  }
  EXPECT(planar.back() == 77);
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
    for (const std::int64_t size : {1, 15, 16, 17, 40}) check_copy(size);
  }
  try {
    (void)resized({}, 0, 4, 8, 1);
    EXPECT(false && "an empty picture must throw");
  } catch (const forensic::ValueProblem&) {
  }
  return failures == 0 ? 0 : 1;
}
