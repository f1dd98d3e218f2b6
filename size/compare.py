"""Strips and measures BUILD:PART:FILE..., prints a table, and fails for what is over the budget."""

import collections
import os
import subprocess
import sys
import tempfile

COLUMNS = ('text', 'data', 'bss', 'file')
TOOLS = {'x86-64': '', 'armhf': 'arm-linux-gnueabihf-', 'armhf-musl': 'arm-linux-gnueabihf-'}
# As scripts/build-musl strips.
STRIPS = {'armhf-musl': ['llvm-strip-19', '--strip-sections']}


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def tool(build, name, *arguments):
    return run(TOOLS[build] + name, *arguments)


def read_budget(path):
    budget = {}
    with open(path, encoding='ascii') as lines:
        for line in lines:
            words = line.split('#')[0].split()
            if words:
                build, part, *limits = words
                if len(limits) != len(COLUMNS):
                    sys.exit(f'{path}: a line has a build, a part and {len(COLUMNS)} limits, not: {line.rstrip()}')
                budget[build, part] = [None if limit == '-' else int(limit) for limit in limits]
    return budget


def measure(build, path):
    sections = tool(build, 'size', path).splitlines()[1].split()[:3]
    with tempfile.NamedTemporaryFile() as stripped:
        run(*STRIPS.get(build, [TOOLS[build] + 'strip']), '-o', stripped.name, path)
        return [*map(int, sections), os.path.getsize(stripped.name)]


def show_largest(build, path):
    symbols = tool(build, 'nm', '--print-size', '--size-sort', '--reverse-sort', '--demangle', path).splitlines()
    print(f'  the largest symbols of {os.path.relpath(path)}:')
    for symbol in symbols[:20]:
        _, size, kind, name = symbol.split(maxsplit=3)
        print(f'  {int(size, 16):8} {kind} {name[:100]}')


def main():
    budget = read_budget(sys.argv[1])
    sizes = collections.defaultdict(dict)
    paths = collections.defaultdict(list)
    for argument in sys.argv[2:]:
        build, part, path = argument.split(':', 2)
        sizes[build][part] = measure(build, path)
        paths[build, part].append(path)
    for build, parts in sizes.items():
        if len(parts) > 1:
            paths[build, 'all'] = [path for part in parts for path in paths[build, part]]
            parts['all'] = [sum(column) for column in zip(*parts.values())]

    over = {}
    passed = 0
    print(f'{"build":12} {"part":8}' + ''.join(f'{name:>10}{"at most":>10}' for name in COLUMNS))
    for build, parts in sizes.items():
        for part, values in parts.items():
            limits = budget.get((build, part))
            if limits is None:
                sys.exit(f'no line for {build} {part} in {sys.argv[1]}')
            print(f'{build:12} {part:8}' + ''.join(f'{value:10}{limit or "":>10}' for value, limit in zip(values, limits)))
            excess = [f'{name} by {value - limit} bytes' for name, value, limit in zip(COLUMNS, values, limits)
                      if limit is not None and value > limit]
            if excess:
                over[build, part] = excess
            else:
                passed += 1
    for (build, part), excess in over.items():
        print(f'FAILED  {build} {part} is over its budget: {", ".join(excess)}')
        for path in paths[build, part]:
            show_largest(build, path)
    print(f'{passed} passed, {len(over)} failed')
    sys.exit(1 if over else 0)


if __name__ == '__main__':
    main()
