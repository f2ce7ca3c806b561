// for_each_block: every block once, errors reach the caller, nested and simultaneous calls end, a child can use it.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include "dispatch.h"
#include "expect.h"
#include "parallel.h"

#if defined(__SANITIZE_THREAD__)
#define FORENSIC_UNDER_TSAN 1
#elif defined(__has_feature)
#define FORENSIC_UNDER_TSAN __has_feature(thread_sanitizer)
#else
#define FORENSIC_UNDER_TSAN 0
#endif

namespace {

void every_block_once(int threads, std::int64_t blocks) {
  std::vector<std::atomic<int>> seen(static_cast<std::size_t>(blocks));
  forensic::for_each_block(threads, blocks, [&](std::int64_t block) { ++seen[static_cast<std::size_t>(block)]; });
  for (const auto& count : seen) EXPECT(count == 1);
}

void stages_in_order(int threads, const std::vector<std::int64_t>& counts) {
  std::vector<std::atomic<std::int64_t>> done(counts.size());
  forensic::for_each_stage(threads, counts, [&](std::size_t stage, std::int64_t block) {
    EXPECT(block >= 0 && block < counts[stage]);
    for (std::size_t before = 0; before < stage; ++before) EXPECT(done[before] == counts[before]);
    ++done[stage];
  });
  for (std::size_t stage = 0; stage < counts.size(); ++stage) EXPECT(done[stage] == counts[stage]);
}

void a_stage_waits_for_its_slowest_block() {
  std::atomic<int> done{0};
  forensic::for_each_stage(4, {4, 4}, [&](std::size_t stage, std::int64_t block) {
    if (stage == 1) EXPECT(done == 4);
    if (stage == 0 && block == 3) std::this_thread::sleep_for(std::chrono::milliseconds(30));
    if (stage == 0) ++done;
  });
}

void a_stage_that_fails_ends_the_call(std::size_t failing) {
  std::atomic<int> later{0};
  try {
    forensic::for_each_stage(4, {9, 1, 9}, [&](std::size_t stage, std::int64_t) {
      if (stage == failing) throw std::runtime_error("stage");
      if (stage > failing) ++later;
    });
    EXPECT(false && "must throw");
  } catch (const std::runtime_error& error) {
    EXPECT(std::string(error.what()) == "stage");
  }
  EXPECT(later == 0);
}

// The call returns when all blocks are done, not when there is none left to take.
void waits_for_all(int threads) {
  std::atomic<int> done{0};
  forensic::for_each_block(threads, threads, [&](std::int64_t) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ++done;
  });
  EXPECT(done == threads);
}

}  // namespace

int main() {
  for (const int threads : {1, 2, 8}) {
    for (int again = 0; again < 20; ++again) {
      stages_in_order(threads, {5, 0, 40, 1, 7});
      stages_in_order(threads, {0, 0, 3});
      stages_in_order(threads, {});
    }
  }
  a_stage_waits_for_its_slowest_block();
  for (std::size_t stage = 0; stage < 3; ++stage) a_stage_that_fails_ends_the_call(stage);
  for (const int threads : {1, 2, 8, 3}) {
    for (const std::int64_t blocks : {0, 1, 2, 7, 500}) every_block_once(threads, blocks);
  }
  for (const int threads : {2, 4, 6}) waits_for_all(threads);
  try {
    forensic::for_each_block(4, 100, [](std::int64_t block) {
      if (block == 41) throw std::runtime_error("block 41");
    });
    EXPECT(false && "must throw");
  } catch (const std::runtime_error& error) {
    EXPECT(std::string(error.what()) == "block 41");
  }
  forensic::for_each_block(4, 6, [](std::int64_t) { every_block_once(4, 5); });
  std::vector<std::thread> callers;
  for (int i = 0; i < 6; ++i)
    callers.emplace_back([] {
      for (int n = 0; n < 50; ++n) every_block_once(3, 20);
    });
  for (std::thread& caller : callers) caller.join();
#if !FORENSIC_UNDER_TSAN  // which does not follow threads that a child starts
  const pid_t child = fork();
  if (child == 0) {
    every_block_once(4, 50);
    // not by the calling thread alone: the parent's threads are gone, and the child has made its own
    std::mutex guard;
    std::set<std::thread::id> at_work;
    forensic::for_each_block(4, 50, [&](std::int64_t) {
      {
        const std::lock_guard<std::mutex> lock(guard);
        at_work.insert(std::this_thread::get_id());
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    });
    EXPECT(at_work.size() > 1);
    _exit(failures == 0 ? 0 : 1);
  }
  int status = -1;
  EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
#endif
  try {
    forensic::set_level("sse9");
    EXPECT(false && "must throw");
  } catch (const std::invalid_argument&) {
  }
  return failures == 0 ? 0 : 1;
}
