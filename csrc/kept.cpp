#include "kept.h"

#include <deque>
#include <iterator>
#include <mutex>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace forensic {

namespace {

constexpr std::size_t kPage = std::size_t{1} << 21;
constexpr std::size_t kMost = std::size_t{1} << 28;  // bytes that are kept

struct Block {
  void* data;
  std::size_t bytes;
};

std::size_t whole_pages(std::size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

void* fresh(std::size_t bytes) {
  void* data = ::operator new (bytes, std::align_val_t{kPage});
#if defined(__linux__)
  (void)madvise(data, bytes, MADV_HUGEPAGE);  // a refusal is an answer
#endif
  return data;
}

void release(const Block& block) noexcept { ::operator delete (block.data, std::align_val_t{kPage}); }

// Never destroyed: tensors may outlive what is destroyed at the end of the process.
struct List {
  std::mutex mutex;
  std::deque<Block> blocks;  // in the order in which they were given
  std::size_t bytes = 0;
};
List& list() {
  static List& the_list = *new List;
  return the_list;
}

}  // namespace

void* take_kept(std::size_t bytes) {
  const std::size_t wanted = whole_pages(bytes);
  List& kept = list();
  if (const std::unique_lock<std::mutex> lock(kept.mutex, std::try_to_lock); lock.owns_lock()) {
    // of the same size: the last given is likelier to be in a cache
    for (auto block = kept.blocks.rbegin(); block != kept.blocks.rend(); ++block) {
      if (block->bytes != wanted) continue;
      void* data = block->data;
      kept.bytes -= wanted;
      kept.blocks.erase(std::next(block).base());
      return data;
    }
  }
  try {
    return fresh(wanted);
  } catch (const std::bad_alloc&) {
    if (drop_kept() == 0) throw;
    return fresh(wanted);
  }
}

void give_kept(void* data, std::size_t bytes) noexcept {
  const Block block{data, whole_pages(bytes)};
  List& kept = list();
  const std::unique_lock<std::mutex> lock(kept.mutex, std::try_to_lock);
  if (!lock.owns_lock() || block.bytes > kMost) return release(block);
  try {
    kept.blocks.push_back(block);
  } catch (const std::bad_alloc&) {
    return release(block);
  }
  kept.bytes += block.bytes;
  while (kept.bytes > kMost) {
    kept.bytes -= kept.blocks.front().bytes;
    release(kept.blocks.front());
    kept.blocks.pop_front();
  }
}

std::size_t drop_kept() noexcept {
  List& kept = list();
  const std::unique_lock<std::mutex> lock(kept.mutex, std::try_to_lock);
  if (!lock.owns_lock()) return 0;
  const std::size_t dropped = kept.bytes;
  for (const Block& block : kept.blocks) release(block);
  kept.blocks.clear();
  kept.bytes = 0;
  return dropped;
}

}  // namespace forensic
