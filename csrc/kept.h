// Memory of large results. The first touch of new memory costs a fault a page, together as long as a transform takes,
// so what a result that is gone had is kept for the next one of about its size. Any thread may take and give, in a
// forked child too: where the list is in use by another, memory is simply new, or really freed.
#pragma once

#include <cstddef>

namespace forensic {

inline constexpr std::size_t kLargeOutput = std::size_t{1} << 22;  // bytes from which it is worth it

// At least `bytes`, aligned to 2 MiB, not initialised, in large pages where the system gives them.
void* take_kept(std::size_t bytes);
// `bytes` as they were asked for. Of what is given back the latest 256 MiB are kept.
void give_kept(void* data, std::size_t bytes) noexcept;
// Frees what is kept; how many bytes that were.
std::size_t drop_kept() noexcept;

}  // namespace forensic
