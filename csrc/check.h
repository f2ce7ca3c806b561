// Checks of arguments: FORENSIC_CHECK(condition, "x: expected 3 channels, got ", n) throws with the values in the
// message. The bindings turn ValueProblem into ValueError, TypeProblem into TypeError, MemoryProblem into MemoryError.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace forensic {

class ValueProblem : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

class TypeProblem : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

// No room on a device.
class MemoryProblem : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <typename... Parts>
std::string message_of(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

}  // namespace forensic

#define FORENSIC_CHECK(condition, ...)                                                     \
  do {                                                                                     \
    if (!(condition)) throw ::forensic::ValueProblem(::forensic::message_of(__VA_ARGS__)); \
  } while (false)

#define FORENSIC_CHECK_TYPE(condition, ...)                                               \
  do {                                                                                    \
    if (!(condition)) throw ::forensic::TypeProblem(::forensic::message_of(__VA_ARGS__)); \
  } while (false)
