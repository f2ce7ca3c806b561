#include "fiber.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#if defined(FIBER_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(FIBER_TSAN)
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void* address);
void __tsan_release(void* address);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif

namespace cuda_on_cpu {
namespace {

constexpr std::size_t kStack = 256 * 1024, kGuard = 4096;

Fiber* running = nullptr;

#if defined(__x86_64__)
void* resumer = nullptr;  // the stack of who resumed

// Pushes what a function must keep, changes stacks, pops it.
extern "C" void cuda_on_cpu_switch(void** from, void* to);
asm(R"(
.text
.globl cuda_on_cpu_switch
.hidden cuda_on_cpu_switch
.type cuda_on_cpu_switch, @function
cuda_on_cpu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size cuda_on_cpu_switch, .-cuda_on_cpu_switch
)");
#else
ucontext_t resumer;
#endif

#if defined(FIBER_ASAN)
const void* resumer_bottom = nullptr;
std::size_t resumer_size = 0;
#endif
#if defined(FIBER_TSAN)
void* resumer_thread = nullptr;
#endif

}  // namespace

Fiber::Fiber(void (*body)()) : body_(body) {
  void* memory = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory, kGuard, PROT_NONE) != 0) std::abort();
  stack_ = static_cast<char*>(memory);
#if defined(FIBER_TSAN)
  thread_ = __tsan_create_fiber(0);
#endif
#if defined(__x86_64__)
  auto* top = reinterpret_cast<void**>(stack_ + kStack) - 2;
  *top = reinterpret_cast<void*>(&Fiber::entry);  // where the first switch returns to, with a stack as after a call
  top -= 6;
  std::memset(top, 0, 6 * sizeof(void*));
  at_ = top;
#else
  getcontext(&at_);
  at_.uc_stack.ss_sp = stack_ + kGuard;
  at_.uc_stack.ss_size = kStack - kGuard;
  at_.uc_link = nullptr;
  makecontext(&at_, &Fiber::entry, 0);
#endif
}

Fiber::~Fiber() {
#if defined(FIBER_TSAN)
  __tsan_destroy_fiber(thread_);
#endif
  munmap(stack_, kStack);
}

void Fiber::report_arrival([[maybe_unused]] void* meeting) {
#if defined(FIBER_TSAN)
  __tsan_release(meeting);
#endif
}

void Fiber::report_departure([[maybe_unused]] void* meeting) {
#if defined(FIBER_TSAN)
  __tsan_acquire(meeting);
#endif
}

#if defined(FIBER_TSAN)
Fiber::Unobserved::Unobserved() { AnnotateIgnoreWritesBegin(__FILE__, __LINE__); }
Fiber::Unobserved::~Unobserved() { AnnotateIgnoreWritesEnd(__FILE__, __LINE__); }
#else
Fiber::Unobserved::Unobserved() = default;
Fiber::Unobserved::~Unobserved() = default;
#endif

void Fiber::resume() {
  running = this;
#if defined(FIBER_TSAN)
  resumer_thread = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(thread_, 1);  // 1: orders nothing
#endif
#if defined(FIBER_ASAN)
  void* own_fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&own_fake_stack, stack_ + kGuard, kStack - kGuard);
#endif
#if defined(__x86_64__)
  cuda_on_cpu_switch(&resumer, at_);
#else
  swapcontext(&resumer, &at_);
#endif
#if defined(FIBER_ASAN)
  __sanitizer_finish_switch_fiber(own_fake_stack, nullptr, nullptr);
#endif
}

void Fiber::finish_switch() {
#if defined(FIBER_ASAN)
  __sanitizer_finish_switch_fiber(fake_stack_, &resumer_bottom, &resumer_size);
#endif
}

void Fiber::pause() {
  Fiber* self = running;
#if defined(FIBER_TSAN)
  __tsan_switch_to_fiber(resumer_thread, 1);
#endif
#if defined(FIBER_ASAN)
  __sanitizer_start_switch_fiber(&self->fake_stack_, resumer_bottom, resumer_size);
#endif
#if defined(__x86_64__)
  cuda_on_cpu_switch(&self->at_, resumer);
#else
  swapcontext(&self->at_, &resumer);
#endif
  self->finish_switch();
}

void Fiber::entry() {
  running->finish_switch();
  for (;;) {
    running->body_();
    pause();
  }
}

}  // namespace cuda_on_cpu
