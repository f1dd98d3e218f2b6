"""The daemon as a process: who it is, how it stops, what it costs to have it."""

import os
import pwd
import signal
import time
import unittest

import processes
import wire
from cases import ServedCase


class Identity(ServedCase):
    @unittest.skipUnless(processes.is_root, 'only root can become somebody else')
    def test_root_is_given_up(self):
        user = processes.account()
        self.assertEqual(self.fcgate.status('Uid'), [str(user.pw_uid)] * 4)
        self.assertEqual(self.fcgate.status('Gid'), [str(user.pw_gid)] * 4)
        groups = set(map(str, os.getgrouplist(user.pw_name, user.pw_gid)))
        self.assertEqual(set(self.fcgate.status('Groups')), groups)
        self.assertEqual(self.fcgate.status('NoNewPrivs'), ['1'])
        for kind in ('CapEff', 'CapPrm', 'CapInh', 'CapAmb'):
            self.assertEqual(int(self.fcgate.status(kind)[0], 16), 0, kind)

    def start_as(self, name, user=None, prefix=()):
        port = processes.free_port()
        text = f'[server]\nlisten = 127.0.0.1:{port}\n{f"user = {user}" if user else ""}\n[site]\nroot = {self.root}\n'
        fcgate = processes.Fcgate(self.folder, text, port, name, prefix=prefix).start()
        self.addCleanup(fcgate.end)
        # The kernel lets clients in before root has been given up.
        fcgate.wait_for_log('listening on')
        return fcgate

    def start_among(self, name, users, groups, user=None, sources=('passwd: files systemd', 'group: files')):
        """On a machine that has these users and groups, and none else."""
        script = []
        for file, lines in (('passwd', users), ('group', groups), ('nsswitch.conf', sources)):
            path = self.folder / f'{name}-{file}'
            path.write_text(''.join(f'{line}\n' for line in lines))
            script.append(f'mount --bind {path} /etc/{file} && ')
        return self.start_as(name, user, ['unshare', '--mount', 'sh', '-c', f'{"".join(script)}exec "$@"', 'sh'])

    def expect_identity(self, fcgate, user, group, groups):
        self.assertEqual(fcgate.status('Uid'), [str(user)] * 4)
        self.assertEqual(fcgate.status('Gid'), [str(group)] * 4)
        self.assertEqual(set(fcgate.status('Groups')), set(map(str, groups)))

    @unittest.skipUnless(processes.is_root, 'only root can become somebody else')
    def test_root_is_given_up_without_being_asked(self):
        fcgate = self.start_as('unasked')
        user = pwd.getpwuid(int(fcgate.status('Uid')[0]))
        self.assertIn(user.pw_name, ('fcgate', 'www-data', 'nobody'))
        self.expect_identity(fcgate, user.pw_uid, user.pw_gid, os.getgrouplist(user.pw_name, user.pw_gid))

    @unittest.skipUnless(processes.is_root, 'only root can become somebody else')
    def test_who_that_is(self):
        groups = ['root:x:0:', 'video:x:44:other,fcgate', 'fcgate:x:62001:fcgate', 'dialout:x:20:fcgate']
        root, nobody = 'root:x:0:0:root:/root:/bin/sh', 'nobody:x:65534:65534::/:/bin/false'
        www, own = 'www-data:x:33:33::/var/www:/bin/false', 'fcgate:x:62000:62001::/:/bin/false'
        self.expect_identity(self.start_among('own', [root, www, own], groups), 62000, 62001, [62001, 44, 20])
        self.expect_identity(self.start_among('www', [nobody, root, www], groups), 33, 33, [33])
        # A line longer than any: what the system says then.
        long = f'long:x:1:1:{"x" * 4000}:/:/bin/false'
        self.expect_identity(self.start_among('long', [long, www, own], groups), 62000, 62001, [62001, 44, 20])
        others = ['passwd: files [NOTFOUND=return UNAVAIL = return] systemd # all', 'group: files\tdb']
        self.expect_identity(self.start_among('others', [www, own], groups, sources=others), 62000, 62001, [62001, 44, 20])

    @unittest.skipUnless(processes.is_root, 'only root can become somebody else')
    def test_who_is_named(self):
        users = ['root:x:0:0:root:/root:/bin/sh', 'www-data:x:33:33::/:/bin/false', 'panel:x:62000:62001::/:/bin/false']
        groups = ['root:x:0:', 'video:x:44:panel', 'panel:x:62001:']
        self.expect_identity(self.start_among('named', users, groups, 'panel'), 62000, 62001, [62001, 44])
        self.expect_identity(self.start_among('number', users, groups, '62000'), 62000, 62001, [62001, 44])
        others = ['group: files', 'initgroups: ldap files']
        self.expect_identity(self.start_among('others', users, groups, 'panel', others), 62000, 62001, [62001, 44])

    def test_limits(self):
        """No core files, and no more descriptors than the capacities can use: 4 of 64 connections, 160 of a thread, 256."""
        self.assertEqual(self.fcgate.limit('Max core file size'), ('0', '0'))
        self.assertEqual(self.fcgate.limit('Max open files'), ('672', '672'))

    def test_few_descriptors_are_open(self):
        links = self.fcgate.descriptors()
        sockets = sum(link.startswith('socket:') for link in links)
        self.assertLessEqual(len(links), 20, links)
        self.assertLessEqual(sockets, 2, links)


class Descriptors(ServedCase):
    def count(self):
        return len(self.fcgate.descriptors())

    def test_none_is_lost(self):
        def round_of_everything():
            for target in ('/hello.php', '/files/plain.txt', '/missing', '/files', '/fatal.php', '/large.php?blocks=20000',
                           '/stream.php?pieces=2&pause=1', '/../x', '/status.php?code=304'):
                self.get(target)
                wire.ask(self.port, 'HEAD', target)
                self.post(target, b'x' * 1000)
            for request in (b'nonsense\r\n\r\n', b'GET /hello.php HTTP/1.1\r\n\r\n', b'GET /hel', b''):
                with self.client() as client:
                    client.send(request)
            with self.client() as client:
                client.start('GET', '/large.php?blocks=100000')
                client.head()
            with self.client() as client:
                client.start('POST', '/post.php', [('Content-Length', '100000000')])
                client.response()
                client.expect_end()
        round_of_everything()
        processes.wait_until(lambda: self.count() <= 12 + self.pool.workers, 'too many descriptors are open', 5)
        before = self.count()
        for _ in range(5):
            round_of_everything()
        processes.wait_until(lambda: self.count() <= before, f'{before} descriptors have become more', 5)


class Stopping(ServedCase):
    """Each case has an fcgate of its own."""

    server = ('stop_timeout = 3s',)

    def setUp(self):
        port = processes.free_port()
        text = self.fcgate.configuration.read_text().replace(f':{self.port}\n', f':{port}\n')
        self.own = processes.Fcgate(self.folder, text, port, f'stopping-{self._testMethodName}').start()
        self.addCleanup(self.own.end)

    def begin(self, ms):
        """A client whose request PHP has, and will sleep over."""
        marker = self.marker(f'{self._testMethodName}-{ms}')
        client = wire.Client(self.own.port)
        self.addCleanup(client.close)
        client.start('GET', f'/sleep.php?ms={ms}&marker={marker.name}')
        processes.wait_until(marker.exists, 'the script does not run')
        return client

    def test_requests_in_flight_are_answered(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            with self.subTest(signal=number.name):
                if not self.own.is_alive():
                    self.own.start()
                client = self.begin(600)
                with wire.Client(self.own.port) as idle:
                    idle.ask('GET', '/files/plain.txt')
                    self.own.signal(number)
                    idle.expect_end()
                    processes.wait_until(lambda: not processes.accepts(('127.0.0.1', self.own.port)), 'it listens on')
                    self.assertTrue(self.own.is_alive())
                    response = client.response()
                    self.assertEqual(response.text, 'slept 600\n')
                    client.expect_end()
                self.assertEqual(self.own.wait(2), 0)

    def test_large_response_in_flight_is_completed(self):
        with wire.Client(self.own.port) as client:
            client.start('GET', '/large.php?blocks=100000')
            response = client.head()
            self.own.signal(signal.SIGTERM)
            client.take_body(response, 'GET')
            self.assertEqual(len(response.body), 3200000)
        self.assertEqual(self.own.wait(2), 0)

    def test_second_signal_ends_at_once(self):
        client = self.begin(2500)
        self.own.signal(signal.SIGTERM)
        processes.wait_until(lambda: not processes.accepts(('127.0.0.1', self.own.port)), 'it listens on')
        started = time.monotonic()
        self.own.signal(signal.SIGTERM)
        self.assertEqual(self.own.wait(2), 0)
        self.assertLess(time.monotonic() - started, 1)
        with self.assertRaises((wire.WireError, ConnectionError)):
            client.response()

    def test_stop_timeout_ends_what_does_not(self):
        self.begin(8000)
        started = time.monotonic()
        self.own.signal(signal.SIGTERM)
        self.assertEqual(self.own.wait(8), 0)
        took = time.monotonic() - started
        self.assertTrue(2.5 < took < 5, f'{took:.2f} s')
        self.own.wait_for_log('stop_timeout is over')

    def test_idle_daemon_goes_at_once(self):
        started = time.monotonic()
        self.own.signal(signal.SIGTERM)
        self.assertEqual(self.own.wait(), 0)
        self.assertLess(time.monotonic() - started, 1)

    def test_logs_are_opened_again(self):
        log = self.php.scratch / 'fcgate-errors.log'
        port = processes.free_port()
        text = self.own.configuration.read_text().replace(f':{self.own.port}\n', f':{port}\nerror_log = {log}\n')
        fcgate = processes.Fcgate(self.folder, text, port, 'logging').start()
        self.addCleanup(fcgate.end)
        if processes.is_root:
            self.assertEqual(log.stat().st_uid, 0, 'it was opened before root was given up')
        old = log.rename(log.with_suffix('.1'))
        fcgate.signal(signal.SIGUSR1)
        processes.wait_until(log.exists, 'no new log')
        wire.ask(port, 'GET', '/../new')
        processes.wait_until(lambda: '/../new' in log.read_text(), 'nothing in the new log')
        self.assertNotIn('/../new', old.read_text())
        fcgate.signal(signal.SIGTERM)
        self.assertEqual(fcgate.wait(), 0)


class Cost(ServedCase):
    """What it takes when nothing happens."""

    server = ('keepalive_timeout = 60s',)

    def assert_idle(self, seconds=3.0):
        switches, ticks = self.fcgate.voluntary_switches(), self.fcgate.cpu_ticks()
        started = time.monotonic()
        time.sleep(seconds)  # what is measured is that nothing happens meanwhile
        switches, ticks = self.fcgate.voluntary_switches() - switches, self.fcgate.cpu_ticks() - ticks
        passed = time.monotonic() - started
        # As many times as a second begins in it.
        self.assertLessEqual(switches, int(passed) + 1, f'woken {switches} times in {passed:.2f} s')
        self.assertLessEqual(ticks, 1, f'{ticks} ticks of CPU in {seconds:g} s')

    def test_idle_with_an_idle_client(self):
        with self.client() as silent, self.client() as served:
            served.ask('GET', '/hello.php')
            served.ask('GET', '/files/plain.txt')
            self.assertTrue(processes.accepts(('127.0.0.1', self.port)))
            time.sleep(0.3)  # the connection of the probe goes
            self.assert_idle()
            served.ask('GET', '/hello.php')
            silent.ask('GET', '/hello.php')

    def test_a_waiting_request_costs_nothing(self):
        marker = self.marker('waiting')
        with self.client() as client:
            client.start('GET', f'/sleep.php?ms=3500&marker={marker.name}')
            processes.wait_until(marker.exists, 'the script does not run')
            self.assert_idle(2.0)
            self.assertEqual(client.response().text, 'slept 3500\n')

    def test_a_client_that_does_not_read_costs_nothing(self):
        with self.client() as client:
            client.start('GET', '/large.php?blocks=655360')
            client.head()
            processes.wait_until(self.is_at_rest, 'it does not come to rest')
            self.assert_idle(2.0)

    def test_a_body_that_does_not_come_costs_nothing(self):
        with self.client() as client:
            client.send(f'POST /post.php HTTP/1.1\r\nHost: {client.host}\r\nContent-Length: 100\r\n\r\n'.encode())
            processes.wait_until(self.is_at_rest, 'it does not come to rest')
            self.assert_idle(2.0)
            client.send(b'x' * 100)
            self.assert_status(client.response(), 200)

    def is_at_rest(self):
        # As long as the client's kernel takes something, fcgate looks twice a second.
        before = self.fcgate.voluntary_switches()
        time.sleep(1)
        return self.fcgate.voluntary_switches() - before <= 1

    def test_private_memory(self):
        if self.fcgate.is_instrumented():
            self.skipTest('a build with ASan')
        port = processes.free_port()
        text = self.fcgate.configuration.read_text().replace(f':{self.port}\n', f':{port}\n')
        fcgate = processes.Fcgate(self.folder, text, port, 'memory').start()
        self.addCleanup(fcgate.end)
        idle = fcgate.private_dirty_kib()
        for number in range(200):
            wire.ask(port, 'GET', f'/hello.php?name={number}')
            wire.ask(port, 'GET', '/files/page.html')
        served = fcgate.private_dirty_kib()
        clients = [wire.Client(port) for _ in range(40)]
        for client in clients:
            client.ask('GET', '/large.php?blocks=5000')
        busy = fcgate.private_dirty_kib()
        for client in clients:
            client.close()
        print(f'    private memory: {idle} KiB idle, {served} KiB after 400 requests, {busy} KiB with 40 clients', flush=True)
        self.assertLess(idle, 1024)
        self.assertLess(served, 1024)
        self.assertLess(busy, 4096)
