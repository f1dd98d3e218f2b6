"""HUP: a new configuration comes into force while requests run, or the old one stays and the log says why."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import unittest

import cases
import processes
import wire

IN_FORCE = 'a new configuration is in force'
WAITS = 'info: reload: the new configuration waits'
REFUSED = 'reload: the configuration stays as it was'


class ReloadCase(cases.ServedCase):
    pools = [cases.TWO]
    site = ('header = X-Edition first',)

    def setUp(self):
        self.first = self.fcgate.configuration.read_text()
        self.addCleanup(self.restore)

    def restore(self):
        self.reload(self.first)

    def reload(self, text, expected=IN_FORCE):
        since = self.log_size()
        self.fcgate.configuration.write_text(text)
        self.fcgate.signal(signal.SIGHUP)
        self.fcgate.wait_for_log(expected, since=since)
        return self.fcgate.log()[since:]

    def begin(self, client, duration):
        """Returns when the script runs."""
        marker = self.marker('begun')
        client.start('GET', f'/sleep.php?ms={duration}&marker=begun')
        processes.wait_until(marker.exists, 'the script does not run')

    def edition(self, name):
        return self.first.replace('X-Edition first', f'X-Edition {name}')


class Reload(ReloadCase):
    def test_new_settings_serve_new_requests_on_old_connections(self):
        client = self.client()
        self.assertEqual(client.ask('GET', '/hello.php').field('X-Edition'), 'first')
        self.reload(self.edition('second'))
        self.assertEqual(client.ask('GET', '/hello.php').field('X-Edition'), 'second')
        self.assertEqual(client.ask('GET', '/files/plain.txt').field('X-Edition'), 'second')
        self.assertEqual(self.get('/hello.php').field('X-Edition'), 'second')

    def test_a_running_request_ends_under_the_old_ones(self):
        client = self.client()
        self.begin(client, 1200)
        self.reload(self.edition('second'))
        self.assertEqual(self.get('/hello.php').field('X-Edition'), 'second')
        self.assertEqual(client.response().field('X-Edition'), 'first')

    def test_a_third_waits_for_requests_under_the_first(self):
        client = self.client()
        client.start('GET', '/large.php?blocks=655360')  # more than the kernel takes for a client that does not read
        self.assertEqual(client.head().field('X-Edition'), 'first')
        self.reload(self.edition('second'))
        since = self.log_size()
        self.reload(self.edition('third'), WAITS)
        self.assertEqual(self.get('/hello.php').field('X-Edition'), 'second')
        client.close()
        self.fcgate.wait_for_log(IN_FORCE, since=since)
        self.assertEqual(self.get('/hello.php').field('X-Edition'), 'third')
        self.assertEqual(self.fcgate.log()[since:].count(WAITS), 1)

    def test_a_bad_file_changes_nothing(self):
        wrong = {
            'max_body = much': r'fcgate\.conf:\d+: .*max_body',
            'colour = red': r'fcgate\.conf:\d+: .*colour',
            'root = /nowhere/at/all': r'root: /nowhere/at/all: No such file or directory',
            'backend = missing': r'fcgate\.conf:\d+: .*missing',
        }
        for line, words in wrong.items():
            with self.subTest(line):
                text = self.first.replace('[site]', f'[site]\n{line}')
                if line.startswith('root'):
                    text = self.first.replace(f'root = {self.root}', line)
                self.assertRegex(self.reload(text, REFUSED), words)
                self.assertEqual(self.get('/hello.php').field('X-Edition'), 'first')
        self.fcgate.configuration.unlink()
        since = self.log_size()
        self.fcgate.signal(signal.SIGHUP)
        self.fcgate.wait_for_log(REFUSED, since=since)
        self.assertEqual(self.get('/hello.php').field('X-Edition'), 'first')

    def test_what_needs_a_restart_is_said_and_the_rest_holds(self):
        text = self.edition('second').replace('[server]', '[server]\nthreads = 2\nmax_connections = 77')
        said = self.reload(text)
        self.assertRegex(said, 'these change with a restart only: threads, max_connections')
        self.assertEqual(self.get('/hello.php').field('X-Edition'), 'second')
        self.assertEqual(len(os.listdir(f'/proc/{self.fcgate.pid}/task')), 2)

    def test_a_listener_comes_and_another_goes(self):
        port = processes.free_port()
        old = self.client()
        self.assertEqual(old.ask('GET', '/hello.php').status, 200)
        listen = f'listen = 127.0.0.1:{self.port}'
        self.assertIn(listen, self.first)
        self.reload(self.first.replace(listen, f'{listen}\nlisten = 127.0.0.1:{port}'))
        self.assertEqual(wire.ask(port, 'GET', '/hello.php').status, 200)
        self.assertEqual(self.get('/hello.php').status, 200)
        self.reload(self.first.replace(listen, f'listen = 127.0.0.1:{port}'))
        self.assertEqual(wire.ask(port, 'GET', '/hello.php').status, 200)
        processes.wait_until(lambda: not processes.accepts(('127.0.0.1', self.port)), 'the old port is closed')
        self.assertEqual(old.ask('GET', '/hello.php').status, 200)

    def test_a_port_in_use_is_refused(self):
        with socket.create_server(('127.0.0.1', 0)) as taken:
            port = taken.getsockname()[1]
            listen = f'listen = 127.0.0.1:{self.port}'
            said = self.reload(self.edition('second').replace(listen, f'{listen}\nlisten = 127.0.0.1:{port}'), REFUSED)
            self.assertIn(f'127.0.0.1:{port}', said)
        self.assertEqual(self.get('/hello.php').field('X-Edition'), 'first')

    @unittest.skipUnless(processes.is_root, 'needs root, to give its rights up')
    def test_a_port_that_only_root_may_have(self):
        if int(pathlib.Path('/proc/sys/net/ipv4/ip_unprivileged_port_start').read_text()) <= 7:
            self.skipTest('every port is free for everybody here')
        said = self.reload(self.edition('second').replace('[server]', '[server]\nlisten = 127.0.0.1:7'), REFUSED)
        self.assertRegex(said, 'ports below 1024 need root .*; a restart has the rights of the start again')
        self.assertEqual(self.get('/hello.php').field('X-Edition'), 'first')

    def test_a_root_moves(self):
        moved = self.folder / 'moved'
        shutil.copytree(self.root, moved)
        (moved / 'files' / 'plain.txt').write_text('moved\n')
        self.reload(self.first.replace(f'root = {self.root}', f'root = {moved}'))
        self.assertEqual(self.get('/files/plain.txt').text, 'moved\n')

    def test_nothing_is_left_open(self):
        self.reload(self.edition('second'))
        self.reload(self.first)
        before = len(self.fcgate.descriptors())
        for name in range(20):
            self.reload(self.edition(name))
            self.assertEqual(self.get('/hello.php').field('X-Edition'), str(name))
        processes.wait_until(lambda: len(self.fcgate.descriptors()) <= before, 'descriptors are left open')


@unittest.skipUnless(processes.is_root, 'only root may name a machine')
class MachineName(cases.ServedCase):
    def test_a_machine_that_was_renamed_is_known_after_a_reload(self):
        folder, port = processes.give(processes.new_folder('renamed')), processes.free_port()
        text = processes.configuration(port, self.root, self.php, [], [], ['host = panel.example'])
        # In a name space of its own.
        named = ('unshare', '--uts', 'sh', '-c', 'hostname first-name && exec "$@"', 'sh')
        fcgate = processes.Fcgate(folder, text, port, prefix=named).start()
        self.addCleanup(fcgate.end)

        def statuses():
            return [wire.ask(port, 'GET', '/files/plain.txt', host=name).status for name in ('first-name.lan', 'second-name.lan')]

        self.assertEqual(statuses(), [200, 421])
        subprocess.run(['nsenter', f'--target={fcgate.pid}', '--uts', 'hostname', 'second-name'], check=True)
        fcgate.signal(signal.SIGHUP)
        fcgate.wait_for_log(IN_FORCE)
        self.assertEqual(statuses(), [421, 200])


class Backends(ReloadCase):
    def setUp(self):
        super().setUp()
        self.other = processes.PhpFpm(processes.new_folder('other'), 2)
        self.other.start()
        self.addCleanup(self.other.end)

    def workers_of(self, pool):
        return {running.pid for running in processes.descendants(pool.pid)}

    def test_a_backend_moves_while_it_works(self):
        client = self.client()
        self.begin(client, 1000)
        self.reload(self.first.replace(self.php.fcgate_address, self.other.fcgate_address))
        self.assertIn(int(self.get('/process.php').text), self.workers_of(self.other))
        self.assertEqual(client.response().text, 'slept 1000\n')
        # The connections to the old one that were kept are closed.
        self.restore()
        self.assertIn(int(self.get('/process.php').text), self.workers_of(self.php))

    def test_more_workers_let_those_who_wait_go_on(self):
        one = self.first.replace('workers = 2', 'workers = 1')
        self.assertNotEqual(one, self.first)
        self.reload(one)
        clients = [self.client() for _ in range(2)]
        self.begin(clients[0], 3000)
        marker = self.marker('second')
        clients[1].start('GET', '/sleep.php?ms=1&marker=second')
        self.reload(self.first)
        processes.wait_until(marker.exists, 'the one that waited does not run', 2)
        self.assertEqual(clients[1].response().text, 'slept 1\n')
        self.assertEqual(clients[0].response().text, 'slept 3000\n')


class Storm(ReloadCase):
    """Two hundred reloads under load: no request is lost."""

    pools = [cases.FOUR]

    def test_no_request_is_lost(self):
        stop = threading.Event()
        failures, counts = [], []

        def visit(number):
            count = 0
            try:
                with wire.Client(self.port) as kept:
                    while not stop.is_set():
                        count += 1
                        if number % 2 == 0:
                            answer = kept.ask('GET', '/hello.php')
                        elif number % 4 == 1:
                            answer = wire.ask(self.port, 'POST', '/post.php', (), b'x' * 2000)
                        else:
                            answer = wire.ask(self.port, 'GET', '/files/plain.txt')
                        if answer.status != 200 or answer.field('X-Edition') not in ('first', 'second'):
                            failures.append(repr(answer))
            except (AssertionError, OSError) as error:
                failures.append(repr(error))
            counts.append(count)

        visitors = [threading.Thread(target=visit, args=(number,)) for number in range(8)]
        for visitor in visitors:
            visitor.start()
        texts = [self.edition('second'), self.first]
        for turn in range(200):
            self.reload(texts[turn % 2])
        stop.set()
        for visitor in visitors:
            visitor.join()
        self.assertEqual(failures, [])
        print(f'    {sum(counts)} requests during 200 reloads', flush=True)


class ThreadedStorm(Storm):
    server = ('threads = 2',)
