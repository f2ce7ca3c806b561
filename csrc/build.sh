#!/usr/bin/env bash
# Builds the kernels into the source tree for one interpreter, with cmake alone: csrc/build.sh [PYTHON [AUTO|ON|OFF]]
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
python=${1:-$root/.venv/bin/python}
cuda=${2:-AUTO}
[[ $python == */* ]] || python=$(command -v "$python")
python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python")
beside=$(dirname "$python")
cmake=cmake
[[ -x $beside/cmake ]] && cmake=$beside/cmake
generator=()
if [[ -x $beside/ninja ]]; then
  generator=(-G Ninja -DCMAKE_MAKE_PROGRAM="$beside/ninja")
elif command -v ninja > /dev/null; then
  generator=(-G Ninja)
fi
# an interpreter of another version gets a build folder of its own
tag=$("$python" -c 'import sys; print("inplace" if sys.prefix == sys.argv[1] else sys.implementation.cache_tag)' "$root/.venv")
build=$root/build/$tag
mkdir -p "$root/build"
"$cmake" -S "$root" -B "$build" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release -DFORENSIC_CUDA="$cuda" \
  -DPython_EXECUTABLE="$python" > "$build.log" 2>&1 || { cat "$build.log" >&2; exit 1; }
"$cmake" --build "$build" --parallel 2
for binary in "$build"/_C*.so; do
  # a new file and a rename: a process that has the old one loaded keeps it
  cp "$binary" "$root/forensic/.new-$(basename "$binary")"
  mv "$root/forensic/.new-$(basename "$binary")" "$root/forensic/$(basename "$binary")"
done
"$python" -c "import sys; sys.path.insert(0, sys.argv[1]); import forensic.kernels as k; print(k.describe()['reason'])" "$root"
