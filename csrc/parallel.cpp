#include "parallel.h"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace forensic {

namespace {

// One call of for_each_block, as the threads see it.
struct Job {
  const std::function<void(std::int64_t)>* work;
  std::int64_t blocks;
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> failed{false};
  std::exception_ptr error;  // written by the thread that turned `failed` on, read when all have left

  Job(const std::function<void(std::int64_t)>* work_of_a_block, std::int64_t count)
      : work(work_of_a_block), blocks(count) {}

  void run() {
    for (std::int64_t block = next++; block < blocks && !failed; block = next++) {
      try {
        (*work)(block);
      } catch (...) {
        if (!failed.exchange(true)) error = std::current_exception();
      }
    }
  }
};

class Pool {
 public:
  // False if another call has the pool.
  bool run(Job& job, int helpers) {
    std::unique_lock<std::mutex> turn(turn_, std::try_to_lock);
    if (!turn.owns_lock()) return false;
    {
      const std::lock_guard<std::mutex> lock(state_);
      while (static_cast<int>(threads_.size()) < helpers) {
        const int index = static_cast<int>(threads_.size());
        threads_.emplace_back([this, index] { serve(index); });
      }
      job_ = &job;
      wanted_ = helpers;
      ++round_;
    }
    wake_.notify_all();
    job.run();
    std::unique_lock<std::mutex> lock(state_);
    job_ = nullptr;  // a helper that wakes only now finds nothing to do: nobody waits for it
    done_.wait(lock, [this] { return working_ == 0; });
    return true;
  }

 private:
  void serve(int index) {
    std::uint64_t seen = 0;
    std::unique_lock<std::mutex> lock(state_);
    for (;;) {
      wake_.wait(lock, [&] { return round_ != seen && job_ != nullptr && index < wanted_; });
      seen = round_;
      Job* job = job_;
      ++working_;
      lock.unlock();
      job->run();
      lock.lock();
      if (--working_ == 0) done_.notify_one();
    }
  }

  std::mutex turn_;   // held by the call that has the pool
  std::mutex state_;  // guards what follows
  std::condition_variable wake_, done_;
  std::vector<std::thread> threads_;
  Job* job_ = nullptr;
  int wanted_ = 0;
  int working_ = 0;  // helpers that hold the job
  std::uint64_t round_ = 0;
};

// Never destroyed: its threads sleep in it until the process ends. A forked child has none of the threads, and maybe a
// locked mutex: it forgets the pool and makes its own.
std::atomic<Pool*> the_pool{nullptr};

Pool& pool() {
  static const bool registered = pthread_atfork(nullptr, nullptr, [] { the_pool = nullptr; }) == 0;
  (void)registered;
  Pool* found = the_pool;
  if (found == nullptr) {
    auto fresh = std::make_unique<Pool>();
    if (the_pool.compare_exchange_strong(found, fresh.get())) found = fresh.release();
  }
  return *found;
}

// The team of OpenMP threads that the calling thread already has, where a library of this process brought one along (as
// torch does): its threads are awake between two calls, ours would have to be woken, and both at once are more threads
// than there are cores. Never in a forked child: there the team's threads are gone, and OpenMP does not know.
using OpenMp = void (*)(void (*)(void*), void*, unsigned, unsigned);
std::atomic<bool> forked{false};
// at load, since torch's threads may be there before ours are asked for
const bool told_of_forks = pthread_atfork(nullptr, nullptr, [] { forked = true; }) == 0;

OpenMp open_mp() {
  static std::atomic<OpenMp> known{nullptr};
  if (forked || !told_of_forks) return nullptr;
  OpenMp found = known;
  if (found == nullptr) {  // asked anew each time: torch may be imported later
    found = reinterpret_cast<OpenMp>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
    known = found;
  }
  return found;
}

// True while this thread runs a block: a call from inside one does its blocks alone.
thread_local bool inside = false;

}  // namespace

void for_each_block(int threads, std::int64_t blocks, const std::function<void(std::int64_t)>& work) {
  Job job(&work, blocks);
  const auto helpers = static_cast<int>(std::min<std::int64_t>(threads, blocks)) - 1;
  const bool alone = helpers < 1 || inside;
  if (alone) {
    job.run();
  } else {
    inside = true;
    if (const OpenMp team = open_mp(); team != nullptr) {
      const auto run = [](void* shared) {
        const bool before = inside;
        inside = true;
        static_cast<Job*>(shared)->run();
        inside = before;
      };
      team(run, &job, static_cast<unsigned>(helpers) + 1, 0);
    } else if (!pool().run(job, helpers)) {
      job.run();
    }
    inside = false;
  }
  if (job.error) std::rethrow_exception(job.error);
}

namespace {

// How often a thread asks for the end of a stage before it offers its processor to others, some tenths of a
// millisecond: an offer that another process takes costs milliseconds.
constexpr int kPatience = 10000;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

void for_each_stage(int threads, const std::vector<std::int64_t>& counts,
                    const std::function<void(std::size_t stage, std::int64_t block)>& work) {
  std::int64_t blocks = 0;
  for (const std::int64_t count : counts) blocks += count;
  // Blocks are given out in order, so whoever waits waits for blocks that other threads are at.
  std::atomic<std::int64_t> done{0};
  std::atomic<bool> failed{false};
  for_each_block(threads, blocks, [&](std::int64_t block) {
    std::size_t stage = 0;
    std::int64_t first = 0;
    while (block - first >= counts[stage]) first += counts[stage++];
    for (int asked = 0; done < first && !failed; ++asked) {
      if (asked < kPatience) {
        pause();
      } else {
        std::this_thread::yield();
      }
    }
    if (failed) return;
    try {
      work(stage, block - first);
    } catch (...) {
      failed = true;
      throw;
    }
    ++done;
  });
}

}  // namespace forensic
