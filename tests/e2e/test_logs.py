"""What the logs say of requests, wherever they go; and that they never hold a request up."""

import json
import os
import re
import signal
import socket
import threading
import time

import cases
import processes
import wire


class LoggedCase(cases.ServedCase):
    """Each case has an fcgate of its own, with one worker of PHP."""

    pools = [cases.ONE]

    def setUp(self):
        self.logs_folder = processes.give(processes.new_folder('logs'))
        self.access = self.logs_folder / 'access.log'

    def serve(self, *lines, prefix=()):
        port = processes.free_port()
        text = self.fcgate.configuration.read_text().replace(f':{self.port}\n', f':{port}\n' + ''.join(f'{line}\n' for line in lines))
        self.own = processes.Fcgate(self.folder, text, port, f'logging-{port}', prefix=prefix).start()
        self.addCleanup(self.own.end)
        return port

    def finish(self):
        self.own.signal(signal.SIGTERM)
        self.assertEqual(self.own.wait(), 0)

    def entries(self):
        """The access log as JSON, without the probe by which the start is seen."""
        return [json.loads(line) for line in self.access.read_bytes().decode('ascii').splitlines()]

    def wait_for_entry(self, target):
        return processes.wait_until(lambda: next((e for e in self.entries() if e['target'] == target), None), f'no line for {target}')


class Access(LoggedCase):
    def test_json_tells_what_has_happened(self):
        port = self.serve(f'access_log = {self.access}', 'access_log_format = json')
        wire.ask(port, 'GET', '/files/plain.txt?a=1', [('User-Agent', 'one'), ('Referer', 'http://x/"\\')])
        entry = self.wait_for_entry('/files/plain.txt?a=1')
        size = (self.root / 'files/plain.txt').stat().st_size
        self.assertEqual((entry['status'], entry['bytes'], entry['method'], entry['protocol']), (200, size, 'GET', 'HTTP/1.1'))
        self.assertEqual((entry['user_agent'], entry['referer']), ('one', 'http://x/"\\'))
        self.assertEqual((entry['backend'], entry['backend_ms'], entry['queue_ms'], entry['cause']), (None,) * 4)
        self.assertTrue(entry['whole'])
        self.assertRegex(entry['time'], r'^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$')

    def test_times_are_told_apart(self):
        """One script sleeps 2 s while another request waits for the only worker."""
        port = self.serve(f'access_log = {self.access}', 'access_log_format = json')
        marker = self.marker('logged')
        with wire.Client(port) as first, wire.Client(port) as second:
            first.start('GET', '/sleep.php?ms=2000&marker=logged')
            processes.wait_until(marker.exists, 'the script does not run')
            second.start('GET', '/sleep.php?ms=0')
            first.response()
            second.response()
        slept = self.wait_for_entry('/sleep.php?ms=2000&marker=logged')
        waited = self.wait_for_entry('/sleep.php?ms=0')
        self.assertGreaterEqual(slept['backend_ms'], 1999)
        self.assertLess(slept['queue_ms'], 1000)
        self.assertGreater(waited['queue_ms'], 1000)
        self.assertLess(waited['backend_ms'], waited['request_ms'])
        for entry in (slept, waited):
            self.assertGreaterEqual(entry['request_ms'], entry['queue_ms'] + entry['backend_ms'])
            self.assertIn('sock', entry['backend'])

    def test_no_secrets_and_no_bytes_of_others(self):
        for name in ('json', 'combined', 'common'):
            with self.subTest(name):
                self.access = self.logs_folder / name
                port = self.serve(f'access_log = {self.access}', f'access_log_format = {name}')
                for byte in [*range(1, 32), 34, 92, *range(127, 256)]:
                    # Most of these libmicrohttpd refuses.
                    with wire.Client(port) as client:
                        raw = bytes([byte])
                        client.send(b'GET /x%s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a%sb\r\nReferer: %s\r\nCookie: tasty\r\n'
                                    b'Authorization: Basic secret\r\nConnection: close\r\n\r\n' % ((raw,) * 3))
                        client.socket.settimeout(5)
                        while client.socket.recv(4096):
                            pass
                self.finish()
                text = self.access.read_bytes()
                self.assertNotIn(b'tasty', text)
                self.assertNotIn(b'secret', text)
                self.assertTrue(all(0x20 <= byte < 0x7f or byte == 0x0a for byte in text))
                self.assertGreaterEqual(len(text.splitlines()), 140)
                if name == 'json':
                    self.assertIn('/x\xff', [entry['target'] for entry in self.entries()])

    def test_refusals_have_codes(self):
        port = self.serve(f'access_log = {self.access}', 'access_log_format = json', 'header_timeout = 300ms')
        wire.ask(port, 'GET', '/missing')
        wire.ask(port, 'POST', '/hello.php', [('Content-Length', '999999999')])
        wire.ask(port, 'GET', '/' + 'x' * 9000)
        wire.ask(port, 'GET', '/fatal.php')
        with wire.Client(port) as client:
            client.send(b'GET /slow HTTP/1.1\r\n')
            self.assertEqual(client.response().status, 408)
        with wire.Client(port) as client:
            client.send(b'GET /leaves?ms=200 HTTP/1.1\r\n')
        with wire.Client(port) as client:
            client.start('GET', '/sleep.php?ms=200')
        left = self.wait_for_entry('/sleep.php?ms=200')
        self.assertEqual((left['status'], left['cause'], left['whole']), (499, 'client-left', False))
        self.finish()
        found = {(entry['status'], entry['cause']) for entry in self.entries()}
        for expected in ((404, 'not-found'), (413, 'body-too-large'), (414, 'target-too-long'), (408, 'request-timeout'), (500, None)):
            self.assertIn(expected, found)
        errors = self.own.log()
        for status, cause in found:
            # 404 is logged at level debug only; 500 is PHP's own.
            if cause not in (None, 'not-found', 'client-left'):
                self.assertIn(f'[{cause}]', errors)

    def test_rotation_under_load_loses_nothing(self):
        port = self.serve(f'access_log = {self.access}', 'access_log_format = common')
        stop = threading.Event()
        asked = [[] for _ in range(3)]

        def ask(number):
            with wire.Client(port) as client:
                while not stop.is_set():
                    target = f'/files/plain.txt?{number}-{len(asked[number])}'
                    client.ask('GET', target)
                    asked[number].append(target)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(asked))]
        for thread in threads:
            thread.start()
        rotated = []
        try:
            for number in range(20):
                old = self.access.rename(self.access.with_suffix(f'.{number}'))
                rotated.append(old)
                self.own.signal(signal.SIGUSR1)
                processes.wait_until(self.access.exists, 'no new log')
                # However slow the machine is: each has to have been answered something.
                before = list(map(len, asked))
                processes.wait_until(lambda before=before: all(len(targets) > count for targets, count in zip(asked, before)), 'no answers')
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.finish()
        found = []
        for path in [*rotated, self.access]:
            found += re.findall(r'GET (/files/plain\.txt\?\S+) ', path.read_text())
        expected = [target for targets in asked for target in targets]
        self.assertGreaterEqual(len(expected), 3 * 20)
        self.assertEqual(sorted(found), sorted(expected))

    def test_many_lines_are_written_at_once(self):
        port = self.serve(f'access_log = {self.access}', 'access_log_format = common')

        def written():
            return int(re.search(r'syscw: (\d+)', open(f'/proc/{self.own.pid}/io').read())[1])

        target = '/files/plain.txt'
        with wire.Client(port) as client:
            client.ask('GET', target)
            before = written()
            client.send((f'GET {target} HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: *\r\n\r\n' * 200).encode())
            for _ in range(200):
                self.assertEqual(client.response().status, 304)
        processes.wait_until(lambda: self.access.read_text().count(target) == 201, 'lines are missing')
        # Replies without a body do not count there: they go by send().
        self.assertLess(written() - before, 50)

    def test_a_log_at_its_limit_ends_nobody(self):
        """RLIMIT_FSIZE: lines are lost, as on a full disk."""
        port = self.serve(f'error_log = {self.logs_folder / "error.log"}', prefix=['prlimit', '--fsize=16'])
        self.assert_status(wire.ask(port, 'GET', '/files/plain.txt'), 200)
        self.finish()

    def test_a_pipe_that_nobody_reads_delays_nobody(self):
        os.mkfifo(self.access)
        processes.give(self.access)
        reader = os.open(self.access, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        port = self.serve(f'access_log = {self.access}')
        slowest = 0
        with wire.Client(port) as client:
            for _ in range(1500):
                started = time.monotonic()
                client.ask('GET', '/files/plain.txt')
                slowest = max(slowest, time.monotonic() - started)
        self.assertLess(slowest, 2)
        # Once somebody reads, what was kept comes whole, and the error log says how much was not.
        text = b''
        deadline = time.monotonic() + wire.PATIENCE
        while 'lines were lost: they could not be written in time' not in self.own.log() and time.monotonic() < deadline:
            try:
                text += os.read(reader, 1 << 20)
            except BlockingIOError:
                time.sleep(0.01)
        lost = int(re.search(r'access_log: (\d+) lines were lost', self.own.log())[1])
        self.finish()
        while piece := os.read(reader, 1 << 20):
            text += piece
        seen = text.count(b'GET /files/plain.txt ')
        self.assertEqual(seen + lost, 1500)


@processes.needs('access_log', 'syslog')
class Syslog(LoggedCase):
    def listen(self, path):
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        server.bind(str(path))
        processes.give(path)
        self.addCleanup(server.close)
        server.settimeout(wire.PATIENCE)
        return server

    def lines(self, server, word):
        """Up to the one with `word` in it."""
        found = []
        while not found or word not in found[-1]:
            found.append(server.recv(4096).decode('ascii'))
        return found

    def test_both_logs(self):
        path = self.logs_folder / 'dev-log'
        server = self.listen(path)
        port = self.serve(f'error_log = syslog:{path}', f'access_log = syslog:{path}')
        wire.ask(port, 'GET', '/files/plain.txt?one')
        head = rf'1 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z {re.escape(socket.gethostname())} fcgate {self.own.pid}'
        found = self.lines(server, '/files/plain.txt?one')
        self.assertRegex(found[0], rf'^<30>{head} log - info: listening on ')
        self.assertRegex(found[-1], rf'^<30>{head} access - 127\.0\.0\.1 - - \[.*\] "GET /files/plain\.txt\?one HTTP/1\.1" 200 ')
        wire.ask(port, 'GET', '/../x')
        self.assertRegex(self.lines(server, '/../x')[-1], rf'^<3\d>{head} ')
        # syslogd is started again.
        server.close()
        path.unlink()
        for number in range(3):
            wire.ask(port, 'GET', f'/files/plain.txt?none{number}')
        again = self.listen(path)
        wire.ask(port, 'GET', '/files/plain.txt?last')
        self.assertIn('?last', self.lines(again, '?last')[-1])

    def test_a_stuck_one_delays_nobody(self):
        path = self.logs_folder / 'dev-log'
        server = self.listen(path)  # and nobody reads
        port = self.serve(f'error_log = syslog:{path}', f'access_log = syslog:{path}')
        started = time.monotonic()
        with wire.Client(port) as client:
            for _ in range(1000):
                client.ask('GET', '/files/plain.txt')
        self.assertLess(time.monotonic() - started, 20)
        self.assertIsNotNone(server)
        self.finish()
