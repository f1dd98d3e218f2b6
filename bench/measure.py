"""One turn of one server in one scenario: figures by name."""

import contextlib
import pathlib
import re
import subprocess
import time

import servers  # noqa: F401 (knows where processes and wire are)
import processes
import readers
import wire

here = pathlib.Path(__file__).resolve().parent

RATE, P50, P99, CPU, ERRORS, THROUGHPUT = 'requests/s', 'p50 ms', 'p99 ms', 'CPU us/request', 'errors', 'MB/s'
BESIDE, ALONE = 'p99 ms beside', 'p99 ms alone'
IDLE, EACH = 'KiB idle', 'KiB each of 1000'
START = 'ms to first answer'


def figures_of(output):
    found = re.search(r'^figures (\d+) (\d+) (\d+) (\d+) (\d+)$', output, re.MULTILINE)
    requests, duration, p50, p99, errors = map(int, found.groups())
    return requests, {RATE: requests * 1e6 / duration, P50: p50 / 1e3, P99: p99 / 1e3, ERRORS: errors}


def wrk(server, path, connections, seconds, fields=(), method='GET', upload=0):
    command = ['wrk', '-t', '1', '-c', str(connections), '-d', str(seconds), '-s', str(here / 'wrk.lua')]
    for name, value in fields:
        command += ['-H', f'{name}: {value}']
    command += [f'http://127.0.0.1:{server.port}{path}', '--', method]
    return command + ([str(upload)] if upload else [])


def run(command, seconds):
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=True).stdout


def fields_of(server, scenario):
    if scenario.kind != 'not-modified':
        return scenario.fields
    return [('If-Modified-Since', wire.ask(server.port, 'GET', scenario.path).field('Last-Modified'))]


def check(server, scenario):
    """A server has to give the right answer, or its speed means nothing."""
    if server.port is None or server.is_limit:
        return
    body = b'x' * scenario.upload if scenario.upload else None
    for _ in range(20 if scenario.bytes_each < 1 << 20 else 2):
        answer = wire.ask(server.port, scenario.method, scenario.path, fields_of(server, scenario), body)
        if answer.status != scenario.status or answer.body != scenario.answer:
            raise SystemExit(f'{server.title} answers {answer}\n{server.log()[-2000:]}')


def load(server, scenario, seconds):
    if isinstance(server, servers.Loop):
        return figures_of(run(server.run(seconds), seconds))[1]
    before = server.cpu_seconds()
    output = run(wrk(server, scenario.path, scenario.connections, seconds, fields_of(server, scenario), scenario.method,
                     scenario.upload), seconds)
    cpu = server.cpu_seconds() - before
    requests, figures = figures_of(output)
    figures[CPU] = cpu * 1e6 / max(requests, 1)
    if scenario.bytes_each:
        figures[THROUGHPUT] = figures[RATE] * scenario.bytes_each / 1e6
    return figures


def beside(server, scenario, seconds):
    """p99 of a file with nothing else to do, and then while all PHP workers are busy and 60 requests wait for them."""
    alone = figures_of(run(wrk(server, scenario.path, scenario.connections, seconds), seconds))[1]
    other = subprocess.Popen(wrk(server, '/busy.php', 64, seconds + 1), stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        figures = figures_of(run(wrk(server, scenario.path, scenario.connections, seconds), seconds))[1]
    finally:
        other.wait()
    return {RATE: figures[RATE], ALONE: alone[P99], BESIDE: figures[P99], ERRORS: figures[ERRORS]}


def slow(server, scenario, seconds):
    (server.root / 'answer48k.php').write_bytes(b'<?php echo str_repeat("0123456789abcdef", 48 * 64);\n')
    with readers.SlowReaders(server.port, '/answer48k.php', 40, 5000, heads=False):
        return load(server, scenario, seconds)


def memory(server, scenario, _):
    server.end()
    server.php.end()
    server.start()
    wire.ask(server.port, 'GET', scenario.path)
    idle = server.memory_kib()
    with contextlib.ExitStack() as opened:
        for _ in range(scenario.connections):
            client = opened.enter_context(wire.Client(server.port))
            client.ask('GET', scenario.path)
        return {IDLE: idle, EACH: (server.memory_kib() - idle) / scenario.connections}


def start(server, scenario, _):
    """From its beginning to the first file."""
    server.end()
    started = time.monotonic()
    server.spawn(server.command, cwd=server.folder, env={**processes.os.environ, **(server.environment or {})})
    while True:
        try:
            answer = wire.ask(server.port, 'GET', scenario.path)
            break
        except ConnectionRefusedError:
            if time.monotonic() - started > 20:
                raise
    took = time.monotonic() - started
    if answer.body != scenario.answer:
        raise SystemExit(f'{server.title} answers {answer}')
    return {START: 1000 * took}


KINDS = {'load': load, 'not-modified': load, 'beside': beside, 'slow': slow, 'memory': memory, 'start': start}


def turn(server, scenario, seconds):
    return KINDS[scenario.kind](server, scenario, seconds)
