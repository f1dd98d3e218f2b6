"""Finds the cases, runs each with every php-fpm pool it asks for, and counts.

Most of the time of these cases is spent waiting, so a few modules run at a time, each in a process of its own.
"""

import argparse
import contextlib
import dataclasses
import importlib
import io
import multiprocessing
import pathlib
import sys
import time
import unittest

import hardship
import processes


class Result(unittest.TestResult):
    """Shows a failure as soon as it is there, with the logs of the case's processes."""

    def __init__(self, verbose):
        super().__init__()
        self.verbose = verbose
        self.failed = set()
        self.left_out = set()

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()

    def stopTest(self, test):
        super().stopTest(test)
        if self.verbose and test.id() not in self.failed:
            print(f'    {time.monotonic() - self.started:5.2f} s  {test.id().rsplit(".", 1)[-1]}', flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.show(test, self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.show(test, self.errors[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            text = (self.failures if issubclass(err[0], test.failureException) else self.errors)[-1][1]
            self.show(test, text, str(subtest))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        # A part of a case stands for it; a whole class, of which no case has begun, for one.
        self.left_out.add(getattr(test, 'test_case', test).id())
        if not isinstance(test, unittest.TestCase):
            self.testsRun += 1
        print(f'  SKIPPED {test}: {reason}', flush=True)

    def show(self, test, text, title=None):
        self.failed.add(test.id())
        print(f'  FAILED  {title or test}\n{text}', flush=True)
        logs = getattr(test, 'logs', None)
        print(logs() if logs else '', flush=True)


def classes_of(name):
    """The module's cases, once for every pool they name."""
    module = importlib.import_module(name)
    for value in list(vars(module).values()):
        if not (isinstance(value, type) and issubclass(value, unittest.TestCase) and value.__module__ == name):
            continue
        if getattr(value, 'under_hardship', hardship.is_on) != hardship.is_on:
            continue
        pools = getattr(value, 'pools', [None])
        # PHP is fcgate's own then, and pools differ by their workers alone.
        for pool in pools[:1] if hardship.is_on else pools:
            title = f'{value.__name__} [{pool}]' if pool else value.__name__
            yield type(title, (value,), {'__module__': name, 'pool': pool})


@dataclasses.dataclass
class Count:
    """What has come of a module's cases."""

    text: str = ''
    run: int = 0
    failed: int = 0
    skipped: int = 0
    peak: float = 0


def run_module(name, options):
    """Runs what is asked for of a module, and says so as it goes."""
    result = Result(options.verbose)
    with processes.scratch():
        for group in classes_of(name):
            cases = [case for case in unittest.defaultTestLoader.loadTestsFromTestCase(group)
                     if not options.words or any(word in case.id() for word in options.words)]
            if not cases:
                continue
            print(f'{group.__module__}.{group.__name__}: {len(cases)} cases', flush=True)
            if options.list:
                print(''.join(f'    {case.id().rsplit(".", 1)[-1]}\n' for case in cases), end='')
                continue
            unittest.TestSuite(cases).run(result)
    return Count('', result.testsRun, len(result.failed), len(result.left_out - result.failed), max(filter(None, processes.peaks), default=0))


def run_apart(argument):
    """The same in a process of its own, whose text comes at its end."""
    name, options, shard = argument
    processes.use_ports_of(shard)
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        count = run_module(name, options)
    count.text = text.getvalue()
    return count


class Worker(multiprocessing.get_context('fork').Process):
    """Cases may start processes of their own, which those of a pool may not, being daemons."""

    @property
    def daemon(self):
        return False

    @daemon.setter
    def daemon(self, value):
        pass


class Context(type(multiprocessing.get_context('fork'))):
    Process = Worker


def counts(modules, options):
    if options.jobs == 1 or len(modules) == 1:
        for name in modules:
            yield run_module(name, options)
        return
    # The slowest first, so that nobody waits for it alone at the end.
    modules.sort(key=lambda name: name not in ('test_hard', 'test_spawn_fire', 'test_storms'))
    with Context().Pool(options.jobs, maxtasksperchild=1) as pool:
        for count in pool.imap_unordered(run_apart, [(name, options, shard) for shard, name in enumerate(modules)]):
            print(count.text, end='', flush=True)
            yield count


def main():
    parser = argparse.ArgumentParser(prog='tests/e2e/run')
    parser.add_argument('-v', '--verbose', action='store_true')
    parser.add_argument('-l', '--list', action='store_true')
    parser.add_argument('-j', '--jobs', type=int, default=1)
    parser.add_argument('--hard', action='store_true')
    parser.add_argument('--inside', metavar='FOLDER')
    parser.add_argument('--cases', metavar='FOLDER', type=pathlib.Path, default=pathlib.Path(__file__).parent)
    parser.add_argument('words', nargs='*')
    options = parser.parse_args()
    if options.hard:
        reason = hardship.missing()
        if reason:
            print(f'SKIPPED: {reason}')
            return 0
        return hardship.run_inside((['-v'] if options.verbose else []) + (options.words or [*hardship.SELECTION]))
    if options.inside:
        hardship.enter(options.inside)

    total = Count()
    for count in counts(sorted(path.stem for path in options.cases.glob('test_*.py')), options):
        total.run += count.run
        total.failed += count.failed
        total.skipped += count.skipped
        total.peak = max(total.peak, count.peak)
    if total.peak:
        print(f'fcgate and PHP together had {total.peak / (1 << 20):.1f} MB at most')
    if total.skipped:
        print(f'{total.skipped} skipped')
    # A class that could not be set up has failed without a case having run.
    print(f'{max(0, total.run - total.skipped - total.failed)} passed, {total.failed} failed')
    return 1 if total.failed else 0


if __name__ == '__main__':
    sys.exit(main())
