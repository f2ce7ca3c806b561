// resize_square on a device; formula and twin as in resize.h. Windows, weights and levels come from the host
// (resize_windows.h) and the rest is integers, so the bits are those of every other implementation.
//   side = size   split_pixels: a thread a pixel
//   all others    resize_rows, from the square to lines of 8 bits: a lane a row and a warp an output, so that a warp
//                 shares each weight and finds a column of pixels in 32 banks; resize_columns, from lines to the
//                 output: a thread a column, neighbours read and write neighbours
// What the host computed travels as arguments of launches: they are copied when the launch is queued, so that no buffer
// of the host must outlive the call, and a captured graph keeps its own.
#include <cstring>
#include <type_traits>
#include <vector>

#include "cuda_check.cuh"
#include "cuda_launch.h"
#include "resize_windows.h"

namespace forensic::cuda {
namespace {

constexpr int kLanes = 32;
constexpr int kRows = kLanes;  // of a tile
constexpr int kOutputs = 16;   // of a tile, along each of its rows
constexpr int kRowThreads = kLanes * kOutputs;
// Pixels of a row that are in shared memory at a time, channel by channel. In words it is odd, so that the same pixel
// of 32 rows is in 32 banks, and 27 modulo 32, so that the channels which a warp puts apart meet in none.
constexpr int kColumns = 364;
constexpr int kMadePitch = 3 * kOutputs + 4;  // likewise odd in words
constexpr int kThreads = 128;
constexpr int kHalf = 1 << 21;  // of a weight's 2^22: rounds half up

// ---- from the host -------------------------------------------------------------------------------------------------

struct Words {
  std::uint32_t at[960];  // with the other arguments within the 4 KiB that a launch may have
};

__global__ void place_words(Words words, int count, std::uint32_t* to) {
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) to[i] = words.at[i];
}

// Words of the host to be queued for the device.
class Cargo {
 public:
  // The place of the copy, in bytes from the begin.
  template <typename T>
  std::size_t add(const T* values, std::size_t count) {
    const std::size_t place = bytes_.size();
    bytes_.resize(place + count * sizeof(T));
    std::memcpy(bytes_.data() + place, values, count * sizeof(T));
    return place;
  }
  std::size_t size() const { return bytes_.size(); }
  void place(char* to, cudaStream_t on) const {
    Words words{};
    for (std::size_t done = 0; done < size(); done += sizeof(words)) {
      const std::size_t bytes = std::min(sizeof(words), size() - done);
      std::memcpy(words.at, bytes_.data() + done, bytes);
      place_words<<<1, kThreads, 0, on>>>(words, static_cast<int>(bytes / sizeof(std::uint32_t)),
                                          reinterpret_cast<std::uint32_t*>(to + done));
      check_launch("resize_square");
    }
  }

 private:
  std::vector<char> bytes_;
};

// ---- on the device -------------------------------------------------------------------------------------------------

struct Steps {
  std::int64_t row, column, channel;
};

template <typename T>
__device__ T shown(std::uint8_t value, [[maybe_unused]] const float* levels) {
  if constexpr (std::is_same_v<T, float>) {
    return levels[value];
  } else {
    return value;
  }
}

__device__ std::uint8_t rounded(std::int32_t sum) {
  const std::int32_t value = sum >> 22;
  return static_cast<std::uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

template <typename T>
__global__ void split_pixels(std::int64_t side, const std::uint8_t* __restrict__ square, Steps in,
                             const float* __restrict__ levels, T* out, Steps to) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; at < side * side;
       at += step) {
    const std::int64_t row = at / side, column = at % side;
    for (int c = 0; c < 3; ++c) {
      out[row * to.row + column * to.column + c * to.channel] =
          shown<T>(square[row * in.row + column * in.column + c * in.channel], levels);
    }
  }
}

using Tile = std::uint8_t[kRows][3][kColumns];

// The axis along which the pixels lie closest: the one that the lanes of a warp read along.
enum class Nearest { channels, columns, rows };

template <Nearest Order>
__device__ __forceinline__ void read_tile(const std::uint8_t* __restrict__ from, const Steps& in, int rows, int columns,
                                          Tile& tile) {
  const int lane = static_cast<int>(threadIdx.x) % kLanes, warp = static_cast<int>(threadIdx.x) / kLanes;
  const auto take = [&](int row, int column, int c) {
    tile[row][c][column] = from[row * in.row + column * in.column + c * in.channel];
  };
  if constexpr (Order == Nearest::rows) {
    if (lane >= rows) return;
#pragma unroll 2
    for (int at = warp; at < 3 * columns; at += kOutputs) take(lane, at / 3, at % 3);
  } else {
    for (int row = warp; row < rows; row += kOutputs) {
      if constexpr (Order == Nearest::channels) {
#pragma unroll 4
        for (int at = lane; at < 3 * columns; at += kLanes) take(row, at / 3, at % 3);
      } else {
        for (int c = 0; c < 3; ++c) {
#pragma unroll 4
          for (int column = lane; column < columns; column += kLanes) take(row, column, c);
        }
      }
    }
  }
}

// lines (side, 3, size)
template <Nearest Order>
__global__ void __launch_bounds__(kRowThreads, 3)
    resize_rows(std::int64_t side, const std::uint8_t* __restrict__ square, Steps in, ResizeWindows windows,
                std::uint8_t* lines) {
  __shared__ Tile pixels;
  __shared__ std::uint8_t made[kRows][kMadePitch];
  const int lane = static_cast<int>(threadIdx.x) % kLanes, warp = static_cast<int>(threadIdx.x) / kLanes;
  const std::int64_t size = windows.size, across = (size + kOutputs - 1) / kOutputs;
  for (std::int64_t tile = blockIdx.x; tile < (side + kRows - 1) / kRows * across; tile += gridDim.x) {
    const std::int64_t top = tile / across * kRows, left = tile % across * kOutputs;
    const int rows = static_cast<int>(side - top < kRows ? side - top : kRows);
    const int outputs = static_cast<int>(size - left < kOutputs ? size - left : kOutputs);
    // windows begin and end in the order of their outputs
    const std::int64_t begin = windows.first[left];
    const std::int64_t end = windows.first[left + outputs - 1] + windows.count[left + outputs - 1];
    const bool mine = warp < outputs && lane < rows;
    const std::int64_t output = left + (warp < outputs ? warp : 0);
    const std::int64_t first = windows.first[output], last = first + windows.count[output];
    const std::int32_t* weights = windows.weights + output * windows.taps;
    std::int32_t sums[3] = {kHalf, kHalf, kHalf};
    for (std::int64_t start = begin; start < end; start += kColumns) {
      const std::int64_t stop = end - start < kColumns ? end : start + kColumns;
      read_tile<Order>(square + top * in.row + start * in.column, in, rows, static_cast<int>(stop - start), pixels);
      __syncthreads();
      if (mine) {
        const std::int64_t from = first > start ? first : start, to = last < stop ? last : stop;
        const std::int32_t* weight = weights + (from - first);
        const std::uint8_t* pixel = &pixels[lane][0][0] + (from - start);
#pragma unroll 4
        for (int left_over = static_cast<int>(to - from); left_over > 0; --left_over, ++weight, ++pixel) {
          for (int c = 0; c < 3; ++c) sums[c] += *weight * pixel[c * kColumns];
        }
      }
      __syncthreads();
    }
    if (mine) {
      for (int c = 0; c < 3; ++c) made[lane][c * kOutputs + warp] = rounded(sums[c]);
    }
    __syncthreads();
    for (int at = static_cast<int>(threadIdx.x); at < rows * 3 * kOutputs; at += kRowThreads) {
      const int row = at / (3 * kOutputs), c = at / kOutputs % 3, o = at % kOutputs;
      if (o < outputs) lines[((top + row) * 3 + c) * size + left + o] = made[row][c * kOutputs + o];
    }
  }
}

template <typename T>
__global__ void __launch_bounds__(kThreads)
    resize_columns(const std::uint8_t* __restrict__ lines, ResizeWindows windows, const float* __restrict__ levels,
                   T* out, Steps to) {
  const std::int64_t size = windows.size, line = 3 * size, across = (line + kThreads - 1) / kThreads;
  for (std::int64_t tile = blockIdx.x; tile < size * across; tile += gridDim.x) {
    const std::int64_t row = tile / across, column = tile % across * kThreads + threadIdx.x;
    if (column >= line) continue;
    const std::uint8_t* from = lines + windows.first[row] * line + column;
    const std::int32_t* weights = windows.weights + row * windows.taps;
    std::int32_t sum = kHalf;
    for (std::int64_t j = 0; j < windows.count[row]; ++j) sum += weights[j] * from[j * line];
    out[row * to.row + column % size * to.column + column / size * to.channel] = shown<T>(rounded(sum), levels);
  }
}

auto rows_kernel(const Steps& in) {
  const auto length = [](std::int64_t step) { return step < 0 ? -step : step; };
  const std::int64_t row = length(in.row), column = length(in.column), channel = length(in.channel);
  if (channel <= column && channel <= row) return resize_rows<Nearest::channels>;
  return column <= row ? resize_rows<Nearest::columns> : resize_rows<Nearest::rows>;
}

}  // namespace

template <typename T>
void resize_square(const TensorView<const std::uint8_t, 3>& image, const TensorView<T, 3>& out, Stream stream) {
  const auto square = centre_square(image, out.shape);
  const std::int64_t side = square.shape[0], size = out.shape[1];
  const auto on = reinterpret_cast<cudaStream_t>(stream);
  const Steps in{square.stride[0], square.stride[1], square.stride[2]}, to{out.stride[1], out.stride[2], out.stride[0]};
  Cargo cargo;
  if (side == size) {
    if (std::is_same_v<T, float>) cargo.add(scaled_levels().data(), scaled_levels().size());
    const DeviceMemory memory(cargo.size(), on);
    cargo.place(memory.data(), on);
    split_pixels<T><<<blocks_for(side * side, kThreads), kThreads, 0, on>>>(
        side, square.data, in, reinterpret_cast<const float*>(memory.data()), out.data, to);
    check_launch("resize_square");
    return;
  }
  const Windows both(side, size);  // a square has the same windows along either axis
  ResizeWindows windows = both.view();
  const auto outputs = static_cast<std::size_t>(size);
  const std::size_t first = cargo.add(windows.first, outputs), count = cargo.add(windows.count, outputs);
  const std::size_t weights = cargo.add(windows.weights, static_cast<std::size_t>(size * windows.taps));
  const std::size_t levels = cargo.size();
  if (std::is_same_v<T, float>) cargo.add(scaled_levels().data(), scaled_levels().size());
  const DeviceMemory memory(aligned(cargo.size()) + static_cast<std::size_t>(side * 3 * size), on);
  cargo.place(memory.data(), on);
  windows.first = reinterpret_cast<const std::int64_t*>(memory.data() + first);
  windows.count = reinterpret_cast<const std::int64_t*>(memory.data() + count);
  windows.weights = reinterpret_cast<const std::int32_t*>(memory.data() + weights);
  auto* lines = reinterpret_cast<std::uint8_t*>(memory.data() + aligned(cargo.size()));
  const std::int64_t tiles = (side + kRows - 1) / kRows * ((size + kOutputs - 1) / kOutputs);
  const auto along_rows = rows_kernel(in);
  along_rows<<<blocks_for(tiles, 1), kRowThreads, 0, on>>>(side, square.data, in, windows, lines);
  check_launch("resize_square");
  const std::int64_t parts = size * ((3 * size + kThreads - 1) / kThreads);
  resize_columns<T><<<blocks_for(parts, 1), kThreads, 0, on>>>(
      lines, windows, reinterpret_cast<const float*>(memory.data() + levels), out.data, to);
  check_launch("resize_square");
}

#define FORENSIC_INSTANTIATE(T) \
  template void resize_square(const TensorView<const std::uint8_t, 3>&, const TensorView<T, 3>&, Stream);
FORENSIC_INSTANTIATE(std::uint8_t)
FORENSIC_INSTANTIATE(float)
#undef FORENSIC_INSTANTIATE

}  // namespace forensic::cuda
