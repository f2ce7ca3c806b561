#include "radial_kernel.h"

#include "wide.h"

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

// A line of complex numbers, one a lane: real and imaginary parts apart.
template <typename T>
struct Line {
  Wide<T>* re;
  Wide<T>* im;
};

// Stockham: each pass takes a factor p off the length n and leaves s = product of those taken interleaved,
//   y[q + s (p k + r)] = w_n^(k r) sum_j w_p^(j r) x[q + s (k + m j)],  m = n / p, k < m, q < s,
// so that the output is in order without a bit reversal. w_n^(k r) = roots[s k r].
template <typename T>
class Dft {
 public:
  using V = Wide<T>;

  explicit Dft(const DftAxis<T>& axis) : axis_(axis) {}

  // In place in `x`; `t` is overwritten.
  void forward(Line<T> x, Line<T> t) const {
    Line<T> from = x;
    Line<T> to = t;
    std::int64_t n = axis_.n;
    std::int64_t s = 1;
    for (const std::int64_t* factor = axis_.factors; *factor != 1; ++factor) {
      const std::int64_t p = *factor;
      if (p == 4) {
        pass4(from, to, n, s);
      } else if (p == 2) {
        pass2(from, to, n, s);
      } else {
        pass_any(from, to, n, s, p);
      }
      const Line<T> swap = from;
      from = to;
      to = swap;
      n /= p;
      s *= p;
    }
    if (from.re != x.re) {
      for (std::int64_t i = 0; i < axis_.n; ++i) {
        x.re[i] = from.re[i];
        x.im[i] = from.im[i];
      }
    }
  }

  // Without 1/n: the transform of swapped parts, swapped.
  void inverse(Line<T> x, Line<T> t) const { forward({x.im, x.re}, {t.im, t.re}); }

 private:
  void put(Line<T> to, std::int64_t at, V re, V im, std::int64_t root) const {
    const T c = axis_.roots[2 * root];
    const T d = axis_.roots[2 * root + 1];
    to.re[at] = re * c - im * d;
    to.im[at] = re * d + im * c;
  }

  void pass2(Line<T> from, Line<T> to, std::int64_t n, std::int64_t s) const {
    const std::int64_t m = n / 2;
    for (std::int64_t k = 0; k < m; ++k) {
      for (std::int64_t q = 0; q < s; ++q) {
        const std::int64_t a = q + s * k;
        const std::int64_t b = a + s * m;
        const std::int64_t at = q + s * 2 * k;
        to.re[at] = from.re[a] + from.re[b];
        to.im[at] = from.im[a] + from.im[b];
        put(to, at + s, from.re[a] - from.re[b], from.im[a] - from.im[b], s * k);
      }
    }
  }

  void pass4(Line<T> from, Line<T> to, std::int64_t n, std::int64_t s) const {
    const std::int64_t m = n / 4;
    for (std::int64_t k = 0; k < m; ++k) {
      for (std::int64_t q = 0; q < s; ++q) {
        const std::int64_t a = q + s * k;
        const std::int64_t step = s * m;
        const V sum_re = from.re[a] + from.re[a + 2 * step];
        const V sum_im = from.im[a] + from.im[a + 2 * step];
        const V difference_re = from.re[a] - from.re[a + 2 * step];
        const V difference_im = from.im[a] - from.im[a + 2 * step];
        const V other_re = from.re[a + step] + from.re[a + 3 * step];
        const V other_im = from.im[a + step] + from.im[a + 3 * step];
        const V turned_re = from.im[a + step] - from.im[a + 3 * step];  // -i times the difference
        const V turned_im = from.re[a + 3 * step] - from.re[a + step];
        const std::int64_t at = q + s * 4 * k;
        to.re[at] = sum_re + other_re;
        to.im[at] = sum_im + other_im;
        put(to, at + s, difference_re + turned_re, difference_im + turned_im, s * k);
        put(to, at + 2 * s, sum_re - other_re, sum_im - other_im, 2 * s * k);
        put(to, at + 3 * s, difference_re - turned_re, difference_im - turned_im, 3 * s * k);
      }
    }
  }

  void pass_any(Line<T> from, Line<T> to, std::int64_t n, std::int64_t s, std::int64_t p) const {
    const std::int64_t m = n / p;
    const std::int64_t turn = axis_.n / p;  // roots[turn] = w_p
    for (std::int64_t k = 0; k < m; ++k) {
      for (std::int64_t q = 0; q < s; ++q) {
        for (std::int64_t r = 0; r < p; ++r) {
          V re{};
          V im{};
          std::int64_t root = 0;  // of w_p^(j r)
          for (std::int64_t j = 0; j < p; ++j) {
            const std::int64_t a = q + s * (k + m * j);
            const T c = axis_.roots[2 * root];
            const T d = axis_.roots[2 * root + 1];
            re += from.re[a] * c - from.im[a] * d;
            im += from.re[a] * d + from.im[a] * c;
            root += turn * r;
            if (root >= axis_.n) root -= axis_.n;
          }
          put(to, q + s * (p * k + r), re, im, s * k * r);
        }
      }
    }
  }

  const DftAxis<T>& axis_;
};

// The parts of a plane's scratch memory.
template <typename T>
struct Workspace {
  T* re;  // (H, half_columns): the half spectrum
  T* im;
  std::int64_t columns;
  Line<T> line, spare, unpacked;

  explicit Workspace(const RadialPlane<T>& plane) {
    const std::int64_t height = plane.vertical.n;
    const std::int64_t padded = (plane.horizontal.n + kMostLanes - 1) / kMostLanes * kMostLanes + kMostLanes;
    const std::int64_t longest = height > padded ? height : padded;
    columns = half_columns(plane.horizontal.n);
    re = plane.scratch;
    im = re + height * columns;
    auto* registers = reinterpret_cast<Wide<T>*>(im + height * columns);
    line = {registers, registers + longest};
    spare = {registers + 2 * longest, registers + 3 * longest};
    unpacked = {registers + 4 * longest, registers + 5 * longest};
  }
};

// Lanes are rows: element i of `line` holds column i of rows row, row + 1, ...
template <typename T>
void load_rows(const RadialPlane<T>& plane, std::int64_t row, Wide<T>* line) {
  constexpr std::int64_t lanes = kLanes<T>;
  const std::int64_t height = plane.vertical.n;
  const std::int64_t width = plane.horizontal.n;
  for (std::int64_t column = 0; column < width; column += lanes) {
    const bool whole = plane.column_stride == 1 && column + lanes <= width;
    Wide<T> block[lanes];
    for (std::int64_t i = 0; i < lanes; ++i) {
      if (row + i >= height) {
        block[i] = Wide<T>{};
        continue;
      }
      const T* from = plane.x + (row + i) * plane.row_stride + column * plane.column_stride;
      block[i] = whole ? load(from) : load_some(from, plane.column_stride, width - column);
    }
    transpose<kLanes<T>>(block);
    for (std::int64_t i = 0; i < lanes && column + i < width; ++i) line[column + i] = block[i];
  }
}

// `count` columns of `line` back into rows of a matrix with rows of `length`.
template <typename T>
void store_rows(Wide<T>* line, std::int64_t count, T* to, std::int64_t row, std::int64_t rows, std::int64_t length) {
  constexpr std::int64_t lanes = kLanes<T>;
  for (std::int64_t column = 0; column < count; column += lanes) {
    const std::int64_t columns = count - column < lanes ? count - column : lanes;
    Wide<T> block[lanes];
    for (std::int64_t i = 0; i < lanes; ++i) block[i] = i < columns ? line[column + i] : Wide<T>{};
    transpose<kLanes<T>>(block);
    for (std::int64_t i = 0; i < lanes && row + i < rows; ++i) {
      T* at = to + (row + i) * length + column;
      columns == lanes ? store(at, block[i]) : store_some(at, block[i], columns);
    }
  }
}

// Rows to half spectrum: two sets of rows are the real and the imaginary part of one transform.
template <typename T>
void transform_rows(const RadialPlane<T>& plane, const Workspace<T>& work) {
  constexpr std::int64_t lanes = kLanes<T>;
  const std::int64_t height = plane.vertical.n;
  const std::int64_t width = plane.horizontal.n;
  const std::int64_t half = width / 2 + 1;
  const Dft<T> dft(plane.horizontal);
  const T one_half = T(0.5);
  for (std::int64_t row = 0; row < height; row += 2 * lanes) {
    load_rows(plane, row, work.line.re);
    load_rows(plane, row + lanes, work.line.im);
    dft.forward(work.line, work.spare);
    const Wide<T>* re = work.line.re;
    const Wide<T>* im = work.line.im;
    for (std::int64_t set = 0; set < 2; ++set) {
      for (std::int64_t k = 0; k < half; ++k) {
        const std::int64_t mirror = k == 0 ? 0 : width - k;
        work.unpacked.re[k] = set == 0 ? (re[k] + re[mirror]) * one_half : (im[k] + im[mirror]) * one_half;
        work.unpacked.im[k] = set == 0 ? (im[k] - im[mirror]) * one_half : (re[mirror] - re[k]) * one_half;
      }
      for (std::int64_t k = half; k < work.columns; ++k) work.unpacked.re[k] = work.unpacked.im[k] = Wide<T>{};
      store_rows(work.unpacked.re, work.columns, work.re, row + set * lanes, height, work.columns);
      store_rows(work.unpacked.im, work.columns, work.im, row + set * lanes, height, work.columns);
    }
  }
}

template <typename T>
void load_columns(const Workspace<T>& work, std::int64_t column, std::int64_t height) {
  for (std::int64_t i = 0; i < height; ++i) {
    work.line.re[i] = load(work.re + i * work.columns + column);
    work.line.im[i] = load(work.im + i * work.columns + column);
  }
}

// Half spectrum to rows, the way back.
template <typename T>
void restore_rows(const RadialPlane<T>& plane, const Workspace<T>& work) {
  constexpr std::int64_t lanes = kLanes<T>;
  const std::int64_t height = plane.vertical.n;
  const std::int64_t width = plane.horizontal.n;
  const Dft<T> dft(plane.horizontal);
  const RadialPlane<T> re_plane = {work.re, work.columns, 1,       plane.vertical, {work.columns, nullptr, nullptr},
                                   nullptr, nullptr,      nullptr, nullptr,        nullptr};
  RadialPlane<T> im_plane = re_plane;
  im_plane.x = work.im;
  for (std::int64_t row = 0; row < height; row += 2 * lanes) {
    // a: the first set of rows, b: the second; their transforms A + iB, with the upper half by symmetry
    load_rows(re_plane, row, work.unpacked.re);
    load_rows(im_plane, row, work.unpacked.im);
    load_rows(re_plane, row + lanes, work.spare.re);
    load_rows(im_plane, row + lanes, work.spare.im);
    for (std::int64_t k = 0; k <= width / 2; ++k) {
      const Wide<T> a_re = work.unpacked.re[k];
      const Wide<T> a_im = work.unpacked.im[k];
      const Wide<T> b_re = work.spare.re[k];
      const Wide<T> b_im = work.spare.im[k];
      if (k > 0) {
        work.line.re[width - k] = a_re + b_im;
        work.line.im[width - k] = b_re - a_im;
      }
      if (2 * k != width) {
        work.line.re[k] = a_re - b_im;
        work.line.im[k] = a_im + b_re;
      }
    }
    dft.inverse(work.line, work.spare);
    store_rows(work.line.re, width, plane.d_x, row, height, width);
    store_rows(work.line.im, width, plane.d_x, row + lanes, height, width);
  }
}

}  // namespace

template <typename T>
void radial_sums(const RadialPlane<T>& plane) {
  constexpr std::int64_t lanes = kLanes<T>;
  const Workspace<T> work(plane);
  const std::int64_t height = plane.vertical.n;
  const std::int64_t width = plane.horizontal.n;
  transform_rows(plane, work);
  const Dft<T> dft(plane.vertical);
  for (std::int64_t column = 0; column <= width / 2; column += lanes) {
    load_columns(work, column, height);
    dft.forward(work.line, work.spare);
    // a frequency stands for its mirror image too, unless it is its own
    double times[lanes];
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      times[lane] = column + lane == 0 || 2 * (column + lane) == width ? 1.0 : 2.0;
    }
    for (std::int64_t i = 0; i < height; ++i) {
      const Wide<T> power = work.line.re[i] * work.line.re[i] + work.line.im[i] * work.line.im[i];
      const std::int32_t* rings = plane.rings + i * work.columns + column;
      for (std::int64_t lane = 0; lane < lanes; ++lane)
        plane.sums[rings[lane]] += times[lane] * static_cast<double>(power[lane]);
    }
  }
}

template <typename T>
void radial_gradient(const RadialPlane<T>& plane) {
  constexpr std::int64_t lanes = kLanes<T>;
  const Workspace<T> work(plane);
  const std::int64_t height = plane.vertical.n;
  transform_rows(plane, work);
  const Dft<T> dft(plane.vertical);
  for (std::int64_t column = 0; column <= plane.horizontal.n / 2; column += lanes) {
    load_columns(work, column, height);
    dft.forward(work.line, work.spare);
    for (std::int64_t i = 0; i < height; ++i) {
      const std::int32_t* rings = plane.rings + i * work.columns + column;
      Wide<T> weight{};
      for (std::int64_t lane = 0; lane < lanes; ++lane) weight[lane] = plane.weights[rings[lane]];
      work.line.re[i] *= weight;
      work.line.im[i] *= weight;
    }
    dft.inverse(work.line, work.spare);
    for (std::int64_t i = 0; i < height; ++i) {
      store(work.re + i * work.columns + column, work.line.re[i]);
      store(work.im + i * work.columns + column, work.line.im[i]);
    }
  }
  restore_rows(plane, work);
}

template void radial_sums<float>(const RadialPlane<float>&);
template void radial_sums<double>(const RadialPlane<double>&);
template void radial_gradient<float>(const RadialPlane<float>&);
template void radial_gradient<double>(const RadialPlane<double>&);

}  // namespace FORENSIC_LEVEL
}  // namespace forensic
