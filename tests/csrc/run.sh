#!/usr/bin/env bash
# The C++ tests as plain executables, without Python: once under AddressSanitizer and UBSan, once under ThreadSanitizer.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cmake=cmake
[[ -x $root/.venv/bin/cmake ]] && cmake=$root/.venv/bin/cmake
for sanitizers in address,undefined thread; do
  build=$root/build/csrc-${sanitizers%%,*}
  mkdir -p "$root/build"
  "$cmake" -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER=clang++ -DFORENSIC_PYTHON=OFF \
    -DFORENSIC_CUDA=OFF -DFORENSIC_TESTS=ON -DFORENSIC_WERROR=ON -DFORENSIC_SANITIZE="$sanitizers" > "$build.log" 2>&1 ||
    { cat "$build.log" >&2; exit 1; }
  "$cmake" --build "$build" --parallel 2
  found=0
  for program in "$build"/test_*; do
    [[ -f $program && -x $program ]] || continue
    echo "$sanitizers: $(basename "$program")"
    "$program"
    found=$((found + 1))
  done
  ((found > 0)) || { echo "no C++ tests were built" >&2; exit 1; }
done
