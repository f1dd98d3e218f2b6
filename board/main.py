"""Boots the board as often as it takes, and prints what was found."""

import argparse
import signal
import sys

import checks
import wire
from board import Board, BoardFault

# MiB. Below LEAST the initramfs would not be in what the kernel may take; MOST works well.
LEAST, MOST, STEP = 36, 64, 2
FAILURES = (AssertionError, OSError, wire.WireError, BoardFault)


def check(image, memory, php):
    print(f'==> {memory} MB, PHP: {php}', flush=True)
    report = checks.Report()
    with Board(image, memory, php) as board:
        try:
            checks.everything(board, report)
        except FAILURES as error:
            print(f'  FAILED  {error}\n{board.fault() or ""}\n{board.story()}', flush=True)
            return False
    return True


def works(image, memory, php, seconds):
    """Whether so much memory is enough to boot and to use the panel; says why not."""
    with Board(image, memory, php) as board:
        try:
            panel, _, age = checks.first_page(board, seconds)
            checks.use(board, panel, 1 << 20)
            available = board.available_kib()
        except FAILURES as error:
            print(f'    {memory:3} MB: {board.fault() or error}'[:160], flush=True)
            return False
    print(f'    {memory:3} MB: works; first page after {age:.1f} s, MemAvailable {available} KiB', flush=True)
    return True


def least_memory(image, most, php, seconds):
    """The least that works, by halving; tried twice, for a board that works now and then does not work."""
    print(f'==> the least memory, PHP: {php}', flush=True)
    low, high = LEAST // STEP, most // STEP
    while low < high:
        middle = (low + high) // 2
        if works(image, middle * STEP, php, seconds):
            high = middle
        else:
            low = middle + 1
    while high * STEP < most and not works(image, high * STEP, php, seconds):
        high += 1
    print(f'    least: {high * STEP} MB', flush=True)


def main():
    # So that qemu ends, too.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    parser = argparse.ArgumentParser(prog='scripts/board-test', add_help=False)
    parser.add_argument('image')
    parser.add_argument('--memory', type=int, default=128)
    parser.add_argument('--php', choices=[*Board.kinds], action='append')
    parser.add_argument('--no-search', action='store_true')
    parser.add_argument('--boot-seconds', type=float, default=90)
    options = parser.parse_args()
    good = True
    for php in options.php or [*Board.kinds]:
        good = check(options.image, options.memory, php) and good
    if good and not options.no_search:
        for php in options.php or ('fpm', 'cgi'):
            least_memory(options.image, min(options.memory, MOST), php, options.boot_seconds)
    print('all checks passed' if good else 'FAILED')
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
