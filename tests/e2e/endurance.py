"""The command line of tests/e2e/endurance, which says what each kind does."""

import argparse
import sys
import time

import endurance_backlog
import endurance_held
import endurance_load
import endurance_nonces
import processes

KINDS = {
    'mutate': (endurance_load.mutate, 100000000),
    'drift': (endurance_load.drift, 10000000),
    'nonces': (endurance_nonces.nonces, 1000000),
    'backlog': (endurance_backlog.backlog, 3600),
    'held': (endurance_held.held, 60),
}


def main():
    parser = argparse.ArgumentParser(prog='tests/e2e/endurance')
    parser.add_argument('kind', choices=KINDS)
    parser.add_argument('--count', type=int)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--script', type=int, default=0)
    parser.add_argument('--uncounted', action='store_true')
    parser.add_argument('--realtime', action='store_true')
    options = parser.parse_args()
    run, count = KINDS[options.kind]
    options.count = options.count or count
    started = time.monotonic()
    with processes.scratch():
        try:
            run(processes.new_folder(options.kind), options)
        except AssertionError as error:
            print(f'FAILED after {time.monotonic() - started:.0f} s: {error}')
            return 1
    print(f'{options.kind}: done in {time.monotonic() - started:.0f} s')
    return 0


if __name__ == '__main__':
    sys.exit(main())
