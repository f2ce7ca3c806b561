// The execution model of CUDA on one CPU thread. Blocks run one after another; the threads of a block are fibers, which
// give way where threads meet (a barrier, a shuffle) and nowhere else, so that every run is the same.
//   order    threads run forwards, backwards or shuffled, another way at each launch or as `set_order` says: what holds
//            only in one order is missing a barrier
//   memory   shared memory is made anew for each block, and that of the device at each allocation: both full of NaN
//   meeting  all threads of a block, or the named lanes of a warp, must come to the same line; if one ends or waits
//            elsewhere, the launch fails and says where
#pragma once

#include <cstddef>
#include <cstdint>

namespace cuda_on_cpu {

inline constexpr int kWarp = 32;

struct dim3 {
  unsigned int x, y, z;
  constexpr dim3(unsigned int x_ = 1, unsigned int y_ = 1, unsigned int z_ = 1) : x(x_), y(y_), z(z_) {}
};

struct Site {
  const char* file;
  int line;
};

struct Here {
  dim3 thread, block, threads, blocks;
};
extern Here here;  // of the thread that runs

struct Shape {
  dim3 grid, block;
  std::size_t shared;  // bytes of dynamic shared memory
  void* stream;
};

// The stream of every call in the tests: a launch or an allocation on another is a failure.
inline constexpr std::uintptr_t kStream = 0x5eed;

// Runs `thread(context)` as every thread of the grid. `kernel` is its address, for what allow_shared has set.
void run(const Shape& shape, void (*kernel)(), void (*thread)(const void*), const void* context);

// ---- Called by threads
// ------------------------------------------------------------------------------------------------
void meet_block(Site site);

// What the lanes of a warp brought to a meeting.
struct Lanes {
  const std::uint64_t* values;
  std::uint32_t mask;
  std::uint64_t at(Site site, int lane) const;  // fails the launch if that lane takes no part
};
Lanes meet_warp(Site site, std::uint32_t mask, std::uint64_t value);
int lane_of_thread();

void* shared_memory(Site site, const void* key, std::size_t bytes, std::size_t alignment);
void* dynamic_shared_memory();

// ---- Called by the host
// -----------------------------------------------------------------------------------------------
bool allow_shared(void (*kernel)(), int bytes);
void* allocate(std::size_t bytes, void* stream);
void release(void* data, void* stream);
bool take_failure();  // whether there was one since the last call
const char* failure();

enum class Order { changing, forward, backward, shuffled };
void set_order(Order order, std::uint32_t first = 0);  // `first`: the number of the next launch, which shuffles

}  // namespace cuda_on_cpu
