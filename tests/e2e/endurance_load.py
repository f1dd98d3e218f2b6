"""`mutate` and `drift`: the load generator in C sends, and is PHP; here it is built and fcgate watched."""

import contextlib
import functools
import os
import pathlib
import platform
import re
import signal
import subprocess

import allocations
import processes
from load import corpus

here = pathlib.Path(__file__).parent
CLIENTS = 150  # of mutate; those of drift are few enough for the defaults
FEW = 24


class Failed(AssertionError):
    """What was to be shown does not hold."""


@functools.cache
def program():
    """The load generator, compiled for this run."""
    path = processes.new_folder('program') / 'load'
    subprocess.run(['cc', '-std=gnu11', '-O2', '-o', path, *sorted((here / 'load').glob('*.c'))], check=True)
    return path


class Load:
    """A fcgate, and the program that sends to it as so many clients. `counted` says whether its calls of malloc are; in `keep` a
    script that was answered wrongly is kept."""

    def __init__(self, folder, threads=1, clients=CLIENTS, counted=False, keep=pathlib.Path()):
        self.folder, self.keep = folder, keep
        corpus.make_site(folder / 'site')
        corpus.write(folder / 'corpus')
        processes.give(folder)  # for sockets and spools
        port = processes.free_port()
        self.local = folder / 'fcgate.sock'
        self.clients = clients
        server = [f'listen = unix:{self.local}', f'threads = {threads}', f'max_connections_per_client = {clients}',
                  'header_timeout = 2s', 'body_timeout = 2s', 'keepalive_timeout = 2s', 'error_log = /dev/null', 'log_level = info']
        if clients > FEW:
            server += ['profile = full', f'exchanges = {clients}']
        backend = ['[backend]', f'address = unix:{folder}/php.sock', f'workers = {clients}', 'queue = 200']
        text = processes.configuration(port, folder / 'site', None, server, (), ['max_body = 1m', f'spool = {folder}'], backend)
        self.counter = None
        environment = None
        if counted:
            self.counter = allocations.Counter(folder)
            environment = {**os.environ, **self.counter.environment()}
        self.fcgate = processes.Fcgate(folder, text, port).start(env=environment)
        self.was_instrumented = self.fcgate.is_instrumented()

    def send(self, kind, count, seed, script=0):
        """Returns the counts that the program ends with."""
        sender = processes.Process('load', self.folder)
        sender.spawn([program(), kind, f'{self.fcgate.port}:{self.local}', self.folder / 'php.sock', self.folder / 'corpus',
                       count, seed, self.clients, self.folder / 'failed', *([script] if script else [])])
        with open(sender.log_path, errors='replace') as log, forwarded(sender):
            log.seek(sender.log_begin)
            while sender.is_alive():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    sender.child.wait(1)
                print(log.read(), end='', flush=True)
            print(log.read(), end='', flush=True)
        sender.end()
        if not self.fcgate.is_alive():
            raise Failed(f'fcgate has ended with {self.fcgate.child.returncode}:\n{self.fcgate.log()[-4000:]}')
        if sender.child.returncode != 0:
            failed = self.folder / 'failed'
            kept = self.keep / f'endurance-{kind}-{seed}.failed'
            if failed.exists():
                kept.write_bytes(failed.read_bytes())
            raise Failed(f'{sender.log()[-2000:]}(kept as {kept})')
        result = re.search(r'^RESULT (.*)$', sender.log(), re.MULTILINE)[1]
        return {name: int(value) for name, value in (word.split('=') for word in result.split())}

    def settle(self):
        """Every client is gone, and with it everything that it had."""
        processes.wait_until(lambda: self.fcgate.connections() == 0, 'connections are left', 60)
        before = None

        def at_rest():
            nonlocal before
            now = (len(self.fcgate.descriptors()), self.fcgate.voluntary_switches())
            at_rest, before = now == before, now
            return at_rest
        processes.wait_until(at_rest, 'fcgate does not come to rest', 60)

    def end(self):
        """It stops as it is told, and has said nothing that it should not: reports of sanitizers are said at the end, too."""
        self.fcgate.signal(signal.SIGTERM)
        status = self.fcgate.wait(60)
        said = re.findall(r'^.*(?:ERROR: |runtime error|SUMMARY: ).*$', self.fcgate.log(), re.MULTILINE)
        if status != 0 or said:
            raise Failed(f'fcgate has ended with {status}: {said[:5]}\n{self.fcgate.log()[-4000:]}')


@contextlib.contextmanager
def forwarded(program):
    """Who is told to end tells the program to, which then says how far it came."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda *_: program.signal(signal.SIGTERM)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def mutate(folder, options):
    load = Load(folder, options.threads)
    counts = load.send('mutated', options.count, options.seed, options.script)
    load.end()
    print(f'{counts["requests"]} mutated requests of seed {options.seed}, {counts["canaries"]} canaries answered, none wrongly; '
          f'{counts["runs"]} ran in PHP, none twice; fcgate ended with 0')
    return counts


class State:
    """What fcgate has when nobody is there."""

    def __init__(self, fcgate):
        self.anonymous = fcgate.anonymous_kib()
        self.resident = int(fcgate.status('VmRSS')[0])
        self.descriptors = len(fcgate.descriptors())

    def __str__(self):
        return f'{self.anonymous} KiB anonymous, {self.resident} resident, {self.descriptors} descriptors'


def drift(folder, options, most_kib=64, parts=5):
    """All that can be touched is touched in a warm-up: what clients and scripts have in common depends on who meets whom."""
    load = Load(folder, options.threads, FEW, counted=not options.uncounted and platform.libc_ver()[0] == 'glibc')
    load.send('plain', options.count // 4, options.seed + 1)
    load.settle()
    calls = load.counter.calls() if load.counter else None
    states, requests = [State(load.fcgate)], 0
    print(f'warm: {states[0]}', flush=True)
    for number in range(parts):
        requests += load.send('plain', options.count // parts, options.seed + 2 + number)['requests']
        load.settle()
        states.append(State(load.fcgate))
        print(f'after {requests} requests: {states[-1]}', flush=True)
    before, after = states[0], states[-1]
    ours, theirs = load.counter.since(calls, load.fcgate.pid) if load.counter else ({}, 0)
    load.end()
    print(f'{requests} requests: {after.anonymous - before.anonymous:+} KiB anonymous, '
          f'{after.resident - before.resident:+} KiB resident, {after.descriptors - before.descriptors:+} descriptors; '
          + (f'{sum(ours.values())} allocations by fcgate, {theirs} by libmicrohttpd' if load.counter else 'allocations were not counted'))
    if ours or (load.counter and theirs < requests / 10):
        raise Failed(f'fcgate has allocated: {ours}' if ours else 'the allocations of libmicrohttpd were not seen: the count is wrong')
    if after.descriptors > before.descriptors:
        raise Failed('descriptors are left open')
    if not load.was_instrumented and after.anonymous - before.anonymous > most_kib:
        raise Failed(f'memory has grown by more than {most_kib} KiB')
