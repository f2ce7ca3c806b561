// One SIMD register of float or double at the level that this file is compiled for, and the few operations on it that
// the augmenter's and the triplet's inner loops need. Included by files that are compiled once a level, and by no
// other. Everything has internal linkage: a copy compiled for a wide level must never be linked into a narrow one.
#pragma once

#include <cstddef>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

// `load_once` is a load that compilers keep in a register: folded into each of its uses, one that crosses cache lines
// would be paid for as often.
template <typename T>
struct Lanes;

#if defined(__AVX512F__)

inline constexpr std::ptrdiff_t kTileTerms = 8;  // 24 accumulators of 32 registers

template <>
struct Lanes<float> {
  static constexpr std::ptrdiff_t count = 16;
  __m512 v;
  static Lanes load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static Lanes load_once(const float* p) {
    Lanes r = load(p);
    __asm__("" : "+v"(r.v));
    return r;
  }
  static Lanes all(float s) { return {_mm512_set1_ps(s)}; }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  void add(Lanes a) { v = _mm512_add_ps(v, a.v); }
  void add_product(Lanes a, Lanes b) { v = _mm512_fmadd_ps(a.v, b.v, v); }
};

template <>
struct Lanes<double> {
  static constexpr std::ptrdiff_t count = 8;
  __m512d v;
  static Lanes load(const double* p) { return {_mm512_loadu_pd(p)}; }
  static Lanes load_once(const double* p) {
    Lanes r = load(p);
    __asm__("" : "+v"(r.v));
    return r;
  }
  static Lanes all(double s) { return {_mm512_set1_pd(s)}; }
  void store(double* p) const { _mm512_storeu_pd(p, v); }
  void add(Lanes a) { v = _mm512_add_pd(v, a.v); }
  void add_product(Lanes a, Lanes b) { v = _mm512_fmadd_pd(a.v, b.v, v); }
};

#elif defined(__AVX2__)

inline constexpr std::ptrdiff_t kTileTerms = 4;  // 12 accumulators of 16 registers

template <>
struct Lanes<float> {
  static constexpr std::ptrdiff_t count = 8;
  __m256 v;
  static Lanes load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static Lanes load_once(const float* p) {
    Lanes r = load(p);
    __asm__("" : "+x"(r.v));
    return r;
  }
  static Lanes all(float s) { return {_mm256_set1_ps(s)}; }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
  void add(Lanes a) { v = _mm256_add_ps(v, a.v); }
  void add_product(Lanes a, Lanes b) { v = _mm256_fmadd_ps(a.v, b.v, v); }
};

template <>
struct Lanes<double> {
  static constexpr std::ptrdiff_t count = 4;
  __m256d v;
  static Lanes load(const double* p) { return {_mm256_loadu_pd(p)}; }
  static Lanes load_once(const double* p) {
    Lanes r = load(p);
    __asm__("" : "+x"(r.v));
    return r;
  }
  static Lanes all(double s) { return {_mm256_set1_pd(s)}; }
  void store(double* p) const { _mm256_storeu_pd(p, v); }
  void add(Lanes a) { v = _mm256_add_pd(v, a.v); }
  void add_product(Lanes a, Lanes b) { v = _mm256_fmadd_pd(a.v, b.v, v); }
};

#else

inline constexpr std::ptrdiff_t kTileTerms = 4;

// Sixteen bytes, as compilers spell the widest registers of every processor (SSE2, NEON).
template <typename T>
struct Lanes {
  static constexpr std::ptrdiff_t count = 16 / sizeof(T);
  typedef T Vector __attribute__((vector_size(16)));
  Vector v;
  static Lanes load(const T* p) {
    Lanes r;
    __builtin_memcpy(&r.v, p, sizeof(r.v));
    return r;
  }
  static Lanes load_once(const T* p) { return load(p); }
  static Lanes all(T s) { return {s - Vector{}}; }  // minus zero stays minus zero
  void store(T* p) const { __builtin_memcpy(p, &v, sizeof(v)); }
  void add(Lanes a) { v += a.v; }
  void add_product(Lanes a, Lanes b) { v += a.v * b.v; }
};

#endif

// Sum of the lanes, neighbours first: always the same tree.
template <typename T>
inline T sum(Lanes<T> lanes) {
  T part[Lanes<T>::count];
  lanes.store(part);
  for (std::ptrdiff_t width = Lanes<T>::count / 2; width > 0; width /= 2) {
    for (std::ptrdiff_t n = 0; n < width; ++n) part[n] += part[n + width];
  }
  return part[0];
}

}  // namespace
}  // namespace FORENSIC_LEVEL
}  // namespace forensic
