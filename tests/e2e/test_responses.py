"""What scripts answer, and how it arrives."""

import functools
import hashlib
import json
import statistics
import time

import wire
from cases import EVERY_POOL, FOUR, ONE, ServedCase


@functools.lru_cache
def large_hash(blocks):
    """Of what large.php writes."""
    whole = hashlib.sha256()
    for number in range(blocks):
        whole.update(hashlib.sha256(b'block %d' % number).digest())
    return whole.hexdigest()


class Responses(ServedCase):
    pools = EVERY_POOL

    def canary(self, client):
        """The next answer on the connection is the one to the next request: no byte too many came before."""
        client.expect_silence()
        self.assertEqual(client.ask('GET', '/hello.php?name=canary').text, 'Hello, canary\n')

    def test_location_without_a_status_is_302(self):
        response = self.get('/redirect.php')
        self.assert_status(response, 302)
        self.assertEqual(response.field('Location'), '/hello.php?name=redirected')

    def test_status_of_a_redirect(self):
        for code in (301, 303, 307, 308):
            self.assert_status(self.get(f'/redirect.php?code={code}'), code)

    def test_status_of_a_script(self):
        with self.client() as client:
            for code in (200, 201, 202, 203, 206, 400, 401, 403, 404, 409, 418, 422, 429, 500, 502, 503, 599):
                for empty in ('', '&empty'):
                    with self.subTest(code=code, empty=empty):
                        response = client.ask('GET', f'/status.php?code={code}{empty}')
                        self.assert_status(response, code)
                        self.assertEqual(response.text, '' if empty else f'status {code}\n')
                        self.assertEqual(response.field('X-Script'), 'was here')

    def test_statuses_without_a_body_leave_the_connection_in_step(self):
        for code in (204, 304):
            for empty in ('', '&empty'):
                for method in ('GET', 'HEAD', 'POST'):
                    with self.subTest(code=code, empty=empty, method=method), self.client() as client:
                        body = b'x=1' if method == 'POST' else None
                        response = client.ask(method, f'/status.php?code={code}{empty}', body=body)
                        self.assert_status(response, code)
                        self.assertEqual(response.field('X-Script'), 'was here')
                        self.assertIsNone(response.field('Transfer-Encoding'))
                        if code == 204:
                            self.assertIsNone(response.field('Content-Length'))
                        if response.field('Connection') != 'close':
                            self.canary(client)

    def test_reset_content_has_no_content(self):
        for how in ('', '&empty', '&known'):
            for method in ('GET', 'HEAD', 'POST'):
                with self.subTest(how=how, method=method), self.client() as client:
                    response = client.ask(method, f'/status.php?code=205{how}', body=b'x=1' if method == 'POST' else None)
                    self.assert_status(response, 205)
                    self.assertEqual(response.field('X-Script'), 'was here')
                    self.assertEqual(response.field('Content-Length'), '0')
                    self.assertEqual(response.body, b'')
                    self.canary(client)

    def test_head_leaves_the_connection_in_step(self):
        for target in ('/hello.php', '/large.php?blocks=4', '/large.php?blocks=40000', '/large.php?blocks=10&known',
                       '/stream.php?pieces=3&pause=20', '/status.php?code=404', '/redirect.php', '/files/plain.txt',
                       '/no-such-file'):
            with self.subTest(target=target), self.client() as client:
                head = client.ask('HEAD', target)
                self.assertEqual(head.status, self.get(target).status)
                if head.field('Connection') == 'close':
                    client.expect_end()
                else:
                    self.canary(client)

    def test_head_tells_the_length_that_the_script_tells(self):
        self.assertEqual(self.get('/large.php?blocks=10&known').field('Content-Length'), '320')
        self.assertEqual(wire.ask(self.port, 'HEAD', '/large.php?blocks=10&known').field('Content-Length'), '320')

    def test_repeated_fields_stay_apart_and_in_order(self):
        response = self.get('/fields.php')
        self.assertEqual(response.all('X-Repeated'), ['one', 'two', 'three'])
        self.assertEqual(response.all('Link'), ['</a.css>; rel=preload', '</b.js>; rel=preload'])
        self.assertEqual(response.field('X-Bytes'), 'caf\xc3\xa9 "quoted" a=b; c=d')
        self.assertNotEqual(response.field('Connection'), 'close')

    def test_short_answers_tell_their_length(self):
        with self.client() as client:
            for _ in range(3):
                response = client.ask('GET', '/hello.php')
                self.assertEqual(response.field('Content-Length'), '13')
                self.assertIsNotNone(response.field('Date'))

    def test_ten_megabytes(self):
        for known in ('', '&known'):
            with self.subTest(known=known), self.client() as client:
                response = client.ask('GET', f'/large.php?blocks=327680{known}')
                self.assertEqual(len(response.body), 32 * 327680)
                self.assertEqual(hashlib.sha256(response.body).hexdigest(), large_hash(327680))
                self.canary(client)

    def test_ten_megabytes_to_a_slow_reader(self):
        """More than all buffers hold: PHP has to wait, and nothing may be lost."""
        with self.client() as client:
            client.start('GET', '/large.php?blocks=327680')
            response = client.head()
            deadline = time.monotonic() + 1.0
            while time.monotonic() < deadline:  # a reader that sips
                client.more()
                time.sleep(0.05)
            client.take_body(response, 'GET')
            self.assertEqual(hashlib.sha256(response.body).hexdigest(), large_hash(327680))
            self.canary(client)

    def test_http_1_0_gets_an_unknown_length_until_the_end(self):
        with self.client() as client:
            before = self.fcgate.cpu_ticks()
            client.send(b'GET /large.php?blocks=160000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
            response = client.response()
            self.assertIsNone(response.field('Transfer-Encoding'))
            self.assertEqual(hashlib.sha256(response.body).hexdigest(), large_hash(160000))
            # In blocks: a call for each byte is five million, 5 s of a fast processor.
            self.assertLess(self.fcgate.cpu_ticks() - before, 100)

    def test_missing_script(self):
        response = self.get('/missing.php?x=1')
        self.assert_status(response, 404)
        self.assertIn('404', response.text)

    def test_fatal_error(self):
        since = self.log_size()
        response = self.get('/fatal.php')
        self.assert_status(response, 500)
        self.assertEqual(response.body, b'')
        self.fcgate.wait_for_log(r'GET /fatal\.php: PHP: .*undefined function nobody_has_written_this\(\)', since=since)
        self.assert_status(self.get('/hello.php'), 200)

    def test_what_scripts_log_stands_in_the_log_line_by_line(self):
        since = self.log_size()
        self.assertEqual(self.get('/warning.php?word=w0rd').text, 'warned\n')
        self.fcgate.wait_for_log(r'GET /warning\.php.*first line of w0rd$', since=since)
        self.fcgate.wait_for_log(r'second line$', since=since)

    def test_fatal_error_behind_output(self):
        """What was written arrives; PHP ends such an answer properly."""
        with self.client() as client:
            response = client.ask('GET', '/fatal_late.php')
            self.assert_status(response, 200)
            self.assertEqual(len(response.body), 100001)

    def test_exit_and_silence(self):
        self.assertEqual(self.get('/exit.php').text, 'before\n')
        with self.client() as client:
            response = client.ask('GET', '/silent.php')
            self.assert_status(response, 200)
            self.assertEqual(response.body, b'')
            self.canary(client)

    def test_large_header_fields(self):
        response = self.get('/large_fields.php?count=6&size=1000')
        self.assert_status(response, 200)
        for number in range(6):
            self.assertEqual(response.field(f'X-Large-{number}'), chr(97 + number) * 1000)
        response = self.get('/large_fields.php?count=40&size=100')
        self.assertEqual(sum(name.startswith('X-Large-') for name, _ in response.fields), 40)

    def test_header_fields_that_do_not_fit_are_502_and_said(self):
        for query, sizes in (('count=2&size=30000', r'60\d\d\d bytes in [45]'), ('count=200&size=10', r'[45]\d\d\d bytes in 20[23]')):
            with self.subTest(query=query), self.client() as client:
                since = self.log_size()
                self.assert_status(client.ask('GET', f'/large_fields.php?{query}'), 502)
                self.fcgate.wait_for_log(rf'GET /large_fields\.php.*: 502: .* head has {sizes} fields; '
                                         r'there is room for 10240 in 160 \(see `connection_memory`\)', since=since)
        self.assert_status(self.get('/hello.php'), 200)


class LargeHeads(ServedCase):
    """What an application that sets cookies by the hundred needs: connection_memory, and nothing else."""

    pools = [ONE, FOUR]
    server = ('connection_memory = 64k',)

    def test_four_hundred_cookies(self):
        with self.client() as client:
            for _ in range(3):
                response = client.ask('GET', '/cookies.php?count=400')
                self.assert_status(response, 200)
                cookies = response.all('Set-Cookie')
                self.assertEqual(cookies, [f'cookie{number}={"v" * 35}; path=/; HttpOnly' for number in range(400)])
                self.assertGreater(sum(len(cookie) for cookie in cookies), 24000)

    def test_sixteen_kibibytes_in_one_field_and_in_many(self):
        with self.client() as client:
            for count, size in ((1, 16384), (2, 8192), (16, 1024), (256, 64), (500, 40)):
                with self.subTest(count=count):
                    response = client.ask('GET', f'/large_fields.php?count={count}&size={size}')
                    self.assert_status(response, 200)
                    self.assertEqual([value for name, value in response.fields if name.startswith('X-Large-')],
                                     [chr(97 + number % 26) * size for number in range(count)])

    def test_with_a_request_as_large(self):
        """Both heads share the connection's memory."""
        with self.client() as client:
            for _ in range(2):
                response = client.ask('GET', '/cookies.php?count=400', [(f'X-Field-{number}', 'x' * 480) for number in range(50)])
                self.assert_status(response, 200)
                self.assertEqual(len(response.all('Set-Cookie')), 400)

    def test_a_head_over_the_room_is_502_with_its_size(self):
        with self.client() as client:
            for query, sizes in (('count=2&size=16384', r'32\d\d\d bytes in [45]'), ('count=520&size=10', r'1\d\d\d\d bytes in 52[23]')):
                since = self.log_size()
                self.assert_status(client.ask('GET', f'/large_fields.php?{query}'), 502)
                self.fcgate.wait_for_log(rf'GET /large_fields\.php.*: 502: .* head has {sizes} fields; there is room for 32768 in 512 ',
                                         since=since)
            self.assert_status(client.ask('GET', '/hello.php'), 200)


class Streaming(ServedCase):
    """Output that is flushed is on its way at once."""

    pools = [ONE, FOUR]

    def delays(self, kind):
        with self.client() as client:
            client.start('GET', f'/stream.php?pieces=5&pause=250&type={kind}', [('Accept', kind)])
            response = client.head()
            self.assert_status(response, 200)
            self.assertEqual(response.field('Transfer-Encoding'), 'chunked')
            delays = []
            for number, (arrived, piece) in enumerate(client.chunks()):
                index, written = piece.split()
                self.assertEqual(int(index), number)
                delays.append(arrived - float(written))
        self.assertEqual(len(delays), 5)
        return delays

    def assert_prompt(self, kind):
        # Each piece comes before the next one is written, whatever else the machine does; and when it lets us, within
        # 50 ms. A busy machine gets three tries.
        worst = []
        for _ in range(3):
            delays = self.delays(kind)
            self.assertLess(max(delays), 0.25, f'pieces waited for the next: {delays}')
            worst.append(max(delays))
            if worst[-1] < 0.05:
                return
        self.fail(f'the slowest piece of each try took {worst} s; the last try {delays}, '
                  f'half of it within {statistics.median(delays)} s')

    def test_pieces_come_as_they_are_written(self):
        self.assert_prompt('text/plain')

    def test_events_come_as_they_are_written(self):
        if self.pool.workers == 1:
            self.skipTest('event streams may hold all workers but one')
        self.assert_prompt('text/event-stream')

    def test_others_are_served_meanwhile(self):
        with self.client() as client:
            client.start('GET', '/stream.php?pieces=4&pause=200')
            client.head()
            self.assertEqual(self.get('/files/plain.txt').text, 'plain text\n')
            if self.pool.workers > 1:
                self.assertEqual(self.get('/hello.php').text, 'Hello, world\n')
            self.assertEqual(len(list(client.chunks())), 4)


class Json(ServedCase):
    def test_nothing_but_what_the_script_has_written(self):
        response = self.post('/post.php', b'{}', [('Content-Type', 'application/json')])
        self.assertEqual(response.field('Content-Type'), 'application/json')
        self.assertEqual(json.loads(response.body)['size'], 2)
        self.assertEqual(response.field('Content-Length'), str(len(response.body)))
