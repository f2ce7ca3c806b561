// for_each_block: a few threads that live as long as the process share numbered blocks of work.
//   A block must not depend on which thread runs it, nor on the others: then results do not depend on `threads`.
//   The calling thread works too. While one call runs, another (from a second Python thread, or from inside a block)
//   does its blocks alone. After fork() the child starts with a new pool. The first exception of a block is thrown to
//   the caller.
#pragma once

#include <cstdint>
#include <functional>

namespace forensic {

void for_each_block(int threads, std::int64_t blocks, const std::function<void(std::int64_t)>& work);

}  // namespace forensic
