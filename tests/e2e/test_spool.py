"""Request bodies whose length is not told, and answers to clients that are still sending."""

import contextlib
import hashlib
import json
import os
import subprocess
import threading
import time

import processes
import wire
from cases import ONE, TCP, TWO, ServedCase

CHUNKED = ('Transfer-Encoding', 'chunked')


def chunks(body, size):
    """The body in chunks of that size, without the end."""
    return b''.join(b'%x\r\n%b\r\n' % (len(part), part) for part in (body[at:at + size] for at in range(0, len(body), size)))


def digest(body):
    return hashlib.sha256(body).hexdigest()


class ChunkedBodies(ServedCase):
    pools = [ONE, TWO, TCP]
    site = ('max_body = 4m',)
    server = ('spool_total = 6m',)

    def send_chunked(self, client, body, size, fields=()):
        client.start('POST', '/post.php', [CHUNKED, ('Content-Type', 'a/b'), *fields])
        client.send(chunks(body, size) + b'0\r\n\r\n')
        response = client.response()
        self.assert_status(response, 200)
        return json.loads(response.body)

    def test_script_gets_all_of_it_with_its_length(self):
        with self.client() as client:
            for size, chunk in ((0, 1), (1, 1), (100, 7), (4096, 4096), (65535, 1000), (65536, 65536), (65537, 9999),
                                (1 << 20, 32768), (4 << 20, 100000)):
                with self.subTest(size=size):
                    body = os.urandom(size)
                    seen = self.send_chunked(client, body, chunk)
                    self.assertEqual((seen['size'], seen['sha256']), (size, digest(body)))
                    self.assertEqual(seen['length'], str(size))

    def test_form(self):
        with self.client() as client:
            client.start('POST', '/post.php', [CHUNKED, ('Content-Type', 'application/x-www-form-urlencoded')])
            client.send(chunks(b'name=value&other=%C3%A4', 5) + b'0\r\nTrailer: ignored\r\n\r\n')
            self.assertEqual(json.loads(client.response().body)['form'], {'name': 'value', 'other': 'ä'})

    def test_in_small_pieces(self):
        data = chunks(b'0123456789' * 20, 17) + b'0\r\n\r\n'
        with self.client() as client:
            client.start('POST', '/post.php', [CHUNKED])
            for at in range(len(data)):
                client.send(data[at:at + 1])
            self.assertEqual(json.loads(client.response().body)['sha256'], digest(b'0123456789' * 20))

    def test_continue_is_said_when_the_body_is_wanted(self):
        with self.client() as client:
            client.start('POST', '/post.php', [CHUNKED, ('Expect', '100-continue')])
            self.assertEqual(client.head().status, 100)
            client.send(chunks(b'wanted', 6) + b'0\r\n\r\n')
            self.assertEqual(json.loads(client.response().body)['sha256'], digest(b'wanted'))
            client.start('POST', '/files/plain.txt', [CHUNKED, ('Expect', '100-continue')])
            self.assertEqual(client.head().status, 405)

    def test_slow_sender_holds_no_worker(self):
        with contextlib.ExitStack() as stack:
            slow = [stack.enter_context(self.client()) for _ in range(self.pool.workers + 2)]
            for client in slow:
                client.start('POST', '/post.php', [CHUNKED])
                client.send(chunks(b'x' * 200_000, 50_000))
            time.sleep(1.2)  # longer than a body of known length would be waited for
            self.assertEqual(self.get('/hello.php').text, 'Hello, world\n')
            for client in slow:
                client.send(b'0\r\n\r\n')
                self.assertEqual(json.loads(client.response().body)['size'], 200_000)

    def test_too_large_is_heard_while_sending(self):
        before = int(self.get('/count.php').text)
        for _ in range(5):
            with self.client() as client:
                client.start('POST', '/count.php', [CHUNKED])
                with contextlib.suppress(OSError):
                    client.send(chunks(b'x' * (5 << 20), 65536))
                response = client.response()
                self.assert_status(response, 413)
                self.assertIn('413', response.text)
        self.assertEqual(int(self.get('/count.php').text), before + 1)

    def test_what_all_spool_is_bounded_and_given_back(self):
        body = os.urandom(3 << 20)
        for _ in range(3):
            with self.client() as first, self.client() as second, self.client() as third:
                for client in (first, second):
                    client.start('POST', '/post.php', [CHUNKED])
                    client.send(chunks(body, 65536))
                self.wait_for_spooled(2)
                since = self.log_size()
                third.start('POST', '/post.php', [CHUNKED])
                with contextlib.suppress(OSError):
                    third.send(chunks(body, 65536))
                self.assert_status(third.response(), 507)
                self.fcgate.wait_for_log(r'POST /post\.php: 507: its body cannot be kept in .*spool_total', since=since)
                second.close()  # what it had is free again
                first.send(b'0\r\n\r\n')
                self.assertEqual(json.loads(first.response().body)['sha256'], digest(body))
            self.wait_for_spooled(0)

    def wait_for_spooled(self, count):
        """Until so many nameless files are open; with the whole body in each that is still coming."""
        def sizes():
            found = []
            for link in (f'/proc/{self.fcgate.pid}/fd/{name}' for name in os.listdir(f'/proc/{self.fcgate.pid}/fd')):
                with contextlib.suppress(OSError):
                    if os.readlink(link).endswith('(deleted)'):
                        found.append(os.stat(link).st_size)
            return found
        processes.wait_until(lambda: len(sizes()) == count and all(size == 3 << 20 for size in sizes()), 'spooled bodies')

    def test_client_that_leaves(self):
        before = len(self.fcgate.descriptors())
        for _ in range(20):
            with self.client() as client:
                client.start('POST', '/count.php', [CHUNKED])
                client.send(chunks(b'x' * 100_000, 5000))
        processes.wait_until(lambda: len(self.fcgate.descriptors()) <= before, 'the files to be closed')


class FullDisk(ServedCase):
    """The spool's own file system is full."""

    site = ('max_body = 4m',)

    @classmethod
    def setUpClass(cls):
        cls.spool = processes.new_folder('spool')
        cls.spool.chmod(0o777)
        mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=256k,mode=1777', 'none', cls.spool], capture_output=True)
        cls.is_mounted = mounted.returncode == 0
        if cls.is_mounted:
            cls.addClassCleanup(subprocess.run, ['umount', '-l', cls.spool], check=True)
        cls.site = (*cls.site, f'spool = {cls.spool}')
        super().setUpClass()

    def test_it_is_said_and_the_next_request_is_served(self):
        if not self.is_mounted:
            self.skipTest('a file system cannot be mounted here')
        for _ in range(3):
            with self.client() as client:
                client.start('POST', '/post.php', [CHUNKED])
                with contextlib.suppress(OSError):
                    client.send(chunks(b'x' * (2 << 20), 65536))
                self.assert_status(client.response(), 507)
            with self.client() as client:
                client.start('POST', '/post.php', [CHUNKED])
                client.send(chunks(b'y' * 100_000, 65536) + b'0\r\n\r\n')
                self.assertEqual(json.loads(client.response().body)['size'], 100_000)


class NoSpool(ServedCase):
    site = ('spool =',)

    def test_length_is_required(self):
        with self.client() as client:
            client.start('POST', '/post.php', [CHUNKED])
            client.send(chunks(b'hello', 5) + b'0\r\n\r\n')
            self.assert_status(client.response(), 411)
            client.expect_end()


class MissingSpool(ServedCase):
    site = ('spool = /nowhere/at/all',)

    def test_it_is_said(self):
        since = self.log_size()
        with self.client() as client:
            client.start('POST', '/post.php', [CHUNKED])
            self.assert_status(client.response(), 500)
        self.fcgate.wait_for_log(r'POST /post\.php: 500: its body cannot be kept in /nowhere/at/all .*No such file',
                                 since=since)


class RefusedUploads(ServedCase):
    """Four megabytes are sent before the answer is looked for."""

    with_php = False
    site = ('max_body = 1m', 'deny = 127.0.0.9')
    server = ('max_connections_per_client = 64',)

    def test_every_refusal_is_heard(self):
        body = b'x' * (4 << 20)
        heard = []

        def upload(number):
            for _ in range(10):
                with self.client() as client:
                    client.start('POST', '/files/plain.txt', [('Content-Length', str(len(body)))] if number % 2 else [CHUNKED])
                    try:
                        client.send(body if number % 2 else chunks(body, 65536))
                        heard.append(client.response().status)
                    except OSError as error:
                        heard.append(error)

        threads = [threading.Thread(target=upload, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(heard, [405] * 80)
