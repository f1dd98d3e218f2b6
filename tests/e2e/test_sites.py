"""Which site answers, and where the daemon listens."""

import contextlib
import shutil
import socket

import processes
import wire
from cases import ServedCase
from test_variables import variables_of


class Sites(ServedCase):
    """Several sites by Host, several addresses."""

    site = ('host = first.example *.first.example',)

    @classmethod
    def setUpClass(cls):
        cls.second_port = processes.free_port()
        cls.server = [f'listen = [::1]:{cls.second_port}', f'listen = 127.0.0.1:{cls.second_port}']
        super().setUpClass()

    @classmethod
    def make_site(cls):
        root = super().make_site()
        for name in ('second', 'third'):
            shutil.copytree(root, cls.folder / name)
            (cls.folder / name / 'files' / 'plain.txt').write_text(f'{name}\n')
        # The folder is that of the user that serves, so that the socket can lie in it.
        cls.socket_path = str(processes.give(processes.new_folder('socket')) / 'http.sock')
        cls.server = [*cls.server, f'listen = unix:{cls.socket_path}']
        return root

    @classmethod
    def more_lines(cls):
        lines = []
        for name in ('second', 'third'):
            lines += [f'[site {name}]', f'host = {name}.example', f'root = {cls.folder}/{name}',
                      f'param = SITE {name}']
        return lines

    def test_site_by_name(self):
        for host, text in (('first.example', 'plain text\n'), ('second.example', 'second\n'), ('THIRD.Example:99', 'third\n'),
                           ('www.first.example', 'plain text\n'), ('second.example.', 'second\n'),
                           (f'{"a" * 70}.first.example', 'plain text\n'), (f'{"a" * 70}.firsd.example', None)):
            # Also right behind the same one, and behind one that is refused.
            for _ in range(2):
                with self.subTest(host=host):
                    response = self.get('/files/plain.txt', host=host)
                    self.assertEqual(response.text if response.status == 200 else None, text)
            self.assert_status(self.get('/files/plain.txt', host='evil.example'), 421)

    def test_scripts_run_below_their_own_root(self):
        response = self.get('/variables.php', host='second.example')
        self.assert_status(response, 200)
        found = variables_of(response)
        self.assertEqual(found['DOCUMENT_ROOT'].decode(), str(self.folder / 'second'))
        self.assertEqual(found['SCRIPT_FILENAME'].decode(), str(self.folder / 'second' / 'variables.php'))
        self.assertEqual(found['SERVER_NAME'], b'second.example')
        self.assertEqual(found['SITE'], b'second')

    def test_unknown_name_is_misdirected(self):
        for host in ('evil.example', 'first.example.evil.example', 'notfirst.example', 'xfirst.example'):
            with self.subTest(host=host):
                response = self.get('/hello.php', host=host)
                self.assert_status(response, 421)
                self.assertNotIn('Hello', response.text)

    def test_addresses_and_localhost_are_known(self):
        for host in ('127.0.0.1', '192.168.1.1:8080', '[::1]', 'localhost', 'LOCALHOST:80', socket.gethostname()):
            with self.subTest(host=host):
                self.assertEqual(self.get('/files/plain.txt', host=host).text, 'plain text\n')

    def test_malformed_hosts(self):
        for host in ('a b', 'first.example:port', '[::1', 'first.example/x', 'first..example', 'x@first.example'):
            with self.subTest(host=host):
                self.assert_status(self.get('/hello.php', host=host), 400)

    def test_every_address_answers(self):
        addresses = [self.port, self.second_port, self.socket_path]
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
            probe.bind(('::1', 0))
            addresses.append(('::1', self.second_port))
        for address in addresses:
            with self.subTest(address=address):
                response = wire.ask(address, 'GET', '/hello.php?name=here')
                self.assert_status(response, 200)
                self.assertEqual(response.text, 'Hello, here\n')

    def assert_server(self, address, host, expected):
        found = variables_of(wire.ask(address, 'GET', '/variables.php', host=host))
        names = ('SERVER_ADDR', 'SERVER_PORT', 'SERVER_NAME', 'REMOTE_ADDR')
        self.assertEqual(tuple(found.get(name, b'').decode() for name in names), expected)
        return found

    def test_every_address_is_told_to_scripts(self):
        second = str(self.second_port)
        self.assert_server(('127.0.0.1', self.second_port), 'first.example:99', ('127.0.0.1', second, 'first.example', '127.0.0.1'))
        if socket.has_ipv6:
            with contextlib.suppress(ConnectionRefusedError):  # without ::1 fcgate has left it out
                self.assert_server(('::1', self.second_port), f'[::1]:{second}', ('::1', second, '[::1]', '::1'))
                self.assert_server(('::1', self.second_port), 'first.example', ('::1', second, 'first.example', '::1'))
        found = self.assert_server(self.socket_path, 'first.example', ('unix', '80', 'first.example', 'unix'))
        self.assertNotIn('REMOTE_PORT', found)


class OneSite(ServedCase):
    """A single site that lists no names answers to any."""

    with_php = False

    def test_any_name(self):
        for host in ('anything.example', '10.0.0.1', 'a-b_c'):
            self.assert_status(self.get('/files/plain.txt', host=host), 200)

    def test_script_without_php(self):
        since = self.log_size()
        response = self.get('/hello.php')
        self.assert_status(response, 503)
        self.assertNotIn('<?php', response.text)
        self.fcgate.wait_for_log(r'no backend is configured \[no-backend\]$', since=since)


class ScriptsThatComeAndGo(ServedCase):
    """A target that led to a script is not looked for again for a second; what the application does meanwhile shows all the same."""

    site = ('index = front.html index.php', 'front_controller = /front.php')

    def test_what_the_front_controller_makes_is_there_for_the_next_request(self):
        made = self.root / 'made.txt'
        self.addCleanup(made.unlink)
        for _ in range(2):
            self.assertEqual(variables_of(self.get('/made.txt'))['SCRIPT_NAME'], b'/front.php')
        made.write_text('made\n')
        self.assertEqual(self.get('/made.txt').text, 'made\n')

    def test_an_earlier_index_file_is_there_for_the_next_request(self):
        shutil.copy(self.root / 'variables.php', self.root / 'folder' / 'index.php')
        first = self.root / 'folder' / 'front.html'
        self.addCleanup(first.unlink)
        for _ in range(2):
            self.assertEqual(variables_of(self.get('/folder/'))['SCRIPT_NAME'], b'/folder/index.php')
        first.write_text('first\n')
        self.assertEqual(self.get('/folder/').text, 'first\n')

    def test_a_removed_script_does_not_answer_and_then_the_front_controller_does(self):
        script = self.root / 'removed.php'
        shutil.copy(self.root / 'variables.php', script)
        for _ in range(2):
            self.assertEqual(variables_of(self.get('/removed.php/x?y'))['PATH_INFO'], b'/x')
        script.unlink()

        # PHP says 404 as long as it is asked for the script.
        def front_controller_answers():
            response = self.get('/removed.php/x?y')
            self.assertIn(response.status, (200, 404))
            return response.status == 200 and variables_of(response)['SCRIPT_NAME'] == b'/front.php'

        processes.wait_until(front_controller_answers, 'the front controller does not answer')

    def test_a_new_script_is_there_at_once(self):
        script = self.root / 'added.php'
        self.addCleanup(script.unlink)
        self.assertEqual(variables_of(self.get('/added.php'))['SCRIPT_NAME'], b'/front.php')
        shutil.copy(self.root / 'variables.php', script)
        self.assertEqual(variables_of(self.get('/added.php'))['SCRIPT_NAME'], b'/added.php')
