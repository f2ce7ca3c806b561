// Written out without scale factors: U2(x)[k] = sum_i x[i] cos(pi (2i+1) k / 2n), U4(x)[k] = sum_i x[i] cos(pi
// (2i+1)(2k+1) / 4n).
//   U2 of n      even k: U2 of n/2 on x[i] + x[n-1-i];  odd k: U4 of n/2 on x[i] - x[n-1-i]
//   U4 of n      with phi_i = pi (2i+1) / 4n, a[i] = x[i] cos phi_i + x[n-1-i] sin phi_i, b[i] = x[n-1-i] cos phi_i -
//   x[i] sin phi_i,
//                A = U2(a), D = U2((-1)^i b), both of n/2:  y[2k] = A[k] + D[n/2-k],  y[2k-1] = A[k] - D[n/2-k]
//                (A[n/2] = 0 and D[n/2] = 0, so y[0] = A[0] and y[n-1] = -D[0])
//   the inverse  is the transpose: U4 is symmetric, and the transpose of U2 undoes its two steps in reverse order.
#include "dct_kernel.h"

#include "wide.h"

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

// The transforms of one line of registers; `x` and `t` hold n each, `t` is overwritten.
template <typename T>
class Line {
 public:
  using V = Wide<T>;

  explicit Line(const DctAxis<T>& axis) : axis_(axis) {}

  void forward(V* x, V* t) const { u2(x, t, axis_.n, 0); }
  void inverse(V* x, V* t) const { u2_transposed(x, t, axis_.n, 0); }

 private:
  static constexpr int kUnrolled = 8;  // at and below this power of two the recursion is unrolled into registers

  bool unrolled(std::int64_t n) const { return axis_.odd == 1 && n <= kUnrolled; }

  void u2(V* x, V* t, std::int64_t n, int depth) const {
    if (unrolled(n)) return u2_small(x, n, depth);
    if (n == axis_.odd) return direct(x, t, n, 0);
    const std::int64_t half = n / 2;
    for (std::int64_t i = 0; i < half; ++i) {
      t[i] = x[i] + x[n - 1 - i];
      t[half + i] = x[i] - x[n - 1 - i];
    }
    u2(t, x, half, depth + 1);
    u4(t + half, x, half, depth + 1);
    for (std::int64_t k = 0; k < half; ++k) {
      x[2 * k] = t[k];
      x[2 * k + 1] = t[half + k];
    }
  }

  void u4(V* x, V* t, std::int64_t n, int depth) const {
    if (unrolled(n)) return u4_small(x, n, depth);
    if (n == axis_.odd) return direct(x, t, n, 1);
    const std::int64_t half = n / 2;
    const T* rotation = axis_.rotations[depth];
    for (std::int64_t i = 0; i < half; ++i) {
      rotate(x[i], x[n - 1 - i], rotation + 2 * i, i % 2 != 0, &t[i], &t[half + i]);
    }
    u2(t, x, half, depth + 1);
    u2(t + half, x, half, depth + 1);
    x[0] = t[0];
    x[n - 1] = -t[half];
    for (std::int64_t k = 1; k < half; ++k) {
      x[2 * k] = t[k] + t[n - k];
      x[2 * k - 1] = t[k] - t[n - k];
    }
  }

  void u2_transposed(V* x, V* t, std::int64_t n, int depth) const {
    if (n == axis_.odd) return direct_transposed(x, t, n);
    const std::int64_t half = n / 2;
    for (std::int64_t k = 0; k < half; ++k) {
      t[k] = x[2 * k];
      t[half + k] = x[2 * k + 1];
    }
    u2_transposed(t, x, half, depth + 1);
    u4(t + half, x, half, depth + 1);
    for (std::int64_t i = 0; i < half; ++i) {
      x[i] = t[i] + t[half + i];
      x[n - 1 - i] = t[i] - t[half + i];
    }
  }

  // sum over i of x[i] cos(pi (2i+1)(2k + offset) / 4n): U2 with offset 0, U4 with offset 1.
  void direct(V* x, V* t, std::int64_t n, std::int64_t offset) const {
    const std::int64_t period = 8 * n;
    for (std::int64_t k = 0; k < n; ++k) {
      const std::int64_t frequency = 2 * k + offset;
      const std::int64_t step = 2 * frequency % period;
      std::int64_t angle = frequency;
      V sum{};
      for (std::int64_t i = 0; i < n; ++i) {
        sum += x[i] * axis_.cosines[angle];
        angle += step;
        if (angle >= period) angle -= period;
      }
      t[k] = sum;
    }
    for (std::int64_t k = 0; k < n; ++k) x[k] = t[k];
  }

  void direct_transposed(V* x, V* t, std::int64_t n) const {
    const std::int64_t period = 8 * n;
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t step = 2 * (2 * i + 1) % period;
      std::int64_t angle = 0;
      V sum{};
      for (std::int64_t k = 0; k < n; ++k) {
        sum += x[k] * axis_.cosines[angle];
        angle += step;
        if (angle >= period) angle -= period;
      }
      t[i] = sum;
    }
    for (std::int64_t i = 0; i < n; ++i) x[i] = t[i];
  }

  static void rotate(V u, V v, const T* cos_sin, bool negative, V* a, V* b) {
    const T c = cos_sin[0];
    const T s = cos_sin[1];
    *a = u * c + v * s;
    *b = negative ? u * s - v * c : v * c - u * s;
  }

  void u2_small(V* x, std::int64_t n, int depth) const {
    switch (n) {
      case 8:
        return u2_fixed<8>(x, depth);
      case 4:
        return u2_fixed<4>(x, depth);
      case 2:
        return u2_fixed<2>(x, depth);
      default:
        return;
    }
  }

  void u4_small(V* x, std::int64_t n, int depth) const {
    switch (n) {
      case 8:
        return u4_fixed<8>(x, depth);
      case 4:
        return u4_fixed<4>(x, depth);
      case 2:
        return u4_fixed<2>(x, depth);
      default:
        return u4_fixed<1>(x, depth);
    }
  }

  template <int N>
  __attribute__((always_inline)) void u2_fixed(V* x, int depth) const {
    if constexpr (N > 1) {
      constexpr int half = N / 2;
      V even[half];
      V odd[half];
#pragma GCC unroll 8
      for (int i = 0; i < half; ++i) {
        even[i] = x[i] + x[N - 1 - i];
        odd[i] = x[i] - x[N - 1 - i];
      }
      u2_fixed<half>(even, depth + 1);
      u4_fixed<half>(odd, depth + 1);
#pragma GCC unroll 8
      for (std::int64_t k = 0; k < half; ++k) {
        x[2 * k] = even[k];
        x[2 * k + 1] = odd[k];
      }
    }
  }

  template <int N>
  __attribute__((always_inline)) void u4_fixed(V* x, int depth) const {
    if constexpr (N == 1) {
      x[0] = x[0] * axis_.cosines[1];  // cos(pi / 4)
    } else {
      constexpr int half = N / 2;
      V a[half];
      V d[half];
      const T* rotation = axis_.rotations[depth];
#pragma GCC unroll 8
      for (int i = 0; i < half; ++i) rotate(x[i], x[N - 1 - i], rotation + 2 * i, i % 2 != 0, &a[i], &d[i]);
      u2_fixed<half>(a, depth + 1);
      u2_fixed<half>(d, depth + 1);
      x[0] = a[0];
      x[N - 1] = -d[0];
#pragma GCC unroll 8
      for (std::int64_t k = 1; k < half; ++k) {
        x[2 * k] = a[k] + d[half - k];
        x[2 * k - 1] = a[k] - d[half - k];
      }
    }
  }

  const DctAxis<T>& axis_;
};

}  // namespace

template <typename T>
void dct_plane(const DctPlane<T>& plane) {
  using V = Wide<T>;
  constexpr std::int64_t lanes = kLanes<T>;
  const std::int64_t height = plane.vertical.n;
  const std::int64_t width = plane.horizontal.n;
  const std::int64_t padded = (width + lanes - 1) / lanes * lanes;
  const std::int64_t longest = height > padded ? height : padded;
  T* middle = plane.scratch;  // (H, padded)
  V* line = reinterpret_cast<V*>(middle + height * padded);
  V* spare = line + longest;

  const Line<T> down(plane.vertical);
  const T* scale = plane.vertical.scale;
  for (std::int64_t column = 0; column < width; column += lanes) {
    const T* top = plane.x + column * plane.column_stride;
    const bool whole = plane.column_stride == 1 && column + lanes <= width;
    for (std::int64_t i = 0; i < height; ++i) {
      const T* from = top + i * plane.row_stride;
      line[i] = whole ? load(from) : load_some(from, plane.column_stride, width - column);
      if (plane.inverse) line[i] *= scale[i];
    }
    plane.inverse ? down.inverse(line, spare) : down.forward(line, spare);
    for (std::int64_t i = 0; i < height; ++i) {
      store(middle + i * padded + column, plane.inverse ? line[i] : line[i] * scale[i]);
    }
  }

  const Line<T> across(plane.horizontal);
  scale = plane.horizontal.scale;
  for (std::int64_t row = 0; row < height; row += lanes) {
    const std::int64_t rows = height - row < lanes ? height - row : lanes;
    for (std::int64_t column = 0; column < padded; column += lanes) {
      V block[lanes];
      for (std::int64_t i = 0; i < lanes; ++i) block[i] = i < rows ? load(middle + (row + i) * padded + column) : V{};
      transpose<kLanes<T>>(block);
      const std::int64_t columns = width - column < lanes ? width - column : lanes;
      for (std::int64_t i = 0; i < lanes; ++i) {
        line[column + i] = plane.inverse && i < columns ? block[i] * scale[column + i] : block[i];
      }
    }
    plane.inverse ? across.inverse(line, spare) : across.forward(line, spare);
    for (std::int64_t column = 0; column < width; column += lanes) {
      const std::int64_t columns = width - column < lanes ? width - column : lanes;
      V block[lanes];
      for (std::int64_t i = 0; i < lanes; ++i) {
        block[i] = plane.inverse || i >= columns ? line[column + i] : line[column + i] * scale[column + i];
      }
      transpose<kLanes<T>>(block);
      for (std::int64_t i = 0; i < rows; ++i) {
        T* to = plane.y + (row + i) * width + column;
        columns == lanes ? store(to, block[i]) : store_some(to, block[i], columns);
      }
    }
  }
}

template void dct_plane<float>(const DctPlane<float>&);
template void dct_plane<double>(const DctPlane<double>&);

}  // namespace FORENSIC_LEVEL
}  // namespace forensic
