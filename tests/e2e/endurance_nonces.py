"""`nonces`: each request has a name of its own in its path, a field and its body, real PHP repeats it, and not a byte may be another's."""

import multiprocessing
import pathlib
import random
import shutil
import signal
import socket
import time

import processes
import wire
from endurance_load import Failed

here = pathlib.Path(__file__).parent
VISITORS, CONNECTIONS = 3, 6  # processes, and how many connections each of them has
SCRIPT = r"""<?php
// Everything that has the name: what the head says, how often the body shall, and the body that was sent.
header('Content-Type: application/octet-stream');
header('X-Echo: ' . $_SERVER['HTTP_X_NONCE']);
header('Set-Cookie: nonce=' . $_GET['n']);
http_response_code((int)($_GET['status'] ?? 200));
if (isset($_GET['known'])) {
    ob_start();
}
echo $_SERVER['REQUEST_METHOD'], ' ', $_SERVER['REQUEST_URI'], ' ', $_SERVER['HTTP_X_NONCE'], "\n";
echo str_repeat($_GET['n'] . "\n", (int)$_GET['lines']);
echo file_get_contents('php://input');
"""


class Request:
    """What is sent, and what is due."""

    def __init__(self, name, source, files):
        self.status, self.cookie, self.method = 200, None, 'GET'
        if source.random() < 0.2:
            self.target, self.due = source.choice(files)
            self.head, self.body = f'X-Nonce: {name}\r\n', b''
            return
        self.method = source.choice(('GET', 'GET', 'GET', 'HEAD', 'POST', 'POST', 'PUT'))
        self.status = source.choice((200, 200, 200, 200, 404, 500))
        lines = source.choice((0, 1, 1, 5, 50, 50, 500) + (5000,) * (source.random() < 0.05))
        self.target = f'/echo.php/{name}?n={name}&lines={lines}&status={self.status}' + source.choice(('', '&known'))
        self.cookie = name
        self.head, self.body = f'X-Nonce: {name}\r\n', b''
        sent = b''
        if self.method in ('POST', 'PUT'):
            sent = f'{name}|'.encode() * source.choice((0, 1, 1, 10, 300, 300) + (3000,) * (source.random() < 0.05))
            if sent and source.random() < 0.3:
                self.head += 'Transfer-Encoding: chunked\r\n'
                middle = source.randrange(len(sent))
                self.body = b''.join(b'%x\r\n%s\r\n' % (len(piece), piece) for piece in (sent[:middle], sent[middle:]) if piece) + b'0\r\n\r\n'
            else:
                self.head += f'Content-Length: {len(sent)}\r\n'
                self.body = sent
        self.due = f'{self.method} {self.target} {name}\n'.encode() + f'{name}\n'.encode() * lines + sent

    def bytes(self, host):
        return f'{self.method} {self.target} HTTP/1.1\r\nHost: {host}\r\n{self.head}\r\n'.encode() + self.body

    def judge(self, response):
        due = b'' if self.method == 'HEAD' else self.due
        told = response.field('X-Echo'), response.field('Set-Cookie')
        if response.status != self.status or response.body != due:
            raise Failed(f'{self.method} {self.target}: {response.status} and {len(response.body)} bytes of {len(due)}: {response}')
        if self.cookie and told != (self.cookie, f'nonce={self.cookie}'):
            raise Failed(f'{self.method} {self.target}: {told}')


class Visitor:
    """One connection at a time is asked, many are kept."""

    def __init__(self, port, number, seed, files):
        self.port, self.number, self.files = port, number, files
        self.source = random.Random(f'{seed}-{number}')
        self.salt = self.source.randrange(1 << 32)
        self.asked = 0
        self.clients = [None] * CONNECTIONS

    def name(self):
        self.asked += 1
        return f'n{self.number}-{self.asked}-{(self.asked * 2654435761 + self.salt) % (1 << 32):08x}'

    def turn(self):
        """Some requests at once on one of them. Returns how many were answered, and whether the client left instead."""
        place = self.source.randrange(CONNECTIONS)
        client = self.clients[place] = self.clients[place] or wire.Client(self.port, timeout=120)
        requests = [Request(self.name(), self.source, self.files) for _ in range(self.source.choice((1, 1, 2, 4, 8)))]
        client.send(b''.join(request.bytes(client.host) for request in requests))
        if self.source.random() < 0.03:
            self.leave(place, client)
            return 0
        for request in requests:
            response = client.head()
            client.take_body(response, request.method)
            request.judge(response)
        client.expect_silence()
        if self.source.random() < 0.02:
            client.close()
            self.clients[place] = None
        return len(requests)

    def leave(self, place, client):
        """In the middle of an answer, or before it."""
        if self.source.random() < 0.5:
            client.socket.recv(self.source.choice((1, 100, 5000)))
        if self.source.random() < 0.5:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        client.close()
        self.clients[place] = None


def visit(port, number, seed, files, count, answered, left, failed):
    for signal_number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, signal.SIG_DFL)
    visitor = Visitor(port, number, seed, files)
    try:
        while answered[number] < count:
            more = visitor.turn()
            answered[number] += more
            left[number] += more == 0
    except (OSError, AssertionError) as error:
        failed.put(f'visitor {number} of seed {seed}, request {visitor.asked}: {error!r}'[:3000])


def make_site(folder):
    root = folder / 'site'
    shutil.copytree(here / 'site', root)
    root.chmod(0o755)
    (root / 'echo.php').write_text(SCRIPT)
    files = []
    for number in range(8):
        content = b'file %d\n' % number * (1, 10, 100, 5000)[number % 4]
        (root / f'file{number}.txt').write_bytes(content)
        files.append((f'/file{number}.txt', content))
    return files


def nonces(folder, options):
    files = make_site(folder)
    php = processes.PhpFpm(folder, 4).start()
    port = processes.free_port()
    server = [f'threads = {options.threads}', 'max_connections_per_client = 60', 'keepalive_timeout = 10m']
    text = processes.configuration(port, folder / 'site', php, server, ['queue_timeout = 2m'], [f'spool = {processes.give(php.scratch)}'])
    fcgate = processes.Fcgate(folder, text, port).start()
    context = multiprocessing.get_context('fork')
    answered, left, failed = context.Array('q', VISITORS, lock=False), context.Array('q', VISITORS, lock=False), context.SimpleQueue()
    visitors = [context.Process(target=visit, daemon=True, args=(port, number, options.seed, files, -(-options.count // VISITORS), answered,
                                                                 left, failed)) for number in range(VISITORS)]
    for visitor in visitors:
        visitor.start()
    told = started = time.monotonic()
    try:
        while any(visitor.is_alive() for visitor in visitors) and failed.empty():
            visitors[0].join(0.2)
            if time.monotonic() > told + 30:
                told = time.monotonic()
                print(f'{told - started:6.0f} s  {sum(answered)} requests, {sum(left)} clients left', flush=True)
    finally:
        for visitor in visitors:
            visitor.terminate()
            visitor.join()
        print(f'{sum(answered)} requests of seed {options.seed} and their answers had the same names, {sum(left)} clients left', flush=True)
    if not failed.empty():
        raise Failed(failed.get())
    if sum(answered) < options.count:
        raise Failed('a visitor has ended early')
    fcgate.signal(signal.SIGTERM)
    if fcgate.wait() != 0:
        raise Failed(f'fcgate has ended with {fcgate.child.returncode}:\n{fcgate.log()[-2000:]}')
