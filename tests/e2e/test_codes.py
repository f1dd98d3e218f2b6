"""What fcgate refuses by itself has its status, one line with its code in the log, and the same code in the access log."""

import json
import re
import signal
import unittest

import fake_php
import processes
import wire


def post(fields, body=b'', target=b'/index.php'):
    return b'POST %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n%s' % (target, b''.join(field + b'\r\n' for field in fields), body)


def get(target, *fields):
    return b'GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n' % (target, b''.join(field + b'\r\n' for field in fields))


CHUNKED = b'Transfer-Encoding: chunked'
REFUSALS = (
    (400, 'bad-request', b'GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n'),
    (400, 'parser-refused', post([CHUNKED], b'5\r\nhello\r\nnonsense\r\n', b'/fake.php')),
    (403, 'forbidden', post([b'Origin: http://evil.example', b'Content-Length: 0'])),
    (404, 'not-found', get(b'/none')),
    (405, 'method-not-allowed', b'DELETE /file.txt HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    (411, 'length-required', post([CHUNKED], b'1\r\nx\r\n0\r\n\r\n').replace(b'localhost', b'strict.example')),
    (412, 'precondition-failed', get(b'/file.txt', b'If-Match: "another"')),
    (413, 'body-too-large', post([b'Content-Length: 99999999'], target=b'/fake.php')),
    (414, 'target-too-long', get(b'/' + b'x' * 9000)),
    (416, 'range-not-satisfiable', get(b'/file.txt', b'Range: bytes=999-')),
    (417, 'expectation-failed', get(b'/file.txt', b'Expect: miracles')),
    (421, 'unknown-host', get(b'/').replace(b'localhost', b'evil.example')),
    (431, 'fields-too-large', get(b'/', b'X-Large: ' + b'x' * 12000)),
    (403, 'file-not-sent', get(b'/fake.php?elsewhere')),
    (404, 'file-not-sent', get(b'/fake.php?missing')),
    (500, 'internal-error', post([CHUNKED], b'1\r\nx\r\n0\r\n\r\n', b'/fake.php').replace(b'localhost', b'nowhere.example')),
    (501, 'not-implemented', b'CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n'),
    (502, 'reply-too-large', get(b'/file.txt').replace(b'localhost', b'wordy.example')),
    (502, 'head-malformed', get(b'/fake.php?nonsense')),
    (505, 'version-not-supported', b'GET / HTTP/1.2\r\nHost: localhost\r\n\r\n'),
)
# What goes wrong every day is for those who look for it.
LEVELS = {'not-found': 'debug', 'precondition-failed': 'debug', 'range-not-satisfiable': 'debug', 'method-not-allowed': 'info', 'forbidden': 'info'}


class Codes(unittest.TestCase):
    def setUp(self):
        self.folder = processes.give(processes.new_folder('codes'))
        root = self.folder / 'site'
        root.mkdir()
        for name in ('index.php', 'fake.php', 'file.txt'):
            (root / name).write_text('text\n')
        self.php = fake_php.FakePhp(self.folder / 'php.sock', {
            'elsewhere': b'X-Sendfile: /etc/passwd\r\n\r\n', 'missing': b'X-Accel-Redirect: /none\r\n\r\n', 'nonsense': b'no field\r\n\r\n'},
                                    goes_on=False)
        (self.folder / 'php.sock').chmod(0o777)
        self.addCleanup(self.php.end)
        self.access = self.folder / 'access.log'
        self.port = processes.free_port()
        sites = (('strict', 'spool ='), ('nowhere', 'spool = /nowhere/at/all'), ('wordy', *[f'header = X-Words-{n} {"word " * 380}' for n in range(6)]))
        more = [line for name, *lines in sites for line in (f'[site {name}]', f'root = {root}', f'host = {name}.example', *lines)]
        text = processes.configuration(self.port, root, None, ['log_level = debug', f'access_log = {self.access}', 'access_log_format = json'],
                                       site=['host = localhost', 'origin_check = yes', f'spool = {self.folder}'], more=more)
        text = text.replace('[site]', f'[backend]\naddress = unix:{self.folder}/php.sock\n[site]', 1)
        self.fcgate = processes.Fcgate(self.folder, text, self.port)
        self.fcgate.start()
        self.addCleanup(self.fcgate.end)

    def logs(self):
        return self.fcgate.log()

    def test_every_refusal(self):
        for status, code, request in REFUSALS:
            with self.subTest(code), wire.Client(self.port) as client:
                since = len(self.fcgate.log())
                client.send(request)
                self.assertEqual(client.response().status, status)
                level = LEVELS.get(code, r'\w+')
                self.fcgate.wait_for_log(rf' {level}: .*\[{code}\]$', since=since)
        # Of a target that is too long the start tells what it was.
        self.assertRegex(self.fcgate.log(), r'GET /x{100,}\S*: 414: ')
        self.fcgate.signal(signal.SIGTERM)
        self.assertEqual(self.fcgate.wait(), 0)
        entries = [json.loads(line) for line in self.access.read_text().splitlines()]
        told = {(entry['status'], entry['cause']) for entry in entries}
        self.assertEqual({(status, code) for status, code, _ in REFUSALS} - told, set())
        # No line about a refusal is without a code.
        lines = re.findall(r'(?m)^.*: [45]\d\d: .*$', self.fcgate.log())
        self.assertGreaterEqual(len(lines), len(REFUSALS) - 1)
        self.assertEqual([line for line in lines if not re.search(r' \[[a-z-]+\]$', line)], [])
