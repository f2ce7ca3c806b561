"""Rewrites a .cu, .cuh or bindings file into C++ that runs on the CPU: translate.py SOURCE TARGET [--small].

Three things change: launches, shared memory, and the kind of device that the bindings expect. Loops stay loops, since
compiling them unrolled takes minutes under sanitizers. Lines keep their numbers.
With --small, thresholds between two ways of computing are so low that small inputs go the other way.
"""

# ruff: noqa: T201 - what cmake reads

from __future__ import annotations

import argparse
import re
from pathlib import Path

TOKENS = re.compile(
    r"""(?P<skip>\s+|//[^\n]*|/\*.*?\*/|^[ \t]*\#(?:[^\n\\]|\\\n|\\.)*)
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<name>[A-Za-z_]\w*)
    |(?P<number>\.?\d(?:[\w.']|(?<=[eEpP])[+-])*)
    |(?P<mark><<<|>>>|::|->|<<=|>>=|<=|>=|<<|.)""",
    re.DOTALL | re.VERBOSE | re.MULTILINE,
)
ALIGNMENT = re.compile(r"(?:__align__|alignas)\s*\(([^()]*)\)\s*")
OPENS, CLOSES = {"(": ")", "[": "]", "{": "}"}, {")", "]", "}"}

SUBSTITUTIONS = {
    "bindings_cuda.cpp": [("kDevice = dlpack::kCuda;", "kDevice = dlpack::kCpu;")],
}
SMALL = {
    "dct.cu": [("kFewTiles = 256;", "kFewTiles = 2;")],
    "norm.cu": [("kRun = 64;", "kRun = 5;"), ("kMostShares = 1024;", "kMostShares = 3;")],
    "radial.cu": [("kLongBlocks = 128;", "kLongBlocks = 2;")],
    "radial_lines.cuh": [("kMostShared = 48 * 1024;", "kMostShared = 1024;")],
    "triplet.cu": [("kMostRows = 4096;", "kMostRows = 100;"), ("kLargeRows = 384;", "kLargeRows = 40;")],
}
"""File -> texts that occur once, and what takes their places."""


class TranslationError(Exception):
    """The source has what this file can not rewrite."""


def translated(source: str, name: str, *, small: bool = False) -> str:
    """The C++ of a source.

    Args:
        source: its text.
        name: of the file, for its substitutions and in errors.
        small: low thresholds.

    Raises:
        TranslationError: a launch or a declaration that is not understood; a substitution that does not fit.
    """
    for old, new in SUBSTITUTIONS.get(name, []) + (SMALL.get(name, []) if small else []):
        if source.count(old) != 1:
            raise TranslationError(f"{name}: expected once, found {source.count(old)} times: {old!r}")
        source = source.replace(old, new)
    tokens = [(match.lastgroup or "", match.group()) for match in TOKENS.finditer(source)]
    try:
        words = [re.sub(r"#pragma unroll[^\n]*", "", text) if kind == "skip" else text for kind, text in tokens]
        _launches(tokens, words)
        _shared(tokens, words)
    except TranslationError as error:
        raise TranslationError(f"{name}: {error}") from None
    return "".join(words)


def thresholded(folder: Path) -> list[str]:
    """Names of the .cu files with a threshold of `SMALL`, be it in a header that they include."""
    sources = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.cu"))}
    headers = [name for name in SMALL if name not in sources]
    return [
        name
        for name, text in sources.items()
        if name in SMALL or any(f'#include "{header}"' in text for header in headers)
    ]


def _line(tokens: list[tuple[str, str]], at: int) -> str:
    return f"line {1 + sum(text.count(chr(10)) for _, text in tokens[:at])}"


def _launches(tokens: list[tuple[str, str]], words: list[str]) -> None:
    """kernel<T><<<grid, block>>>(a) -> ::cuda_on_cpu::Launch(grid, block).of(kernel<T>)(a)."""
    for at, (_, text) in enumerate(tokens):
        if text != "<<<":
            continue
        begin = _kernel_before(tokens, at)
        end = _end_of_configuration(tokens, at)
        kernel = "".join(words[begin:at])
        for n in range(begin, at):
            words[n] = "\n" * words[n].count("\n")
        words[begin] = "::cuda_on_cpu::Launch" + words[begin]
        words[at] = "("
        words[end] = f").of({' '.join(kernel.split())})"


def _kernel_before(tokens: list[tuple[str, str]], at: int) -> int:
    """The index at which the name of the kernel before `<<<` begins; its template arguments count as part of it."""
    n, angles, rounds = at - 1, 0, 0
    while n >= 0:
        kind, text = tokens[n]
        if text in CLOSES:
            rounds += 1
        elif text in OPENS:
            rounds -= 1
        elif rounds == 0 and text in (">", ">>>"):
            angles += len(text)
        elif rounds == 0 and text == "<":
            angles -= 1
        elif angles == 0 and rounds == 0 and kind == "name":
            before = n - 1
            while tokens[before][0] == "skip":
                before -= 1
            if tokens[before][1] != "::":
                return n
            n = before
        elif angles == 0 and kind != "skip":
            break
        n -= 1
    raise TranslationError(f"{_line(tokens, at)}: no kernel before <<<")


def _end_of_configuration(tokens: list[tuple[str, str]], at: int) -> int:
    depth = 0
    for n in range(at + 1, len(tokens)):
        text = tokens[n][1]
        if text in OPENS:
            depth += 1
        elif text in CLOSES:
            depth -= 1
        if depth < 0 or text in (";", "<<<"):
            break
        if depth == 0 and text == ">>>":
            return n
    raise TranslationError(f"{_line(tokens, at)}: <<< without >>>")


def _shared(tokens: list[tuple[str, str]], words: list[str]) -> None:
    """`__shared__ T a[2], b;` -> two references to the block's objects; `extern __shared__ T m[];` -> a pointer."""
    number = 0
    for at, (_, text) in enumerate(tokens):
        if text != "__shared__":
            continue
        end = next((n for n in range(at, len(tokens)) if tokens[n][1] == ";"), None)
        if end is None:
            raise TranslationError(f"{_line(tokens, at)}: __shared__ without ;")
        before = at - 1
        while before >= 0 and tokens[before][0] == "skip":
            before -= 1
        external = before >= 0 and tokens[before][1] == "extern"
        kind, alignment, objects = _declared(tokens[at + 1 : end], _line(tokens, at))
        if external and alignment == "1" and kind.endswith("char"):  # a device may put it anywhere
            raise TranslationError(f"{_line(tokens, at)}: memory for other types without an alignment")
        made = []
        for name, extents in objects:
            if external:
                made.append(f"{kind}* {name} = static_cast<{kind}*>(::cuda_on_cpu::dynamic_shared_memory());")
                continue
            number += 1
            alias = f"Shared{number}Of_{name}"
            made.append(
                f"using {alias} = {kind}{extents}; "
                f"{alias}& {name} = ::cuda_on_cpu::shared<{number}, {alias}>(CUDA_ON_CPU_HERE, {alignment});"
            )
        newlines = "".join(words[at : end + 1]).count("\n")
        for n in range(before if external else at, end + 1):
            words[n] = ""
        words[end] = " ".join(made) + "\n" * newlines


def _declared(tokens: list[tuple[str, str]], line: str) -> tuple[str, str, list[tuple[str, str]]]:
    """Type, alignment, and name and extents of each object, of what stands between `__shared__` and `;`."""
    parts: list[list[tuple[str, str]]] = [[]]
    depth = angles = 0
    for kind, text in tokens:
        if kind == "skip":
            parts[-1].append((kind, " "))
            continue
        depth += (text in OPENS) - (text in CLOSES)
        if depth == 0 and text in ("<", ">"):
            angles += 1 if text == "<" else -1
        if text == "," and depth == 0 and angles == 0:
            parts.append([])
        else:
            parts[-1].append((kind, text))
    objects = []
    declared_type = ""
    for number, part in enumerate(parts):
        name_at = _declarator(part)
        if name_at is None or (number > 0 and "".join(text for _, text in part[:name_at]).strip()):
            raise TranslationError(f"{line}: a declaration of shared memory that is not understood")
        if number == 0:
            declared_type = "".join(text for _, text in part[:name_at]).strip()
        extents = "".join(text for _, text in part[name_at + 1 :]).strip()
        if "=" in extents or not declared_type:
            raise TranslationError(f"{line}: a declaration of shared memory that is not understood")
        objects.append((part[name_at][1], extents))
    aligned = ALIGNMENT.search(declared_type)
    return ALIGNMENT.sub("", declared_type), aligned.group(1) if aligned else "1", objects


def _declarator(part: list[tuple[str, str]]) -> int | None:
    """The index of the declared name: the last name outside brackets."""
    depth = angles = 0
    found = None
    for n, (kind, text) in enumerate(part):
        depth += (text in OPENS) - (text in CLOSES)
        if depth == 0 and text in ("<", ">"):
            angles += 1 if text == "<" else -1
        if kind == "name" and depth == 0 and angles == 0:
            found = n
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="a file; with --thresholded a folder")
    parser.add_argument("target", type=Path, nargs="?")
    parser.add_argument("--small", action="store_true", help="low thresholds")
    parser.add_argument("--thresholded", action="store_true", help="only list the .cu files that --small changes")
    options = parser.parse_args()
    if options.thresholded:
        print(*thresholded(options.source), sep=";")
        return
    if options.target is None:
        parser.error("TARGET is missing")
    text = translated(options.source.read_text(encoding="utf-8"), options.source.name, small=options.small)
    options.target.parent.mkdir(parents=True, exist_ok=True)
    options.target.write_text(f'#line 1 "{options.source}"\n{text}', encoding="utf-8")


if __name__ == "__main__":
    main()
