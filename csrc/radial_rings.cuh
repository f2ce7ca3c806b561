// Which ring a frequency is on, on a device: tables of one size of planes, for radial.cu.
#pragma once

#include "cuda_check.cuh"

namespace forensic::cuda {
namespace {

constexpr std::int64_t kLongest = 65536;  // up to which no product below exceeds 64 bits

struct Shape {
  std::int64_t planes;
  int height, width, rings;

  // Frequencies 0, 1, ... below n/2: the other half mirrors them, and what is at n/2 lies on no ring.
  __host__ __device__ int rows() const { return (height + 1) / 2; }
  __host__ __device__ int columns() const { return (width + 1) / 2; }
  // Of rows: what is transformed as one line. An odd last row has none beside it.
  __host__ __device__ int pairs() const { return (height + 1) / 2; }
};

// Ring of frequency (k, l), both at most half of their length: floor(sqrt(u^2 + (v m / M)^2)), u along the shorter side
// m and v along the longer M. u^2 is whole, so only the second square is rounded down.
__device__ int ring_of(int k, int l, const Shape& s) {
  const bool tall = s.height > s.width;
  const auto u = static_cast<std::uint64_t>(tall ? l : k), v = static_cast<std::uint64_t>(tall ? k : l);
  const auto shorter = static_cast<std::uint64_t>(tall ? s.width : s.height);
  const auto longer = static_cast<std::uint64_t>(tall ? s.height : s.width);
  const std::uint64_t area = u * u + v * shorter * (v * shorter) / (longer * longer);
  auto root = static_cast<std::uint64_t>(sqrt(static_cast<double>(area)));
  while (root * root > area) --root;
  while ((root + 1) * (root + 1) <= area) ++root;
  return root < static_cast<std::uint64_t>(s.rings) ? static_cast<int>(root) : s.rings;
}

// ring (columns, rows): of each frequency, `rings` where it is left out. starts (columns, rings + 1): the first row on
// that ring or beyond; rings do not fall along a column.
__global__ void make_rings(Shape s, int* ring, int* starts) {
  const int rows = s.rows();
  for (std::int64_t at = first_item(); at < static_cast<std::int64_t>(s.columns()) * rows; at += item_step()) {
    const int l = static_cast<int>(at / rows), k = static_cast<int>(at % rows);
    const int here = ring_of(k, l, s), before = k == 0 ? -1 : ring_of(k - 1, l, s);
    int* start = starts + static_cast<std::int64_t>(l) * (s.rings + 1);
    ring[at] = here;
    for (int r = before + 1; r <= here; ++r) start[r] = k;
    for (int r = here + 1; r <= s.rings && k == rows - 1; ++r) start[r] = rows;
  }
}

// counts (rings): frequencies of the whole DFT on each ring
__global__ void count_rings(Shape s, const int* starts, double* counts) {
  for (std::int64_t ring = first_item(); ring < s.rings; ring += item_step()) {
    double count = 0.0;
    for (int l = 0; l < s.columns(); ++l) {
      const int* start = starts + static_cast<std::int64_t>(l) * (s.rings + 1) + ring;
      const int own = start[0] == 0 && start[1] > 0 ? 1 : 0;  // row 0 is its own mirror, as column 0
      count += static_cast<double>((2 * (start[1] - start[0]) - own) * (l == 0 ? 1 : 2));
    }
    counts[ring] = count;
  }
}

}  // namespace
}  // namespace forensic::cuda
