// view_of: what a producer hands over is taken as it is, and what does not fit is refused by name.
#include <string>

#include "expect.h"
#include "tensor.h"

namespace {

using forensic::dlpack::Tensor;

// The message of the refusal; empty where it is taken.
template <typename T, std::size_t Rank>
std::string refusal(const Tensor& tensor) {
  try {
    (void)forensic::view_of<T, Rank>(tensor, "x");
  } catch (const std::invalid_argument& problem) {
    return problem.what();
  }
  return "";
}

}  // namespace

int main() {
  std::array<float, 64> memory{};
  std::array<std::int64_t, 2> shape = {3, 4};
  std::array<std::int64_t, 2> strides = {-8, 2};
  const Tensor sound = {memory.data(), {forensic::dlpack::kCpu, 0}, 2, {2, 32, 1}, shape.data(), strides.data(), 0};

  const auto view = forensic::view_of<const float, 2>(sound, "x");
  EXPECT(view.data == memory.data() && view.shape == shape && view.stride == strides);
  EXPECT(view.size() == 12 && !view.contiguous());

  Tensor plain = sound;
  plain.strides = nullptr;  // row-major
  plain.byte_offset = 8;
  const auto rows = forensic::view_of<float, 2>(plain, "x");
  EXPECT(rows.data == memory.data() + 2 && rows.stride[0] == 4 && rows.stride[1] == 1 && rows.contiguous());

  Tensor pinned = sound;
  pinned.device.type = forensic::dlpack::kCudaHost;
  EXPECT((refusal<float, 2>(pinned).empty()));
  Tensor remote = sound;
  remote.device.type = forensic::dlpack::kCuda;
  EXPECT((refusal<float, 2>(remote) == "x: expected a tensor on cpu, got one on cuda"));

  EXPECT((refusal<double, 2>(sound) == "x: expected float64, got float32"));
  EXPECT((refusal<std::int32_t, 2>(sound) == "x: expected int32, got float32"));
  Tensor vectors = sound;
  vectors.dtype.lanes = 4;
  EXPECT((!refusal<float, 2>(vectors).empty()));
  EXPECT((refusal<float, 3>(sound) == "x: expected 3 axes, got shape (3, 4)"));

  Tensor crooked = sound;
  crooked.byte_offset = 2;
  EXPECT((refusal<float, 2>(crooked).find("aligned to 4 bytes") != std::string::npos));
  std::array<std::int64_t, 2> nothing = {0, 4};
  crooked.shape = nothing.data();
  EXPECT((refusal<float, 2>(crooked).empty()));  // no element, no address

  // an axis of one has no stride that matters
  std::array<std::int64_t, 2> one_row = {1, 4};
  std::array<std::int64_t, 2> odd = {77, 1};
  Tensor row = sound;
  row.shape = one_row.data();
  row.strides = odd.data();
  const auto single = forensic::view_of<float, 2>(row, "x");
  EXPECT(single.contiguous());
  try {
    forensic::check_same_shape(rows, "x", single, "y");
    EXPECT(false && "must throw");
  } catch (const forensic::ValueProblem& problem) {
    EXPECT(std::string(problem.what()) == "y: expected the shape of x, got 1 instead of 3 along axis 0");
  }
  return failures == 0 ? 0 : 1;
}
