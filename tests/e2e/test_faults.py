"""A php-fpm that recycles its processes, answers early, is set up wrongly or is overrun by others."""

import collections
import os
import socket
import threading
import time
import unittest

import fastcgi
import processes
import wire
from cases import FOUR, ONE, ServedCase, TCP, TWO


class Recycling(ServedCase):
    """pm.max_requests ends processes, and with them the connections that are kept; nobody must notice."""

    pools = [ONE, TWO, FOUR]
    max_requests = 5
    clients, turns = 6, 20

    def visit(self, number):
        with wire.Client(self.port) as client:
            for turn in range(self.turns):
                name = f'{number}-{turn}'
                yield name, self.ask(client, name, turn)

    def ask(self, client, name, turn):
        """An answer, and what it has to be."""
        if turn % 4 == 0:
            body = name.encode() * 500
            answer = client.ask('POST', f'/ledger.php?id={name}&lines=1', body=body)
            return answer, f' {name} ' in answer.text
        if turn % 4 == 1:
            answer = client.ask('GET', f'/finish.php?ms=20&marker={name}')
            return answer, answer.text == 'accepted\n'
        if turn % 4 == 2:
            answer = client.ask('HEAD', f'/ledger.php?id={name}&lines=500')
            return answer, True
        answer = client.ask('GET', f'/hello.php?name={name}')
        return answer, answer.text == f'Hello, {name}\n'

    def test_nobody_notices(self):
        """GET, POST, HEAD and answers that come before the end of their script, on connections that are kept."""
        (self.php.scratch / 'ledger').unlink(missing_ok=True)
        wrong, started = [], time.monotonic()

        def work(number):
            try:
                for name, (answer, is_right) in self.visit(number):
                    if answer.status != 200 or not is_right:
                        wrong.append((name, answer))
            except Exception as error:  # a thread's own end would go unseen
                wrong.append((number, error))
        threads = [threading.Thread(target=work, args=(number,)) for number in range(self.clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - started
        self.assertEqual(wrong, [])
        ran = collections.Counter((self.php.scratch / 'ledger').read_text().split())
        posts = [f'{number}-{turn}' for number in range(self.clients) for turn in range(0, self.turns, 4)]
        self.assertEqual([ran[name] for name in posts], [1] * len(posts))
        # Each of the scripts that work on does so for 20 ms. One request that hung would take its timeout.
        self.assertLess(took, 50)

    def test_work_behind_the_answer_is_done(self):
        markers = [self.marker(f'behind-{number}') for number in range(10)]
        with self.client() as client:
            for marker in markers:
                self.assertEqual(client.ask('GET', f'/finish.php?ms=10&marker={marker.name}').text, 'accepted\n')
        processes.wait_until(lambda: all(marker.exists() for marker in markers), 'some of the work is not done', 5)


class RecyclingAtOnce(Recycling):
    """Each process serves one request."""

    max_requests = 1


class ThreadedRecycling(Recycling):
    pools = [TWO]
    max_requests = 2
    server = ('threads = 2',)


class Denied(ServedCase):
    backend = ('keep_alive = no',)

    def test_socket_that_fcgate_may_not_write_to(self):
        since = self.log_size()
        os.chmod(self.php.address, 0)
        if not processes.is_root and os.access(self.php.address, os.W_OK):
            self.skipTest('this user may write to it all the same')
        self.assert_status(self.get('/hello.php'), 502)
        line = self.fcgate.wait_for_log(r'error: GET /hello\.php: 502: backend unix:(\S+): (.*)', since=since)
        self.assertEqual(line[1], self.php.address)
        self.assertRegex(line[2], rf'^permission denied on {self.php.address}: (is )?user \S+ (is )?in group .*\[backend-denied\]$')
        os.chmod(self.php.address, 0o600)
        self.assertEqual(self.get('/hello.php').text, 'Hello, world\n')

    def test_another_path_than_php_has(self):
        away = self.php.address + '-away'
        os.rename(self.php.address, away)
        self.assert_status(self.get('/hello.php'), 502)
        self.fcgate.wait_for_log('502: backend .*is php-fpm running, and is this its `listen`')
        os.rename(away, self.php.address)
        self.assertEqual(self.get('/hello.php').text, 'Hello, world\n')


class OutsideOpenBasedir(ServedCase):
    php_values = ('open_basedir = "/nowhere"',)

    def test_log_says_it(self):
        self.assertIn(self.get('/hello.php').status, (403, 404, 500))
        self.fcgate.wait_for_log(r'GET /hello\.php: PHP: .*open_basedir restriction in effect')
        self.fcgate.wait_for_log(r'error: GET /hello\.php: 404: backend \S+: .*: php-fpm cannot see '
                                 rf'{self.root}/hello\.php: removed\? chroot or open_basedir\? .* \[script-unknown\]$')


@unittest.skipUnless(processes.is_root, 'only root can change the root')
class Chrooted(ServedCase):
    """php-fpm sees other paths than fcgate does."""

    pool_lines = ('chroot = /usr/lib',)

    def test_log_says_it(self):
        self.assertEqual(self.get('/hello.php').status, 404)
        self.fcgate.wait_for_log(r'error: GET /hello\.php: 404: backend \S+: Primary script unknown: php-fpm cannot see '
                                 rf'{self.root}/hello\.php: removed\? chroot or open_basedir\? .* \[script-unknown\]$')


class Terminated(ServedCase):
    pools = [ONE, TCP]
    pool_lines = ('request_terminate_timeout = 1s',)

    def test_script_that_is_ended_by_php_fpm(self):
        started = time.monotonic()
        with self.client() as client:
            self.assert_status(client.ask('GET', '/sleep.php?ms=15000'), 502)
            self.assertLess(time.monotonic() - started, 8)
            self.fcgate.wait_for_log(r'GET /sleep\.php\S*: 502: .*request_terminate_timeout')
            self.assertEqual(client.ask('GET', '/hello.php').text, 'Hello, world\n')


class Overrun(ServedCase):
    """Others fill the backlog of php-fpm's socket."""

    pools = [ONE]
    pool_lines = ('listen.backlog = 1',)
    backend = ('connect_timeout = 1500ms',)

    def fill(self, ms):
        """A script that holds the only worker, and connections until no more are taken."""
        opened = [fastcgi.Request(self.php.address, self.root / 'sleep.php', f'ms={ms}&marker=held',
                                  {'SCRATCH': str(self.php.scratch)}).socket]
        processes.wait_until((self.php.scratch / 'held').exists, 'the script does not run')
        while True:
            another = socket.socket(socket.AF_UNIX)
            another.setblocking(False)
            self.addCleanup(another.close)
            if another.connect_ex(self.php.address) != 0:
                return opened
            opened.append(another)

    def test_place_in_the_backlog_is_waited_for(self):
        self.marker('held')
        opened = self.fill(30000)
        threading.Timer(0.5, lambda: [one.close() for one in opened[1:]]).start()
        with self.client() as client:
            client.start('POST', '/ledger.php?id=patient&lines=1', body=b'x')
            # The worker is held until then: that the request waits inside php-fpm's backlog is what is wanted.
            time.sleep(0.8)
            opened[0].close()
            os.kill(self.worker(), 9)
            self.assertIn(' patient ', client.response().text)

    def test_backlog_that_stays_full(self):
        self.marker('held')
        opened = self.fill(2500)
        started = time.monotonic()
        response = self.get('/hello.php')
        self.assert_status(response, 503)
        self.assertTrue(1.4 < time.monotonic() - started < 10)
        self.fcgate.wait_for_log('503: backend .*backlog')
        for one in opened:
            one.close()
        processes.wait_until(lambda: self.get('/hello.php').status == 200, 'requests are not served again')

    def worker(self):
        return next(running.pid for running in processes.descendants(self.php.pid))
