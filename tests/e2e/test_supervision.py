"""Started by a service manager: sockets that are open already, and what is told in return."""

import contextlib
import os
import pathlib
import signal
import socket
import sys
import unittest

import processes
import wire

# What systemd does between fork() and exec(): sockets from 3 on, and a variable with the number of this very process.
START = '''
import fcntl, os, sys
given, pid, count, names, program = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:]
given = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 32) for number in given.split(',')]
for place, number in enumerate(given):
    os.dup2(number, 3 + place)
os.closerange(3 + len(given), 64)
os.environ['LISTEN_PID'] = pid or str(os.getpid())
os.environ['LISTEN_FDS'] = count or str(len(given))
if names:
    os.environ['LISTEN_FDNAMES'] = names
os.execv(program[0], program)
'''


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = processes.new_folder('supervised')
        self.port = processes.free_port()
        self.root = self.folder / 'site'
        self.root.mkdir()
        (self.root / 'page.txt').write_text('a page')

    def make(self, *server, **options):
        text = processes.configuration(self.port, self.root, server=server)
        fcgate = processes.Fcgate(self.folder, text, self.port, **options)
        self.addCleanup(fcgate.end)
        return fcgate

    def assert_served(self, address):
        with wire.Client(address) as client:
            self.assertEqual(client.ask('GET', '/page.txt').text, 'a page')

    def stop(self, fcgate):
        fcgate.signal(signal.SIGTERM)
        self.assertEqual(fcgate.wait(), 0)


class Sockets(Case):
    def socket(self):
        made = socket.socket()
        self.addCleanup(made.close)
        made.bind(('127.0.0.1', 0))
        made.listen()
        return made

    def start(self, sockets, *server, pid='', count='', names=''):
        numbers = [each.fileno() for each in sockets]
        prefix = [sys.executable, '-c', START, ','.join(map(str, numbers)), pid, count, names]
        fcgate = self.make(*server, prefix=prefix)
        fcgate.spawn([*fcgate.prefix, fcgate.program, '-c', fcgate.configuration], pass_fds=numbers)
        return fcgate

    def refusal(self, *arguments, code=1, **options):
        fcgate = self.start(*arguments, **options)
        self.assertEqual(fcgate.wait(), code)
        return fcgate.log()

    def test_they_replace_what_is_configured(self):
        one, two = self.socket(), self.socket()
        fcgate = self.start([one, two])
        self.assert_served(one.getsockname())
        self.assert_served(two.getsockname())
        self.assertFalse(processes.accepts(('127.0.0.1', self.port)))
        self.stop(fcgate)

    def test_those_of_another_process_are_not_ours(self):
        one = self.socket()
        fcgate = self.start([one], pid=str(os.getpid()))
        fcgate.wait_for_accept(('127.0.0.1', self.port))
        self.assert_served(('127.0.0.1', self.port))
        one.setblocking(False)
        with socket.create_connection(one.getsockname()):
            processes.wait_until(lambda: self.accepted(one), 'somebody else has taken the connection')
        self.stop(fcgate)

    @staticmethod
    def accepted(listener):
        with contextlib.suppress(BlockingIOError):
            listener.accept()[0].close()
            return True

    def test_named_ones_are_found_and_the_rest_of_the_configuration_stands(self):
        panel, other = self.socket(), self.socket()
        fcgate = self.start([other, panel], 'listen = fd:panel.socket', names='other:panel.socket')
        self.assert_served(panel.getsockname())
        self.assert_served(('127.0.0.1', self.port))
        with socket.create_connection(other.getsockname()):
            self.assertTrue(self.accepted(other), 'it was not for fcgate to accept there')
        self.stop(fcgate)

    def test_one_name_may_stand_for_several(self):
        one, two = self.socket(), self.socket()
        fcgate = self.start([one, two], 'listen =', 'listen = fd:x', names='x:x')
        self.assert_served(one.getsockname())
        self.assert_served(two.getsockname())
        self.stop(fcgate)

    def test_they_stay_when_the_configuration_is_read_again(self):
        for server, names in (((), ''), (('listen =', 'listen = fd:x'), 'x')):
            with self.subTest(names=names):
                one = self.socket()
                fcgate = self.start([one], *server, names=names)
                self.assert_served(one.getsockname())
                text = fcgate.configuration.read_text()
                fcgate.configuration.write_text(text + 'header = X-Reloaded yes\n')
                fcgate.signal(signal.SIGHUP)
                processes.wait_until(lambda: self.field(one, 'X-Reloaded') == 'yes', 'the configuration is as it was')
                fcgate.configuration.write_text(text)
                fcgate.signal(signal.SIGHUP)
                processes.wait_until(lambda: self.field(one, 'X-Reloaded') is None, 'the configuration is as it was')
                self.stop(fcgate)

    @staticmethod
    def field(listener, name):
        with wire.Client(listener.getsockname()) as client:
            return client.ask('GET', '/page.txt').field(name)

    def test_a_name_that_was_not_given(self):
        log = self.refusal([self.socket()], 'listen = fd:panel', names='other', code=6)
        self.assertIn('listen fd:panel: no socket of this name was inherited', log)

    def test_a_name_without_any_socket(self):
        fcgate = self.make('listen = fd:panel')
        fcgate.spawn([fcgate.program, '-c', fcgate.configuration])
        self.assertEqual(fcgate.wait(), 6)
        self.assertIn('no socket of this name was inherited', fcgate.log())

    def test_a_socket_that_does_not_listen(self):
        silent = socket.socket()
        self.addCleanup(silent.close)
        self.assertIn('does not listen', self.refusal([silent]))

    def test_nonsense(self):
        for count in ('17', '-1', 'x', '3x', '99999999999999999999'):
            with self.subTest(count=count):
                self.assertIn(f'LISTEN_FDS: {count} is no number of sockets', self.refusal([self.socket()], count=count))
        self.assertTrue(self.refusal([self.socket()], count='9' * 2000).endswith('9\n'))
        self.assertIn('LISTEN_FDS: descriptor 4: Bad file descriptor', self.refusal([self.socket()], count='2'))
        self.assertIn('LISTEN_FDNAMES: at most', self.refusal([self.socket()], names='x' * 2000))

    def test_a_configuration_test_takes_a_name(self):
        fcgate = self.make('listen = fd:panel')
        fcgate.spawn([fcgate.program, '-c', fcgate.configuration, '-t'])
        self.assertEqual(fcgate.wait(), 0)


class Notices(Case):
    """sd_notify(3), without libsystemd."""

    def listen(self, address):
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(address)
        manager.settimeout(wire.PATIENCE)
        return manager

    def run_through(self, address, variable):
        manager = self.listen(address)
        fcgate = self.make()
        fcgate.spawn([fcgate.program, '-c', fcgate.configuration], env={**os.environ, 'NOTIFY_SOCKET': variable})
        self.assertEqual(self.notice(manager)['READY'], '1')
        # Not before it is true.
        self.assert_served(('127.0.0.1', self.port))
        fcgate.signal(signal.SIGHUP)
        reloading = self.notice(manager)
        self.assertEqual(reloading['RELOADING'], '1')
        with open('/proc/uptime') as uptime:
            age = float(uptime.read().split()[0]) - int(reloading['MONOTONIC_USEC']) / 1e6
        self.assertTrue(-1 < age < wire.PATIENCE + 1, age)
        ready = self.notice(manager)
        self.assertEqual(ready['READY'], '1')
        self.assertTrue(ready['STATUS'])
        self.assert_served(('127.0.0.1', self.port))
        fcgate.signal(signal.SIGTERM)
        self.assertEqual(self.notice(manager)['STOPPING'], '1')
        self.assertEqual(fcgate.wait(), 0)

    @staticmethod
    def notice(manager):
        return dict(line.split('=', 1) for line in manager.recv(4096).decode().splitlines())

    def test_by_path(self):
        path = str(self.folder / 'notify')
        manager_mode = os.umask(0)
        self.addCleanup(os.umask, manager_mode)
        self.run_through(path, path)

    def test_by_abstract_name(self):
        name = f'fcgate-test-{os.getpid()}-{self.port}'
        self.run_through('\0' + name, '@' + name)

    def test_a_stop_is_the_last_that_it_hears_of(self):
        path = str(self.folder / 'notify')
        mask = os.umask(0)
        self.addCleanup(os.umask, mask)
        manager = self.listen(path)
        with open(self.root / 'large', 'wb') as large:
            large.truncate(64 << 20)
        fcgate = self.make('stop_timeout = 30s')
        fcgate.spawn([fcgate.program, '-c', fcgate.configuration], env={**os.environ, 'NOTIFY_SOCKET': path})
        self.assertEqual(self.notice(manager)['READY'], '1')
        with wire.Client(self.port) as client:
            client.start('GET', '/large')
            client.head()
            fcgate.signal(signal.SIGHUP)
            self.assertIn('RELOADING', self.notice(manager))
            self.assertIn('READY', self.notice(manager))
            # This one has to wait for the client.
            fcgate.signal(signal.SIGHUP)
            self.assertIn('RELOADING', self.notice(manager))
            fcgate.signal(signal.SIGTERM)
            self.assertIn('STOPPING', self.notice(manager))
            fcgate.signal(signal.SIGHUP)
            fcgate.signal(signal.SIGTERM)
            self.assertIn('STOPPING', self.notice(manager))
            self.assertEqual(fcgate.wait(), 0)
        manager.setblocking(False)
        self.assertRaises(BlockingIOError, manager.recv, 4096)

    def test_a_manager_that_cannot_be_reached(self):
        for variable in (str(self.folder / 'nobody'), 'vsock:2:1', '@' + 'x' * 200):
            with self.subTest(variable=variable):
                fcgate = self.make()
                fcgate.start(env={**os.environ, 'NOTIFY_SOCKET': variable})
                self.assert_served(('127.0.0.1', self.port))
                fcgate.wait_for_log('warning: .*service manager')
                self.stop(fcgate)


class PidFile(Case):
    def start(self, path):
        fcgate = self.make(f'pid_file = {path}').start()
        # The kernel lets clients in before the file is written.
        fcgate.wait_for_log('listening on')
        return fcgate

    def test_it_goes_with_the_daemon(self):
        path = self.folder / 'fcgate.pid'
        fcgate = self.start(path)
        self.assertEqual(path.read_text(), f'{fcgate.pid}\n')
        self.assertEqual(path.stat().st_mode & 0o777, 0o644)
        self.stop(fcgate)
        # Root has been given up, and with it the right to remove what lies in root's folder.
        self.assertTrue(not path.exists() or (processes.is_root and path.read_text() == ''))

    def test_one_of_a_crash_is_overwritten(self):
        path = self.folder / 'fcgate.pid'
        path.write_text('1234567890123456\n')
        fcgate = self.start(path)
        self.assertEqual(path.read_text(), f'{fcgate.pid}\n')
        self.stop(fcgate)

    def test_one_that_the_next_has_written_stays(self):
        """In the same file, or in a new one where an init script has removed that of the old process first."""
        path = self.folder / 'fcgate.pid'
        for is_removed in (False, True):
            with self.subTest(is_removed=is_removed):
                old = self.start(path)
                if is_removed:
                    path.unlink()
                path.write_text('next\n')
                self.stop(old)
                self.assertEqual(path.read_text(), 'next\n')
                path.unlink()

    def test_a_link_is_not_followed(self):
        precious = self.folder / 'precious'
        precious.write_text('precious')
        path = self.folder / 'fcgate.pid'
        path.symlink_to(precious)
        fcgate = self.make(f'pid_file = {path}')
        fcgate.spawn([fcgate.program, '-c', fcgate.configuration])
        self.assertEqual(fcgate.wait(), 6)
        self.assertIn(f'server.pid_file: {path}: ', fcgate.log())
        self.assertEqual(precious.read_text(), 'precious')

    def test_a_folder_that_is_not_there(self):
        fcgate = self.make(f'pid_file = {pathlib.Path("/proc/fcgate.pid")}')
        fcgate.spawn([fcgate.program, '-c', fcgate.configuration])
        self.assertEqual(fcgate.wait(), 6)
        self.assertIn('server.pid_file: /proc/fcgate.pid: cannot be written', fcgate.log())
