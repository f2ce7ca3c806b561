#include "block.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include "fiber.h"
#include "garbage.h"

namespace cuda_on_cpu {

Here here;

namespace {

// Of every device since compute capability 8.0.
constexpr unsigned int kMostThreads = 1024;
constexpr std::size_t kSharedOfAll = 48 * 1024, kSharedOnRequest = 99 * 1024;
constexpr unsigned int kMostBlocksAcross = 65535;
constexpr std::size_t kMostMemory = std::size_t{1} << 40U;

// ThreadSanitizer knows the threads of so many blocks in a row apart.
#if defined(FIBER_TSAN)
constexpr std::size_t kApart = 4;
#else
constexpr std::size_t kApart = 1;
#endif

constexpr std::size_t kAlignment = 256;  // of allocations

struct Thread {
  enum State { ready, at_block, at_warp, ended };

  explicit Thread(void (*body)()) : fiber(body) {}

  Fiber fiber;
  State state = ended;
  Site site{};
  std::uint32_t mask = 0;     // of the warp's meeting
  std::uint64_t brought = 0;  // to it
  dim3 index;
};

// What the lanes brought to the meeting before; all of them read it before there can be another.
struct Warp {
  std::uint64_t values[kWarp];
  void* meeting;
};

struct Shared {
  const void* key;
  Memory memory;
};

using Threads = std::vector<std::unique_ptr<Thread>>;

struct Running {
  Threads pools[kApart];
  Threads* threads = pools;
  std::vector<Warp> warps;
  std::vector<Shared> shared;
  Memory meetings;          // an address for the barrier and each warp, by which ThreadSanitizer knows them
  std::vector<void*> kept;  // memory of blocks that ended; ThreadSanitizer must not see it again
  std::size_t static_bytes = 0;
  Memory dynamic;
  int now = 0;
  void (*thread)(const void*) = nullptr;
  const void* context = nullptr;
  std::string fault;
  std::uint32_t seed = 0;
};

std::mutex one_launch;
Running block;
std::map<void (*)(), std::size_t> allowed;
Order order_set = Order::changing;
std::uint32_t launches = 0;
thread_local std::string last_failure;
thread_local bool failed = false;

std::ostream& operator<<(std::ostream& out, Site site) {
  const char* slash = std::strrchr(site.file, '/');
  return out << (slash == nullptr ? site.file : slash + 1) << ":" << site.line;
}

template <typename... Parts>
std::string text_of(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

void fail(const std::string& what) {
  if (!failed) last_failure = what;
  failed = true;
}

Thread& thread_at(std::size_t n) { return *(*block.threads)[n]; }
Thread& current() { return thread_at(static_cast<std::size_t>(block.now)); }

// The thread goes no further, and the launch fails. Leaves nothing of its own behind, since it never returns.
template <typename... Parts>
void fault(const Parts&... parts) {
  if (block.fault.empty()) block.fault = text_of(parts...);
  Fiber::report_arrival(&block);
  while (!block.fault.empty()) Fiber::pause();  // `for (;;)` would have AddressSanitizer search the stack for its end
}

void body() {
  Fiber::report_departure(&launches);
  block.thread(block.context);
  current().state = Thread::ended;
  Fiber::report_arrival(&block);
}

std::uint32_t random() {
  block.seed = block.seed * 1664525U + 1013904223U;
  return block.seed >> 8U;
}

void arrange(std::vector<int>& order, Order how) {
  for (std::size_t n = 0; n < order.size(); ++n) order[n] = static_cast<int>(n);
  if (how == Order::backward) std::reverse(order.begin(), order.end());
  if (how != Order::shuffled) return;
  for (std::size_t n = order.size(); n > 1; --n) std::swap(order[n - 1], order[random() % n]);
}

// Lets the warps go on whose lanes have met. Returns whether there was one.
bool free_warps(std::size_t count) {
  bool any = false;
  for (std::size_t first = 0; first < count; first += kWarp) {
    for (std::size_t n = first; n < std::min(first + kWarp, count); ++n) {
      const Thread& one = thread_at(n);
      if (one.state != Thread::at_warp) continue;
      bool all = true;
      for (std::size_t lane = 0; lane < kWarp; ++lane) {
        if ((one.mask >> lane & 1U) == 0) continue;
        const Thread* other = first + lane < count ? &thread_at(first + lane) : nullptr;
        all = all && other != nullptr && other->state == Thread::at_warp && other->mask == one.mask &&
              other->site.line == one.site.line;
      }
      if (!all) continue;
      const std::uint32_t mask = one.mask;
      for (std::size_t lane = 0; lane < kWarp; ++lane) {
        if ((mask >> lane & 1U) == 0) continue;
        Thread& met = thread_at(first + lane);
        met.state = Thread::ready;
        block.warps[first / kWarp].values[lane] = met.brought;
      }
      any = true;
    }
  }
  return any;
}

// Why the threads wait for ever.
std::string deadlock(std::size_t count) {
  std::size_t ended = 0;
  std::map<std::string, std::size_t> places;
  for (std::size_t n = 0; n < count; ++n) {
    const Thread& one = thread_at(n);
    if (one.state == Thread::ended) {
      ++ended;
    } else {
      ++places[text_of(one.state == Thread::at_block ? "at the barrier of " : "for their warp at ", one.site)];
    }
  }
  std::string what = text_of("of ", count, " threads of a block");
  for (const auto& [place, waiting] : places) what += text_of(", ", waiting, " wait ", place);
  if (ended > 0) what += text_of(", ", ended, " have ended");
  return what;
}

// Threads until all have ended.
void run_block(std::size_t count, Order how) {
  std::vector<int> order(count);
  std::size_t left = count;
  while (left > 0) {
    arrange(order, how);
    for (const int n : order) {
      Thread& one = thread_at(static_cast<std::size_t>(n));
      if (one.state != Thread::ready) continue;
      block.now = n;
      here.thread = one.index;
      one.fiber.resume();
      left -= one.state == Thread::ended ? 1 : 0;
      if (!block.fault.empty()) return;
    }
    if (left == 0 || free_warps(count)) continue;
    const Thread& first = thread_at(0);
    bool all = true;
    for (std::size_t n = 0; n < count; ++n) {
      const Thread& one = thread_at(n);
      all = all && one.state == Thread::at_block && one.site.line == first.site.line;
    }
    if (!all) {
      block.fault = deadlock(count);
      return;
    }
    for (std::size_t n = 0; n < count; ++n) thread_at(n).state = Thread::ready;
  }
}

void let_go(void* data) {
#if defined(FIBER_TSAN)
  block.kept.push_back(data);
#else
  std::free(data);
#endif
}

void begin_block(const Shape& shape, std::size_t count, std::uint64_t number) {
  block.threads = &block.pools[number % kApart];
  while (block.threads->size() < count) block.threads->push_back(std::make_unique<Thread>(body));
  block.warps.resize((count + kWarp - 1) / kWarp);
  for (std::size_t n = 0; n < count; ++n) {
    Thread& one = thread_at(n);
    one.state = Thread::ready;
    const auto at = static_cast<unsigned int>(n);
    one.index = dim3(at % shape.block.x, at / shape.block.x % shape.block.y, at / (shape.block.x * shape.block.y));
  }
  block.meetings = Memory((1 + block.warps.size()) * sizeof(std::uint64_t), 16);
  for (std::size_t n = 0; n < block.warps.size(); ++n) {
    block.warps[n].meeting = block.meetings.data + (1 + n) * sizeof(std::uint64_t);
  }
  block.static_bytes = 0;
  if (shape.shared > 0) block.dynamic = Memory(shape.shared, 16);
}

void end_block() {
  for (const Shared& one : block.shared) let_go(one.memory.whole);
  block.shared.clear();
  let_go(block.dynamic.whole);
  let_go(block.meetings.whole);
  block.dynamic = {};
}

std::string refused(const Shape& shape, void (*kernel)()) {
  const dim3 &g = shape.grid, &b = shape.block;
  const std::size_t threads = static_cast<std::size_t>(b.x) * b.y * b.z;
  if (threads == 0 || threads > kMostThreads) return text_of("a block of ", threads, " threads");
  if (static_cast<std::size_t>(g.x) * g.y * g.z == 0) return "a grid without blocks";
  if (g.x > 0x7fffffffU || g.y > kMostBlocksAcross || g.z > kMostBlocksAcross) {
    return text_of("a grid of ", g.x, " x ", g.y, " x ", g.z, " blocks");
  }
  const auto found = allowed.find(kernel);
  const std::size_t most = found == allowed.end() ? kSharedOfAll : std::max(kSharedOfAll, found->second);
  if (shape.shared > most) return text_of(shape.shared, " bytes of shared memory, ", most, " allowed");
  if (reinterpret_cast<std::uintptr_t>(shape.stream) != kStream) return "another stream than the caller's";
  return "";
}

}  // namespace

void run(const Shape& shape, void (*kernel)(), void (*thread)(const void*), const void* context) {
  const std::lock_guard<std::mutex> locked(one_launch);
  const std::string why = refused(shape, kernel);
  if (!why.empty()) return fail(why);
  const std::uint32_t number = launches++;
  constexpr Order kOrders[] = {Order::forward, Order::backward, Order::shuffled};
  const Order how = order_set == Order::changing ? kOrders[number % 3] : order_set;
  const std::size_t count = static_cast<std::size_t>(shape.block.x) * shape.block.y * shape.block.z;
  const std::uint64_t blocks = static_cast<std::uint64_t>(shape.grid.x) * shape.grid.y * shape.grid.z;
  block.thread = thread;
  block.context = context;
  block.seed = number;
  block.fault.clear();
  Fiber::report_arrival(&launches);
  here.threads = shape.block;
  here.blocks = shape.grid;
  for (std::uint64_t n = 0; n < blocks && block.fault.empty(); ++n) {
    const std::uint64_t b = how == Order::forward ? n : blocks - 1 - n;
    here.block =
        dim3(static_cast<unsigned int>(b % shape.grid.x), static_cast<unsigned int>(b / shape.grid.x % shape.grid.y),
             static_cast<unsigned int>(b / shape.grid.x / shape.grid.y));
    begin_block(shape, count, n);
    run_block(count, how);
    end_block();
  }
  Fiber::report_departure(&block);
  if (!block.fault.empty()) {
    fail(text_of("block (", here.block.x, ", ", here.block.y, ", ", here.block.z, "): ", block.fault));
    block.threads->clear();  // they stand somewhere
  }
  const Fiber::Unobserved unobserved;
  for (void* data : block.kept) std::free(data);
  block.kept.clear();
}

void meet_block(Site site) {
  Thread& self = current();
  self.state = Thread::at_block;
  self.site = site;
  Fiber::report_arrival(&block);  // should the launch end here
  Fiber::report_arrival(block.meetings.data);
  Fiber::pause();
  Fiber::report_departure(block.meetings.data);
}

int lane_of_thread() { return block.now % kWarp; }

Lanes meet_warp(Site site, std::uint32_t mask, std::uint64_t value) {
  Thread& self = current();
  const int lane = lane_of_thread();
  if ((mask >> lane & 1U) == 0) fault("lane ", lane, " is not in the mask of its own meeting, ", site);
  Warp& warp = block.warps[static_cast<std::size_t>(block.now / kWarp)];
  self.brought = value;
  self.state = Thread::at_warp;
  self.site = site;
  self.mask = mask;
  Fiber::report_arrival(&block);
  Fiber::report_arrival(warp.meeting);
  Fiber::pause();
  Fiber::report_departure(warp.meeting);
  return {warp.values, mask};
}

std::uint64_t Lanes::at(Site site, int lane) const {
  if ((mask >> lane & 1U) == 0) fault("lane ", lane, " is read, which takes no part, ", site);
  return values[lane];
}

void* shared_memory(Site site, const void* key, std::size_t bytes, std::size_t alignment) {
  for (const Shared& one : block.shared) {
    if (one.key == key) return one.memory.data;
  }
  block.static_bytes += bytes;
  if (block.static_bytes > kSharedOfAll) {
    fault(block.static_bytes, " bytes of shared memory declared, ", kSharedOfAll, " allowed, ", site);
  }
  block.shared.push_back({key, Memory(bytes, alignment)});
  return block.shared.back().memory.data;
}

void* dynamic_shared_memory() {
  if (block.dynamic.data == nullptr) fault("extern __shared__ in a launch without bytes for it");
  return block.dynamic.data;
}

bool allow_shared(void (*kernel)(), int bytes) {
  const std::lock_guard<std::mutex> locked(one_launch);
  if (bytes < 0 || static_cast<std::size_t>(bytes) > kSharedOnRequest) {
    fail(text_of(bytes, " bytes of shared memory, ", kSharedOnRequest, " at most"));
    return false;
  }
  allowed[kernel] = static_cast<std::size_t>(bytes);
  return true;
}

void* allocate(std::size_t bytes, void* stream) {
  if (reinterpret_cast<std::uintptr_t>(stream) != kStream) fail("memory on another stream than the caller's");
  if (bytes > kMostMemory) {
    fail("out of memory");
    return nullptr;
  }
  const Memory memory(bytes, kAlignment);
  return memory.data;
}

void release(void* data, void* stream) {
  if (reinterpret_cast<std::uintptr_t>(stream) != kStream) fail("memory freed on another stream than the caller's");
  std::free(static_cast<char*>(data) - kAlignment);
}

bool take_failure() {
  const bool was = failed;
  failed = false;
  return was;
}

const char* failure() { return last_failure.c_str(); }

void set_order(Order order, std::uint32_t first) {
  const std::lock_guard<std::mutex> locked(one_launch);
  order_set = order;
  launches = first;
}

}  // namespace cuda_on_cpu

extern "C" __attribute__((visibility("default"))) void cuda_on_cpu_begin(std::uint32_t first) {
  cuda_on_cpu::set_order(cuda_on_cpu::Order::changing, first);
}
