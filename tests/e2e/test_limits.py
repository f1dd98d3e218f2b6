"""Requests that are too much, or no requests at all."""

import socket
import time

import processes
import wire
from cases import ServedCase


class Bodies(ServedCase):
    site = ('max_body = 100k',)

    def test_body_at_the_limit(self):
        self.assert_status(self.post('/post.php', b'x' * 102400), 200)

    def test_too_large_is_said_before_the_body_is_read(self):
        with self.client() as client:
            client.start('POST', '/count.php', [('Content-Length', '102401')])
            response = client.response()
            self.assert_status(response, 413)
            self.assertEqual(response.field('Connection'), 'close')
            client.expect_end()

    def test_too_large_is_heard_by_a_client_that_goes_on_sending(self):
        with self.client() as client:
            client.start('POST', '/count.php', [('Content-Length', str(50 << 20))])
            for _ in range(16):
                client.send(b'x' * 32768)
                time.sleep(0.005)
            self.assert_status(client.response(), 413)
            client.expect_end()

    def test_too_large_is_heard_late_by_a_client_on_a_bad_link(self):
        with self.client(window=2048) as client:
            # What was asked for before fills the window, so that the 413 stays in the server's socket.
            (self.root / 'files/some.bin').write_bytes(b'x' * 12000)
            since = self.log_size()
            client.start('GET', '/files/some.bin')
            client.start('POST', '/count.php', [('Content-Length', '9000000')])
            self.fcgate.wait_for_log('413: the body is larger', since=since)
            # The link is down for longer than a connection lingers of which nothing comes.
            time.sleep(3)
            client.send(b'x')
            self.assertEqual(len(client.response().body), 12000)
            self.assert_status(client.response(), 413)
            client.expect_end()

    def test_too_large_instead_of_100_continue(self):
        with self.client() as client:
            client.start('POST', '/count.php', [('Content-Length', '1000000'), ('Expect', '100-continue')])
            self.assertEqual(client.head().status, 413)

    def test_php_has_seen_none_of_them(self):
        before = int(self.get('/count.php').text)
        self.test_too_large_is_said_before_the_body_is_read()
        self.test_too_large_instead_of_100_continue()
        self.assertEqual(int(self.get('/count.php').text), before + 1)

    @processes.needs('spool')
    def test_chunked_body_for_a_script(self):
        with self.client() as client:
            client.start('POST', '/post.php', [('Transfer-Encoding', 'chunked')])
            client.send(b'5\r\nhello\r\n0\r\n\r\n')
            self.assert_status(client.response(), 200)
            self.assertEqual(client.ask('GET', '/files/plain.txt').text, 'plain text\n')


class Heads(ServedCase):
    def assert_refused(self, request, statuses=(400,)):
        before = int(self.get('/count.php').text)
        with self.client() as client:
            client.send(request)
            response = client.response()
            self.assertIn(response.status, statuses, response)
            self.assertEqual(response.field('Connection'), 'close')
            client.expect_end()
        self.assertEqual(int(self.get('/count.php').text), before + 1, 'the request has reached PHP')

    def test_malformed_heads_are_refused_and_closed(self):
        start, host = b'GET /count.php HTTP/1.1\r\n', b'Host: localhost\r\n'
        for name, request in {
            'space before the colon': start + host + b'X-Y : z\r\n\r\n',
            'no colon': start + host + b'nonsense\r\n\r\n',
            'space in a name': start + host + b'X Y: z\r\n\r\n',
            'empty name': start + host + b': z\r\n\r\n',
            'continued line': start + host + b'X-Y: z\r\n more\r\n\r\n',
            'no Host': start + b'\r\n',
            'two Hosts': start + host + host + b'\r\n',
            'NUL in a value': start + host + b'X-Y: a\0b\r\n\r\n',
            'control byte in a value': start + host + b'X-Y: a\x01b\r\n\r\n',
            'carriage return in a value': start + host + b'X-Y: a\rb\r\n\r\n',
            'two lengths': start + host + b'Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd',
            'length twice': start + host + b'Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc',
            'length with a sign': start + host + b'Content-Length: +3\r\n\r\nabc',
            'length in hex': start + host + b'Content-Length: 0x3\r\n\r\nabc',
            'list of lengths': start + host + b'Content-Length: 3, 3\r\n\r\nabc',
            'length and coding': start + host + b'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
            'not a version': b'GET /count.php HTTP/x.1\r\n' + host + b'\r\n',
            'space in the target': b'GET /count.php /x HTTP/1.1\r\n' + host + b'\r\n',
            'byte beyond ASCII in the target': b'GET /count.php?a=\xc3\xa4 HTTP/1.1\r\n' + host + b'\r\n',
            'target without a slash': b'GET count.php HTTP/1.1\r\n' + host + b'\r\n',
            'authority is not the Host': b'GET http://other.example/count.php HTTP/1.1\r\n' + host + b'\r\n',
        }.items():
            with self.subTest(name):
                self.assert_refused(request)

    def test_what_is_understood_but_not_done(self):
        host = b'Host: localhost\r\n'
        for name, request, statuses in (
                ('another coding', b'GET /count.php HTTP/1.1\r\n' + host + b'Transfer-Encoding: gzip\r\n\r\n', (400, 501)),
                ('HTTP/2.0', b'GET /count.php HTTP/2.0\r\n' + host + b'\r\n', (400, 505)),
                ('expectation', b'GET /count.php HTTP/1.1\r\n' + host + b'Expect: magic\r\n\r\n', (417,))):
            with self.subTest(name):
                self.assert_refused(request, statuses)

    def test_nothing_is_smuggled_behind_a_refusal(self):
        before = int(self.get('/count.php').text)
        with self.client() as client:
            client.send(b'GET /count.php HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'
                        b'GET /count.php HTTP/1.1\r\nHost: localhost\r\n\r\n')
            self.assert_status(client.response(), 400)
            client.expect_end()
        self.assertEqual(int(self.get('/count.php').text), before + 1)

    def test_large_heads(self):
        self.assert_status(self.get('/hello.php', [('Cookie', 'c' * 6000)]), 200)
        self.assert_status(self.get('/hello.php?' + 'q' * 6000), 200)
        for fields in ([('Cookie', 'c' * 30000)], [(f'X-{number}', 'x' * 100) for number in range(150)]):
            with self.client() as client:
                client.start('GET', '/hello.php', fields)
                self.assert_status(client.response(), 431)
                client.expect_end()

    def test_large_target(self):
        with self.client() as client:
            client.start('GET', '/hello.php?' + 'q' * 30000)
            self.assertIn(client.response().status, (414, 431))
            client.expect_end()

    def test_methods_that_are_for_others(self):
        self.assert_status(wire.ask(self.port, 'TRACE', '/variables.php'), 405)
        with self.client() as client:
            client.send(b'CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n')
            self.assertIn(client.response().status, (400, 501))


class Leavers(ServedCase):
    """Clients that go in the middle of what they say, which comes in one packet with their farewell or shortly before."""

    def assert_forgotten(self, *parts):
        self.get('/hello.php')
        processes.wait_until(lambda: self.fcgate.connections() == 0, 'connections of before')
        for _ in range(40):
            with self.client() as client:
                for part in parts:
                    client.send(part)
        processes.wait_until(lambda: self.fcgate.connections() == 0, 'connections are left without a client', 3)
        self.assert_status(self.get('/hello.php'), 200)

    def test_without_a_word(self):
        self.assert_forgotten()

    def test_in_the_head(self):
        self.assert_forgotten(b'GET /hel')

    def test_in_the_body(self):
        self.assert_forgotten(b'POST /post.php HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345')

    def test_between_head_and_body(self):
        self.assert_forgotten(b'POST /post.php HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n', b'12345')

    def test_in_a_large_body(self):
        self.assert_forgotten(b'POST /post.php HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n', b'x' * 100000)

    def test_in_the_second_request(self):
        self.assert_forgotten(b'GET /files/plain.txt HTTP/1.1\r\nHost: x\r\n\r\nGET /fil')

    def test_half_closed_client_gets_its_file(self):
        """`printf ... | nc -N`: it has said all and listens still."""
        with self.client() as client:
            client.send(b'GET /files/plain.txt HTTP/1.0\r\n\r\n')
            client.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(client.response().text, 'plain text\n')


class Slow(ServedCase):
    """Clients that begin and do not go on."""

    server = ('header_timeout = 600ms', 'body_timeout = 600ms', 'keepalive_timeout = 900ms')

    def assert_ended(self, client, least, most):
        started = time.monotonic()
        data = client.rest()
        took = time.monotonic() - started
        self.assertTrue(least <= took <= most, f'it took {took:.2f} s, and came to {data[:200]!r}')
        return data

    def test_head_that_does_not_end(self):
        with self.client() as client:
            client.send(b'GET /hello.php HTTP/1.1\r\nHost:')
            data = self.assert_ended(client, 0.4, 5)
        self.assertTrue(data == b'' or data.startswith(b'HTTP/1.1 408 '), data[:100])

    def test_body_that_does_not_end(self):
        with self.client() as client:
            client.send(b'POST /post.php HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345')
            data = self.assert_ended(client, 0.4, 5)
        self.assertTrue(data == b'' or data.startswith(b'HTTP/1.1 408 '), data[:100])

    def test_idle_connection(self):
        with self.client() as client:
            client.ask('GET', '/hello.php')
            self.assertEqual(self.assert_ended(client, 0.6, 5), b'')
