#include "radial_kernel.h"

#include "radial_dft.h"
#include "wide.h"

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

// Bytes of the next columns up to which they are fetched while these are transformed. More of them, whose rows lie
// powers of two apart, push one another out before they are read.
constexpr std::int64_t kFetchedAhead = 1 << 16;

// One plane on its way: columns, squares of the half spectrum transposed, rows.
template <typename T>
class Plane {
 public:
  using V = Wide<T>;

  explicit Plane(const RadialPlane<T>& plane)
      : plane_(plane),
        down_(plane.vertical),
        across_(plane.horizontal),
        a_(plane.scratch),
        b_(a_ + 2 * kMostLanes * longest_),
        gathered_{b_ + 2 * kMostLanes * longest_},
        spectrum_(gathered_.at + 2 * kMostLanes * longest_) {}

  // Twice the transform of the columns, for frequencies below H/2: Z = transform of x + i y for columns x and y, so
  // 2 X[k] = Z[k] + conj Z[-k] and 2 Y[k] = (Z[k] - conj Z[-k]) / i.
  void transform_columns() const {
    const Line<T> line{down_.result(a_, b_)};
    constexpr auto bytes = static_cast<std::int64_t>(2 * lanes * sizeof(T));
    const std::int64_t ahead = height_ * bytes <= kFetchedAhead ? height_ : 0;
    for (std::int64_t column = 0; column < width_; column += 2 * lanes) {
      const T* x = plane_.x + column * plane_.column_stride;
      if (plane_.column_stride == 1 && column + 2 * lanes <= width_) {
        for (std::int64_t i = 0; i < ahead; ++i) {
          const T* next = x + i * plane_.row_stride + 2 * lanes;
          __builtin_prefetch(next, 0, 2);
          if (sizeof(V) == 64) __builtin_prefetch(next + lanes, 0, 2);
        }
        down_.forward(Columns<T>{x, plane_.row_stride}, a_, b_, line);
      } else {
        for (std::int64_t i = 0; i < height_; ++i) {
          const T* row = x + i * plane_.row_stride;
          const std::int64_t left = width_ - column;
          const T* second = left > lanes ? row + lanes * plane_.column_stride : row;
          gathered_.put(
              i, {load_some(row, plane_.column_stride, left), load_some(second, plane_.column_stride, left - lanes)});
        }
        down_.forward(gathered_, a_, b_, line);
      }
      for (std::int64_t row = 0; row < rows_; row += lanes) {
        alignas(64) T squares[4][lanes * lanes];
        for (std::int64_t i = 0; i < lanes; ++i) {
          const std::int64_t k = row + i < rows_ ? row + i : 0;
          const Complex<T> one = line.get(k);
          const Complex<T> mirrored = line.get(k == 0 ? 0 : height_ - k);
          store(squares[0] + i * lanes, one.re + mirrored.re);
          store(squares[1] + i * lanes, one.im - mirrored.im);
          store(squares[2] + i * lanes, one.im + mirrored.im);
          store(squares[3] + i * lanes, mirrored.re - one.re);
        }
        T* to = block(row) + 2 * column * lanes;
        for (std::int64_t half = 0; half < 2; ++half) {
          transpose_square<T>(squares[2 * half], lanes, to + 2 * half * lanes * lanes, 2 * lanes, as_it_is);
          transpose_square<T>(squares[2 * half + 1], lanes, to + (2 * half * lanes + 1) * lanes, 2 * lanes, as_it_is);
        }
      }
    }
  }

  void sum_rings() const {
    T* power = across_.result(a_, b_);
    for (std::int64_t row = 0; row < rows_; row += lanes) {
      across_.forward(Line<T>{block(row)}, a_, b_, Power<T>{power});
      V times = V{} + T(2);  // row -k mirrors row k
      if (row == 0) times[0] = T(1);
      const std::int32_t* rings = plane_.rings + ring_at(row, 0, width_);
      for (std::int64_t l = 0; l < half_of(width_) && rings[0] < plane_.ring_count; ++l, rings += kMostLanes) {
        V both = load(power + l * lanes);
        if (l > 0) both += load(power + (width_ - l) * lanes);
        both *= times;
#pragma GCC unroll 16
        for (std::int64_t lane = 0; lane < lanes; ++lane) {
          plane_.sums[rings[lane] * kRingLanes + lane % kRingLanes] += static_cast<double>(both[lane]);
        }
      }
    }
  }

  // The rows' transform, weighed, and back: the inverse is the transform of swapped parts, swapped.
  void weigh_rows() const {
    const Line<T> line{across_.result(a_, b_)};
    const Complex<T> zero{};
    for (std::int64_t row = 0; row < rows_; row += lanes) {
      const Line<T> from{block(row)};
      across_.forward(from, a_, b_, line);
      const std::int32_t* rings = plane_.rings + ring_at(row, 0, width_);
      if (width_ % 2 == 0) from.put(width_ / 2, zero);
      for (std::int64_t l = 0; l < half_of(width_); ++l, rings += kMostLanes) {
        V weight{};
        for (std::int64_t lane = 0; lane < lanes; ++lane) weight[lane] = plane_.weights[rings[lane]];
        const Complex<T> one = line.get(l);
        from.put(l, {one.im * weight, one.re * weight});
        if (l == 0) continue;
        const Complex<T> mirrored = line.get(width_ - l);
        from.put(width_ - l, {mirrored.im * weight, mirrored.re * weight});
      }
      across_.forward(from, a_, b_, line);
      for (std::int64_t i = 0; i < width_; ++i) from.put(i, line.get(i));
      for (std::int64_t i = width_; i < round_up(width_, 2 * lanes); ++i) from.put(i, zero);
    }
  }

  void restore_columns() const {
    const Line<T> line{down_.result(a_, b_)};
    for (std::int64_t column = 0; column < width_; column += 2 * lanes) {
      if (height_ % 2 == 0) gathered_.put(height_ / 2, Complex<T>{});
      for (std::int64_t row = 0; row < rows_; row += lanes) {
        alignas(64) T squares[4][lanes * lanes];
        const T* from = block(row) + 2 * column * lanes;
        for (std::int64_t half = 0; half < 2; ++half) {  // weigh_rows left the parts swapped
          transpose_square<T>(from + (2 * half * lanes + 1) * lanes, 2 * lanes, squares[2 * half], lanes, as_it_is);
          transpose_square<T>(from + 2 * half * lanes * lanes, 2 * lanes, squares[2 * half + 1], lanes, as_it_is);
        }
        for (std::int64_t i = 0; i < lanes && row + i < rows_; ++i) {
          const std::int64_t k = row + i;
          const V x_re = load(squares[0] + i * lanes);
          const V x_im = load(squares[1] + i * lanes);
          const V y_re = load(squares[2] + i * lanes);
          const V y_im = load(squares[3] + i * lanes);
          if (k == 0) {
            gathered_.put(0, {y_re, x_re});
            continue;
          }
          gathered_.put(k, {x_im + y_re, x_re - y_im});
          gathered_.put(height_ - k, {y_re - x_im, x_re + y_im});
        }
      }
      down_.forward(gathered_, a_, b_, line);
      for (std::int64_t i = 0; i < height_; ++i) {
        const Complex<T> z = line.get(i);
        T* to = plane_.d_x + i * width_ + column;
        if (column + 2 * lanes <= width_) {
          store(to, z.im);
          store(to + lanes, z.re);
        } else {
          store_some(to, z.im, width_ - column);
          if (width_ - column > lanes) store_some(to + lanes, z.re, width_ - column - lanes);
        }
      }
    }
  }

 private:
  static constexpr std::int64_t lanes = kLanes<T>;
  static V as_it_is(V value, std::int64_t /*line*/) { return value; }

  // Rows `row` to row + lanes of the half spectrum as a line.
  T* block(std::int64_t row) const { return spectrum_ + 2 * row * padded_width(width_); }

  const RadialPlane<T>& plane_;
  const std::int64_t height_ = plane_.vertical.n;
  const std::int64_t width_ = plane_.horizontal.n;
  const std::int64_t rows_ = half_of(height_);
  const std::int64_t longest_ = height_ > width_ ? height_ : width_;
  const Dft<T> down_, across_;
  T* a_;
  T* b_;
  Line<T> gathered_;
  T* spectrum_;
};

}  // namespace

template <typename T>
void radial_sums(const RadialPlane<T>& plane) {
  const Plane<T> work(plane);
  work.transform_columns();
  work.sum_rings();
}

template <typename T>
void radial_gradient(const RadialPlane<T>& plane) {
  const Plane<T> work(plane);
  work.transform_columns();
  work.weigh_rows();
  work.restore_columns();
}

template void radial_sums<float>(const RadialPlane<float>&);
template void radial_sums<double>(const RadialPlane<double>&);
template void radial_gradient<float>(const RadialPlane<float>&);
template void radial_gradient<double>(const RadialPlane<double>&);

}  // namespace FORENSIC_LEVEL
}  // namespace forensic
