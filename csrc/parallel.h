// for_each_block: threads share numbered blocks of work: those of OpenMP where a library of this process has brought it
// along, as torch does, else a few of our own that live as long as the process.
//   A block must not depend on which thread runs it, nor on the others: then results do not depend on `threads`.
//   The calling thread works too. A call from inside a block does its blocks alone; so does one from a second Python
//   thread while our own threads are taken. A forked child starts with threads of its own. The first exception of a
//   block is thrown to the caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace forensic {

void for_each_block(int threads, std::int64_t blocks, const std::function<void(std::int64_t)>& work);

// Stages of `counts[stage]` blocks each: all blocks of a stage are done before the next one begins. One call wakes the
// threads once; they wait for one another by asking again and again, so stages should be short.
void for_each_stage(int threads, const std::vector<std::int64_t>& counts,
                    const std::function<void(std::size_t stage, std::int64_t block)>& work);

}  // namespace forensic
