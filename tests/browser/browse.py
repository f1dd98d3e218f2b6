"""Finds the cases, runs them and counts; or takes the screenshots."""

import argparse
import pathlib
import sys
import unittest

here = pathlib.Path(__file__).parent
# The daemon's process and the way results are shown are the end-to-end tests'.
sys.path.append(str(here.parent / 'e2e'))

import processes  # noqa: E402
from main import Result, classes_of  # noqa: E402


def run(options):
    result = Result(options.verbose)
    ran = set()
    for group in (group for path in sorted(here.glob('test_*.py')) for group in classes_of(path.stem)):
        cases = [case for case in unittest.defaultTestLoader.loadTestsFromTestCase(group)
                 if not options.words or any(word in case.id() for word in options.words)]
        if not cases:
            continue
        names = [case.id() for case in cases]  # a suite lets go of the cases it has run
        print(f'{group.__module__}.{group.__name__}: {len(cases)} cases', flush=True)
        if options.list:
            print(''.join(f'    {case.id().rsplit(".", 1)[-1]}\n' for case in cases), end='')
            continue
        begun = result.testsRun
        unittest.TestSuite(cases).run(result)
        if result.testsRun > begun:
            ran.update(names)
    # What fails around the cases of a class counts as one more.
    failed = len(result.failed)
    print(f'{len(ran - result.failed)} passed, {failed} failed')
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(prog='tests/browser/run')
    parser.add_argument('-v', '--verbose', action='store_true')
    parser.add_argument('-l', '--list', action='store_true')
    parser.add_argument('--screenshots', metavar='DIR', type=pathlib.Path)
    parser.add_argument('words', nargs='*')
    options = parser.parse_args()
    with processes.scratch():
        if options.screenshots:
            import screenshots
            return screenshots.take(options.screenshots)
        return run(options)


if __name__ == '__main__':
    sys.exit(main())
