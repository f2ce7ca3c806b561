// The execution model itself: what is right comes out right in every order, and faults put into kernels are seen.
#include <cuda_runtime.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "../expect.h"
#include "cuda_check.cuh"
#include "fiber.h"

namespace {

using cuda_on_cpu::Order;

const auto stream = reinterpret_cast<cudaStream_t>(cuda_on_cpu::kStream);
constexpr Order kOrders[] = {Order::forward, Order::backward, Order::shuffled, Order::changing};

template <typename Body>
void in_every_order(Body body) {
  for (const Order order : kOrders) {
    cuda_on_cpu::set_order(order);
    body();
  }
}

// The failure of the launch before, or an empty text.
std::string failure() {
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? "" : cudaGetErrorString(error);
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// ---- Right kernels --------------------------------------------------------------------------------------------------
template <typename T, bool Barrier>
__global__ void turn_round(const T* x, T* y) {
  extern __shared__ __align__(16) unsigned char memory[];
  __shared__ __align__(32) T first[64], second[2][32];  // two of one type
  T* third = reinterpret_cast<T*>(memory);
  const unsigned int n = threadIdx.x;
  first[n] = x[n];
  third[n] = T(1);
  second[n / 32][n % 32] = T(2);
  if constexpr (Barrier) __syncthreads();
  y[n] = first[63 - n] + second[(63 - n) / 32][(63 - n) % 32] + third[63 - n];
}

__global__ void sum_of_warps(const double* x, double* y, unsigned int* odd) {
  double sum = x[threadIdx.x], down = sum;
  const unsigned int votes = __ballot_sync(0xffffffffu, threadIdx.x % 2 == 1);
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
  for (unsigned int step = 16; step > 0; step /= 2) down += __shfl_down_sync(0xffffffffu, down, step);
  if (threadIdx.x % 32 < 16) {  // half of a warp may meet alone, and the whole again
    sum += __shfl_sync(0xffffu, sum, 3) - __shfl_up_sync(0xffffu, sum, 1);
  }
  __syncwarp();
  y[threadIdx.x] = __shfl_sync(0xffffffffu, sum + down, 32);  // lane 0
  odd[threadIdx.x] = votes;
}

__global__ void count_places(int* places) {
  const unsigned int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  ++places[block * blockDim.x * blockDim.y * blockDim.z + thread];
}

void right() {
  std::vector<float> x(64), y(64);
  for (int n = 0; n < 64; ++n) x[static_cast<std::size_t>(n)] = static_cast<float>(n);
  turn_round<float, true><<<1, 64, 64 * sizeof(float), stream>>>(x.data(), y.data());
  EXPECT(failure().empty());
  for (std::size_t n = 0; n < 64; ++n) EXPECT(y[n] == 66.0F - static_cast<float>(n));

  std::vector<double> lanes(64), sums(64);
  std::vector<unsigned int> odd(64);
  for (std::size_t n = 0; n < 64; ++n) lanes[n] = n < 32 ? 1.0 : 2.0;
  sum_of_warps<<<1, 64, 0, stream>>>(lanes.data(), sums.data(), odd.data());
  EXPECT(failure().empty());
  for (std::size_t n = 0; n < 64; ++n) EXPECT(sums[n] == (n < 32 ? 64 : 128) && odd[n] == 0xaaaaaaaau);

  std::vector<int> places(2 * 3 * 4 * 2 * 3 * 4);
  count_places<<<dim3(2, 3, 4), dim3(4, 3, 2), 0, stream>>>(places.data());
  for (const int count : places) EXPECT(count == 1);
  EXPECT(std::fabs(cospi(0.5)) < 1e-30 && cospi(7.0) == -1 && sinpi(1.0) == 0 && cospi(1.0 / 3) == 0.5);
}

// ---- Faults ---------------------------------------------------------------------------------------------------------
__global__ void barrier_of_some(int rows) {
  if (static_cast<int>(threadIdx.x) < rows) __syncthreads();
}
__global__ void two_barriers(int rows) {
  if (static_cast<int>(threadIdx.x) < rows) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}
__global__ void warp_of_some(int lanes, double* y) {
  if (static_cast<int>(threadIdx.x) < lanes) y[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1.0, 1);
}
__global__ void lane_outside(double* y) {
  if (threadIdx.x < 4) y[threadIdx.x] = __shfl_xor_sync(0xfu, 1.0, 4);
}
__global__ void no_member(double* y) { y[threadIdx.x] = __shfl_xor_sync(0xfu, 1.0, 1); }
__global__ void unwritten(float* y) {
  __shared__ float memory[32];
  if (threadIdx.x == 7) memory[7] = 1;
  y[threadIdx.x] = memory[threadIdx.x];
}
__global__ void too_much() {
  __shared__ double memory[7000];
  memory[0] = 0;
}
__global__ void nothing() {}

void wrong() {
  std::vector<double> y(64);
  barrier_of_some<<<2, 40, 0, stream>>>(40);
  EXPECT(failure().empty());
  barrier_of_some<<<2, 40, 0, stream>>>(32);
  EXPECT(has(failure(), "of 40 threads of a block, 32 wait at the barrier of test_cuda_model.cu"));
  two_barriers<<<1, 40, 0, stream>>>(30);
  const std::string both = failure();
  EXPECT(has(both, "30 wait at") && has(both, "10 wait at"));
  warp_of_some<<<1, 32, 0, stream>>>(31, y.data());
  EXPECT(has(failure(), "31 wait for their warp at test_cuda_model.cu"));
  lane_outside<<<1, 32, 0, stream>>>(y.data());
  EXPECT(has(failure(), "is read, which takes no part"));
  no_member<<<1, 32, 0, stream>>>(y.data());
  EXPECT(has(failure(), "is not in the mask of its own meeting"));
  too_much<<<1, 1, 0, stream>>>();
  EXPECT(has(failure(), "56000 bytes of shared memory declared"));

  nothing<<<1, 1025, 0, stream>>>();
  EXPECT(has(failure(), "a block of 1025 threads"));
  nothing<<<dim3(1, 65536), 1, 0, stream>>>();
  EXPECT(has(failure(), "a grid of 1 x 65536 x 1 blocks"));
  nothing<<<0, 32, 0, stream>>>();
  EXPECT(has(failure(), "a grid without blocks"));
  nothing<<<1, 32>>>();
  EXPECT(has(failure(), "another stream"));
  nothing<<<1, 32, 60000, stream>>>();
  EXPECT(has(failure(), "60000 bytes of shared memory"));
  EXPECT(cudaFuncSetAttribute(nothing, cudaFuncAttributeMaxDynamicSharedMemorySize, 60000) == cudaSuccess);
  nothing<<<1, 32, 60000, stream>>>();
  EXPECT(failure().empty());
  EXPECT(cudaFuncSetAttribute(nothing, cudaFuncAttributeMaxDynamicSharedMemorySize, 0) == cudaSuccess);

  std::vector<float> read(32);
  unwritten<<<1, 32, 0, stream>>>(read.data());
  for (std::size_t n = 0; n < 32; ++n) EXPECT(n == 7 ? read[n] == 1 : std::isnan(read[n]));
  float* fresh = nullptr;
  EXPECT(cudaMallocAsync(&fresh, 3 * sizeof(float), stream) == cudaSuccess && std::isnan(fresh[2]));
  cudaFreeAsync(fresh, stream);
}

void missing_barrier() {
#if !defined(FIBER_TSAN)
  std::vector<float> x(64, 1.0F), y(64);
  for (const Order order : {Order::forward, Order::backward, Order::shuffled}) {
    cuda_on_cpu::set_order(order);
    turn_round<float, false><<<1, 64, 64 * sizeof(float), stream>>>(x.data(), y.data());
    bool seen = false;
    for (const float value : y) seen = seen || std::isnan(value);
    EXPECT(seen);
  }
#endif
}

// Scratch that is not to be had is told once: no launch after it is taken for one that failed.
void no_room() {
  std::string said;
  try {
    const forensic::cuda::DeviceMemory memory(std::size_t{1} << 50U, stream);
  } catch (const forensic::MemoryProblem& problem) {
    said = problem.what();
  }
  EXPECT(said == "scratch of 1125899906842624 bytes: out of memory");
  nothing<<<1, 32, 0, stream>>>();
  EXPECT(failure().empty());
}

// ---- What sanitizers see: each in a process of its own --------------------------------------------------------------
__global__ void beyond_shared(int n, float* y) {
  __shared__ float before[8], memory[32];
  before[threadIdx.x % 8] = 0;
  memory[(static_cast<int>(threadIdx.x) + n) % 64] = 1;
  y[threadIdx.x] = before[0];
}
__global__ void beyond_global(int n, float* y) { y[static_cast<int>(threadIdx.x) + n] = 1; }
__global__ void neighbour(bool barrier, float* y) {
  __shared__ float memory[32];
  memory[threadIdx.x] = 1;
  if (barrier) __syncthreads();
  y[threadIdx.x] = memory[threadIdx.x ^ 1];
}
__global__ void of_all_blocks(bool one, float* y) {
  __syncthreads();  // of a block: orders nothing between two
  if (!one || blockIdx.x == 0) y[threadIdx.x] = 1;
}

// What `alone` does with this name, in a program that a sanitizer may stop or make fail.
bool ends_well(const char* name) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    dup2(open("/dev/null", O_WRONLY), 2);
    execl("/proc/self/exe", "alone", name, nullptr);
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int alone(const std::string& name) {
  std::vector<float> y(32);
  float* to = y.data();
  if (name == "within shared") beyond_shared<<<1, 32, 0, stream>>>(0, to);
  if (name == "beyond shared") beyond_shared<<<1, 32, 0, stream>>>(1, to);
  if (name == "within global") beyond_global<<<1, 32, 0, stream>>>(0, to);
  if (name == "beyond global") beyond_global<<<1, 32, 0, stream>>>(1, to);
  if (name == "barrier") neighbour<<<1, 32, 0, stream>>>(true, to);
  if (name == "no barrier") neighbour<<<1, 32, 0, stream>>>(false, to);
  if (name == "one block writes") of_all_blocks<<<4, 32, 0, stream>>>(true, to);
  if (name == "all blocks write") of_all_blocks<<<4, 32, 0, stream>>>(false, to);
  return failure().empty() ? 0 : 1;
}

void sanitized() {
#if defined(FIBER_ASAN)
  EXPECT(ends_well("within shared") && !ends_well("beyond shared"));
  EXPECT(ends_well("within global") && !ends_well("beyond global"));
#endif
#if defined(FIBER_TSAN)
  EXPECT(ends_well("barrier") && !ends_well("no barrier"));
  EXPECT(ends_well("one block writes") && !ends_well("all blocks write"));
#endif
  std::vector<float> y(32);
  neighbour<<<1, 32, 0, stream>>>(true, y.data());
  for (const float value : y) EXPECT(value == 1);
}

}  // namespace

int main(int count, char** words) {
  if (count == 2) return alone(words[1]);
  in_every_order(right);
  in_every_order(wrong);
  missing_barrier();
  no_room();
  sanitized();
  std::printf("cuda model: %d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
