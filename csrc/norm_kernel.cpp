#include "norm_kernel.h"

#include "wide.h"

#if defined(FORENSIC_LEVEL_avx512) || defined(FORENSIC_LEVEL_avx2)
#include <immintrin.h>
#endif

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

template <typename A>
inline Wide<A> all(A value) {
  return Wide<A>{} + value;
}

inline float value_of(BFloat16 stored) {
  const std::uint32_t bits = static_cast<std::uint32_t>(stored.bits) << 16;
  float value;
  __builtin_memcpy(&value, &bits, sizeof(value));
  return value;
}
inline float value_of(float stored) { return stored; }
inline double value_of(double stored) { return stored; }

template <typename S>
inline S stored(Computed<S> value) {
  if constexpr (sizeof(S) == sizeof(value)) {
    return value;
  } else {
    std::uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof(bits));
    const std::uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
    return S{static_cast<std::uint16_t>(value == value ? rounded : (bits >> 16) | 0x40U)};
  }
}

// As many values as a register of the type that they are computed in has lanes.
template <typename S>
struct Stored {
  static Wide<S> get(const S* from) { return load(from); }
  static void put(S* to, Wide<S> wide) { store(to, wide); }
};

template <>
struct Stored<BFloat16> {
  static Wide<float> get(const BFloat16* from) {
#if defined(FORENSIC_LEVEL_avx512)
    const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return reinterpret_cast<Wide<float>>(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
#elif defined(FORENSIC_LEVEL_avx2)
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return reinterpret_cast<Wide<float>>(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
#else
    Wide<float> wide{};
    for (int lane = 0; lane < kLanes<float>; ++lane) wide[lane] = value_of(from[lane]);
    return wide;
#endif
  }

  // To the nearest, ties to even; a NaN stays one.
  static void put(BFloat16* to, Wide<float> wide) {
    typedef std::uint32_t Bits __attribute__((vector_size(kRegisterBytes)));
    Bits bits;
    __builtin_memcpy(&bits, &wide, sizeof(bits));
    const Bits rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
    const Bits kept = wide == wide ? rounded : (bits >> 16) | 0x40U;
#if defined(FORENSIC_LEVEL_avx512)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(reinterpret_cast<__m512i>(kept)));
#elif defined(FORENSIC_LEVEL_avx2)
    const auto packed = reinterpret_cast<__m256i>(kept);
    const __m128i both = _mm_packus_epi32(_mm256_castsi256_si128(packed), _mm256_extracti128_si256(packed, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), both);
#else
    for (int lane = 0; lane < kLanes<float>; ++lane) to[lane].bits = static_cast<std::uint16_t>(kept[lane]);
#endif
  }
};

constexpr int kMost = 4;  // registers side by side in a group of channels
template <int Count>
struct Group {};

// Calls body(Group<n>{}, first channel) for groups of n whole registers; gives the first channel that is in none.
template <typename S, typename Body>
inline std::int64_t groups(std::int64_t channels, Body body) {
  constexpr std::int64_t lanes = kLanes<Computed<S>>;
  std::int64_t first = 0;
  for (; first + kMost * lanes <= channels; first += kMost * lanes) body(Group<kMost>{}, first);
  for (; first + 2 * lanes <= channels; first += 2 * lanes) body(Group<2>{}, first);
  for (; first + lanes <= channels; first += lanes) body(Group<1>{}, first);
  return first;
}

template <typename V, typename A>
inline V bent(V value, V other, A slope) {  // `other` where `value` is above 0, else slope times it
  return value > 0 ? other : other * slope;
}

}  // namespace

template <typename S>
void NormPasses<S>::sums(const S* x, std::int64_t rows, std::int64_t channels, const Computed<S>* center,
                         Computed<S>* sums) {
  using V = Wide<A>;
  std::int64_t rest = groups<S>(channels, [&]<int Count>(Group<Count>, std::int64_t first) {
    V sum[Count]{}, square[Count]{}, middle[Count];
    for (int k = 0; k < Count; ++k) middle[k] = load(center + first + k * kLanes<A>);
    for (std::int64_t row = 0; row < rows; ++row) {
      const S* from = x + row * channels + first;
#pragma GCC unroll 4
      for (int k = 0; k < Count; ++k) {
        const V apart = Stored<S>::get(from + k * kLanes<A>) - middle[k];
        sum[k] += apart;
        square[k] += apart * apart;
      }
    }
    for (int k = 0; k < Count; ++k) {
      store(sums + first + k * kLanes<A>, sum[k]);
      store(sums + channels + first + k * kLanes<A>, square[k]);
    }
  });
  for (; rest < channels; ++rest) {
    A sum = 0, square = 0;
    for (std::int64_t row = 0; row < rows; ++row) {
      const A apart = value_of(x[row * channels + rest]) - center[rest];
      sum += apart;
      square += apart * apart;
    }
    sums[rest] = sum;
    sums[channels + rest] = square;
  }
}

template <typename S>
void NormPasses<S>::apply(const S* x, std::int64_t rows, std::int64_t channels, const NormAffine<Computed<S>>& affine,
                          S* y) {
  using V = Wide<A>;
  std::int64_t rest = groups<S>(channels, [&]<int Count>(Group<Count>, std::int64_t first) {
    V scale[Count], shift[Count];
    for (int k = 0; k < Count; ++k) {
      scale[k] = load(affine.scale + first + k * kLanes<A>);
      shift[k] = load(affine.shift + first + k * kLanes<A>);
    }
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t at = row * channels + first;
#pragma GCC unroll 4
      for (int k = 0; k < Count; ++k) {
        const V value = Stored<S>::get(x + at + k * kLanes<A>) * scale[k] + shift[k];
        Stored<S>::put(y + at + k * kLanes<A>, bent(value, value, affine.slope));
      }
    }
  });
  for (; rest < channels; ++rest) {
    for (std::int64_t row = 0; row < rows; ++row) {
      const A value = value_of(x[row * channels + rest]) * affine.scale[rest] + affine.shift[rest];
      y[row * channels + rest] = stored<S>(bent(value, value, affine.slope));
    }
  }
}

template <typename S>
void NormPasses<S>::gradient_sums(const S* dy, const S* x, std::int64_t rows, std::int64_t channels,
                                  const NormAffine<Computed<S>>& affine, const Computed<S>* center, Computed<S>* sums) {
  using V = Wide<A>;
  std::int64_t rest = groups<S>(channels, [&]<int Count>(Group<Count>, std::int64_t first) {
    V sum[Count]{}, product[Count]{}, middle[Count], scale[Count], shift[Count];
    for (int k = 0; k < Count; ++k) {
      middle[k] = load(center + first + k * kLanes<A>);
      scale[k] = load(affine.scale + first + k * kLanes<A>);
      shift[k] = load(affine.shift + first + k * kLanes<A>);
    }
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t at = row * channels + first;
#pragma GCC unroll 4
      for (int k = 0; k < Count; ++k) {
        const V value = Stored<S>::get(x + at + k * kLanes<A>);
        const V slope = bent(V(value * scale[k] + shift[k]), Stored<S>::get(dy + at + k * kLanes<A>), affine.slope);
        sum[k] += slope;
        product[k] += slope * (value - middle[k]);
      }
    }
    for (int k = 0; k < Count; ++k) {
      store(sums + first + k * kLanes<A>, sum[k]);
      store(sums + channels + first + k * kLanes<A>, product[k]);
    }
  });
  for (; rest < channels; ++rest) {
    A sum = 0, product = 0;
    for (std::int64_t row = 0; row < rows; ++row) {
      const A value = value_of(x[row * channels + rest]);
      const A slope =
          bent(A(value * affine.scale[rest] + affine.shift[rest]), value_of(dy[row * channels + rest]), affine.slope);
      sum += slope;
      product += slope * (value - center[rest]);
    }
    sums[rest] = sum;
    sums[channels + rest] = product;
  }
}

template <typename S>
void NormPasses<S>::gradient_apply(const S* dy, const S* x, std::int64_t rows, std::int64_t channels,
                                   const NormAffine<Computed<S>>& affine, const Computed<S>* along,
                                   const Computed<S>* apart, S* d_x) {
  using V = Wide<A>;
  std::int64_t rest = groups<S>(channels, [&]<int Count>(Group<Count>, std::int64_t first) {
    V scale[Count], shift[Count], slant[Count], constant[Count];
    for (int k = 0; k < Count; ++k) {
      scale[k] = load(affine.scale + first + k * kLanes<A>);
      shift[k] = load(affine.shift + first + k * kLanes<A>);
      slant[k] = load(along + first + k * kLanes<A>);
      constant[k] = load(apart + first + k * kLanes<A>);
    }
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t at = row * channels + first;
#pragma GCC unroll 4
      for (int k = 0; k < Count; ++k) {
        const V value = Stored<S>::get(x + at + k * kLanes<A>);
        const V slope = bent(V(value * scale[k] + shift[k]), Stored<S>::get(dy + at + k * kLanes<A>), affine.slope);
        Stored<S>::put(d_x + at + k * kLanes<A>, slope * scale[k] + (value * slant[k] + constant[k]));
      }
    }
  });
  for (; rest < channels; ++rest) {
    for (std::int64_t row = 0; row < rows; ++row) {
      const A value = value_of(x[row * channels + rest]);
      const A slope =
          bent(A(value * affine.scale[rest] + affine.shift[rest]), value_of(dy[row * channels + rest]), affine.slope);
      d_x[row * channels + rest] = stored<S>(slope * affine.scale[rest] + (value * along[rest] + apart[rest]));
    }
  }
}

template struct NormPasses<float>;
template struct NormPasses<double>;
template struct NormPasses<BFloat16>;

}  // namespace FORENSIC_LEVEL
}  // namespace forensic
