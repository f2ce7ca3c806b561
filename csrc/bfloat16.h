// bfloat16 as a storage type: the upper half of a float. Arithmetic is the caller's, in float.
#pragma once

#include <cstdint>

namespace forensic {

struct BFloat16 {
  std::uint16_t bits;
};

// What values of a storage type are computed in.
template <typename S>
struct ComputedIn {
  using type = S;
};
template <>
struct ComputedIn<BFloat16> {
  using type = float;
};
template <typename S>
using Computed = typename ComputedIn<S>::type;

}  // namespace forensic
