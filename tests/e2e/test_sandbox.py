"""sandbox = yes: the kernel keeps fcgate from files that it does not need, and everything else goes on."""

import ctypes
import signal
import unittest

import processes
import wire
from cases import ServedCase, SpawnCase
from test_files import Files
from test_requests import Requests
from test_responses import Responses


def landlock():
    """Its version; 0 without."""
    return max(ctypes.CDLL(None).syscall(444, None, 0, 1), 0)


class SandboxedFiles(Files):
    server = ('sandbox = yes', *Files.server)


class SandboxedRequests(Requests):
    pools = Requests.pools[1:2]
    server = ('sandbox = yes', *Requests.server)


class SandboxedResponses(Responses):
    pools = Responses.pools[1:2]
    server = ('sandbox = yes', *Responses.server)


class Sandbox(ServedCase):
    def setUp(self):
        logs = processes.give(processes.new_folder('logs'))
        self.access_log = logs / 'access.log'
        self.error_log = logs / 'error.log'
        port = processes.free_port()
        text = self.fcgate.configuration.read_text().replace(f':{self.port}\n', f':{port}\n')
        text = text.replace('[server]\n', f'[server]\nsandbox = yes\naccess_log = {self.access_log}\nerror_log = {self.error_log}\n'
                            'status_path = /status\n')
        self.own = processes.Fcgate(self.folder, text, port, f'sandbox-{self._testMethodName}').start()
        self.addCleanup(self.own.end)

    def ask(self, *arguments, **options):
        return wire.ask(self.own.port, *arguments, **options)

    def reload(self, text, word):
        before = self.error_log.read_text() + self.own.log()
        self.own.configuration.unlink()  # as editors do
        self.own.configuration.write_text(text)
        self.own.signal(signal.SIGHUP)
        processes.wait_until(lambda: word in (self.error_log.read_text() + self.own.log())[len(before):], f'nothing says {word}')

    def test_it_says_how_it_is(self):
        word = {0: 'unsupported', 1: 'partly on', 2: 'partly on'}.get(landlock(), 'on, Landlock')
        self.assertIn(f'sandbox: {word}', self.error_log.read_text())
        self.assertEqual(self.own.status('NoNewPrivs'), ['1'])

    def test_bodies_are_spooled(self):
        with wire.Client(self.own.port) as client:
            client.start('POST', '/post.php', [('Transfer-Encoding', 'chunked')])
            client.send(b'186a0\r\n' + b'x' * 100000 + b'\r\n0\r\n\r\n')
            response = client.response()
            self.assert_status(response, 200)
            self.assertIn('100000', response.text)

    def test_status_page_tells_the_memory(self):
        self.assertRegex(self.ask('GET', '/status?json').text, r'"memory_bytes": ?[1-9]')

    def test_logs_are_rotated(self):
        for log in (self.access_log, self.error_log):
            log.rename(f'{log}.1')
        self.own.signal(signal.SIGUSR1)
        processes.wait_until(lambda: self.access_log.exists() and self.error_log.exists(), 'they are not made again')
        self.ask('GET', '/rotated')
        processes.wait_until(lambda: '/rotated' in self.access_log.read_text(), 'it is not written to')

    def test_a_changed_file_is_read_again(self):
        text = self.own.configuration.read_text()
        self.reload(text.replace('[site]\n', '[site]\nheader = X-New yes\n'), 'configuration')
        processes.wait_until(lambda: self.ask('GET', '/files/plain.txt').field('X-New') == 'yes', 'the new one is not in force')

    @unittest.skipUnless(landlock(), 'this kernel has no Landlock')
    def test_another_root_needs_a_restart(self):
        other = processes.new_folder('other')
        text = self.own.configuration.read_text()
        self.reload(text.replace(f'root = {self.root}', f'root = {other}'), 'that needs a restart')
        self.assertEqual(self.ask('GET', '/files/plain.txt').text, 'plain text\n')


class SandboxedSpawn(SpawnCase):
    def test_php_is_free(self):
        """It reads what fcgate may not, and is stopped and started again."""
        self.serve(['sandbox = yes'], backend=['idle_stop = 300ms', 'keep_alive = no'])
        for _ in range(2):
            self.assert_hello()
            told = self.get('/reads.php?file=/etc/passwd')
            self.assert_status(told, 200)
            self.assertIn('root', told.text)
            self.assertEqual(self.runtime()['status']['NoNewPrivs'], '0')
            self.wait_for_no_php()
