// What every .cu file needs: the check after a launch, the number of blocks that cover n items, scratch memory.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "check.h"

namespace forensic::cuda {

inline void check_launch(const char* what) {
  const cudaError_t error = cudaGetLastError();
  FORENSIC_CHECK(error == cudaSuccess, what, ": the launch failed: ", cudaGetErrorString(error));
}

// The run-time keeps the error of a call that failed for the next cudaGetLastError; a launch that went well would be
// told to have failed.
inline cudaError_t forgotten(cudaError_t error) {
  if (error != cudaSuccess) cudaGetLastError();
  return error;
}

// Kernels loop over what lies beyond, so that a grid never exceeds what the device takes.
inline unsigned int blocks_for(std::int64_t items, std::int64_t per_block) {
  return static_cast<unsigned int>(std::min<std::int64_t>((items + per_block - 1) / per_block, 1 << 20));
}

// Such a loop: at = first_item(); at < items; at += item_step().
__device__ inline std::int64_t first_item() { return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ inline std::int64_t item_step() { return static_cast<std::int64_t>(gridDim.x) * blockDim.x; }

// Scratch on the device for the launches of one call: freed in the order of the stream, so that no one waits for it.
class DeviceMemory {
 public:
  DeviceMemory(std::size_t bytes, cudaStream_t stream) : stream_(stream) {
    const cudaError_t error = forgotten(cudaMallocAsync(&data_, std::max<std::size_t>(bytes, 1), stream));
    if (error == cudaErrorMemoryAllocation) {
      throw MemoryProblem(message_of("scratch of ", bytes, " bytes: ", cudaGetErrorString(error)));
    }
    FORENSIC_CHECK(error == cudaSuccess, "scratch of ", bytes, " bytes: ", cudaGetErrorString(error));
  }
  ~DeviceMemory() { cudaFreeAsync(data_, stream_); }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  char* data() const { return static_cast<char*>(data_); }

 private:
  void* data_ = nullptr;
  cudaStream_t stream_;
};

inline std::size_t aligned(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

}  // namespace forensic::cuda
