"""`held`: connections of attackers who say what they say and then nothing more; fcgate sleeps all the same."""

import os
import shutil
import socket
import time

import fake_php
import processes
import wire
from endurance_backlog import here
from endurance_load import Failed

HOST = 'Host: localhost\r\n'
EACH = 5
ATTACKS = {
    'nothing': '',
    'one byte': 'G',
    'half a line': 'GET /files/pl',
    'half a head': f'GET /files/plain.txt HTTP/1.1\r\n{HOST}X-Field: val',
    'a head without its last byte': f'GET /files/plain.txt HTTP/1.1\r\n{HOST}\r',
    'line ends, and no line': '\r\n',
    'a field folded for ever': f'GET /files/plain.txt HTTP/1.1\r\n{HOST}X: {"y" * 5000}',
    'a body that does not come': f'POST /hello.php HTTP/1.1\r\n{HOST}Content-Length: 1000\r\n\r\n',
    'a part of a body': f'POST /hello.php HTTP/1.1\r\n{HOST}Content-Length: 300000\r\n\r\n{"b" * 100000}',
    '100-continue': f'POST /hello.php HTTP/1.1\r\n{HOST}Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n',
    'a size of a chunk': f'POST /hello.php HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n5',
    'a part of a chunk': f'POST /hello.php HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\nffff\r\nabc',
    'an extension of a chunk': f'POST /hello.php HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n1;{"e" * 500}',
    'chunks without the last': f'POST /hello.php HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n',
    'a trailer': f'POST /hello.php HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Trailer: ',
    'idle behind an answer': f'GET /files/plain.txt HTTP/1.1\r\n{HOST}\r\n',
    'half a head behind an answer': f'GET /files/plain.txt HTTP/1.1\r\n{HOST}\r\nGET /files/pl',
    'many requests, and half of one': f'GET /files/plain.txt HTTP/1.1\r\n{HOST}\r\n' * 30 + 'GET /x',
    'a file that nobody reads': f'GET /large.bin HTTP/1.1\r\n{HOST}\r\n',
    'output that nobody reads': f'GET /hello.php?endless HTTP/1.1\r\n{HOST}\r\n',
    'a script that is silent': f'GET /hello.php?silent HTTP/1.1\r\n{HOST}\r\n',
    'more behind a script that is silent': f'GET /hello.php?silent HTTP/1.1\r\n{HOST}\r\nGET /files/plain.txt HTTP/1.1\r\n{HOST}\r\n',
}


def attack(port, text):
    attacker = wire.Client(port, window=4096)
    attacker.socket.setblocking(False)
    data = memoryview(text.encode())
    while data:
        try:
            data = data[attacker.socket.send(data):]
        except BlockingIOError:
            break
    return attacker


def sockets(fcgate):
    return sum(link.startswith('socket:') for link in fcgate.descriptors())


def wakes_in(fcgate, seconds):
    before = fcgate.voluntary_switches()
    time.sleep(seconds)
    return fcgate.voluntary_switches() - before


def held(folder, options):
    shutil.copytree(here / 'site', folder / 'site')
    (folder / 'site').chmod(0o755)
    with open(folder / 'site' / 'large.bin', 'wb') as file:
        file.truncate(1 << 30)
    path = folder / 'php.sock'
    php = fake_php.FakePhp(path, {'endless': b'Content-Type: text/plain\r\n\r\n', 'silent': None})
    processes.give(path)
    processes.give(folder)
    count = EACH * len(ATTACKS)
    port = processes.free_port()
    times = [f'{name}_timeout = 10m' for name in ('header', 'body', 'send', 'keepalive')]
    # A thread whose part of the table is more than half full looks twice a second who is slow.
    room = (2 * count + 10) * options.threads
    server = [f'max_connections = {room}', f'max_connections_per_client = {room}', f'exchanges = {count}',
              'response_memory = 4m', f'threads = {options.threads}', *times]
    backend = ['[backend]', f'address = unix:{path}', 'workers = 100', 'response_timeout = 10m']
    text = processes.configuration(port, folder / 'site', None, server, (), [f'spool = {folder}'], backend)
    fcgate = processes.Fcgate(folder, text, port).start()
    attackers = [attack(port, text) for text in ATTACKS.values() for _ in range(EACH)]
    # Until everything has come to where it waits.
    processes.wait_until(lambda: wakes_in(fcgate, 0.6) <= options.threads, 'it does not come to rest')
    connections = sockets(fcgate)
    switches, ticks, started = fcgate.voluntary_switches(), fcgate.cpu_ticks(), time.monotonic()
    time.sleep(options.count)
    switches, ticks, passed = fcgate.voluntary_switches() - switches, fcgate.cpu_ticks() - ticks, time.monotonic() - started
    left = sockets(fcgate)
    cpu = ticks / os.sysconf('SC_CLK_TCK') / passed
    print(f'{count} connections, {len(ATTACKS)} ways; held for {passed:.0f} s, {connections} sockets of fcgate at first and {left} in the '
          f'end; woken {switches} times, {100 * cpu:.2f} % of a processor')
    for attacker in attackers:
        attacker.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        attacker.close()
    processes.wait_until(lambda: fcgate.connections() == 0, 'connections are left')
    php.end()
    if wire.ask(port, 'GET', '/files/plain.txt').text != 'plain text\n':
        raise Failed('not the file')
    # As many times as a second begins in it, on each thread.
    if switches > options.threads * (passed + 1) or ticks > max(1, passed / 10):
        raise Failed('it does not sleep')
    if connections < count or left < connections:
        raise Failed('they were not held')
