"""`backlog`: PHP hangs, its backlog is full, and clients keep fcgate's queue full; what becomes of those who want files."""

import contextlib
import multiprocessing
import os
import pathlib
import shutil
import signal
import socket
import statistics
import struct
import threading
import time

import processes
import wire
from endurance_load import Failed

here = pathlib.Path(__file__).parent
PLACES, QUEUE = 4, 32  # of fcgate for PHP, and for those who wait
CROWD = PLACES + QUEUE + 4
DEADLINES = 5, 2  # queue_timeout, connect_timeout
TICKS = os.sysconf('SC_CLK_TCK')


class Crowd:
    """Clients in a process of their own that ask for a script again and again."""

    RECORD = struct.Struct('=Hf')  # status, seconds

    def __init__(self, port):
        self.results, sending = os.pipe2(os.O_NONBLOCK)
        os.set_blocking(sending, True)
        self.process = multiprocessing.get_context('fork').Process(target=self.run, args=(port, sending), daemon=True)
        self.process.start()
        os.close(sending)

    def run(self, port, sending):
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        threads = [threading.Thread(target=self.ask, args=(port, sending), daemon=True) for _ in range(CROWD)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def ask(self, port, sending):
        while True:
            status, started = 0, time.monotonic()
            with contextlib.suppress(OSError, AssertionError), wire.Client(port, timeout=120) as client:
                while True:
                    started = time.monotonic()
                    status = client.ask('GET', '/hello.php').status
                    os.write(sending, self.RECORD.pack(status, time.monotonic() - started))
                    # Who comes when the queue is full is sent away at once, and comes again.
                    time.sleep(0.25)
            os.write(sending, self.RECORD.pack(0, time.monotonic() - started))
            time.sleep(0.25)

    def take(self):
        """(status, seconds) of those who were answered meanwhile."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.results, self.RECORD.size * 100):
                yield from self.RECORD.iter_unpack(data)

    def end(self):
        self.process.terminate()
        self.process.join()
        os.close(self.results)


class Visitor:
    """Asks for a file on a kept connection, and knows how long each answer took."""

    def __init__(self, port):
        self.request = f'GET /files/plain.txt HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n'.encode()
        self.socket = socket.create_connection(('127.0.0.1', port), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.seconds = []

    def ask(self):
        started = time.perf_counter()
        self.socket.sendall(self.request)
        reply = piece = self.socket.recv(4096)
        # A file that is too new to be kept comes in two pieces.
        while piece and not reply.endswith(b'\r\n\r\nplain text\n') and len(reply) < 4096:
            piece = self.socket.recv(4096)
            reply += piece
        self.seconds.append(time.perf_counter() - started)
        if not reply.startswith(b'HTTP/1.1 200 ') or not reply.endswith(b'\r\n\r\nplain text\n'):
            raise Failed(f'not the file: {reply[:300]!r}')


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def hang(php):
    """The only worker is stopped, and others wait for it until nobody else can."""
    worker = next(running.pid for running in processes.descendants(php.pid))
    os.kill(worker, signal.SIGSTOP)
    opened = []
    while True:
        another = socket.socket(socket.AF_UNIX)
        another.setblocking(False)
        if another.connect_ex(php.address) != 0:
            another.close()
            return worker, opened
        opened.append(another)


def start(folder, php, name, threads, deadlines, prefix):
    port = processes.free_port()
    server = [f'threads = {threads}', 'max_connections = 64', 'max_connections_per_client = 64', 'exchanges = 64',
              'keepalive_timeout = 60s']
    backend = ['[backend]', f'address = {php.fcgate_address}', f'workers = {PLACES}', f'queue = {QUEUE}',
               'queue_timeout = {:.0f}ms'.format(1000 * deadlines[0]), 'connect_timeout = {:.0f}ms'.format(1000 * deadlines[1])]
    text = processes.configuration(port, folder / 'site', None, server, (), (), backend)
    return processes.Fcgate(folder, text, port, name, prefix=prefix).start()


class Minute:
    """What is printed, and held against the limits at the end."""

    def __init__(self, full, idle, crowd):
        self.full, self.idle, self.crowd = full, idle, crowd
        self.visitors = [Visitor(full.port), Visitor(idle.port)]
        self.answers = []
        self.ticks = full.cpu_ticks(), idle.cpu_ticks()
        self.started = time.monotonic()

    def measure(self, seconds):
        """One asks here, the other there, in turns: what the machine does otherwise hits both."""
        until = time.monotonic() + seconds
        turn = 0
        while time.monotonic() < until:
            for _ in range(20):
                turn += 1
                for visitor in self.visitors[::1 if turn % 2 else -1]:
                    visitor.ask()
            self.answers += self.crowd.take()
            time.sleep(0.2)

    def share(self, number):
        fcgate = (self.full, self.idle)[number]
        return (fcgate.cpu_ticks() - self.ticks[number]) / TICKS / (time.monotonic() - self.started)

    def wrong(self):
        return [answer for answer in self.answers if answer[0] != 503]

    def waited(self):
        """Of those who were not sent away at once because the queue was full."""
        return [seconds for _, seconds in self.answers if seconds > 0.4]

    def ratio(self, share):
        return percentile(self.visitors[0].seconds, share) / percentile(self.visitors[1].seconds, share)

    def __str__(self):
        here, there = ([1000 * percentile(visitor.seconds, share) for share in (0.5, 0.99)] for visitor in self.visitors)
        waited = self.waited() or [0]
        return (f'{len(self.visitors[0].seconds)} files each: p50 {here[0]:.3f} ms, idle {there[0]:.3f}; p99 {here[1]:.3f} ms, idle '
                f'{there[1]:.3f}, ratio {here[1] / there[1]:.2f}; CPU {100 * self.share(0):.2f} %, idle {100 * self.share(1):.2f}; '
                f'{len(self.answers)} x 503, {len(waited)} of them after {statistics.median(waited):.2f} s, at most {max(waited):.2f}; '
                f'{len(self.wrong())} wrong')


def backlog(folder, options, deadlines=DEADLINES, strict=True):
    shutil.copytree(here / 'site', folder / 'site')
    (folder / 'site').chmod(0o755)
    php = processes.PhpFpm(folder, 1, lines=('listen.backlog = 1',)).start()
    prefix = ('chrt', '--rr', '1') if options.realtime else ()
    full, idle = (start(folder, php, name, options.threads, deadlines, prefix) for name in ('full', 'idle'))
    worker, opened = hang(php)
    crowd = Crowd(full.port)
    if options.realtime:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    try:
        processes.wait_until(lambda: next(crowd.take(), None), 'nobody is told anything', 60)
        minute = Minute(full, idle, crowd)
        until = time.monotonic() + options.count
        told = 0
        while time.monotonic() < until:
            minute.measure(min(60, options.count / 2, until - time.monotonic() + 0.1))
            told += 1
            print(f'{time.monotonic() - minute.started:6.0f} s  {minute}', flush=True)
    finally:
        crowd.end()
        for one in opened:
            one.close()
        os.kill(worker, signal.SIGCONT)
    processes.wait_until(lambda: wire.ask(full.port, 'GET', '/hello.php').status == 200, 'PHP is back, and nobody gets to it')
    judge(minute, sum(deadlines), strict)
    for fcgate in (full, idle):
        fcgate.signal(signal.SIGTERM)
        if fcgate.wait() != 0:
            raise Failed(f'{fcgate.name} has ended with {fcgate.child.returncode}')
    return minute


def judge(minute, deadline, strict):
    if minute.wrong():
        raise Failed(f'not 503: {minute.wrong()[:5]}')
    if len(minute.waited()) < 3:
        raise Failed('hardly anybody waited: the queue was not full')
    # On a busy machine, whatever is measured in seconds of few requests may be anything.
    if max(minute.waited()) > deadline + (1 if strict else 20):
        raise Failed(f'a 503 came after {max(minute.waited()):.1f} s')
    if minute.share(0) > (0.05 if strict else 0.25):
        raise Failed(f'fcgate takes {100 * minute.share(0):.1f} % of a processor')
    if strict and minute.ratio(0.99) > 2:
        raise Failed(f'p99 of files is {minute.ratio(0.99):.2f} times what it is without')
