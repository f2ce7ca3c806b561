// batch_norm_leaky and its gradient on a device; formula, types and twin as in norm.h.
//   sums       a block has a tile of up to 32 channels, which lie side by side, and one of at most 1,024 shares of the
//              pixels; a thread has one channel and pixels of the share at equal steps
//   moments    a thread takes 64 values at a time about the first of them, then keeps count, mean and squares about the
//              mean in float64. Threads, then shares, are joined two by two in an order that the sizes alone decide
//   second pass  the same places: constants of the channel stay in registers, and nothing is divided for a value
// No atomics: the same bits at every run. Forward and gradient make v by the same operations, so they agree on its
// sign.
#include <cstring>

#include "bfloat16.h"
#include "cuda_check.cuh"
#include "cuda_launch.h"

namespace forensic::cuda {
namespace {

constexpr int kThreads = 256, kJoiners = 64;
constexpr int kMostWide = 32;            // channels of a tile
constexpr int kRun = 64;                 // values that are added up in the type they are computed in
constexpr std::int64_t kFewPixels = 16;  // of a thread, where there are more than threads
constexpr std::int64_t kMostShares = 1024;

__device__ __forceinline__ float value_of(BFloat16 stored) {
  const std::uint32_t bits = static_cast<std::uint32_t>(stored.bits) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
__device__ __forceinline__ float value_of(float stored) { return stored; }
__device__ __forceinline__ double value_of(double stored) { return stored; }

// To the nearest, ties to even; a NaN stays one.
template <typename S>
__device__ __forceinline__ S stored(Computed<S> value) {
  if constexpr (sizeof(S) == sizeof(value)) {
    return value;
  } else {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    const std::uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
    return S{static_cast<std::uint16_t>(isnan(value) ? (bits >> 16) | 0x40U : rounded)};
  }
}

// How (P, C) is shared out among blocks and threads.
struct Layout {
  std::int64_t pixels, channels, shares;
  int wide, lanes;  // channels and pixels that a block has side by side: powers of two

  Layout(std::int64_t p, std::int64_t c) : pixels(p), channels(c), shares(0), wide(1), lanes(kThreads) {
    while (wide < kMostWide && wide < c) wide *= 2;
    lanes = kThreads / wide;
    const std::int64_t most = std::max<std::int64_t>(kMostShares / tiles(), 1);
    shares = std::clamp<std::int64_t>(p / (lanes * kFewPixels), p > 0 ? 1 : 0, most);
  }
  __host__ __device__ std::int64_t tiles() const { return (channels + wide - 1) / wide; }
  dim3 grid() const { return dim3(static_cast<unsigned int>(tiles()), static_cast<unsigned int>(shares)); }
};

// What a thread of that grid has to do.
struct Place {
  std::int64_t channel, first, last;  // from pixel `first` every `lanes`-th before `last`
  int lane;

  __device__ explicit Place(const Layout& layout)
      : channel(static_cast<std::int64_t>(blockIdx.x) * layout.wide + threadIdx.x % layout.wide),
        first(blockIdx.y * layout.pixels / layout.shares),
        last((blockIdx.y + 1) * layout.pixels / layout.shares),
        lane(static_cast<int>(threadIdx.x) / layout.wide) {
    first += lane;
    if (channel >= layout.channels) last = first;  // beyond the last channel: nothing
  }
};

// Calls body(offset of the first, how many) for runs of the thread's values, which stand `step` apart.
template <typename Body>
__device__ __forceinline__ void each_run(const Layout& layout, const Place& place, Body body) {
  const std::int64_t ahead = static_cast<std::int64_t>(kRun) * layout.lanes;
  for (std::int64_t row = place.first; row < place.last; row += ahead) {
    const std::int64_t left = (place.last - row + layout.lanes - 1) / layout.lanes;
    body(row * layout.channels + place.channel, static_cast<int>(left < kRun ? left : kRun));
  }
}

struct Moments {
  double count, mean, square;  // `square`: sum of the squared distances from the mean
};

__device__ Moments joined(const Moments& a, const Moments& b) {
  const double count = a.count + b.count, share = count > 0.0 ? b.count / count : 0.0, apart = b.mean - a.mean;
  return {count, a.mean + apart * share, a.square + b.square + apart * apart * a.count * share};
}

struct Products {
  double slope, along;  // sums of g and of g (x - mean)
};

__device__ Products joined(const Products& a, const Products& b) { return {a.slope + b.slope, a.along + b.along}; }

// The first of `lanes` partial results that stand `apart` from each other gets all of them, two by two.
template <typename Partial>
__device__ void join(Partial* at, int lane, int lanes, int apart) {
  for (int step = lanes / 2; step > 0; step /= 2) {
    __syncthreads();
    if (lane < step) *at = joined(*at, at[step * apart]);
  }
}

// partial (C, shares)
template <typename S>
__global__ void __launch_bounds__(kThreads) moments(Layout layout, const S* __restrict__ x, Moments* partial) {
  using A = Computed<S>;
  __shared__ Moments found[kThreads];
  const Place place(layout);
  const std::int64_t step = layout.lanes * layout.channels;
  Moments all{0.0, 0.0, 0.0};
  each_run(layout, place, [&](std::int64_t start, int count) {
    const A center = value_of(x[start]);
    A sum = 0, square = 0;
#pragma unroll 4
    for (int n = 0; n < count; ++n) {
      const A apart = value_of(x[start + n * step]) - center;
      sum += apart;
      square += apart * apart;
    }
    const double shift = static_cast<double>(sum) / count;
    const double spread = static_cast<double>(square) - shift * static_cast<double>(sum);
    all = joined(all, Moments{static_cast<double>(count), static_cast<double>(center) + shift,
                              spread < 0.0 ? 0.0 : spread});  // a NaN stays one
  });
  Moments* mine = found + threadIdx.x;
  *mine = all;
  join(mine, place.lane, layout.lanes, layout.wide);
  if (place.lane == 0 && place.channel < layout.channels) partial[place.channel * layout.shares + blockIdx.y] = *mine;
}

// The shares of one channel, by a block of kJoiners threads; thread 0 gets the result.
template <typename Partial>
__device__ Partial all_shares(const Layout& layout, std::int64_t channel, const Partial* partial, Partial* found) {
  Partial all{};
  for (std::int64_t share = threadIdx.x; share < layout.shares; share += kJoiners) {
    all = joined(all, partial[channel * layout.shares + share]);
  }
  __syncthreads();  // the channel before is done with
  found[threadIdx.x] = all;
  join(found + threadIdx.x, static_cast<int>(threadIdx.x), kJoiners, 1);
  return found[threadIdx.x];
}

template <typename A>
__device__ double inverse_of(A variance, A eps) {
  return 1.0 / sqrt(static_cast<double>(variance) + static_cast<double>(eps));
}

template <typename A>
__device__ A slant_of(A weight, A variance, A eps) {
  return static_cast<A>(static_cast<double>(weight) * inverse_of(variance, eps));
}

template <typename A>
__global__ void finish_moments(Layout layout, const Moments* partial, const A* weight, A eps, A* mean, A* variance,
                               A* slant) {
  __shared__ Moments found[kJoiners];
  for (std::int64_t channel = blockIdx.x; channel < layout.channels; channel += gridDim.x) {
    const Moments all = all_shares(layout, channel, partial, found);
    if (threadIdx.x != 0) continue;
    mean[channel] = static_cast<A>(all.mean);
    variance[channel] = static_cast<A>(all.count > 0.0 ? all.square / all.count : 0.0);
    slant[channel] = slant_of(weight[channel], variance[channel], eps);
  }
}

template <typename A>
__global__ void make_slants(std::int64_t channels, const A* weight, const A* variance, A eps, A* slant) {
  for (std::int64_t at = first_item(); at < channels; at += item_step()) {
    slant[at] = slant_of(weight[at], variance[at], eps);
  }
}

// Constants of one channel in registers.
template <typename A>
struct Channel {
  A mean, slant, bias, slope;

  __device__ A apart(A value) const { return value - mean; }
  // `other` where v is above 0, else slope times it
  __device__ A bent(A v, A other) const { return v > A(0) ? other : slope * other; }
  __device__ A v(A apart) const { return fma(apart, slant, bias); }
};

template <typename A>
struct Constants {
  const A *mean, *slant, *bias;
  A slope;

  __device__ Channel<A> of(const Layout& layout, const Place& place) const {
    if (place.channel >= layout.channels) return {};
    return {mean[place.channel], slant[place.channel], bias[place.channel], slope};
  }
};

template <typename S>
__global__ void __launch_bounds__(kThreads)
    apply(Layout layout, const S* __restrict__ x, Constants<Computed<S>> constants, S* __restrict__ y) {
  using A = Computed<S>;
  const Place place(layout);
  const Channel<A> channel = constants.of(layout, place);
#pragma unroll 4
  for (std::int64_t row = place.first; row < place.last; row += layout.lanes) {
    const std::int64_t at = row * layout.channels + place.channel;
    const A v = channel.v(channel.apart(value_of(x[at])));
    y[at] = stored<S>(channel.bent(v, v));
  }
}

// partial (C, shares)
template <typename S>
__global__ void __launch_bounds__(kThreads) products(Layout layout, const S* __restrict__ dy, const S* __restrict__ x,
                                                     Constants<Computed<S>> constants, Products* partial) {
  using A = Computed<S>;
  __shared__ Products found[kThreads];
  const Place place(layout);
  const Channel<A> channel = constants.of(layout, place);
  const std::int64_t step = layout.lanes * layout.channels;
  Products all{0.0, 0.0};
  each_run(layout, place, [&](std::int64_t start, int count) {
    A sum = 0, product = 0;
#pragma unroll 4
    for (int n = 0; n < count; ++n) {
      const A apart = channel.apart(value_of(x[start + n * step]));
      const A g = channel.bent(channel.v(apart), value_of(dy[start + n * step]));
      sum += g;
      product += g * apart;
    }
    all = joined(all, Products{static_cast<double>(sum), static_cast<double>(product)});
  });
  Products* mine = found + threadIdx.x;
  *mine = all;
  join(mine, place.lane, layout.lanes, layout.wide);
  if (place.lane == 0 && place.channel < layout.channels) partial[place.channel * layout.shares + blockIdx.y] = *mine;
}

// d_x = slant g + along (x - mean) + level
template <typename A>
__global__ void finish_products(Layout layout, const Products* partial, const A* variance, const A* slant, A eps,
                                A* d_weight, A* d_bias, A* along, A* level) {
  __shared__ Products found[kJoiners];
  const auto count = static_cast<double>(layout.pixels);
  for (std::int64_t channel = blockIdx.x; channel < layout.channels; channel += gridDim.x) {
    const Products all = all_shares(layout, channel, partial, found);
    if (threadIdx.x != 0) continue;
    const double inverse = inverse_of(variance[channel], eps);
    const double product = all.along * inverse;  // sum of g times the normalised x
    d_bias[channel] = static_cast<A>(all.slope);
    d_weight[channel] = static_cast<A>(product);
    along[channel] = static_cast<A>(-static_cast<double>(slant[channel]) * inverse * product / count);
    level[channel] = static_cast<A>(-static_cast<double>(slant[channel]) * all.slope / count);
  }
}

template <typename S>
__global__ void __launch_bounds__(kThreads)
    apply_gradient(Layout layout, const S* __restrict__ dy, const S* __restrict__ x, Constants<Computed<S>> constants,
                   const Computed<S>* along, const Computed<S>* level, S* __restrict__ d_x) {
  using A = Computed<S>;
  const Place place(layout);
  if (place.channel >= layout.channels) return;
  const Channel<A> channel = constants.of(layout, place);
  const A slant = along[place.channel], constant = level[place.channel];
#pragma unroll 4
  for (std::int64_t row = place.first; row < place.last; row += layout.lanes) {
    const std::int64_t at = row * layout.channels + place.channel;
    const A apart = channel.apart(value_of(x[at]));
    const A g = channel.bent(channel.v(apart), value_of(dy[at]));
    d_x[at] = stored<S>(g * channel.slant + (apart * slant + constant));
  }
}

constexpr const char* kName = "batch_norm_leaky";

}  // namespace

template <typename S>
void batch_norm_leaky(std::int64_t pixels, std::int64_t channels, const S* x, const Computed<S>* weight,
                      const Computed<S>* bias, const NormOptions<S>& options, S* y, Computed<S>* mean,
                      Computed<S>* variance, Stream stream) {
  using A = Computed<S>;
  if (channels == 0) return;
  const auto on = reinterpret_cast<cudaStream_t>(stream);
  const Layout layout(pixels, channels);  // of no pixels: no shares, whose moments are 0
  const std::size_t partial_bytes = aligned(static_cast<std::size_t>(channels * layout.shares) * sizeof(Moments));
  const DeviceMemory memory(partial_bytes + static_cast<std::size_t>(channels) * sizeof(A), on);
  auto* partial = reinterpret_cast<Moments*>(memory.data());
  A* slant = reinterpret_cast<A*>(memory.data() + partial_bytes);
  if (pixels > 0) {
    moments<S><<<layout.grid(), kThreads, 0, on>>>(layout, x, partial);
    check_launch(kName);
  }
  finish_moments<A>
      <<<blocks_for(channels, 1), kJoiners, 0, on>>>(layout, partial, weight, options.eps, mean, variance, slant);
  check_launch(kName);
  if (pixels == 0) return;
  apply<S><<<layout.grid(), kThreads, 0, on>>>(layout, x, Constants<A>{mean, slant, bias, options.slope}, y);
  check_launch(kName);
}

template <typename S>
void batch_norm_leaky_gradient(std::int64_t pixels, std::int64_t channels, const S* dy, const S* x,
                               const Computed<S>* mean, const Computed<S>* variance, const Computed<S>* weight,
                               const Computed<S>* bias, const NormOptions<S>& options, S* d_x, Computed<S>* d_weight,
                               Computed<S>* d_bias, Stream stream) {
  using A = Computed<S>;
  if (channels == 0) return;
  const auto on = reinterpret_cast<cudaStream_t>(stream);
  const Layout layout(pixels, channels);  // of no pixels: no shares, whose sums are 0
  const std::size_t partial_bytes = aligned(static_cast<std::size_t>(channels * layout.shares) * sizeof(Products));
  const DeviceMemory memory(partial_bytes + 3 * static_cast<std::size_t>(channels) * sizeof(A), on);
  auto* partial = reinterpret_cast<Products*>(memory.data());
  A* slant = reinterpret_cast<A*>(memory.data() + partial_bytes);
  A *along = slant + channels, *level = along + channels;
  const Constants<A> constants{mean, slant, bias, options.slope};
  make_slants<A><<<blocks_for(channels, kThreads), kThreads, 0, on>>>(channels, weight, variance, options.eps, slant);
  check_launch(kName);
  if (pixels > 0) {
    products<S><<<layout.grid(), kThreads, 0, on>>>(layout, dy, x, constants, partial);
    check_launch(kName);
  }
  finish_products<A><<<blocks_for(channels, 1), kJoiners, 0, on>>>(layout, partial, variance, slant, options.eps,
                                                                   d_weight, d_bias, along, level);
  check_launch(kName);
  if (pixels == 0) return;
  apply_gradient<S><<<layout.grid(), kThreads, 0, on>>>(layout, dy, x, constants, along, level, d_x);
  check_launch(kName);
}

#define FORENSIC_INSTANTIATE(S)                                                                                \
  template void batch_norm_leaky(std::int64_t, std::int64_t, const S*, const Computed<S>*, const Computed<S>*, \
                                 const NormOptions<S>&, S*, Computed<S>*, Computed<S>*, Stream);               \
  template void batch_norm_leaky_gradient(std::int64_t, std::int64_t, const S*, const S*, const Computed<S>*,  \
                                          const Computed<S>*, const Computed<S>*, const Computed<S>*,          \
                                          const NormOptions<S>&, S*, Computed<S>*, Computed<S>*, Stream);
FORENSIC_INSTANTIATE(float)
FORENSIC_INSTANTIATE(double)
FORENSIC_INSTANTIATE(BFloat16)
#undef FORENSIC_INSTANTIATE

}  // namespace forensic::cuda
