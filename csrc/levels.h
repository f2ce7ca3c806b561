// Namespaces of the instruction sets. A file NAME_kernel.cpp is compiled once a level with FORENSIC_LEVEL naming it,
// and defines everything inside namespace forensic::FORENSIC_LEVEL; this header includes nothing, so that it can.
#pragma once

// FORENSIC_EACH_LEVEL(declarations) repeats declarations in the namespace of each level that is compiled.
#ifdef FORENSIC_HAS_avx2
#define FORENSIC_EACH_LEVEL(...) \
  namespace baseline {           \
  __VA_ARGS__                    \
  }                              \
  namespace avx2 {               \
  __VA_ARGS__                    \
  }                              \
  namespace avx512 {             \
  __VA_ARGS__                    \
  }
#else
#define FORENSIC_EACH_LEVEL(...) \
  namespace baseline {           \
  __VA_ARGS__                    \
  }
#endif
