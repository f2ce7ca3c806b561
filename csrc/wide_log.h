// The natural logarithm of a register, at most 2 ulp off (tests/kernels/test_dct.py tries every exponent), without a
// branch or a table. For NAME_kernel.cpp only.
//   x = 2^e m with m in [2/3, 4/3), f = m - 1:   log x = e ln 2 + f + f^2 q(f)
//   q interpolates (log(1 + f) - f) / f^2 in the Chebyshev points of [-1/3, 1/3]; its error is 2^-26.7 of the logarithm
//   for float and 2^-58.3 for double. ln 2 is a sum of two, of which e times the first is exact.
#pragma once

#include "wide.h"

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

template <typename T>
struct LogConstants;

template <>
struct LogConstants<float> {
  using Integer = std::int32_t;
  static constexpr int kMantissa = 23;
  static constexpr Integer kTwoThirds = 0x3f2aaaab;  // the bits of 2/3
  static constexpr float kLeastNormal = 0x1p-126F, kRaise = 0x1p25F, kRaised = 25.0F;
  static constexpr float kLn2High = 0.693145751953125F, kLn2Low = 1.42860682031e-6F;
  static constexpr float kQ[] = {-0.5F,         0.3333327262F,  -0.2499994419F, 0.2000723398F, -0.1667331625F,
                                 0.1405581265F, -0.1228872161F, 0.1374830914F,  -0.1242220058F};
};

template <>
struct LogConstants<double> {
  using Integer = std::int64_t;
  static constexpr int kMantissa = 52;
  static constexpr Integer kTwoThirds = 0x3fe5555555555555;
  static constexpr double kLeastNormal = 0x1p-1022, kRaise = 0x1p54, kRaised = 54.0;
  static constexpr double kLn2High = 0x1.62e42fefa3800p-1, kLn2Low = 5.4979230187083711747e-14;
  static constexpr double kQ[] = {-0.5,
                                  0.333333333333332896,
                                  -0.24999999999999958,
                                  0.200000000000288057,
                                  -0.166666666666943235,
                                  0.142857142801332148,
                                  -0.1249999999464158,
                                  0.11111111605841685,
                                  -0.100000004749855912,
                                  0.0909088505337949396,
                                  -0.0833331025575806693,
                                  0.0769300696892425963,
                                  -0.0714352846773617166,
                                  0.0665399278222034926,
                                  -0.0623783340956895806,
                                  0.0602592077992323594,
                                  -0.0569336474643382835,
                                  0.0428595647779871939,
                                  -0.0406213541787439249,
                                  0.0829911416431791681,
                                  -0.0793922073895950601};
};

// 0 -> -inf, negative -> NaN, inf -> inf, NaN -> NaN; subnormal values as any other.
template <typename T>
inline Wide<T> log_of(Wide<T> x) {
  using V = Wide<T>;
  using C = LogConstants<T>;
  using Integer = typename C::Integer;
  typedef Integer I __attribute__((vector_size(kRegisterBytes)));
  const V zero{};
  const V infinity = zero + static_cast<T>(__builtin_inf());
  const auto tiny = x < C::kLeastNormal;
  const V raised = tiny ? x * C::kRaise : x;
  const I bits = reinterpret_cast<I>(raised);
  const I exponent = (bits - C::kTwoThirds) >> C::kMantissa;
  const V f = reinterpret_cast<V>(bits - (exponent << C::kMantissa)) - T(1);
  V e;
  if constexpr (sizeof(T) == 4) {
    e = __builtin_convertvector(exponent, V);
  } else {  // 1.5 2^52 + e, as bits and as a value: few processors convert 64-bit lanes
    constexpr double kShift = 0x1.8p52;
    const V shift = zero + kShift;
    e = reinterpret_cast<V>(exponent + reinterpret_cast<I>(shift)) - kShift;
  }
  e -= tiny ? zero + C::kRaised : zero;
  constexpr int kTerms = sizeof(C::kQ) / sizeof(T);
  V q = zero + C::kQ[kTerms - 1];
#pragma GCC unroll 32
  for (int i = kTerms - 2; i >= 0; --i) q = q * f + C::kQ[i];
  V sum = q * (f * f) + e * C::kLn2Low;
  sum += f;
  sum += e * C::kLn2High;
  sum = x < infinity ? sum : x;
  return x > zero ? sum : (x == zero ? -infinity : zero + static_cast<T>(__builtin_nan("")));
}

}  // namespace
}  // namespace FORENSIC_LEVEL
}  // namespace forensic
