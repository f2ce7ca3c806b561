// Memory of a thread for the time of one block: aligned to 64 bytes, not initialised, kept for the next block.
#pragma once

#include <cstddef>
#include <new>

namespace forensic {

class Scratch {
 public:
  // The first `count` elements; what an earlier call gave is no longer valid.
  template <typename T>
  static T* of(std::size_t count) {
    static thread_local Scratch memory;
    return static_cast<T*>(memory.at_least(count * sizeof(T)));
  }

  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

 private:
  static constexpr std::align_val_t kAlignment{64};

  Scratch() = default;
  ~Scratch() { release(); }

  void* at_least(std::size_t bytes) {
    if (bytes > size_) {
      release();
      data_ = ::operator new(bytes, kAlignment);
      size_ = bytes;
    }
    return data_;
  }
  void release() {
    ::operator delete(data_, kAlignment);
    data_ = nullptr;
    size_ = 0;
  }

  void* data_ = nullptr;
  std::size_t size_ = 0;
};

// Memory of one call, aligned to 64 bytes, not initialised.
template <typename T>
class AlignedMemory {
 public:
  explicit AlignedMemory(std::size_t count)
      : data_(static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{64}))) {}
  AlignedMemory(const AlignedMemory&) = delete;
  AlignedMemory& operator=(const AlignedMemory&) = delete;
  ~AlignedMemory() { ::operator delete (data_, std::align_val_t{64}); }

  T* data() const { return data_; }

 private:
  T* data_;
};

}  // namespace forensic
