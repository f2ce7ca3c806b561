// radial_spectrum and its gradient on a device; formula, rings and twin as in radial.h.
//   transform_rows   rows, two of a plane as real and imaginary part of one line; of their DFTs the half below W/2 is
//                    kept, transposed, so that columns are lines too
//   sum_rings        columns, and the sum of |F|^2 on each ring over the columns of the block, a thread a ring. On one
//                    column a ring is a run of frequencies, so no table of rings is searched
//   weigh_columns    gradient: columns, times their ring's factor, and back;  restore_rows: rows back, again in twos
// A line meets no line of another plane on the way, so what is not finite stays in its plane. Sums of a ring are in
// float64 in the order of the frequencies, those of blocks are added in their order: the same bits at every run.
#include "cuda_check.cuh"
#include "cuda_launch.h"
#include "radial_lines.cuh"
#include "radial_rings.cuh"

namespace forensic::cuda {
namespace {

constexpr std::int64_t kLongBlocks = 128;  // with lines in device memory
constexpr const char* kName = "radial_spectrum";

// Sets of lines, of each of which a block has one in hand.
template <typename T>
__host__ __device__ std::int64_t sets_of(std::int64_t lines, int n) {
  return (lines + together<T>(n) - 1) / together<T>(n);
}

// Set number `set` of `most` pairs of rows of all planes, and where they stand: `count` of them.
struct Pairs {
  std::int64_t plane;
  int pair, pairs, height, count;

  __device__ Pairs(const Shape& s, int most, std::int64_t set)
      : plane(set * most / s.pairs()),
        pair(static_cast<int>(set * most % s.pairs())),
        pairs(s.pairs()),
        height(s.height) {
    const std::int64_t left = s.planes * s.pairs() - set * most;
    count = left < most ? static_cast<int>(left) : most;
  }
  __device__ std::int64_t plane_of(int line) const { return plane + (pair + line) / pairs; }
  __device__ int row_of(int line) const { return (pair + line) % pairs * 2; }  // the first of the two
  __device__ bool has_two(int line) const { return row_of(line) + 1 < height; }
};

// Lines of one plane's half spectrum: columns from number `first` on. spectrum (planes, columns, height).
struct Columns {
  std::int64_t plane;
  int first, count;

  __device__ Columns(const Shape& s, int most, std::int64_t block) {
    const int blocks = (s.columns() + most - 1) / most;
    plane = block / blocks;
    first = static_cast<int>(block % blocks) * most;
    count = s.columns() - first < most ? s.columns() - first : most;
  }
  template <typename T>
  __device__ T* in(T* spectrum, const Shape& s) const {
    return spectrum + (plane * s.columns() + first) * s.height;
  }
};

template <typename T, bool Long>
__global__ void __launch_bounds__(kThreads)
    transform_rows(Shape s, const T* __restrict__ x, PlaneStrides strides, const Complex<T>* roots, Complex<T>* far,
                   Complex<T>* __restrict__ spectrum) {
  const Buffers<T, Long> buffers(s.width, far);
  const int most = together<T>(s.width), columns = s.columns();
  constexpr T half = static_cast<T>(0.5);
  const std::int64_t all = sets_of<T>(s.planes * s.pairs(), s.width);
  for (std::int64_t set = blockIdx.x; set < all; set += gridDim.x) {
    const Pairs rows(s, most, set);
    const int lines = rows.count;
    for (int at = static_cast<int>(threadIdx.x); at < lines * s.width; at += kThreads) {
      const int line = at / s.width, column = at % s.width;
      const T* from =
          x + rows.plane_of(line) * strides.plane + rows.row_of(line) * strides.row + column * strides.column;
      buffers.a[at] = {from[0], rows.has_two(line) ? from[strides.row] : T(0)};
    }
    __syncthreads();
    const Complex<T>* found = transform(s.width, lines, roots, buffers.a, buffers.b);
    for (int at = static_cast<int>(threadIdx.x); at < lines * columns; at += kThreads) {
      const int l = at / lines, line = at % lines;  // neighbouring threads write neighbouring memory
      const Complex<T> z = found[line * s.width + l], mirrored = found[line * s.width + (l > 0 ? s.width - l : 0)];
      Complex<T>* to = spectrum + (rows.plane_of(line) * columns + l) * s.height + rows.row_of(line);
      // F = A + i B with A(-l) and B(-l) the conjugates of A(l) and B(l)
      to[0] = {half * (z.re + mirrored.re), half * (z.im - mirrored.im)};
      if (rows.has_two(line)) to[1] = {half * (z.im + mirrored.im), half * (mirrored.re - z.re)};
    }
    __syncthreads();
  }
}

template <typename T>
__device__ double power(Complex<T> z) {
  return static_cast<double>(z.re * z.re + z.im * z.im);
}

// partial (planes, blocks of columns, rings)
template <typename T, bool Long>
__global__ void __launch_bounds__(kThreads) sum_rings(Shape s, const Complex<T>* spectrum, const Complex<T>* roots,
                                                      const int* starts, Complex<T>* far, double* partial) {
  const Buffers<T, Long> buffers(s.height, far);
  const int most = together<T>(s.height);
  const std::int64_t all = s.planes * sets_of<T>(s.columns(), s.height);
  for (std::int64_t block = blockIdx.x; block < all; block += gridDim.x) {
    const Columns columns(s, most, block);
    const Complex<T>* from = columns.in(spectrum, s);
    for (int at = static_cast<int>(threadIdx.x); at < columns.count * s.height; at += kThreads) {
      buffers.a[at] = from[at];
    }
    __syncthreads();
    const Complex<T>* found = transform(s.height, columns.count, roots, buffers.a, buffers.b);
    for (int ring = static_cast<int>(threadIdx.x); ring < s.rings; ring += kThreads) {
      double sum = 0.0;
      for (int line = 0; line < columns.count; ++line) {
        const int l = columns.first + line;
        const int* start = starts + static_cast<std::int64_t>(l) * (s.rings + 1) + ring;
        const Complex<T>* column = found + line * s.height;
        double part = 0.0;
        for (int k = start[0]; k < start[1]; ++k) {
          part += power(column[k]);
          if (k > 0) part += power(column[s.height - k]);
        }
        sum += l == 0 ? part : 2.0 * part;  // column -l mirrors column l
      }
      partial[block * s.rings + ring] = sum;
    }
    __syncthreads();
  }
}

template <typename T>
__global__ void add_blocks(Shape s, std::int64_t blocks, const double* partial, const double* counts, T* y) {
  for (std::int64_t at = first_item(); at < s.planes * s.rings; at += item_step()) {
    const std::int64_t plane = at / s.rings, ring = at % s.rings;
    double sum = 0.0;
    for (std::int64_t block = 0; block < blocks; ++block) sum += partial[(plane * blocks + block) * s.rings + ring];
    y[at] = static_cast<T>(sum / counts[ring]);
  }
}

// d_x = sum over f of w_f Re(F_f exp(+2 pi i ...)), w = 2 g[ring f] / count
template <typename T>
__global__ void make_weights(Shape s, const T* g, const double* counts, T* weights) {
  for (std::int64_t at = first_item(); at < s.planes * s.rings; at += item_step()) {
    weights[at] = static_cast<T>(2.0 * static_cast<double>(g[at]) / counts[at % s.rings]);
  }
}

// The sum over the rows' frequencies, conjugated, in place of each column: sum w F exp(+...) is the conjugate of the
// DFT of conj(w F).
template <typename T, bool Long>
__global__ void __launch_bounds__(kThreads) weigh_columns(Shape s, const Complex<T>* roots, const int* ring,
                                                          const T* weights, Complex<T>* far, Complex<T>* spectrum) {
  const Buffers<T, Long> buffers(s.height, far);
  const int most = together<T>(s.height), rows = s.rows();
  const std::int64_t all = s.planes * sets_of<T>(s.columns(), s.height);
  for (std::int64_t block = blockIdx.x; block < all; block += gridDim.x) {
    const Columns columns(s, most, block);
    Complex<T>* place = columns.in(spectrum, s);
    const int size = columns.count * s.height;
    for (int at = static_cast<int>(threadIdx.x); at < size; at += kThreads) buffers.a[at] = place[at];
    __syncthreads();
    Complex<T>* found = transform(s.height, columns.count, roots, buffers.a, buffers.b);
    for (int at = static_cast<int>(threadIdx.x); at < size; at += kThreads) {
      const int l = columns.first + at / s.height, k = at % s.height, mirrored = k < s.height - k ? k : s.height - k;
      const int here = mirrored < rows ? ring[static_cast<std::int64_t>(l) * rows + mirrored] : s.rings;
      const T weight = here < s.rings ? weights[columns.plane * s.rings + here] : T(0);
      const Complex<T> z = found[at];
      found[at] = {z.re * weight, -z.im * weight};  // a NaN stays one where the weight is 0
    }
    __syncthreads();
    const Complex<T>* back =
        transform(s.height, columns.count, roots, found, found == buffers.a ? buffers.b : buffers.a);
    for (int at = static_cast<int>(threadIdx.x); at < size; at += kThreads) place[at] = back[at];
    __syncthreads();
  }
}

// What stands at -l is the conjugate of what stands at l, so a row is real, and two are the parts of one line.
template <typename T, bool Long>
__global__ void __launch_bounds__(kThreads)
    restore_rows(Shape s, const Complex<T>* __restrict__ spectrum, const Complex<T>* roots, Complex<T>* far,
                 T* __restrict__ d_x) {
  const Buffers<T, Long> buffers(s.width, far);
  const int most = together<T>(s.width), columns = s.columns();
  const std::int64_t all = sets_of<T>(s.planes * s.pairs(), s.width);
  for (std::int64_t set = blockIdx.x; set < all; set += gridDim.x) {
    const Pairs rows(s, most, set);
    const int lines = rows.count;
    for (int at = static_cast<int>(threadIdx.x); at < lines * columns; at += kThreads) {
      const int l = at / lines, line = at % lines;
      const Complex<T>* from = spectrum + (rows.plane_of(line) * columns + l) * s.height + rows.row_of(line);
      const Complex<T> one = from[0], two = rows.has_two(line) ? from[1] : Complex<T>{T(0), T(0)};
      Complex<T>* to = buffers.a + line * s.width;
      if (l == 0) {
        to[0] = {one.re, two.re};
        if (s.width % 2 == 0) to[columns] = {T(0), T(0)};
      } else {
        to[l] = {one.re - two.im, one.im + two.re};
        to[s.width - l] = {one.re + two.im, two.re - one.im};
      }
    }
    __syncthreads();
    const Complex<T>* found = transform(s.width, lines, roots, buffers.a, buffers.b);
    for (int at = static_cast<int>(threadIdx.x); at < lines * s.width; at += kThreads) {
      const int line = at / s.width;
      T* to = d_x + (rows.plane_of(line) * s.height + rows.row_of(line)) * s.width + at % s.width;
      to[0] = found[at].re;
      if (rows.has_two(line)) to[s.width] = found[at].im;
    }
    __syncthreads();
  }
}

// ---- launches ----------------------------------------------------------------------------------------------------

// Parts of one piece of scratch memory.
struct Room {
  std::size_t size = 0;

  template <typename Value>
  std::size_t take(std::int64_t count) {
    const std::size_t at = size;
    size += aligned(static_cast<std::size_t>(count) * sizeof(Value));
    return at;
  }
};

// Scratch and tables of a call, and what forward and gradient begin with.
template <typename T>
class Work {
 public:
  Work(const Shape& shape, std::size_t more, cudaStream_t stream)
      : s(shape),
        on(stream),
        entries_(static_cast<std::int64_t>(s.columns()) * s.rows()),
        spectrum_(room_.take<Complex<T>>(s.planes * s.columns() * s.height)),
        across_(room_.take<Complex<T>>(s.width)),
        down_(s.height == s.width ? across_ : room_.take<Complex<T>>(s.height)),
        ring_(room_.take<int>(entries_)),
        starts_(room_.take<int>(static_cast<std::int64_t>(s.columns()) * (s.rings + 1))),
        counts_(room_.take<double>(s.rings)),
        far_(room_.take<char>(kLongBlocks * far_bytes())),
        more_(room_.take<char>(static_cast<std::int64_t>(more))),
        memory_(room_.size, stream) {
    make_roots<T><<<blocks_for(s.width, kThreads), kThreads, 0, on>>>(s.width, across());
    check_launch(kName);
    if (s.height != s.width) {
      make_roots<T><<<blocks_for(s.height, kThreads), kThreads, 0, on>>>(s.height, down());
      check_launch(kName);
    }
    make_rings<<<blocks_for(entries_, kThreads), kThreads, 0, on>>>(s, ring(), starts());
    check_launch(kName);
    count_rings<<<blocks_for(s.rings, kThreads), kThreads, 0, on>>>(s, starts(), counts());
    check_launch(kName);
  }

  Complex<T>* spectrum() const { return part<Complex<T>>(spectrum_); }
  Complex<T>* across() const { return part<Complex<T>>(across_); }
  Complex<T>* down() const { return part<Complex<T>>(down_); }
  int* ring() const { return part<int>(ring_); }
  int* starts() const { return part<int>(starts_); }
  double* counts() const { return part<double>(counts_); }
  Complex<T>* far() const { return part<Complex<T>>(far_); }
  template <typename Value>
  Value* more() const {
    return part<Value>(more_);
  }

  const Shape s;
  const cudaStream_t on;

 private:
  template <typename Value>
  Value* part(std::size_t at) const {
    return reinterpret_cast<Value*>(memory_.data() + at);
  }
  std::int64_t far_bytes() const {  // of a block
    const auto of = [](int n) { return is_long<T>(n) ? static_cast<std::int64_t>(lines_bytes<T>(n)) : 0; };
    return std::max(of(s.height), of(s.width));
  }

  Room room_;
  const std::int64_t entries_;
  const std::size_t spectrum_, across_, down_, ring_, starts_, counts_, far_, more_;
  const DeviceMemory memory_;
};

// Launches kernel<T, whether lines of n values are long> for `sets` sets of lines.
template <typename T, typename... Arguments>
void launch_lines(void (*kernel)(Arguments...), void (*of_long)(Arguments...), int n, std::int64_t sets,
                  cudaStream_t on, std::common_type_t<Arguments>... arguments) {
  if (is_long<T>(n)) {
    of_long<<<blocks_for(std::min(sets, kLongBlocks), 1), kThreads, 0, on>>>(arguments...);
  } else {
    kernel<<<blocks_for(sets, 1), kThreads, lines_bytes<T>(n), on>>>(arguments...);
  }
  check_launch(kName);
}

template <typename T>
void begin(const Work<T>& work, const T* x, const PlaneStrides& strides) {
  const Shape& s = work.s;
  launch_lines<T>(transform_rows<T, false>, transform_rows<T, true>, s.width, sets_of<T>(s.planes * s.pairs(), s.width),
                  work.on, s, x, strides, work.across(), work.far(), work.spectrum());
}

// Whether there is anything to compute.
bool shape_of(std::int64_t planes, std::int64_t height, std::int64_t width, Shape& shape) {
  FORENSIC_CHECK(std::max(height, width) <= kLongest, "x: planes of ", height, " x ", width,
                 " are too large for the device, which takes up to ", kLongest);
  shape = {planes, static_cast<int>(height), static_cast<int>(width), static_cast<int>(std::min(height, width) / 2)};
  return planes > 0 && shape.rings > 0;
}

}  // namespace

template <typename T>
void radial_spectrum(std::int64_t planes, std::int64_t height, std::int64_t width, const T* x,
                     const PlaneStrides& strides, T* y, Stream stream) {
  Shape s{};
  if (!shape_of(planes, height, width, s)) return;
  const std::int64_t blocks = sets_of<T>(s.columns(), s.height);
  const Work<T> work(s, static_cast<std::size_t>(planes * blocks * s.rings) * sizeof(double),
                     reinterpret_cast<cudaStream_t>(stream));
  auto* partial = work.template more<double>();
  begin(work, x, strides);
  launch_lines<T>(sum_rings<T, false>, sum_rings<T, true>, s.height, planes * blocks, work.on, s, work.spectrum(),
                  work.down(), work.starts(), work.far(), partial);
  add_blocks<T><<<blocks_for(planes * s.rings, kThreads), kThreads, 0, work.on>>>(s, blocks, partial, work.counts(), y);
  check_launch(kName);
}

template <typename T>
void radial_spectrum_gradient(std::int64_t planes, std::int64_t height, std::int64_t width, const T* x,
                              const PlaneStrides& strides, const T* g, T* d_x, Stream stream) {
  Shape s{};
  if (!shape_of(planes, height, width, s)) return;
  const Work<T> work(s, static_cast<std::size_t>(planes * s.rings) * sizeof(T), reinterpret_cast<cudaStream_t>(stream));
  T* weights = work.template more<T>();
  make_weights<T><<<blocks_for(planes * s.rings, kThreads), kThreads, 0, work.on>>>(s, g, work.counts(), weights);
  check_launch(kName);
  begin(work, x, strides);
  launch_lines<T>(weigh_columns<T, false>, weigh_columns<T, true>, s.height, planes * sets_of<T>(s.columns(), s.height),
                  work.on, s, work.down(), work.ring(), weights, work.far(), work.spectrum());
  launch_lines<T>(restore_rows<T, false>, restore_rows<T, true>, s.width, sets_of<T>(planes * s.pairs(), s.width),
                  work.on, s, work.spectrum(), work.across(), work.far(), d_x);
}

#define FORENSIC_INSTANTIATE(T)                                                                                       \
  template void radial_spectrum(std::int64_t, std::int64_t, std::int64_t, const T*, const PlaneStrides&, T*, Stream); \
  template void radial_spectrum_gradient(std::int64_t, std::int64_t, std::int64_t, const T*, const PlaneStrides&,     \
                                         const T*, T*, Stream);
FORENSIC_INSTANTIATE(float)
FORENSIC_INSTANTIATE(double)
#undef FORENSIC_INSTANTIATE

}  // namespace forensic::cuda
