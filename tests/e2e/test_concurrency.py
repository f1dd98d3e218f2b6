"""Many clients at once: everybody gets his own answer, whole."""

import concurrent.futures
import hashlib
import random
import string
import threading

import wire
from cases import EVERY_POOL, FOUR, ONE, ServedCase
from test_responses import large_hash

ALPHABET = string.ascii_letters + string.digits


def nonce(source, size=24):
    return ''.join(source.choices(ALPHABET, k=size))


class Concurrency(ServedCase):
    pools = EVERY_POOL
    clients = 50
    server = ('exchanges = 64', 'max_connections = 80')
    backend = ('queue = 64', 'queue_timeout = 30s')

    def in_parallel(self, work):
        """Runs `work(number)` for every client, all of them begun before any goes on."""
        barrier = threading.Barrier(self.clients)

        def begin(number):
            barrier.wait()
            return work(number)
        with concurrent.futures.ThreadPoolExecutor(self.clients) as pool:
            return [future.result() for future in [pool.submit(begin, number) for number in range(self.clients)]]

    def test_nobody_gets_a_byte_of_others(self):
        def work(number):
            source = random.Random(number)
            with wire.Client(self.port, timeout=30) as client:
                for _ in range(10):
                    name = nonce(source)
                    response = client.ask('GET', f'/hello.php?name={name}')
                    if (response.status, response.text) != (200, f'Hello, {name}\n'):
                        return f'asked as {name}: {response}'
                client.expect_silence()
            return None
        self.assertEqual([wrong for wrong in self.in_parallel(work) if wrong], [])

    def test_everything_at_once(self):
        """Bodies, large answers, files, errors and early leavers, mixed."""
        def ask(client, source, number):
            kind = number % 5
            if kind == 0:
                body = nonce(source).encode() * source.randrange(1, 4000)
                response = client.ask('POST', '/post.php', [('Content-Type', 'a/b')], body)
                return hashlib.sha256(body).hexdigest() in response.text
            if kind == 1:
                response = client.ask('GET', '/large.php?blocks=20000')
                return hashlib.sha256(response.body).hexdigest() == large_hash(20000)
            if kind == 2:
                return client.ask('GET', '/files/plain.txt').text == 'plain text\n'
            if kind == 3:
                return client.ask('GET', '/missing').status == 404
            with wire.Client(self.port) as leaver:
                leaver.start('GET', '/large.php?blocks=20000')
            return True

        def work(number):
            source = random.Random(1000 + number)
            with wire.Client(self.port, timeout=30) as client:
                for turn in range(5):
                    if not ask(client, source, number + turn):
                        return f'client {number}, turn {turn}'
            return None
        large_hash(20000)
        self.assertEqual([wrong for wrong in self.in_parallel(work) if wrong], [])
        self.assertEqual(self.get('/hello.php').text, 'Hello, world\n')


class Threads(Concurrency):
    """The same with several threads, which share php-fpm's places. One of them may get all clients: each with a
    request, and with one that it has left and that is not noticed yet."""

    pools = [ONE, FOUR]
    server = ('exchanges = 320', 'max_connections = 320', 'threads = 3')
