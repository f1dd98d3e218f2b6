"""What --budget promises is kept: every slot filled, the process stays below the printed sum."""

import contextlib
import json
import os
import platform
import re
import socket
import struct
import subprocess
import time
import unittest

import fake_php
import hardship
import processes
import wire
from cases import ServedCase

KIB = 1024


def budget(*arguments):
    done = subprocess.run([processes.fcgate_path, *map(str, arguments), '--budget=json'], capture_output=True, text=True, timeout=20)
    return json.loads(done.stdout)


def fields_of(size, count):
    """Header fields of so many bytes together."""
    each = size // count
    return ''.join(f'X-Field-{number:03}: '.ljust(each - 2, 'v') + '\r\n' for number in range(count))


class Told(unittest.TestCase):
    """The command line."""

    def setUp(self):
        self.folder = processes.new_folder('budget')
        self.port = processes.free_port()

    def configured(self, *server):
        path = self.folder / 'fcgate.conf'
        path.write_text(processes.configuration(self.port, self.folder, None, server, (), (),
                                                ('[backend]', 'address = unix:/run/php.sock')))
        return path

    def run_fcgate(self, *arguments):
        return subprocess.run([processes.fcgate_path, *map(str, arguments)], capture_output=True, text=True, timeout=20,
                              stdin=subprocess.DEVNULL)

    def test_the_table_says_what_the_json_says(self):
        path = self.configured('threads = 2', 'memory_ceiling = 16m')
        told = budget('-c', path)
        self.assertEqual(told['sum'], sum(pool['bytes'] for pool in told['pools']))
        self.assertTrue(all(pool['bytes'] == pool['size'] * pool['count'] for pool in told['pools']))
        self.assertEqual(told['memory_ceiling'], 16 << 20)
        table = self.run_fcgate('-c', path, '--budget')
        self.assertEqual((table.returncode, table.stderr), (0, ''))
        for pool in told['pools']:
            self.assertRegex(table.stdout, rf'(?m)^  {re.escape(pool["name"])} +{pool["size"]} +{pool["count"]} +{pool["bytes"]}$')
        self.assertRegex(table.stdout, rf'(?m)^sum +{told["sum"]} ')

    def test_the_defaults_fit_into_four_mebibytes(self):
        # What stands for a configuration that is not given has the most: PHP may be spawned.
        for arguments in (('-r', self.folder), ('-c', self.configured())):
            told = budget(*arguments)
            self.assertLessEqual(told['sum'], 4 << 20)
            self.assertIsNone(told['memory_ceiling'])

    def test_tiny_stays_below_one_mebibyte(self):
        told = budget('-r', self.folder, '-o', 'server.profile=tiny')
        self.assertLess(told['sum'], 1 << 20)
        counts = {pool['name']: pool['count'] for pool in told['pools']}
        self.assertEqual(counts['connections of clients'], 16)

    def test_more_than_the_ceiling_is_refused(self):
        path = self.configured('memory_ceiling = 2m')
        for arguments in ((), ('-t',), ('-T',)):
            done = self.run_fcgate('-c', path, *arguments)
            self.assertEqual((done.returncode, done.stdout), (6, ''), arguments)
            self.assertRegex(done.stderr, r'(?m)^sum +\d+ ')
            self.assertRegex(done.stderr, r'(?m)^fcgate: \S*: ?\[server\] memory_ceiling: all pools together can take \d+k, and 2048k are allowed')
        done = self.run_fcgate('-c', path, '--budget')
        self.assertEqual(done.returncode, 6)
        self.assertRegex(done.stdout, r'(?m)^memory_ceiling +2097152 ')
        self.assertEqual(self.run_fcgate('-c', path, '--budget', '-o', 'server.profile=tiny').returncode, 0)

    def test_a_wrong_form_is_named(self):
        done = self.run_fcgate('-r', self.folder, '--budget=xml')
        self.assertEqual(done.returncode, 2)
        self.assertIn('--budget=json', done.stderr)


class Idle(ServedCase):
    """What it costs to have it, next to lighttpd, which starts no slower and serves the same."""

    MOST_KIB = 256

    def lighttpd(self):
        port = processes.free_port()
        lines = [f'server.document-root = "{self.root}"', 'server.bind = "127.0.0.1"', f'server.port = {port}',
                 'server.modules = ("mod_fastcgi")', 'index-file.names = ("index.php")',
                 f'fastcgi.server = (".php" => (("socket" => "{self.php.address}")))']
        if processes.is_root:
            user = processes.account().pw_name
            lines += [f'server.username = "{user}"', f'server.groupname = "{user}"']
        path = self.folder / 'lighttpd.conf'
        path.write_text('\n'.join(lines) + '\n')
        server = processes.Process('lighttpd', self.folder)
        server.spawn(['/usr/sbin/lighttpd', '-D', '-f', path])
        self.addCleanup(server.end)
        server.wait_for_accept(('127.0.0.1', port))
        return server, port

    def anonymous_kib(self, server, port):
        """At first, and after a file and a page were served."""
        fresh = self.settled(server)
        for target in ('/files/plain.txt', '/hello.php'):
            self.assertEqual(wire.ask(port, 'GET', target).status, 200)
        return fresh, self.settled(server)

    def settled(self, server):
        """Neither server has done everything when it accepts: what it is when it has not changed for a while."""
        seen = []

        def at_rest():
            seen.append(int(processes.status_of(server.pid, 'RssAnon')[0]))
            return len(seen) > 50 and len(set(seen[-50:])) == 1
        processes.wait_until(at_rest, f'the memory of {server.name} does not come to rest')
        return seen[-1]

    def test_idle_memory(self):
        if self.fcgate.is_instrumented() or platform.machine() != 'x86_64' or hardship.is_on:
            self.skipTest('figures are for x86-64, without sanitizers, beside one php-fpm')
        port = processes.free_port()
        text = self.fcgate.configuration.read_text().replace(f':{self.port}\n', f':{port}\n')
        fcgate = processes.Fcgate(self.folder, text, port, 'idle').start()
        self.addCleanup(fcgate.end)
        ours = self.anonymous_kib(fcgate, port)
        theirs = self.anonymous_kib(*self.lighttpd())
        print(f'    idle, and after two requests: fcgate {ours} KiB, lighttpd {theirs} KiB', flush=True)
        self.assertLessEqual(ours[0], self.MOST_KIB)
        self.assertLessEqual(ours[0], theirs[0])


class Filled(ServedCase):
    """Connections, exchanges, places of long targets, pages, heads of requests and replies, error lines: all in use at once, and nobody
    reads."""

    with_php = False

    def reply_head(self, fields, dropped, known_length):
        """Of a script. What is `dropped` fills the memory for the head and is not sent on."""
        lines = 'Content-Type: application/octet-stream\r\n' + fields
        lines += 'Content-Length: 1000000000000\r\n' if known_length else ''
        lines += 'Keep-Alive: '.ljust(max(dropped - len(lines) - 4, 0), 'k') + '\r\n' if dropped else ''
        return (lines + '\r\n').encode()

    def start(self, server, connection_memory, threads):
        head = connection_memory // 2
        answers = {
            'large': self.reply_head(fields_of(head - 500, 62), 0, False),
            'stream': self.reply_head(fields_of(900, 8), head, False),
            'known': self.reply_head(fields_of(900, 8), head, True),
            'silent': None,
        }
        path = self.folder / f'fake-{threads}-{connection_memory}.sock'
        php = fake_php.FakePhp(path, answers)
        self.addCleanup(php.end)
        processes.give(path)
        port = processes.free_port()
        text = processes.configuration(port, self.root, None, [f'threads = {threads}', 'header_timeout = 60s', *server], (),
                                       ('max_body = 64m',), ('[backend]', f'address = unix:{path}', 'workers = 300', 'queue = 64'))
        fcgate = processes.Fcgate(self.folder, text, port, f'filled-{threads}-{connection_memory}').start()
        self.addCleanup(fcgate.end)
        return fcgate

    def ask(self, port, target, head_size, target_size, method='GET'):
        """One request whose head has so many bytes, and its counted overhead; nothing of the reply is read."""
        client = wire.Client(port, window=4096)
        self.addCleanup(client.close)
        target = target.ljust(min(target_size, head_size - 400), 't')
        start = f'{method} {target} HTTP/1.1\r\nHost: {client.host}\r\n'
        if method == 'POST':
            start += 'Content-Length: 1000000\r\n'
        left = head_size - len(start) - 2 - 8 * 64
        text = start + (fields_of(left, 4) if left > 200 else '') + '\r\n'
        client.send(text.encode())
        if method == 'POST':
            client.socket.setblocking(False)
            # There is room for some long targets: others are refused.
            with contextlib.suppress(BlockingIOError, ConnectionError):
                while client.socket.send(b'b' * 65536):
                    pass
        return client

    def fill(self, fcgate, connections, exchanges, connection_memory, threads):
        head = connection_memory // 2
        clients = []
        for number in range(connections):
            target_size = 8190 if number % 3 == 0 else 1020
            if number < exchanges:
                kind = ('stream', 'known', 'large', 'silent')[number % 4]
                method = 'POST' if kind == 'silent' else 'GET'
                clients.append(self.ask(fcgate.port, f'/hello.php?{kind}&', head, target_size, method))
            else:
                clients.append(self.ask(fcgate.port, '/sparse.bin?', head, target_size))
        return clients

    @staticmethod
    def reset(client):
        """Ends it even if there are bytes on their way that fcgate does not read."""
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        client.close()

    def settled(self, fcgate):
        """The largest anonymous memory until it has not grown for a while."""
        most, since = 0, time.monotonic()
        deadline = time.monotonic() + 40
        while time.monotonic() < min(since + 2, deadline):
            now = fcgate.anonymous_kib()
            if now > most:
                most, since = now, time.monotonic()
            time.sleep(0.05)
        return most

    def check(self, server, connections, exchanges, connection_memory, threads=1):
        with open(self.root / 'sparse.bin', 'wb') as file:
            file.truncate(1 << 32)
        fcgate = self.start(server, connection_memory, threads)
        if fcgate.is_instrumented():
            self.skipTest('a build with ASan')
        told = budget('-c', fcgate.configuration)
        idle = fcgate.anonymous_kib()
        clients = self.fill(fcgate, connections, exchanges, connection_memory, threads)
        full = self.settled(fcgate)
        # Whoever leaves makes room for the next: twice as many, and the heap has had every opportunity to fray.
        for client in clients[::2]:
            self.reset(client)
        processes.wait_until(lambda: fcgate.connections() <= len(clients[1::2]), 'who has left is still there')
        again = self.fill(fcgate, connections // 2, exchanges // 2, connection_memory, threads)
        full = max(full, self.settled(fcgate))
        limit = told['sum'] // KIB
        print(f'    {idle} KiB idle, {full} KiB with every slot filled, {limit} KiB promised', flush=True)
        self.assertLessEqual(full, limit)
        # The test would prove little if little were filled.
        self.assertGreater(full, limit * 0.6)
        for client in clients[1::2] + again:
            self.reset(client)
        processes.wait_until(lambda: fcgate.connections() == 0, 'connections are left')
        self.assertEqual(wire.ask(fcgate.port, 'GET', '/hello.php?').text, 'hello\n')

    def test_default(self):
        self.check((), 64, 32, 20 * KIB)

    def test_tiny(self):
        self.check(('profile = tiny',), 16, 6, 8 * KIB)

    def test_two_threads_and_more_of_everything(self):
        self.check(('max_connections = 160', 'exchanges = 60', 'response_memory = 4m', 'connection_memory = 32k',
                    'max_connections_per_client = 40'), 160, 120, 32 * KIB, 2)


class Drift(ServedCase):
    """Memory does not creep. DRIFT_REQUESTS says how many requests of all kinds are sent; a million takes some minutes."""

    REQUESTS = int(os.environ.get('DRIFT_REQUESTS', '20000'))
    MOST_KIB = 64

    def batch(self):
        host = f'Host: 127.0.0.1:{self.port}\r\n'
        heads = [f'GET /files/plain.txt HTTP/1.1\r\n{host}', f'GET /hello.php?name=x HTTP/1.1\r\n{host}',
                 f'HEAD /files/page.html HTTP/1.1\r\n{host}', f'GET /missing HTTP/1.1\r\n{host}', f'GET /files HTTP/1.1\r\n{host}',
                 f'GET /files/plain.txt HTTP/1.1\r\n{host}Range: bytes=2-5\r\n', f'GET /hello.php?{"y" * 3000} HTTP/1.1\r\n{host}',
                 f'GET /files/plain.txt HTTP/1.1\r\n{host}If-None-Match: *\r\n',
                 f'POST /post.php HTTP/1.1\r\n{host}Content-Length: 3000\r\n']
        pieces = [head + '\r\n' + ('z' * 3000 if head.startswith('POST') else '') for head in heads]
        pieces *= 2
        pieces.append(f'GET /large.php?blocks=500 HTTP/1.1\r\n{host}Connection: close\r\n\r\n')
        return ''.join(pieces).encode(), len(pieces)

    def send(self, count):
        batch, size = self.batch()
        sent = 0
        while sent < count:
            sockets = [socket.create_connection(('127.0.0.1', self.port), wire.PATIENCE) for _ in range(4)]
            for one in sockets:
                one.sendall(batch)
            for one in sockets:
                reply = b''
                while piece := one.recv(65536):
                    reply += piece
                one.close()
                self.assertEqual(reply.count(b'HTTP/1.1 '), size)
            sent += size * len(sockets)
        return sent

    def test_memory_does_not_creep(self):
        if self.fcgate.is_instrumented():
            self.skipTest('a build with ASan')
        self.send(max(self.REQUESTS // 20, 2000))
        before = self.fcgate.anonymous_kib()
        sent = self.send(self.REQUESTS)
        after = self.fcgate.anonymous_kib()
        print(f'    {before} KiB, and {after} KiB after {sent} requests more', flush=True)
        self.assertLessEqual(after - before, self.MOST_KIB)
