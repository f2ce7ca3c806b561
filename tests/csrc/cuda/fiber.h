// A stack of its own for each thread of a block, and the switch between them. AddressSanitizer and ThreadSanitizer are
// told; for the latter, what two fibers do is unordered but for the meetings that they report.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#endif
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace cuda_on_cpu {

// Runs `body` again each time it has returned and is resumed. Must be made and resumed by one thread of the system.
class Fiber {
 public:
  explicit Fiber(void (*body)());
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  void resume();        // until it pauses or its body has returned
  static void pause();  // back to who resumed the running fiber

  // ThreadSanitizer: what arrived at a meeting comes before what departs from it. What the scheduler does to memory
  // while unobserved is no access.
  static void report_arrival(void* meeting);
  static void report_departure(void* meeting);
  struct Unobserved {
    Unobserved();
    ~Unobserved();
    Unobserved(const Unobserved&) = delete;
    Unobserved& operator=(const Unobserved&) = delete;
  };

 private:
  static void entry();
  void finish_switch();

  void (*body_)();
  char* stack_ = nullptr;
#if defined(__x86_64__)
  void* at_ = nullptr;
#else
  ucontext_t at_;
#endif
  [[maybe_unused]] void* fake_stack_ = nullptr;  // of AddressSanitizer
  [[maybe_unused]] void* thread_ = nullptr;      // as ThreadSanitizer calls it
};

}  // namespace cuda_on_cpu
