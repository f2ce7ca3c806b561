// Memory of results: given back and taken again, kept within its bound, from many threads and in a forked child.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <thread>

#include "expect.h"
#include "kept.h"

namespace {

constexpr std::size_t kMebibyte = std::size_t{1} << 20;

void the_same_size_again() {
  forensic::drop_kept();
  void* first = forensic::take_kept(5 * kMebibyte);
  EXPECT(reinterpret_cast<std::uintptr_t>(first) % (2 * kMebibyte) == 0);
  std::memset(first, 1, 5 * kMebibyte);
  forensic::give_kept(first, 5 * kMebibyte);
  void* other = forensic::take_kept(9 * kMebibyte);
  EXPECT(other != first);
  void* again = forensic::take_kept(5 * kMebibyte + 1);  // as many pages
  EXPECT(again == first);
  forensic::give_kept(other, 9 * kMebibyte);
  forensic::give_kept(again, 5 * kMebibyte + 1);
  EXPECT(forensic::drop_kept() == 16 * kMebibyte);
  EXPECT(forensic::drop_kept() == 0);
}

// What came first goes first; what is larger than the bound is not kept.
void within_the_bound() {
  void* blocks[3] = {};
  for (void*& block : blocks) block = forensic::take_kept(100 * kMebibyte);
  for (void* block : blocks) forensic::give_kept(block, 100 * kMebibyte);
  void* latest = forensic::take_kept(100 * kMebibyte);
  EXPECT(latest == blocks[2]);
  forensic::give_kept(latest, 100 * kMebibyte);
  EXPECT(forensic::drop_kept() == 200 * kMebibyte);
  forensic::give_kept(forensic::take_kept(258 * kMebibyte), 258 * kMebibyte);
  EXPECT(forensic::drop_kept() == 0);
}

void never_two_owners() {
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([thread, &wrong] {
      for (int round = 0; round < 300; ++round) {
        auto* mine = static_cast<int*>(forensic::take_kept(4 * kMebibyte));
        *mine = thread;
        std::this_thread::yield();
        if (*mine != thread) ++wrong[static_cast<std::size_t>(thread)];
        forensic::give_kept(mine, 4 * kMebibyte);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const int count : wrong) EXPECT(count == 0);
}

void in_a_child() {
  forensic::drop_kept();
  forensic::give_kept(forensic::take_kept(4 * kMebibyte), 4 * kMebibyte);
  const pid_t child = fork();
  if (child == 0) {
    void* data = forensic::take_kept(4 * kMebibyte);
    std::memset(data, 2, 4 * kMebibyte);
    forensic::give_kept(data, 4 * kMebibyte);
    _exit(forensic::drop_kept() == 4 * kMebibyte ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  EXPECT(status == 0);
  forensic::drop_kept();
}

}  // namespace

int main() {
  the_same_size_again();
  within_the_bound();
  never_two_owners();
  in_a_child();
  std::printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
