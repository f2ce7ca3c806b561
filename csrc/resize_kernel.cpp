#include "resize_kernel.h"

#include "wide.h"

#if defined(FORENSIC_LEVEL_avx512) || defined(FORENSIC_LEVEL_avx2)
#include <immintrin.h>
#endif

namespace forensic {
namespace FORENSIC_LEVEL {
namespace {

typedef std::uint8_t Bytes __attribute__((vector_size(kResizeRows)));
constexpr int kBits = 22;

inline Bytes load_bytes(const std::uint8_t* from) {
  Bytes bytes;
  __builtin_memcpy(&bytes, from, sizeof(bytes));
  return bytes;
}

inline void store_bytes(std::uint8_t* to, Bytes bytes) { __builtin_memcpy(to, &bytes, sizeof(bytes)); }

// Sixteen 32-bit sums, in as many registers as that takes.
struct Sums {
  using Part = Wide<std::int32_t>;
  static constexpr int parts = kResizeRows / kLanes<std::int32_t>;
  Part part[parts];

  Sums() {
    for (Part& one : part) one = Part{} + (1 << (kBits - 1));  // rounds half up at the end
  }

  // += weight times 16 bytes
  void add(const std::uint8_t* from, std::int32_t weight) {
#if defined(FORENSIC_LEVEL_avx512)
    part[0] += reinterpret_cast<Part>(_mm512_maskz_cvtepu8_epi32(0xFFFF, reinterpret_cast<__m128i>(load_bytes(from)))) *
               weight;
#elif defined(FORENSIC_LEVEL_avx2)
    const auto bytes = reinterpret_cast<__m128i>(load_bytes(from));
    part[0] += reinterpret_cast<Part>(_mm256_cvtepu8_epi32(bytes)) * weight;
    part[1] += reinterpret_cast<Part>(_mm256_cvtepu8_epi32(_mm_unpackhi_epi64(bytes, bytes))) * weight;
#else
    typedef std::uint16_t Shorts __attribute__((vector_size(sizeof(Bytes))));
    using Order16 = OrderOf<kResizeRows>::type;
    using Order8 = OrderOf<kResizeRows / 2>::type;
    const Bytes bytes = load_bytes(from);
    const Bytes zero{};
    // a zero byte after (on a little-endian machine, above) each byte makes shorts, and again makes words
    const auto low = reinterpret_cast<Shorts>(interleave_low(bytes, zero, Order16{}));
    const auto high = reinterpret_cast<Shorts>(interleave_high(bytes, zero, Order16{}));
    part[0] += reinterpret_cast<Part>(interleave_low(low, Shorts{}, Order8{})) * weight;
    part[1] += reinterpret_cast<Part>(interleave_high(low, Shorts{}, Order8{})) * weight;
    part[2] += reinterpret_cast<Part>(interleave_low(high, Shorts{}, Order8{})) * weight;
    part[3] += reinterpret_cast<Part>(interleave_high(high, Shorts{}, Order8{})) * weight;
#endif
  }

  void round_to(std::uint8_t* bytes) const {
    std::int32_t values[kResizeRows];
    __builtin_memcpy(values, part, sizeof(values));
    for (std::int64_t i = 0; i < kResizeRows; ++i) {
      const std::int32_t value = values[i] >> kBits;
      bytes[i] = static_cast<std::uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
    }
  }
};

// columns[3 x + c] = the 16 rows of channel c of column x; rows that the block lacks repeat the first.
void gather(const ResizeRows& block, std::uint8_t* columns) {
  const std::int64_t length = 3 * block.side;
  std::int64_t done = 0;
  if (block.channel_stride == 1 && block.column_stride == 3) {
    for (; done + kResizeRows <= length; done += kResizeRows) {
      Bytes square[kResizeRows];
      for (std::int64_t r = 0; r < kResizeRows; ++r) {
        square[r] = load_bytes(block.image + (r < block.rows ? r : 0) * block.row_stride + done);
      }
      transpose<kResizeRows>(square);
      for (std::int64_t i = 0; i < kResizeRows; ++i) store_bytes(columns + (done + i) * kResizeRows, square[i]);
    }
  }
  for (std::int64_t r = 0; r < kResizeRows; ++r) {
    const std::uint8_t* row = block.image + (r < block.rows ? r : 0) * block.row_stride;
    for (std::int64_t i = done; i < length; ++i) {
      columns[i * kResizeRows + r] = row[i / 3 * block.column_stride + i % 3 * block.channel_stride];
    }
  }
}

#if defined(FORENSIC_LEVEL_avx512) || defined(FORENSIC_LEVEL_avx2)
// Where channel c of 16 pixels lies in the bytes 16 part .. 16 part + 15 of them; -1: elsewhere, which gives zero.
struct SplitOrder {
  alignas(16) signed char of[3][3][16];

  constexpr SplitOrder() : of{} {
    for (int c = 0; c < 3; ++c) {
      for (int part = 0; part < 3; ++part) {
        for (int i = 0; i < 16; ++i) {
          const int place = 3 * i + c - 16 * part;
          of[c][part][i] = static_cast<signed char>(place >= 0 && place < 16 ? place : -1);
        }
      }
    }
  }
};
constexpr SplitOrder kSplitOrder;

inline __m128i shuffled(const std::uint8_t* from, const signed char* order) {
  return _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)),
                          _mm_load_si128(reinterpret_cast<const __m128i*>(order)));
}
#endif

}  // namespace

void resize_split(const ResizeSplit& row) {
  std::int64_t done = 0;
#if defined(FORENSIC_LEVEL_avx512) || defined(FORENSIC_LEVEL_avx2)
  if (row.channel_stride == 1 && row.column_stride == 3) {
    for (; done + 16 <= row.length; done += 16) {
      const std::uint8_t* from = row.row + 3 * done;
      for (int c = 0; c < 3; ++c) {
        const auto& order = kSplitOrder.of[c];
        const __m128i all = _mm_or_si128(_mm_or_si128(shuffled(from, order[0]), shuffled(from + 16, order[1])),
                                         shuffled(from + 32, order[2]));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(row.to[c] + done), all);
      }
    }
  }
#endif
  for (; done < row.length; ++done) {
    const std::uint8_t* from = row.row + done * row.column_stride;
    for (int c = 0; c < 3; ++c) row.to[c][done] = from[c * row.channel_stride];
  }
}

void resize_rows(const ResizeRows& block) {
  gather(block, block.scratch);
  const ResizeWindows& windows = block.windows;
  for (std::int64_t i = 0; i < windows.size; ++i) {
    const std::uint8_t* from = block.scratch + windows.first[i] * 3 * kResizeRows;
    const std::int32_t* weights = windows.weights + i * windows.taps;
    Sums sums[3];
    for (std::int64_t j = 0; j < windows.count[i]; ++j, from += 3 * kResizeRows) {
      for (int c = 0; c < 3; ++c) sums[c].add(from + c * kResizeRows, weights[j]);
    }
    for (int c = 0; c < 3; ++c) {
      std::uint8_t values[kResizeRows];
      sums[c].round_to(values);
      std::uint8_t* to = block.lines + c * windows.size + i;
      for (std::int64_t r = 0; r < block.rows; ++r) to[r * block.line] = values[r];
    }
  }
}

void resize_columns(const ResizeColumns& block) {
  const ResizeWindows& windows = block.windows;
  const std::uint8_t* top = block.lines + windows.first[block.output] * block.line;
  const std::int32_t* weights = windows.weights + block.output * windows.taps;
  const std::int64_t count = windows.count[block.output];
  for (std::int64_t column = 0; column < block.line; column += kResizeRows) {
    Sums sums;
    const std::uint8_t* from = top + column;
    for (std::int64_t j = 0; j < count; ++j, from += block.line) sums.add(from, weights[j]);
    sums.round_to(block.row + column);
  }
}

}  // namespace FORENSIC_LEVEL
}  // namespace forensic
