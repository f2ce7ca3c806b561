// dct2, idct2 on a device: two matrix products with the orthonormal DCT matrix, 32 x 32 tiles in shared memory.
//   formula and twin as in dct.h. The matrix is made on the device in float64 and rounded once.
// First version: right and deterministic. A factorised transform that keeps a plane in shared memory is bound by
// copying and not by these products; csrc/README.md keeps the comparison.
#include "cuda_check.cuh"
#include "cuda_launch.h"

namespace forensic::cuda {
namespace {

constexpr int kTile = 32;

// matrix[k, i] = s_k cos(pi (2i + 1) k / 2n)
template <typename T>
__global__ void make_matrix(std::int64_t n, T* matrix) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; at < n * n; at += step) {
    const std::int64_t k = at / n, i = at % n;
    const double scale = sqrt((k == 0 ? 1.0 : 2.0) / static_cast<double>(n));
    const std::int64_t phase = (2 * i + 1) * k % (4 * n);  // in units of pi / 2n: the argument stays small and exact
    matrix[at] = static_cast<T>(scale * cospi(static_cast<double>(phase) / static_cast<double>(2 * n)));
  }
}

// A matrix, or one for each plane, with strides.
template <typename T>
struct Operand {
  const T* data;
  std::int64_t plane, row, column;
};

// c[p] (m, n) = a[p] (m, depth) b[p] (depth, n); c contiguous.
template <typename T>
__global__ void multiply(std::int64_t planes, std::int64_t m, std::int64_t n, std::int64_t depth, Operand<T> a,
                         Operand<T> b, T* c) {
  __shared__ T left[kTile][kTile + 1];
  __shared__ T right[kTile][kTile + 1];
  const std::int64_t across = (n + kTile - 1) / kTile, down = (m + kTile - 1) / kTile;
  for (std::int64_t tile = blockIdx.x; tile < planes * down * across; tile += gridDim.x) {
    const std::int64_t plane = tile / (down * across);
    const std::int64_t row = tile / across % down * kTile + threadIdx.y;
    const std::int64_t column = tile % across * kTile + threadIdx.x;
    T sums[4] = {};
    for (std::int64_t start = 0; start < depth; start += kTile) {
      for (int part = 0; part < 4; ++part) {
        const int line = static_cast<int>(threadIdx.y) + part * (kTile / 4);
        const std::int64_t r = row + part * (kTile / 4), k = start + threadIdx.x;
        left[line][threadIdx.x] = r < m && k < depth ? a.data[plane * a.plane + r * a.row + k * a.column] : T(0);
        const std::int64_t deep = start + line;
        right[line][threadIdx.x] =
            deep < depth && column < n ? b.data[plane * b.plane + deep * b.row + column * b.column] : T(0);
      }
      __syncthreads();
      for (int k = 0; k < kTile; ++k) {
        const T value = right[k][threadIdx.x];
        for (int part = 0; part < 4; ++part) {
          sums[part] += left[static_cast<int>(threadIdx.y) + part * (kTile / 4)][k] * value;
        }
      }
      __syncthreads();
    }
    for (int part = 0; part < 4; ++part) {
      const std::int64_t r = row + part * (kTile / 4);
      if (r < m && column < n) c[(plane * m + r) * n + column] = sums[part];
    }
  }
}

}  // namespace

template <typename T>
void dct2(std::int64_t planes, std::int64_t height, std::int64_t width, const T* x, T* y, bool inverse, Stream stream) {
  if (planes * height * width == 0) return;
  const auto on = reinterpret_cast<cudaStream_t>(stream);
  const auto bytes = [](std::int64_t count) { return aligned(static_cast<std::size_t>(count) * sizeof(T)); };
  const DeviceMemory memory(bytes(height * height) + bytes(width * width) + bytes(planes * height * width), on);
  char* place = memory.data();
  T* down = reinterpret_cast<T*>(place);
  place += bytes(height * height);
  T* across = reinterpret_cast<T*>(place);
  place += bytes(width * width);
  T* middle = reinterpret_cast<T*>(place);
  make_matrix<T><<<blocks_for(height * height, 256), 256, 0, on>>>(height, down);
  check_launch("dct2");
  make_matrix<T><<<blocks_for(width * width, 256), 256, 0, on>>>(width, across);
  check_launch("dct2");
  const dim3 threads(kTile, kTile / 4);
  const std::int64_t tiles = planes * ((height + kTile - 1) / kTile) * ((width + kTile - 1) / kTile);
  const std::int64_t plane = height * width;
  // y = D x E^T, or D^T x E for the inverse: rows first, then columns.
  const Operand<T> rows{across, 0, inverse ? width : 1, inverse ? 1 : width};
  multiply<T>
      <<<blocks_for(tiles, 1), threads, 0, on>>>(planes, height, width, width, {x, plane, width, 1}, rows, middle);
  check_launch("dct2");
  const Operand<T> columns{down, 0, inverse ? 1 : height, inverse ? height : 1};
  multiply<T>
      <<<blocks_for(tiles, 1), threads, 0, on>>>(planes, height, width, height, columns, {middle, plane, width, 1}, y);
  check_launch("dct2");
}

#define FORENSIC_INSTANTIATE(T) \
  template void dct2(std::int64_t, std::int64_t, std::int64_t, const T*, T*, bool, Stream);
FORENSIC_INSTANTIATE(float)
FORENSIC_INSTANTIATE(double)
#undef FORENSIC_INSTANTIATE

}  // namespace forensic::cuda
