"""The clock of the day jumps by a year either way, as on a device that boots in 1970 and then hears of the time: no deadline moves."""

import concurrent.futures
import contextlib
import email.utils
import os
import pathlib
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest

import processes
import wire
from cases import ServedCase
from fake_php import FakePhp
from test_spawn import executable

here = pathlib.Path(__file__).parent
YEAR = 366 * 24 * 3600
# Far above what the slowest machine adds to a deadline of seconds, and far below a year.
LATE = 12.0
HEAD = b'GET /hello.php HTTP/1.1\r\nHost: localhost\r\n'

server = ('header_timeout = 1200ms', 'body_timeout = 1200ms', 'send_timeout = 1200ms', 'keepalive_timeout = 1200ms',
          'stop_timeout = 1200ms', 'log_level = info', 'max_connections_per_client = 40', 'exchanges = 16')
# name: keys of a backend that is reached under this Host
backends = {
    'silent': ('workers = 4', 'response_timeout = 1200ms'),
    'busy': ('workers = 1', 'queue_timeout = 1200ms', 'response_timeout = 60s'),
    'parked': ('workers = 2', 'park_timeout = 1200ms'),
    'full': ('workers = 4', 'connect_timeout = 1200ms'),
    'idle': ('workers = 1', 'idle_stop = 2s', 'keep_alive = no'),
    'broken': ('workers = 1', 'idle_stop = 1s'),
}


class Clock(ServedCase):
    with_php = False

    def setUp(self):
        if self.fcgate.is_instrumented():
            self.skipTest('a build with ASan takes no preloaded library')
        self.fakes = {}
        for name in ('silent', 'busy', 'parked'):
            self.fakes[name] = FakePhp(self.folder / f'{name}-{self._testMethodName}.sock',
                                       {'none': None, 'part': b'Content-Type: text/plain\r\n\r\nbegun'}, goes_on=False)
            self.addCleanup(self.fakes[name].end)
        for fake in self.fakes.values():
            os.chmod(fake.path, 0o666)
        self.tries = processes.give(processes.new_folder('tries')) / 'tries'
        self.clock = self.folder / 'clock'
        self.set_clock(0)
        self.clock.chmod(0o644)
        self.begin(self.made_library())
        self.lock = threading.Lock()

    def made_library(self):
        library = self.folder / 'clock_jumps.so'
        subprocess.run(['cc', '-shared', '-fPIC', '-O1', '-o', library, here / 'clock_jumps.c', '-ldl'], check=True)
        return library

    def set_clock(self, offset):
        self.offset = offset
        with open(self.clock, 'r+b' if self.clock.exists() else 'wb') as file:
            file.write(struct.pack('=q', offset))

    def wall_clock(self):
        return time.time() + self.offset

    def begin(self, library):
        # Nobody accepts there, and no more find a place in its backlog.
        full = self.folder / f'full-{self._testMethodName}.sock'
        self.backlog = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.backlog.close)
        self.backlog.bind(str(full))
        self.backlog.listen(0)
        os.chmod(full, 0o666)
        filler = socket.socket(socket.AF_UNIX)
        self.addCleanup(filler.close)
        filler.connect(str(full))
        broken = executable(self.folder / 'php-cgi-broken', f'echo x >> {self.tries}\nexit 3')
        addresses = {'full': f'unix:{full}', 'idle': 'spawn', 'broken': 'spawn'}
        lines = []
        for name, keys in backends.items():
            address = addresses.get(name) or f'unix:{self.fakes[name].path}'
            command = {'idle': f'command = {processes.php_fpm_path()}', 'broken': f'command = {broken}'}.get(name)
            lines += [f'[backend {name}]', f'address = {address}', *keys, *([command] if command else [])]
        lines += ['[site]', f'root = {self.root}', 'backend = silent']
        for name in backends:
            lines += [f'[site {name}]', f'host = {name}.test', f'root = {self.root}', f'backend = {name}']
        port = processes.free_port()
        self.access_log = self.folder / f'access-{self._testMethodName}.log'
        self.access_log.touch()
        processes.give(self.access_log)
        text = processes.configuration(port, self.root, None, [
            *server, f'access_log = {self.access_log}', 'access_log_format = json',
            f'runtime_dir = {self.folder / f"run-{self._testMethodName}"}'])
        text = text.replace(f'[site]\nroot = {self.root}\n', '\n'.join(lines) + '\n')
        self.own = processes.Fcgate(self.folder, text, port, f'clock-{self._testMethodName}')
        self.own.start(env={**os.environ, 'LD_PRELOAD': str(library), 'CLOCK_FILE': str(self.clock)})
        self.addCleanup(self.own.end)

    def connect(self, **options):
        client = wire.Client(self.own.port, **options)
        with self.lock:
            self.addCleanup(client.close)
        return client

    # Each takes `arm`, calls it before its deadline begins to run, and returns how long that took from then, and how long it should
    # have. It waits there for all others, so what has a deadline itself, as a connection does, is made afterwards.

    def end_of(self, client):
        with contextlib.suppress(ConnectionError):
            client.rest()

    def a_head_that_does_not_end(self, arm):
        begun = arm()
        client = self.connect()
        client.send(HEAD)
        self.end_of(client)
        return time.monotonic() - begun, 1.2

    def a_second_head_that_does_not_end(self, arm):
        begun = arm()
        client = self.connect()
        client.ask('GET', '/files/plain.txt')
        client.send(HEAD)
        self.end_of(client)
        return time.monotonic() - begun, 1.2

    def a_body_that_does_not_come(self, arm):
        begun = arm()
        client = self.connect()
        client.start('POST', '/post.php', [('Content-Length', '1000000')], host='silent.test')
        client.send(b'x' * 100)
        self.end_of(client)
        return time.monotonic() - begun, 1.2

    def a_body_that_trickles(self, arm):
        """Slower than 256 bytes a second."""
        begun = arm()
        client = self.connect()
        client.start('POST', '/post.php', [('Content-Length', '1000000')], host='silent.test')
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - begun < 2 * LATE:
                client.send(b'xx')
                client.socket.settimeout(0.1)
                with contextlib.suppress(TimeoutError):
                    if not client.socket.recv(65536):
                        break
        return time.monotonic() - begun, 1.2

    def a_reply_that_is_not_taken(self, arm):
        begun = arm()
        client = self.connect(window=4096)
        client.start('GET', '/files/huge.bin')
        self.own.wait_for_log(r'/files/huge\.bin.*takes no more of its reply', LATE)
        return time.monotonic() - begun, 1.2

    def a_connection_that_is_idle(self, arm):
        begun = arm()
        client = self.connect()
        client.ask('GET', '/files/plain.txt')
        self.end_of(client)
        return time.monotonic() - begun, 1.2

    def a_place_that_does_not_become_free(self, arm):
        first = self.connect()
        first.start('GET', '/hello.php?none', host='busy.test')
        processes.wait_until(lambda: self.fakes['busy'].connections, 'the first is not with PHP')
        begun = arm()
        response = self.connect().ask('GET', '/hello.php?none', host='busy.test')
        self.assert_status(response, 503)
        return time.monotonic() - begun, 1.2

    def a_script_that_is_silent(self, arm):
        begun = arm()
        client = self.connect()
        self.assert_status(client.ask('GET', '/hello.php?none', host='silent.test'), 504)
        return time.monotonic() - begun, 1.2

    def a_script_that_becomes_silent(self, arm):
        begun = arm()
        client = self.connect()
        client.start('GET', '/hello.php?part', host='silent.test')
        client.head()
        self.end_of(client)
        return time.monotonic() - begun, 1.2

    def a_backlog_that_is_full(self, arm):
        begun = arm()
        client = self.connect()
        self.assertIn(client.ask('GET', '/hello.php', host='full.test').status, (502, 503, 504))
        return time.monotonic() - begun, 1.2

    def a_parked_connection(self, arm):
        closings = self.fakes['parked'].closings
        begun, before = arm(), len(closings)
        self.assertEqual(self.connect().ask('GET', '/hello.php', host='parked.test').text, 'hello\n')
        processes.wait_until(lambda: len(closings) > before, 'it is not closed', LATE)
        return closings[before] - begun, 1.2

    def php_that_is_idle(self, arm):
        client = self.connect()
        self.assert_status(client.ask('GET', '/hello.php', host='idle.test'), 200)
        begun, before = arm(), len(self.own.log())
        self.assert_status(self.connect().ask('GET', '/hello.php', host='idle.test'), 200)
        self.own.wait_for_log('PHP has been stopped', LATE, before)
        return time.monotonic() - begun, 2.0

    def php_that_does_not_start(self, arm):
        """After its fourth failure in a row it is tried again 800 ms later."""
        def count():
            return self.tries.read_text().count('x') if self.tries.exists() else 0

        def ask(goal):
            until = time.monotonic() + 2 * LATE
            while count() < goal and time.monotonic() < until:
                self.assert_status(wire.ask(self.own.port, 'GET', '/hello.php', host='broken.test'), 502)
                time.sleep(0.02)
        ask(4)
        # Its time runs already while the others get ready.
        begun = time.monotonic()
        arm()
        ask(5)
        return time.monotonic() - begun, 0.8

    def a_client_that_is_listened_to_for_nothing(self, arm):
        """What is refused in the middle is read on for 2 s, so that the refusal arrives."""
        begun = arm()
        client = self.connect()
        client.start('POST', '/post.php', [('Content-Length', str(50 << 20))], host='silent.test')
        client.send(b'x' * 1000)
        self.assert_status(client.response(), 413)
        processes.wait_until(lambda: not self.is_held(client.local()[1]), 'it is listened to for ever', LATE)
        return time.monotonic() - begun, 2.0

    def is_held(self, port):
        """fcgate has a descriptor of its connection to that port."""
        rows = [line.split() for line in pathlib.Path('/proc/net/tcp').read_text().splitlines()[1:]]
        return any(row[1].endswith(f':{self.own.port:04X}') and row[2].endswith(f':{port:04X}') and row[9] != '0' for row in rows)

    def a_file_that_changes(self, arm):
        """It is looked at again a second after it was put by; sooner does no harm."""
        path = self.root / 'files' / f'changing-{self._testMethodName}.txt'
        path.write_text('before')
        os.utime(path, (time.time() - 1000,) * 2)
        self.assertEqual(wire.ask(self.own.port, 'GET', f'/files/{path.name}').text, 'before')
        path.write_text('afterwards')
        begun = arm()
        while wire.ask(self.own.port, 'GET', f'/files/{path.name}').text == 'before' and time.monotonic() - begun < 2 * LATE:
            time.sleep(0.02)
        return time.monotonic() - begun, 0

    def a_log_that_has_had_enough(self, arm):
        """More lines than a second may have; then the clock jumps, and the next second has its lines again."""
        client = self.connect()
        for number in range(300):
            client.ask('GET', '/files/plain.txt', host=f'flood{number}.example')
        begun = arm()
        word = f'behind-{self._testMethodName}'
        while word not in self.own.log() and time.monotonic() - begun < 2 * LATE:
            wire.ask(self.own.port, 'GET', f'/{word}', host='other.example')
            time.sleep(0.05)
        return time.monotonic() - begun, 0

    def an_access_log(self, arm):
        """A line waits for a second at most."""
        begun = arm()
        word = f'written-{self._testMethodName}'
        wire.ask(self.own.port, 'GET', f'/{word}')
        processes.wait_until(lambda: word in self.access_log.read_text(), 'the access log is not written', LATE)
        return time.monotonic() - begun, 0

    def survive(self, jump):
        probes = [self.a_head_that_does_not_end, self.a_second_head_that_does_not_end, self.a_body_that_does_not_come,
                  self.a_body_that_trickles, self.a_reply_that_is_not_taken, self.a_connection_that_is_idle,
                  self.a_place_that_does_not_become_free, self.a_script_that_is_silent, self.a_script_that_becomes_silent,
                  self.a_backlog_that_is_full, self.a_parked_connection, self.php_that_is_idle, self.php_that_does_not_start,
                  self.a_client_that_is_listened_to_for_nothing, self.a_file_that_changes, self.a_log_that_has_had_enough,
                  self.an_access_log]
        huge = self.root / 'files' / 'huge.bin'
        with open(huge, 'wb') as file:
            file.truncate(64 << 20)
        # Those that take a while before their deadline runs do that first.
        ready = threading.Barrier(len(probes) + 1, timeout=60)

        def run(probe):
            def arm():
                ready.wait()
                return time.monotonic()
            try:
                return probe(arm)
            except BaseException:
                ready.abort()
                raise
        with concurrent.futures.ThreadPoolExecutor(len(probes)) as pool:
            running = {probe.__name__: pool.submit(run, probe) for probe in probes}
            with contextlib.suppress(threading.BrokenBarrierError):
                ready.wait()
            time.sleep(0.3)
            self.set_clock(jump)
        wrong = {}
        # Those that waited for one that failed would hide why it did.
        broken = [future for future in running.values() if future.exception()]
        for future in sorted(broken, key=lambda future: isinstance(future.exception(), threading.BrokenBarrierError)):
            future.result()
        for name, future in running.items():
            took, due = future.result()
            # What has begun before the barrier may be over a moment early.
            if not due - 0.3 <= took <= due + LATE:
                wrong[name] = f'{took:.2f} s instead of {due:g}'
        self.assertEqual(wrong, {})
        self.expect_new_time()
        self.expect_stop_timeout(-jump)

    def expect_new_time(self):
        response = wire.ask(self.own.port, 'GET', '/files/plain.txt')
        date = email.utils.parsedate_to_datetime(response.field('Date')).timestamp()
        self.assertLess(abs(date - self.wall_clock()), 5)
        modified = email.utils.parsedate_to_datetime(response.field('Last-Modified')).timestamp()
        self.assertLessEqual(modified, date)
        script = self.connect().ask('GET', '/hello.php', host='parked.test')
        date = email.utils.parsedate_to_datetime(script.field('Date')).timestamp()
        self.assertLess(abs(date - self.wall_clock()), 5)

    def expect_stop_timeout(self, jump):
        # The script that had the only place of `busy` runs still.
        begun = time.monotonic()
        self.own.signal(signal.SIGTERM)
        time.sleep(0.3)
        self.set_clock(jump)
        self.assertEqual(self.own.wait(LATE), 0)
        took = time.monotonic() - begun
        self.assertTrue(1.1 <= took <= 1.2 + LATE, f'{took:.2f} s')

    def test_a_year_ahead(self):
        self.survive(YEAR)

    def test_a_year_back(self):
        self.survive(-YEAR)
