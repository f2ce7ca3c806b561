// dct2, idct2 and dct2_log on a device; formulas and twins as in dct.h.
//   square planes of 8, 16, 32, 64 (float: 128)   transform_plane: a thread a line in registers, factorised
//   (dct_line.cuh),
//                                                 columns, then rows through shared memory; memory is read and written
//                                                 once
//   all others                                    fold_multiply: products with the halves of the DCT matrix, an axis at
//   a
//                                                 time; x[i] + x[n-1-i] decides the even coefficients and x[i] -
//                                                 x[n-1-i] the odd ones, half of the products of the whole matrix
// The matrix is made on the device in float64 and rounded once. Every sum has one order: the same bits at every run.
#include "cuda_check.cuh"
#include "cuda_launch.h"
#include "cuda_read.cuh"
#include "dct_line.cuh"

namespace forensic::cuda {
namespace {

constexpr int kLineThreads = 128;

// Orthonormal but for the factor sqrt(2 / N).
template <typename T, int N, bool Inverse>
__device__ __forceinline__ void transform_line(T* v) {
  constexpr T root = static_cast<T>(0.70710678118654752440);
  if constexpr (Inverse) {
    v[0] *= root;
    Line<T, N>::u2_transposed(v);
  } else {
    Line<T, N>::u2(v);
    v[0] *= root;
  }
}

template <typename T, int N, bool Inverse>
__global__ void __launch_bounds__(kLineThreads, 2) transform_plane(std::int64_t planes, const T* __restrict__ x, T* y) {
  constexpr int together = kLineThreads / N, pitch = N + 1;  // planes a block has in hand
  extern __shared__ __align__(16) unsigned char memory[];
  const int thread = static_cast<int>(threadIdx.x), plane_in_block = thread / N, line = thread % N;
  T* plane = reinterpret_cast<T*>(memory) + plane_in_block * N * pitch;
  const T scale = static_cast<T>(2.0 / N);
  for (std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * together; first < planes;
       first += static_cast<std::int64_t>(gridDim.x) * together) {
    const std::int64_t here = first + plane_in_block;
    const bool any = here < planes;
    T v[N];
    if (any) {
      const T* from = x + here * N * N + line;
#pragma unroll
      for (int i = 0; i < N; ++i) v[i] = from[i * N];
      transform_line<T, N, Inverse>(v);
#pragma unroll
      for (int i = 0; i < N; ++i) plane[i * pitch + line] = v[i] * scale;
    }
    __syncthreads();
    if (any) {
#pragma unroll
      for (int i = 0; i < N; ++i) v[i] = plane[line * pitch + i];
      transform_line<T, N, Inverse>(v);
#pragma unroll
      for (int i = 0; i < N; ++i) plane[line * pitch + i] = v[i];
    }
    __syncthreads();
    if (any) {
      T* to = y + here * N * N + line;
#pragma unroll 16
      for (int i = 0; i < N; ++i) to[i * N] = plane[i * pitch + line];
    }
    __syncthreads();
  }
}

template <typename T, int N, bool Inverse>
void launch_plane(std::int64_t planes, const T* x, T* y, cudaStream_t on) {
  constexpr int together = kLineThreads / N;
  constexpr int bytes = together * N * (N + 1) * static_cast<int>(sizeof(T));
  if constexpr (bytes > 48 * 1024) {
    const cudaError_t error = forgotten(
        cudaFuncSetAttribute(transform_plane<T, N, Inverse>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
    FORENSIC_CHECK(error == cudaSuccess, "dct2: ", bytes, " bytes of shared memory: ", cudaGetErrorString(error));
  }
  transform_plane<T, N, Inverse><<<blocks_for(planes, together), kLineThreads, bytes, on>>>(planes, x, y);
  check_launch("dct2");
}

// Whether there is a transform of whole planes for this size; then it is queued.
template <typename T, bool Inverse>
bool by_planes(std::int64_t planes, std::int64_t height, std::int64_t width, const T* x, T* y, cudaStream_t on) {
  if (height != width) return false;
  switch (height) {
    case 8:
      return launch_plane<T, 8, Inverse>(planes, x, y, on), true;
    case 16:
      return launch_plane<T, 16, Inverse>(planes, x, y, on), true;
    case 32:
      return launch_plane<T, 32, Inverse>(planes, x, y, on), true;
    case 64:
      return launch_plane<T, 64, Inverse>(planes, x, y, on), true;
    case 128:
      if constexpr (sizeof(T) == 4) return launch_plane<T, 128, Inverse>(planes, x, y, on), true;
      return false;
    default:
      return false;
  }
}

// even[d, j] and odd[d, j], (half, half) with half = (n+1)/2: the factor of the folded value d in output pair j.
//   forward  s_2j cos(pi (2d+1) 2j / 2n), s_2j+1 cos(pi (2d+1)(2j+1) / 2n); inverse the same with d and j exchanged.
template <typename T>
__global__ void make_halves(std::int64_t n, bool inverse, T* even, T* odd) {
  const std::int64_t half = (n + 1) / 2, step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; at < half * half;
       at += step) {
    const std::int64_t i = inverse ? at % half : at / half, k = 2 * (inverse ? at / half : at % half);
    const auto entry = [&](std::int64_t coefficient) {
      const double scale = sqrt((coefficient == 0 ? 1.0 : 2.0) / static_cast<double>(n));
      const std::int64_t phase = (2 * i + 1) * coefficient % (4 * n);  // in units of pi / 2n: small and exact
      return scale * cospi(static_cast<double>(phase) / static_cast<double>(2 * n));
    };
    even[at] = static_cast<T>(entry(k));
    odd[at] = k + 1 < n ? static_cast<T>(entry(k + 1)) : T(0);
  }
}

// Lines of n values: value i of line l stands at (l / per) plane + (l % per) across + i along.
struct Lines {
  std::int64_t count, n, per, plane, across, along;

  __device__ std::int64_t begin(std::int64_t line) const { return line / per * plane + line % per * across; }
};

constexpr int kPairsTile = 64, kDepth = 16, kProductThreads = 256;
constexpr std::int64_t kFewTiles = 256;  // below it, smaller tiles keep more of the device busy

// A block makes 64 pairs of outputs of 16 Each lines; a thread 4 pairs of Each lines.
template <typename T, bool Inverse, bool AlongRows, int Each>
__global__ void __launch_bounds__(kProductThreads)
    fold_multiply(Lines lines, const T* __restrict__ x, const T* __restrict__ even, const T* __restrict__ odd, T* y) {
  constexpr int lines_tile = 16 * Each;
  __shared__ __align__(32) T folded[2][kDepth][lines_tile + 4];
  __shared__ __align__(32) T factors[2][kDepth][kPairsTile];
  const std::int64_t n = lines.n, half = (n + 1) / 2, across = (half + kPairsTile - 1) / kPairsTile;
  const int thread = static_cast<int>(threadIdx.x), pair_place = thread % 16 * 4, line_place = thread / 16 * Each;
  const std::int64_t tiles = (lines.count + lines_tile - 1) / lines_tile * across;
  for (std::int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const std::int64_t first_line = tile / across * lines_tile, first_pair = tile % across * kPairsTile;
    T sums[2][Each][4] = {};
    for (std::int64_t start = 0; start < half; start += kDepth) {
      for (int at = thread; at < kDepth * lines_tile; at += kProductThreads) {
        // neighbouring threads read neighbouring memory: along the line where that is contiguous, else across lines
        const int depth = AlongRows ? at % kDepth : at / lines_tile, place = AlongRows ? at / kDepth : at % lines_tile;
        const std::int64_t d = start + depth, line = first_line + place;
        T one = T(0), two = T(0);
        if (d < half && line < lines.count) {
          const T* from = x + lines.begin(line);
          if constexpr (Inverse) {
            one = from[2 * d * lines.along];
            if (2 * d + 1 < n) two = from[(2 * d + 1) * lines.along];
          } else {
            const T low = from[d * lines.along], high = from[(n - 1 - d) * lines.along];
            one = 2 * d + 1 == n ? low : low + high;  // the middle of an odd length has no partner
            two = low - high;
          }
        }
        folded[0][depth][place] = one;
        folded[1][depth][place] = two;
      }
      for (int at = thread; at < kDepth * kPairsTile; at += kProductThreads) {
        const std::int64_t d = start + at / kPairsTile, j = first_pair + at % kPairsTile;
        const bool inside = d < half && j < half;
        factors[0][at / kPairsTile][at % kPairsTile] = inside ? even[d * half + j] : T(0);
        factors[1][at / kPairsTile][at % kPairsTile] = inside ? odd[d * half + j] : T(0);
      }
      __syncthreads();
#pragma unroll
      for (int depth = 0; depth < kDepth; ++depth) {
#pragma unroll
        for (int part = 0; part < 2; ++part) {
          T values[Each], weights[4];
          if constexpr (Each == 4) {
            read_fours<4>(&folded[part][depth][line_place], values);
          } else {
#pragma unroll
            for (int l = 0; l < Each; ++l) values[l] = folded[part][depth][line_place + l];
          }
          read_fours<4>(&factors[part][depth][pair_place], weights);
#pragma unroll
          for (int l = 0; l < Each; ++l) {
#pragma unroll
            for (int j = 0; j < 4; ++j) sums[part][l][j] += values[l] * weights[j];
          }
        }
      }
      __syncthreads();
    }
#pragma unroll
    for (int l = 0; l < Each; ++l) {
      const std::int64_t line = first_line + line_place + l;
      if (line >= lines.count) continue;
      T* to = y + lines.begin(line);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const std::int64_t pair = first_pair + pair_place + j;
        if (pair >= half) continue;
        const T one = sums[0][l][j], two = sums[1][l][j];
        if constexpr (Inverse) {
          to[pair * lines.along] = one + two;
          if (2 * pair + 1 != n) to[(n - 1 - pair) * lines.along] = one - two;
        } else {
          to[2 * pair * lines.along] = one;
          if (2 * pair + 1 < n) to[(2 * pair + 1) * lines.along] = two;
        }
      }
    }
  }
}

template <typename T, bool Inverse, bool AlongRows>
void multiply(const Lines& lines, const T* x, const T* halves, T* y, cudaStream_t on) {
  const std::int64_t half = (lines.n + 1) / 2, across = (half + kPairsTile - 1) / kPairsTile;
  const auto tiles = [&](std::int64_t each) { return (lines.count + 16 * each - 1) / (16 * each) * across; };
  const T* odd = halves + half * half;
  if (tiles(4) < kFewTiles) {
    fold_multiply<T, Inverse, AlongRows, 1>
        <<<blocks_for(tiles(1), 1), kProductThreads, 0, on>>>(lines, x, halves, odd, y);
  } else {
    fold_multiply<T, Inverse, AlongRows, 4>
        <<<blocks_for(tiles(4), 1), kProductThreads, 0, on>>>(lines, x, halves, odd, y);
  }
  check_launch("dct2");
}

// Rows from x to `middle`, columns from there to y.
template <typename T, bool Inverse>
void by_products(std::int64_t planes, std::int64_t height, std::int64_t width, const T* x, T* y, cudaStream_t on) {
  const auto bytes = [](std::int64_t count) { return aligned(static_cast<std::size_t>(count) * sizeof(T)); };
  const auto entries = [](std::int64_t n) { return (n + 1) / 2 * ((n + 1) / 2); };
  const std::int64_t plane = height * width;
  const std::size_t down_bytes = height == width ? 0 : bytes(2 * entries(height));
  const DeviceMemory memory(bytes(2 * entries(width)) + down_bytes + bytes(planes * plane), on);
  T* across = reinterpret_cast<T*>(memory.data());
  T* down = height == width ? across : reinterpret_cast<T*>(memory.data() + bytes(2 * entries(width)));
  T* middle = reinterpret_cast<T*>(memory.data() + bytes(2 * entries(width)) + down_bytes);
  const auto make = [&](std::int64_t n, T* halves) {
    make_halves<T><<<blocks_for(entries(n), 256), 256, 0, on>>>(n, Inverse, halves, halves + entries(n));
    check_launch("dct2");
  };
  make(width, across);
  if (height != width) make(height, down);
  multiply<T, Inverse, true>(Lines{planes * height, width, height, plane, width, 1}, x, across, middle, on);
  multiply<T, Inverse, false>(Lines{planes * width, height, width, plane, 1, width}, middle, down, y, on);
}

template <typename T, bool Inverse>
void transform(std::int64_t planes, std::int64_t height, std::int64_t width, const T* x, T* y, cudaStream_t on) {
  if (!by_planes<T, Inverse>(planes, height, width, x, y, on)) {
    by_products<T, Inverse>(planes, height, width, x, y, on);
  }
}

// y = (log(|y| + epsilon) - mean) / std in place; mean and std of `period` values repeat.
template <typename T>
__global__ void standardised_log(std::int64_t count, std::int64_t mean_period, std::int64_t std_period, const T* mean,
                                 const T* std, T epsilon, T* y) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; at < count; at += step) {
    y[at] = (log(fabs(y[at]) + epsilon) - mean[at % mean_period]) / std[at % std_period];
  }
}

// y = g sign(y) / ((|y| + epsilon) std) in place: from coefficients to their gradient; 0 passes none.
template <typename T>
__global__ void log_gradient(std::int64_t count, std::int64_t std_period, const T* g, const T* std, T epsilon, T* y) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; at < count; at += step) {
    const T c = y[at], slope = g[at] / std[at % std_period] / (fabs(c) + epsilon);
    y[at] = c > T(0) ? slope : c < T(0) ? -slope : c == T(0) ? T(0) : c;  // a NaN stays
  }
}

}  // namespace

template <typename T>
void dct2(std::int64_t planes, std::int64_t height, std::int64_t width, const T* x, T* y, bool inverse, Stream stream) {
  if (planes * height * width == 0) return;
  const auto on = reinterpret_cast<cudaStream_t>(stream);
  inverse ? transform<T, true>(planes, height, width, x, y, on) : transform<T, false>(planes, height, width, x, y, on);
}

template <typename T>
void dct2_log(std::int64_t planes, std::int64_t height, std::int64_t width, const T* x, std::int64_t means,
              const T* mean, std::int64_t stds, const T* std, double epsilon, const T* gradient, T* y, Stream stream) {
  const std::int64_t count = planes * height * width, plane = height * width;
  if (count == 0) return;
  const auto on = reinterpret_cast<cudaStream_t>(stream);
  const T small = static_cast<T>(epsilon);
  constexpr int threads = 256;
  if (gradient == nullptr) {
    transform<T, false>(planes, height, width, x, y, on);
    standardised_log<T>
        <<<blocks_for(count, threads), threads, 0, on>>>(count, means * plane, stds * plane, mean, std, small, y);
    check_launch("dct2_log");
    return;
  }
  const DeviceMemory memory(static_cast<std::size_t>(count) * sizeof(T), on);
  T* coefficients = reinterpret_cast<T*>(memory.data());
  transform<T, false>(planes, height, width, x, coefficients, on);
  log_gradient<T>
      <<<blocks_for(count, threads), threads, 0, on>>>(count, stds * plane, gradient, std, small, coefficients);
  check_launch("dct2_log");
  transform<T, true>(planes, height, width, coefficients, y, on);
}

#define FORENSIC_INSTANTIATE(T)                                                                                    \
  template void dct2(std::int64_t, std::int64_t, std::int64_t, const T*, T*, bool, Stream);                        \
  template void dct2_log(std::int64_t, std::int64_t, std::int64_t, const T*, std::int64_t, const T*, std::int64_t, \
                         const T*, double, const T*, T*, Stream);
FORENSIC_INSTANTIATE(float)
FORENSIC_INSTANTIATE(double)
#undef FORENSIC_INSTANTIATE

}  // namespace forensic::cuda
