"""php-fpm that dies, hangs, comes back, recycles its processes; scripts that work on, lock, or are left alone."""

import collections
import signal
import threading
import time

import processes
import wire
from cases import EVERY_POOL, FOUR, ONE, ServedCase, TCP, TWO


class Failures(ServedCase):
    """What the client is told, and what the log says to whoever looks for the reason."""

    pools = [ONE, FOUR, TCP]
    backend = ('response_timeout = 1s', 'connect_timeout = 1s', 'queue_timeout = 2s')

    def setUp(self):
        if not self.php.is_alive():
            self.php.start()
        self.assert_recovers()

    def assert_recovers(self):
        def served():
            return self.get('/hello.php').status == 200
        processes.wait_until(served, 'requests are not served again')

    def kill_php(self):
        """Its processes end one after the other: the last of them takes the socket with it."""
        self.php.signal_group(signal.SIGKILL)
        self.php.wait()
        processes.wait_until(lambda: not processes.accepts(self.php.address), 'php-fpm lives on')

    def test_killed_between_requests(self):
        self.kill_php()
        for _ in range(3):
            since = self.log_size()
            self.assert_status(self.get('/hello.php?name=dead'), 502)
            line = self.fcgate.wait_for_log(r'error: GET /hello\.php\?name=dead: 502: backend (\S+): (.*)', since=since)
            self.assertEqual(line[1], self.php.fcgate_address)
            self.assertRegex(line[2], 'is php-fpm running')
        self.assertEqual(self.get('/files/plain.txt').text, 'plain text\n')
        self.php.start()
        self.assert_status(self.get('/hello.php'), 200)

    def test_killed_during_a_request(self):
        marker = self.marker('killed')
        since = self.log_size()
        with self.client() as client:
            client.start('GET', f'/sleep.php?ms=8000&marker={marker.name}')
            processes.wait_until(marker.exists, 'the script does not run')
            started = time.monotonic()
            self.kill_php()
            self.assert_status(client.response(), 502)
            self.assertLess(time.monotonic() - started, 2)
        self.fcgate.wait_for_log(r'error: GET /sleep\.php\S*: 502: backend \S+: \S.*', since=since)
        self.php.start()
        self.assert_status(self.get('/hello.php'), 200)

    def test_killed_during_a_response(self):
        """The client must see that the answer is not whole."""
        with self.client() as client:
            client.start('GET', '/stream.php?pieces=100&pause=100')
            client.head()
            chunks = client.chunks()
            next(chunks)
            self.kill_php()
            with self.assertRaises((wire.WireError, ConnectionError)):
                list(chunks)

    def test_stopped_gracefully_and_started_again(self):
        self.php.signal(signal.SIGQUIT)
        self.php.wait()
        since = self.log_size()
        self.assert_status(self.get('/hello.php'), 502)
        self.fcgate.wait_for_log(r': 502: .*is php-fpm running', since=since)
        self.php.start()
        self.assert_status(self.get('/hello.php'), 200)

    def test_frozen(self):
        self.php.signal_group(signal.SIGSTOP)
        try:
            since = self.log_size()
            started = time.monotonic()
            self.assert_status(self.get('/hello.php?name=frozen'), 504)
            took = time.monotonic() - started
            self.assertTrue(0.9 < took < 4, f'{took:.2f} s')
            self.fcgate.wait_for_log(r'error: GET /hello\.php\?name=frozen: 504: backend \S+: \S.*', since=since)
            self.assertEqual(self.get('/files/plain.txt').text, 'plain text\n')
        finally:
            self.php.signal_group(signal.SIGCONT)
        self.assert_recovers()

    def test_frozen_for_a_post(self):
        """It may have run: it is not sent again."""
        before = int(self.get('/count.php').text)
        self.php.signal_group(signal.SIGSTOP)
        try:
            self.assert_status(self.post('/count.php', b'x'), 504)
        finally:
            self.php.signal_group(signal.SIGCONT)
        self.assert_recovers()
        self.assertIn(int(self.get('/count.php').text) - before, (1, 2))

    def test_script_that_is_too_slow(self):
        since = self.log_size()
        self.assert_status(self.get('/sleep.php?ms=3000'), 504)
        self.fcgate.wait_for_log(r'GET /sleep\.php\?ms=3000: 504: ', since=since)
        self.assert_recovers()

    def test_slow_script_that_speaks_is_not_cut(self):
        response = self.get('/stream.php?pieces=4&pause=500')
        self.assertEqual(len(response.text.splitlines()), 4)

    def test_reloaded(self):
        """SIGUSR2: php-fpm executes itself again and keeps its socket."""
        old = self.get('/process.php').text
        self.php.signal(signal.SIGUSR2)

        def replaced():
            response = self.get('/process.php')
            return response.status == 200 and response.text != old
        processes.wait_until(replaced, 'no new processes answer')


class Kept(ServedCase):
    workers = 2
    # On a machine that stands still between two requests the connection would be given up, and the other worker answer.
    backend = ('park_timeout = 60s',)

    def test_a_worker_sleeps_until_its_next_request(self):
        """A unix socket wakes who sleeps on its other end also when what was sent is read: for nothing."""
        requests = 200
        with self.client() as client:
            pid = int(client.ask('GET', '/process.php').text)
            before = int(processes.status_of(pid, 'voluntary_ctxt_switches')[0])
            answers = {client.ask('GET', '/process.php').text for _ in range(requests)}
            sleeps = int(processes.status_of(pid, 'voluntary_ctxt_switches')[0]) - before
        self.assertEqual(answers, {f'{pid}\n'})
        self.assertLess(sleeps, 1.5 * requests)


class Recycled(ServedCase):
    """pm.max_requests: php-fpm closes a kept connection whenever a process has served its share."""

    pools = EVERY_POOL
    max_requests = 3

    def test_no_get_is_lost(self):
        with self.client() as client:
            for number in range(60):
                response = client.ask('GET', f'/hello.php?name={number}')
                self.assert_status(response, 200)
                self.assertEqual(response.text, f'Hello, {number}\n')

    def test_no_get_is_lost_among_parallel_clients(self):
        wrong = []

        def ask(client_number):
            with wire.Client(self.port) as client:
                for number in range(15):
                    name = f'{client_number}-{number}'
                    response = client.ask('GET', f'/hello.php?name={name}')
                    if response.text != f'Hello, {name}\n':
                        wrong.append((name, response))
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_posts_run_once(self):
        before = int(self.get('/count.php').text)
        with self.client() as client:
            statuses = [client.ask('POST', '/count.php', body=b'x').status for _ in range(60)]
        runs = int(self.get('/count.php').text) - before - 1
        self.assertLessEqual(runs, 60, 'one has run twice')
        self.assertGreaterEqual(runs, statuses.count(200))
        self.assertEqual(collections.Counter(statuses), {200: 60})


class Unkept(ServedCase):
    """A connection for each request."""

    backend = ('keep_alive = no',)

    def test_requests(self):
        with self.client() as client:
            for number in range(20):
                self.assertEqual(client.ask('GET', f'/hello.php?name={number}').text, f'Hello, {number}\n')
            client.ask('POST', '/post.php', [('Content-Type', 'a/b')], b'x' * 300000)
            self.assertEqual(len(client.ask('GET', '/large.php?blocks=40000').body), 40000 * 32)


class Scripts(ServedCase):
    pools = EVERY_POOL

    def test_finished_request_is_answered_before_its_work_is_done(self):
        marker = self.marker('finished')
        with self.client() as client:
            started = time.monotonic()
            response = client.ask('GET', f'/finish.php?ms=700&marker={marker.name}')
            took = time.monotonic() - started
            self.assertEqual(response.text, 'accepted\n')
            self.assertFalse(marker.exists(), f'the answer came with the work, after {took:.2f} s')
            processes.wait_until(marker.exists, 'the work was not done')
            self.assertEqual(client.ask('GET', '/hello.php').text, 'Hello, world\n')

    def test_nobody_waits_for_work_behind_a_reply(self):
        """Another worker is free, whatever connections are kept."""
        if self.pool.workers < 2 or self.pool.tcp:
            self.skipTest('there is none, or it cannot be told')
        marker = self.marker('works')
        with self.client() as client:
            self.assertEqual(client.ask('GET', f'/finish.php?ms=1500&marker={marker.name}').text, 'accepted\n')
            self.assertEqual(client.ask('GET', '/hello.php').text, 'Hello, world\n')
        self.assertFalse(marker.exists(), 'it has waited for the work')
        processes.wait_until(marker.exists, 'the work was not done')

    def test_session_is_locked_for_one_request_at_a_time(self):
        first = self.get('/session.php')
        self.assertEqual(first.text, '1\n')
        cookie = first.field('Set-Cookie').split(';')[0]
        with self.client() as one, self.client() as two:
            for client in (one, two):
                client.start('GET', '/session.php?ms=200', [('Cookie', cookie)])
            self.assertEqual(sorted(client.response().text for client in (one, two)), ['2\n', '3\n'])

    def test_client_that_leaves_frees_its_worker(self):
        for number in range(self.pool.workers):
            marker = self.marker(f'left-{number}')
            client = self.client()
            client.start('GET', f'/endless.php?marker={marker.name}')
            self.assert_status(client.head(), 200)
            next(client.chunks())
            client.close()
            # Made first, and then written to.
            processes.wait_until(lambda: marker.exists() and marker.read_text() != '',
                                 'the script runs on without its client', 5)
            self.assertEqual(marker.read_text(), '1', 'connection_aborted()')
        started = time.monotonic()
        self.assertEqual(self.get('/hello.php').text, 'Hello, world\n')
        self.assertLess(time.monotonic() - started, 2)

    def test_clients_that_leave_all_at_once(self):
        clients = [self.client() for _ in range(2 * self.pool.workers)]
        for client in clients:
            client.start('GET', '/endless.php?marker=all')
        self.assert_status(clients[0].head(), 200)
        for client in clients:
            client.close()
        started = time.monotonic()
        self.assertEqual(self.get('/hello.php').text, 'Hello, world\n')
        self.assertLess(time.monotonic() - started, 5)

    def test_client_that_leaves_its_upload(self):
        before = int(self.get('/count.php').text)
        with self.client() as client:
            client.start('POST', '/count.php', [('Content-Length', '5000000')])
            client.send(b'x' * 200000)
        self.assertEqual(self.get('/hello.php').text, 'Hello, world\n')
        # PHP may run it with the part it has got, once at most.
        self.assertLessEqual(int(self.get('/count.php').text) - before, 2)

    def test_slow_upload_holds_no_worker(self):
        """With its first kilobytes alone a body is not yet PHP's business."""
        slow = [self.client() for _ in range(self.pool.workers)]
        for client in slow:
            client.start('POST', '/post.php', [('Content-Length', '20000')])
            client.send(b'x' * 10000)
        started = time.monotonic()
        self.assertEqual(self.get('/hello.php').text, 'Hello, world\n')
        self.assertLess(time.monotonic() - started, 0.8)
        for client in slow:
            client.send(b'x' * 10000)
        for client in slow:
            self.assertIn('"size":20000', client.response().text)


class Queue(ServedCase):
    pools = [ONE, TWO]
    backend = ('queue = 3', 'queue_timeout = 500ms')

    def test_full_queue_is_503_at_once_and_static_files_go_on(self):
        marker = self.marker('queue')
        with self.client() as holder:
            others = [self.client() for _ in range(self.pool.workers - 1)]
            for number, client in enumerate([holder, *others]):
                client.start('GET', f'/sleep.php?ms=1200&marker=queue-{number}')
            processes.wait_until((self.php.scratch / 'queue-0').exists, 'the script does not run')
            waiting = [self.client() for _ in range(3)]
            for client in waiting:
                client.start('GET', '/hello.php')
            # The last of those is in the queue once a static file behind it on the same loop is answered.
            self.assertEqual(self.get('/files/plain.txt').text, 'plain text\n')
            started = time.monotonic()
            response = self.get('/hello.php')
            self.assert_status(response, 503)
            self.assertIsNotNone(response.field('Retry-After'))
            self.assertLess(time.monotonic() - started, 0.4)
            for client in waiting:  # queue_timeout
                self.assert_status(client.response(), 503)
            self.assert_status(holder.response(), 200)
            for client in others:
                self.assert_status(client.response(), 200)
        self.assertFalse(marker.exists())
        self.assert_status(self.get('/hello.php'), 200)


class EventStreams(ServedCase):
    """They last, so they get all places but one."""

    pools = [TWO]

    def test_a_place_is_left_for_pages(self):
        events = [('Accept', 'text/event-stream')]
        with self.client() as stream:
            stream.start('GET', '/stream.php?pieces=20&pause=100&type=text/event-stream', events)
            self.assert_status(stream.head(), 200)
            started = time.monotonic()
            response = self.get('/stream.php?pieces=1&pause=0&type=text/event-stream', events)
            self.assert_status(response, 503)
            self.assertEqual(self.get('/hello.php').text, 'Hello, world\n')
            self.assertLess(time.monotonic() - started, 1)
