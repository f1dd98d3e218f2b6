"""What fcgate and PHP need on a device, and what they do without."""

import json
import time
import unittest

import hardship
import processes
from cases import TWO, ServedCase


class Outside(unittest.TestCase):
    under_hardship = False

    def test_selection_under_hardship(self):
        """The same cases with PHP that fcgate starts, a read-only root, little memory, and the clock at 1970."""
        reason = hardship.missing()
        if reason:
            self.skipTest(reason)
        self.assertEqual(hardship.run_inside(hardship.SELECTION), 0)


class Inside(ServedCase):
    under_hardship = True
    pools = [TWO]

    def told(self, *names):
        response = self.get(f'/runtime.php?ini={",".join(names)}')
        self.assert_status(response, 200)
        return response, json.loads(response.body)

    def test_it_is_1970(self):
        if not hardship.find_clock():
            self.skipTest('there is no libfaketime')
        response, told = self.told()
        self.assertIn(' 1970 ', response.field('Date'))
        self.assertEqual(told['year'], '1970')
        self.assertRegex(self.fcgate.log(), r'(?m)^1970-01-0\d ')
        # RFC 9110 section 8.8.2.1: nothing was modified after it was sent.
        page = self.get('/files/page.html')
        modified, date = page.field('Last-Modified'), page.field('Date')
        self.assertIn(' 1970 ', modified, f'{modified} is after {date}')

    def test_monotonic_clock_runs_on(self):
        started = time.monotonic()
        self.assertEqual(self.get('/sleep.php?ms=300').text, 'slept 300\n')
        self.assertTrue(0.29 < time.monotonic() - started < 5)

    def test_memory_of_all_workers_at_work(self):
        """The peak of fcgate, the spawner, php-fpm's main process and its workers, tmpfs included."""
        for _ in range(5):
            self.get('/session.php')
            self.get('/large.php?blocks=100000')
        peak = self.fcgate.hardship.peak()
        if peak is None:
            self.skipTest('nobody counts the memory')
        self.assertGreaterEqual(len(self.fcgate.php()), 1 + self.pool.workers)
        # Files that others have read before are charged to them; a share of what is mapped counts here.
        shares = sum(processes.proportional_kib(pid) for pid in [self.fcgate.pid, *(child.pid for child in self.fcgate.children())])
        print(f'    fcgate and PHP together: {peak / (1 << 20):.1f} MB charged at most, {shares / 1024:.1f} MB mapped', flush=True)
        self.assertLess(max(peak, shares << 10), hardship.MEMORY)

    def test_memory_runs_out(self):
        """A script that wants more than there is ends; fcgate does not."""
        if not self.fcgate.hardship.group:
            self.skipTest('nobody limits the memory')
        self.assertIn(self.get('/greedy.php?megabytes=200').status, (500, 502))
        self.assertTrue(self.fcgate.is_alive())
        self.assertEqual(self.get('/hello.php').text, 'Hello, world\n')
        self.fcgate.expects_kills = True
