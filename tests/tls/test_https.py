"""What is served over TLS, and what is not."""

import base64
import hashlib
import json
import re
import socket
import ssl
import subprocess
import time

import processes
import wire
from cases import ONE, TWO, ServedCase


def run(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, timeout=60, **options)


class SecureCase(ServedCase):
    """A secure listener beside the plain one, with a certificate that fcgate makes."""

    pools = [TWO]

    @classmethod
    def setUpClass(cls):
        cls.secure_port = processes.free_port()
        super().setUpClass()
        # It listens before it makes one.
        processes.wait_until(cls.certificate.exists, 'a certificate')

    @classmethod
    def make_site(cls):
        root = super().make_site()
        cls.keys = cls.folder / 'keys'
        cls.keys.mkdir()
        cls.certificate, cls.key = cls.keys / 'tls.crt', cls.keys / 'tls.key'
        cls.server = [f'listen = 127.0.0.1:{cls.secure_port} tls', f'tls_certificate = {cls.certificate}',
                      f'tls_key = {cls.key}', 'tls_self_signed = yes', *cls.limits]
        return root

    limits = ()

    def curl(self, target, *options):
        return run('curl', '--silent', '--show-error', '--cacert', self.certificate, *options,
                   f'https://localhost:{self.secure_port}{target}')

    def connect(self, verify=False, **options):
        context = ssl.create_default_context(cafile=self.certificate if verify else None)
        if not verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for name, value in options.items():
            setattr(context, name, value)
        plain = socket.create_connection(('127.0.0.1', self.secure_port), timeout=20)
        self.addCleanup(plain.close)
        secure = context.wrap_socket(plain, server_hostname='localhost')
        self.addCleanup(secure.close)
        return secure


class Https(SecureCase):
    pools = [ONE, TWO]

    def test_a_client_that_knows_the_certificate_is_content(self):
        for host in ('localhost', '127.0.0.1'):
            answer = run('curl', '--silent', '--show-error', '--cacert', self.certificate, '--write-out', ' %{http_version} %{ssl_verify_result}',
                         f'https://{host}:{self.secure_port}/files/plain.txt')
            self.assertEqual(answer.stdout.decode(), 'plain text\n 1.1 0', answer.stderr)

    def test_scripts_know_that_it_is_secure(self):
        text = self.curl('/variables.php').stdout.decode()
        found = {base64.b64decode(name): base64.b64decode(value) for name, value in (line.split(' ') for line in text.splitlines())}
        for name, value in ((b'HTTPS', b'on'), (b'REQUEST_SCHEME', b'https'), (b'SERVER_PORT', str(self.secure_port).encode())):
            self.assertEqual(found[name], value)

    def test_versions(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            secure = self.connect(minimum_version=version, maximum_version=version)
            secure.sendall(b'GET /files/plain.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
            text = b''
            while part := secure.recv(65536):
                text += part
            self.assertTrue(text.endswith(b'plain text\n'), text)
        old = run('openssl', 's_client', '-connect', f'127.0.0.1:{self.secure_port}', '-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0', stdin=subprocess.DEVNULL)
        self.assertIn(b'Cipher is (NONE)', old.stdout)

    def test_a_session_is_taken_up_again(self):
        """On whichever thread the client comes back; of TLS 1.3 a ticket comes with the first bytes of an answer."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context(cafile=self.certificate)
            context.minimum_version = context.maximum_version = version
            session, again = None, []
            for _ in range(6):
                with socket.create_connection(('127.0.0.1', self.secure_port), timeout=20) as plain, \
                        context.wrap_socket(plain, server_hostname='localhost', session=session) as secure:
                    secure.sendall(b'GET /files/plain.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
                    text = b''
                    while part := secure.recv(65536):
                        text += part
                    self.assertTrue(text.endswith(b'plain text\n'), text)
                    again.append(secure.session_reused)
                    session = secure.session
            self.assertEqual(again, [False] + [True] * 5, version)

    def time_of_answer(self):
        """How long the server's part of a handshake takes to come, from its first piece to its last, when nothing is acknowledged at once."""
        context = ssl.create_default_context(cafile=self.certificate)
        received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        secure = context.wrap_bio(received, sent, server_hostname='localhost')
        began = None
        with socket.create_connection(('127.0.0.1', self.secure_port), timeout=20) as plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
            while True:
                try:
                    secure.do_handshake()
                    return time.monotonic() - began
                except ssl.SSLWantReadError:
                    plain.sendall(sent.read())
                    received.write(plain.recv(65536))
                    began = began or time.monotonic()

    def test_a_handshake_waits_for_no_acknowledgement(self):
        # Linux puts one off for 40 ms. A busy machine may take as long now and then, but not each time.
        self.assertLess(min(self.time_of_answer() for _ in range(15)), 0.02)

    def test_what_php_sends_and_takes(self):
        large = self.curl('/large.php?blocks=655360').stdout
        self.assertEqual(len(large), len(wire.ask(self.port, 'GET', '/large.php?blocks=655360').body))
        body = self.folder / 'body'
        body.write_bytes(bytes(range(256)) * 12000)
        answer = self.curl('/post.php', '--data-binary', f'@{body}', '--header', 'Expect:', '--header', 'Content-Type: application/octet-stream')
        self.assertIn(hashlib.sha256(body.read_bytes()).hexdigest(), answer.stdout.decode())

    def test_many_requests_on_one_connection(self):
        secure = self.connect(verify=True)
        reader = secure.makefile('rb')
        for _ in range(50):
            secure.sendall(b'GET /hello.php HTTP/1.1\r\nHost: localhost\r\n\r\n')
            self.assertEqual(reader.readline(), b'HTTP/1.1 200 OK\r\n')
            length = 0
            while (line := reader.readline()) != b'\r\n':
                length = int(line.split(b':')[1]) if line.lower().startswith(b'content-length') else length
            reader.read(length)

    def test_a_body_that_is_too_large_is_refused(self):
        body = self.folder / 'too-large'
        with body.open('wb') as file:
            file.truncate(20 << 20)
        answer = self.curl('/post.php', '--data-binary', f'@{body}', '--header', 'Expect:', '--output', '/dev/null', '--write-out', '%{http_code}')
        self.assertEqual(answer.stdout, b'413', answer.stderr)

    def test_what_is_no_tls_ends_and_harms_nobody(self):
        for bytes_sent in (b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', b'\x16\x03\x01\xff\xff' + bytes(2000), bytes(1)):
            with socket.create_connection(('127.0.0.1', self.secure_port), timeout=20) as plain:
                plain.sendall(bytes_sent)
                plain.shutdown(socket.SHUT_WR)
                answer = b''
                try:
                    while part := plain.recv(65536):
                        answer += part
                except ConnectionResetError:
                    pass
                self.assertNotIn(b'HTTP/1.1 200', answer)
        self.assertEqual(self.curl('/files/plain.txt').stdout, b'plain text\n')

    def test_a_browser(self):
        folder = processes.new_folder('chromium')
        page = run('chromium', '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
                   '--disable-component-update', '--disable-sync', '--ignore-certificate-errors', f'--user-data-dir={folder}', '--dump-dom',
                   f'https://localhost:{self.secure_port}/hello.php')
        self.assertIn(b'Hello', page.stdout, page.stderr)


class Handshakes(SecureCase):
    with_php = False
    pools = [None]
    limits = ('header_timeout = 2s', 'max_connections = 4', 'max_connections_per_client = 4', 'reserved_connections = 0')

    def test_a_handshake_that_does_not_come_gives_its_place_back(self):
        started = time.monotonic()
        silent = [socket.create_connection(('127.0.0.1', self.secure_port), timeout=20) for _ in range(4)]
        for one in silent:
            self.addCleanup(one.close)
            one.sendall(b'\x16\x03\x01')
        self.assertEqual(self.curl('/files/plain.txt').stdout, b'plain text\n')
        self.assertLess(time.monotonic() - started, 4)

    def test_a_connection_opened_in_advance_is_no_request(self):
        """Browsers open them and may never need them."""
        secure = self.connect(maximum_version=ssl.TLSVersion.TLSv1_2)
        self.assertEqual(secure.recv(1), b'')
        self.assertEqual(self.curl('/files/plain.txt').stdout, b'plain text\n')
        self.assertNotIn('its head did not come in time', self.fcgate.log())


class Redirected(SecureCase):
    with_php = False
    pools = [None]
    site = ('redirect_https = yes', 'trusted_proxy = 127.0.0.1')

    def test_plain_requests_are_sent_on(self):
        for host, name in (('localhost', 'localhost'), ('127.0.0.1:80', '127.0.0.1'), ('[::1]', '[::1]')):
            response = self.get('/files/plain.txt?a=%20b', host=host)
            self.assert_status(response, 308)
            self.assertEqual(response.field('Location'), f'https://{name}:{self.secure_port}/files/plain.txt?a=%20b')
        self.assert_status(self.post('/echo.php', b'x'), 308)

    def test_secure_ones_are_answered(self):
        self.assertEqual(self.curl('/files/plain.txt').stdout, b'plain text\n')
        self.assert_status(self.get('/files/plain.txt', [('X-Forwarded-Proto', 'https')]), 200)


class Memory(SecureCase):
    with_php = False
    pools = [None]
    limits = ('max_connections_per_client = 64', 'reserved_connections = 0')

    def test_every_connection_secure_stays_below_the_budget(self):
        budget = run(processes.fcgate_path, '-c', self.fcgate.configuration, '--budget=json')
        ceiling = json.loads(budget.stdout)['sum']
        kept = []
        for _ in range(64):
            secure = self.connect()
            secure.sendall(b'GET /files/plain.txt HTTP/1.1\r\nHost: localhost\r\n\r\n')
            self.assertTrue(secure.recv(65536).startswith(b'HTTP/1.1 200'))
            kept.append(secure)
        with open(f'/proc/{self.fcgate.pid}/smaps') as file:
            used = 1024 * sum(int(number) for number in re.findall(r'^Anonymous: +(\d+)', file.read(), re.MULTILINE))
        print(f'    {used >> 10} KiB with 64 secure connections, {ceiling >> 10} KiB promised')
        self.assertLess(used, ceiling)
