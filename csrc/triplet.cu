// batch_hard_triplet on a device; formula, ties, clamp and NaN as in triplet.h.
//   products   up to 4,096 rows: those of all pairs in memory, by tiles; beyond, none are kept. Norms are sums in the
//              same order, so equal rows are at distance 0 before the clamp
//   hardest    a block an anchor: running extremes and how many entries reach them; without the matrix a warp a pair
//   total      one block adds the hinges in order and turns counts into shares of the gradient
//   gradient   a block a row: row i's distances also show which anchors chose i, since d(i, j) = d(j, i) bit for bit.
//              The few that act are listed in their order, then summed in it. No atomics: the same bits at every run.
#include <cmath>

#include "cuda_check.cuh"
#include "cuda_launch.h"

namespace forensic::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr double kClamp = 1e-12;
constexpr std::int64_t kMostRows = 4096;  // whose matrix is kept: 64 MiB of floats
constexpr std::int64_t kLargeRows = 384;  // from which large tiles fill the device
constexpr int kProductDepth = 32;

template <typename T>
struct Embeddings {
  std::int64_t rows, width;
  const T* z;
  std::int64_t row_stride, column_stride;
  const std::int64_t* labels;
  std::int64_t label_stride;

  __device__ T at(std::int64_t i, std::int64_t d) const { return z[i * row_stride + d * column_stride]; }
  __device__ bool same(std::int64_t i, std::int64_t j) const {
    return labels[i * label_stride] == labels[j * label_stride];
  }
};

template <typename T>
struct Choice {
  T positive, negative, pull, push;
  std::int64_t positives, negatives;
};

// z_i . z_j by one warp; every lane gets it. The order of the sum is that of z_j . z_i.
template <typename T>
__device__ T product(const Embeddings<T>& e, std::int64_t i, std::int64_t j) {
  T sum = T(0);
  for (std::int64_t d = threadIdx.x % 32; d < e.width; d += 32) sum = fma(e.at(i, d), e.at(j, d), sum);
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
  return sum;
}

template <typename T>
__global__ void make_norms(Embeddings<T> e, T* norms) {
  for (std::int64_t i = blockIdx.x * kWarps + threadIdx.x / 32; i < e.rows;
       i += static_cast<std::int64_t>(gridDim.x) * kWarps) {
    const T norm = product(e, i, i);
    if (threadIdx.x % 32 == 0) norms[i] = norm;
  }
}

// The squared distance before the clamp, from z_i . z_j; 0 on the diagonal.
template <typename T>
__device__ T gap_of(T inner, const T* norms, std::int64_t i, std::int64_t j) {
  return i == j ? T(0) : norms[i] + norms[j] - (inner + inner);
}

template <typename T>
__device__ T gap(const Embeddings<T>& e, const T* norms, std::int64_t i, std::int64_t j) {
  return gap_of(product(e, i, j), norms, i, j);
}

template <typename T>
__device__ T distance_of(T gap, bool squared) {
  const T clamped = gap < static_cast<T>(kClamp) ? static_cast<T>(kClamp) : gap;  // a NaN stays
  return squared ? clamped : sqrt(clamped);
}

// Extreme of two runs and how many entries reach it; a NaN wins.
template <typename T>
__device__ void meet(T& value, std::int64_t& count, T other, std::int64_t others, bool largest) {
  if (isnan(value) || others == 0) return;
  if (isnan(other) || count == 0 || (largest ? other > value : other < value)) {
    value = other;
    count = others;
  } else if (other == value) {
    count += others;
  }
}

template <typename T>
__global__ void hardest(Embeddings<T> e, const T* norms, bool squared, Choice<T>* choices) {
  __shared__ Choice<T> found[kWarps];
  const int warp = static_cast<int>(threadIdx.x / 32);
  for (std::int64_t i = blockIdx.x; i < e.rows; i += gridDim.x) {
    Choice<T> mine{T(-INFINITY), T(INFINITY), T(0), T(0), 0, 0};
    for (std::int64_t j = warp; j < e.rows; j += kWarps) {
      const T d = distance_of(gap(e, norms, i, j), squared);
      if (e.same(i, j)) {
        meet(mine.positive, mine.positives, d, 1, true);
      } else {
        meet(mine.negative, mine.negatives, d, 1, false);
      }
    }
    if (threadIdx.x % 32 == 0) found[warp] = mine;
    __syncthreads();
    if (threadIdx.x == 0) {
      for (int n = 1; n < kWarps; ++n) {
        meet(mine.positive, mine.positives, found[n].positive, found[n].positives, true);
        meet(mine.negative, mine.negatives, found[n].negative, found[n].negatives, false);
      }
      choices[i] = mine;
    }
    __syncthreads();
  }
}

template <typename T>
__global__ void total(std::int64_t rows, double margin, bool mean, Choice<T>* choices, T* loss) {
  __shared__ double sums[kThreads];
  const double share = mean ? 1.0 / static_cast<double>(rows) : 1.0;
  double sum = 0.0;
  for (std::int64_t i = threadIdx.x; i < rows; i += kThreads) {
    Choice<T>& anchor = choices[i];
    const T hinge = anchor.positive - anchor.negative + static_cast<T>(margin);
    sum += hinge < T(0) ? 0.0 : static_cast<double>(hinge);  // a NaN stays
    if (!(hinge >= T(0))) continue;
    anchor.pull = static_cast<T>(share / static_cast<double>(anchor.positives));
    anchor.push = anchor.negatives > 0 ? static_cast<T>(-share / static_cast<double>(anchor.negatives)) : T(0);
  }
  sums[threadIdx.x] = sum;
  for (int step = kThreads / 2; step > 0; step /= 2) {
    __syncthreads();
    if (static_cast<int>(threadIdx.x) < step) sums[threadIdx.x] += sums[threadIdx.x + step];
  }
  if (threadIdx.x == 0) *loss = static_cast<T>(mean ? (rows > 0 ? sums[0] / static_cast<double>(rows) : 0.0) : sums[0]);
}

// What (z_i - z_j) is multiplied by in the gradient of row i: of anchor i where it chose j, and of j where it chose i.
template <typename T>
__device__ T weight_of(T square, bool positive, const Choice<T>& of_i, const Choice<T>& of_j, bool squared) {
  T weight = T(0);
  const T d = distance_of(square, squared);
  if (square >= static_cast<T>(kClamp)) {
    if (d == (positive ? of_i.positive : of_i.negative)) weight += positive ? of_i.pull : of_i.push;
    if (d == (positive ? of_j.positive : of_j.negative)) weight += positive ? of_j.pull : of_j.push;
  }
  if (weight != T(0)) weight *= squared ? T(2) : T(1) / d;
  return weight;
}

template <typename T>
__global__ void gradient_of(Embeddings<T> e, const T* norms, const Choice<T>* choices, bool squared, const T* loss,
                            T* gradient) {
  __shared__ T weights[kThreads];
  const int warp = static_cast<int>(threadIdx.x / 32);
  const bool hidden = isnan(*loss);
  for (std::int64_t i = blockIdx.x; i < e.rows; i += gridDim.x) {
    for (std::int64_t d = threadIdx.x; d < e.width; d += kThreads) gradient[i * e.width + d] = hidden ? *loss : T(0);
    if (hidden) continue;
    for (std::int64_t start = 0; start < e.rows; start += kThreads) {
      for (int n = warp; n < kThreads; n += kWarps) {
        const std::int64_t j = start + n;
        T weight = T(0);
        if (j < e.rows) {
          weight = weight_of(gap(e, norms, i, j), e.same(i, j), choices[i], choices[j], squared);
        }
        if (threadIdx.x % 32 == 0) weights[n] = weight;
      }
      __syncthreads();
      for (std::int64_t d = threadIdx.x; d < e.width; d += kThreads) {
        T sum = gradient[i * e.width + d];
        for (int n = 0; n < kThreads && start + n < e.rows; ++n) {
          if (weights[n] != T(0)) sum += weights[n] * (e.at(i, d) - e.at(start + n, d));
        }
        gradient[i * e.width + d] = sum;
      }
      __syncthreads();
    }
  }
}

// products[i, j] = z_i . z_j as `product` but for the order of the sum, which is ascending; a thread makes Each x Each.
template <typename T, int Each>
__global__ void __launch_bounds__(kThreads) make_products(Embeddings<T> e, T* products) {
  constexpr int tile = 16 * Each;
  __shared__ T left[kProductDepth][tile + 1], right[kProductDepth][tile + 1];
  const int thread = static_cast<int>(threadIdx.x), x = thread % 16, y = thread / 16;
  const std::int64_t first_i = static_cast<std::int64_t>(blockIdx.y) * tile;
  const std::int64_t first_j = static_cast<std::int64_t>(blockIdx.x) * tile;
  T sums[Each][Each] = {};
  for (std::int64_t start = 0; start < e.width; start += kProductDepth) {
    for (int at = thread; at < tile * kProductDepth; at += kThreads) {
      const int d = at % kProductDepth, row = at / kProductDepth;
      const std::int64_t i = first_i + row, j = first_j + row, depth = start + d;
      left[d][row] = i < e.rows && depth < e.width ? e.at(i, depth) : T(0);
      right[d][row] = j < e.rows && depth < e.width ? e.at(j, depth) : T(0);
    }
    __syncthreads();
#pragma unroll 8
    for (int d = 0; d < kProductDepth; ++d) {
      T a[Each], b[Each];
#pragma unroll
      for (int n = 0; n < Each; ++n) a[n] = left[d][y + 16 * n];
#pragma unroll
      for (int n = 0; n < Each; ++n) b[n] = right[d][x + 16 * n];
#pragma unroll
      for (int n = 0; n < Each; ++n) {
#pragma unroll
        for (int m = 0; m < Each; ++m) sums[n][m] = fma(a[n], b[m], sums[n][m]);
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int n = 0; n < Each; ++n) {
#pragma unroll
    for (int m = 0; m < Each; ++m) {
      const std::int64_t i = first_i + y + 16 * n, j = first_j + x + 16 * m;
      if (i >= e.rows || j >= e.rows) continue;
      products[i * e.rows + j] = sums[n][m];
    }
  }
}

template <typename T>
__global__ void take_norms(std::int64_t rows, const T* products, T* norms) {
  for (std::int64_t i = first_item(); i < rows; i += item_step()) norms[i] = products[i * rows + i];
}

template <typename T>
__global__ void hardest_of_products(Embeddings<T> e, const T* products, const T* norms, bool squared,
                                    Choice<T>* choices) {
  __shared__ Choice<T> found[kThreads];
  const int thread = static_cast<int>(threadIdx.x);
  for (std::int64_t i = blockIdx.x; i < e.rows; i += gridDim.x) {
    Choice<T> mine{T(-INFINITY), T(INFINITY), T(0), T(0), 0, 0};
    for (std::int64_t j = thread; j < e.rows; j += kThreads) {
      const T d = distance_of(gap_of(products[i * e.rows + j], norms, i, j), squared);
      if (e.same(i, j)) {
        meet(mine.positive, mine.positives, d, 1, true);
      } else {
        meet(mine.negative, mine.negatives, d, 1, false);
      }
    }
    found[thread] = mine;
    for (int step = kThreads / 2; step > 0; step /= 2) {
      __syncthreads();
      if (thread >= step) continue;
      Choice<T>& here = found[thread];
      const Choice<T>& other = found[thread + step];
      meet(here.positive, here.positives, other.positive, other.positives, true);
      meet(here.negative, here.negatives, other.negative, other.negatives, false);
    }
    if (thread == 0) choices[i] = found[0];
    __syncthreads();
  }
}

template <typename T>
__global__ void gradient_of_products(Embeddings<T> e, const T* products, const T* norms, const Choice<T>* choices,
                                     bool squared, const T* loss, T* gradient) {
  __shared__ T weights[kThreads];
  __shared__ int acting[kThreads], counts[kWarps];
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
  const bool hidden = isnan(*loss);
  for (std::int64_t i = blockIdx.x; i < e.rows; i += gridDim.x) {
    for (std::int64_t d = thread; d < e.width; d += kThreads) gradient[i * e.width + d] = hidden ? *loss : T(0);
    if (hidden) continue;
    for (std::int64_t start = 0; start < e.rows; start += kThreads) {
      const std::int64_t j = start + thread;
      T weight = T(0);
      if (j < e.rows) {
        const T square = gap_of(products[i * e.rows + j], norms, i, j);
        weight = weight_of(square, e.same(i, j), choices[i], choices[j], squared);
      }
      const unsigned int acts = __ballot_sync(0xffffffffu, weight != T(0));
      if (lane == 0) counts[warp] = __popc(acts);
      __syncthreads();
      int before = __popc(acts & ((1u << lane) - 1)), all = 0;
      for (int n = 0; n < kWarps; ++n) {
        before += n < warp ? counts[n] : 0;
        all += counts[n];
      }
      if (weight != T(0)) {
        weights[before] = weight;
        acting[before] = thread;
      }
      __syncthreads();
      for (std::int64_t d = thread; d < e.width && all > 0; d += kThreads) {
        const T own = e.at(i, d);
        T sum = gradient[i * e.width + d];
        for (int n = 0; n < all; ++n) sum += weights[n] * (own - e.at(start + acting[n], d));
        gradient[i * e.width + d] = sum;
      }
      __syncthreads();
    }
  }
}

}  // namespace

template <typename T>
void batch_hard_triplet(std::int64_t rows, std::int64_t width, const T* z, std::int64_t row_stride,
                        std::int64_t column_stride, const std::int64_t* labels, std::int64_t label_stride,
                        double margin, bool squared, bool mean, T* loss, T* gradient, Stream stream) {
  const auto on = reinterpret_cast<cudaStream_t>(stream);
  const Embeddings<T> e{rows, width, z, row_stride, column_stride, labels, label_stride};
  const std::size_t choice_bytes = aligned(static_cast<std::size_t>(rows) * sizeof(Choice<T>));
  const std::size_t norm_bytes = aligned(static_cast<std::size_t>(rows) * sizeof(T));
  const bool kept = rows <= kMostRows;
  const DeviceMemory memory(choice_bytes + norm_bytes + (kept ? static_cast<std::size_t>(rows * rows) * sizeof(T) : 0),
                            on);
  auto* choices = reinterpret_cast<Choice<T>*>(memory.data());
  T* norms = reinterpret_cast<T*>(memory.data() + choice_bytes);
  T* products = reinterpret_cast<T*>(memory.data() + choice_bytes + norm_bytes);
  if (rows > 0 && kept) {
    const auto blocks = [&](std::int64_t tile) { return static_cast<unsigned int>((rows + tile - 1) / tile); };
    if (rows < kLargeRows) {
      make_products<T, 1><<<dim3(blocks(16), blocks(16)), kThreads, 0, on>>>(e, products);
    } else {
      make_products<T, 4><<<dim3(blocks(64), blocks(64)), kThreads, 0, on>>>(e, products);
    }
    check_launch("batch_hard_triplet");
    take_norms<T><<<blocks_for(rows, kThreads), kThreads, 0, on>>>(rows, products, norms);
    check_launch("batch_hard_triplet");
    hardest_of_products<T><<<blocks_for(rows, 1), kThreads, 0, on>>>(e, products, norms, squared, choices);
    check_launch("batch_hard_triplet");
  } else if (rows > 0) {
    make_norms<T><<<blocks_for(rows, kWarps), kThreads, 0, on>>>(e, norms);
    check_launch("batch_hard_triplet");
    hardest<T><<<blocks_for(rows, 1), kThreads, 0, on>>>(e, norms, squared, choices);
    check_launch("batch_hard_triplet");
  }
  total<T><<<1, kThreads, 0, on>>>(rows, margin, mean, choices, loss);
  check_launch("batch_hard_triplet");
  if (gradient == nullptr || rows == 0) return;
  if (kept) {
    gradient_of_products<T>
        <<<blocks_for(rows, 1), kThreads, 0, on>>>(e, products, norms, choices, squared, loss, gradient);
  } else {
    gradient_of<T><<<blocks_for(rows, 1), kThreads, 0, on>>>(e, norms, choices, squared, loss, gradient);
  }
  check_launch("batch_hard_triplet");
}

#define FORENSIC_INSTANTIATE(T)                                                                      \
  template void batch_hard_triplet(std::int64_t, std::int64_t, const T*, std::int64_t, std::int64_t, \
                                   const std::int64_t*, std::int64_t, double, bool, bool, T*, T*, Stream);
FORENSIC_INSTANTIATE(float)
FORENSIC_INSTANTIATE(double)
#undef FORENSIC_INSTANTIATE

}  // namespace forensic::cuda
