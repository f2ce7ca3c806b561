// TensorView<T, Rank>: a typed, checked look at somebody else's array. The memory layout of DLPack is declared here, so
// that no header of another project is needed; door.h gets one from a Python object.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include "bfloat16.h"
#include "check.h"

namespace forensic {

// ---- DLPack 1.x, as its specification lays it out in memory --------------------------------------------------------
namespace dlpack {

inline constexpr std::int32_t kCpu = 1;
inline constexpr std::int32_t kCuda = 2;
inline constexpr std::int32_t kCudaHost = 3;
inline constexpr std::uint64_t kReadOnly = 1;

struct Device {
  std::int32_t type;
  std::int32_t id;
};
struct DataType {
  std::uint8_t code;  // 0 signed, 1 unsigned, 2 float, 4 bfloat, 5 complex, 6 bool
  std::uint8_t bits;
  std::uint16_t lanes;
};
struct Tensor {
  void* data;
  Device device;
  std::int32_t ndim;
  DataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;  // in elements; null for row-major
  std::uint64_t byte_offset;
};
struct Managed {
  Tensor tensor;
  void* context;
  void (*deleter)(Managed*);
};
struct ManagedVersioned {
  struct {
    std::uint32_t major, minor;
  } version;
  void* context;
  void (*deleter)(ManagedVersioned*);
  std::uint64_t flags;
  Tensor tensor;
};

}  // namespace dlpack

template <typename T>
constexpr dlpack::DataType type_of() {
  using Value = std::remove_const_t<T>;
  if constexpr (std::is_same_v<Value, BFloat16>) {
    return {4, 16, 1};
  } else {
    static_assert(std::is_arithmetic_v<Value> && !std::is_same_v<Value, bool>);
    const std::uint8_t code = std::is_floating_point_v<Value> ? 2 : std::is_unsigned_v<Value> ? 1 : 0;
    return {code, static_cast<std::uint8_t>(8 * sizeof(Value)), 1};
  }
}

inline std::string name_of(dlpack::DataType type) {
  static constexpr std::array<const char*, 7> names = {"int", "uint", "float", "handle", "bfloat", "complex", "bool"};
  const std::string name = type.code < names.size() ? names.at(type.code) : "type";
  return name + std::to_string(type.bits);
}

inline std::string name_of(dlpack::Device device) {
  return device.type == dlpack::kCpu    ? "cpu"
         : device.type == dlpack::kCuda ? "cuda"
                                        : message_of("device ", device.type);
}

inline std::string shape_of(const dlpack::Tensor& tensor) {
  std::string text = "(";
  for (std::int32_t axis = 0; axis < tensor.ndim; ++axis) {
    text += std::to_string(tensor.shape[axis]) + (axis + 1 < tensor.ndim ? ", " : tensor.ndim == 1 ? "," : "");
  }
  return text + ")";
}

// Shape and strides (in elements, of any sign) beside the first element. Owns nothing.
template <typename T, std::size_t Rank>
struct TensorView {
  T* data = nullptr;
  std::array<std::int64_t, Rank> shape{};
  std::array<std::int64_t, Rank> stride{};

  std::int64_t size() const {
    std::int64_t product = 1;
    for (const std::int64_t extent : shape) product *= extent;
    return product;
  }
  bool contiguous() const {
    std::int64_t expected = 1;
    for (std::size_t axis = Rank; axis-- > 0;) {
      if (shape[axis] != 1 && stride[axis] != expected) return false;
      expected *= shape[axis];
    }
    return true;
  }
};

// The view of a tensor that some caller passed as argument `name`; throws what does not fit.
template <typename T, std::size_t Rank>
TensorView<T, Rank> view_of(const dlpack::Tensor& tensor, const char* name, std::int32_t device = dlpack::kCpu) {
  constexpr dlpack::DataType expected = type_of<T>();
  FORENSIC_CHECK_TYPE(
      tensor.dtype.code == expected.code && tensor.dtype.bits == expected.bits && tensor.dtype.lanes == 1, name,
      ": expected ", name_of(expected), ", got ", name_of(tensor.dtype));
  const bool on_device =
      tensor.device.type == device || (device == dlpack::kCpu && tensor.device.type == dlpack::kCudaHost);
  FORENSIC_CHECK(on_device, name, ": expected a tensor on ", name_of(dlpack::Device{device, 0}), ", got one on ",
                 name_of(tensor.device));
  FORENSIC_CHECK(tensor.ndim == static_cast<std::int32_t>(Rank), name, ": expected ", Rank, " axes, got shape ",
                 shape_of(tensor));
  TensorView<T, Rank> view;
  std::int64_t row_major = 1;
  for (std::size_t axis = Rank; axis-- > 0;) {
    view.shape[axis] = tensor.shape[axis];
    view.stride[axis] = tensor.strides != nullptr ? tensor.strides[axis] : row_major;
    row_major *= tensor.shape[axis];
  }
  auto* data = static_cast<char*>(tensor.data) + tensor.byte_offset;
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  FORENSIC_CHECK(address % alignof(T) == 0 || row_major == 0, name, ": expected data aligned to ", alignof(T),
                 " bytes, got an address that is not; pass a copy");
  view.data = reinterpret_cast<T*>(data);
  return view;
}

template <typename A, typename B, std::size_t Rank>
void check_same_shape(const TensorView<A, Rank>& a, const char* name_a, const TensorView<B, Rank>& b,
                      const char* name_b) {
  for (std::size_t axis = 0; axis < Rank; ++axis) {
    FORENSIC_CHECK(a.shape[axis] == b.shape[axis], name_b, ": expected the shape of ", name_a, ", got ", b.shape[axis],
                   " instead of ", a.shape[axis], " along axis ", axis);
  }
}

}  // namespace forensic
