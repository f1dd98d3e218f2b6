"""What clients send to scripts: forms, JSON, uploads, cookies."""

import hashlib
import json
import os
import urllib.parse

import wire
from cases import EVERY_POOL, ServedCase


class Requests(ServedCase):
    pools = EVERY_POOL
    site = ('max_body = 16m',)

    def test_form(self):
        form = {'name': 'Größe & mehr', 'empty': '', 'plus': 'a+b c', 'lines': 'x\r\ny'}
        response = self.post('/post.php', urllib.parse.urlencode(form).encode(),
                             [('Content-Type', 'application/x-www-form-urlencoded')])
        self.assert_status(response, 200)
        self.assertEqual(json.loads(response.body)['form'], form)

    def test_json(self):
        body = json.dumps({'list': list(range(100)), 'text': 'ä\u2028"'}).encode()
        seen = json.loads(self.post('/post.php', body, [('Content-Type', 'application/json; charset=utf-8')]).body)
        self.assertEqual(seen, {'method': 'POST', 'type': 'application/json; charset=utf-8', 'length': str(len(body)),
                                'form': [], 'size': len(body), 'sha256': hashlib.sha256(body).hexdigest()})

    def test_bodies_around_the_sizes_of_buffers_and_records(self):
        with wire.Client(self.port) as client:
            for size in (0, 1, 7, 8, 4095, 4096, 4097, 65535, 65536, 65537, 131071, 1 << 20):
                with self.subTest(size=size):
                    body = os.urandom(size)
                    seen = json.loads(client.ask('POST', '/post.php', [('Content-Type', 'a/b')], body).body)
                    self.assertEqual((seen['size'], seen['sha256']), (size, hashlib.sha256(body).hexdigest()))

    def test_an_empty_body_has_a_length(self):
        """One in chunks has, too: see test_spool."""
        asked = {'GET': None, 'POST': None, 'GET with 0': '0', 'POST with 0': '0', 'PUT with 0': '0'}
        with wire.Client(self.port) as client:
            for request, length in asked.items():
                with self.subTest(request=request):
                    method, _, body = request.partition(' ')
                    client.start(method, '/post.php', (), b'' if body == 'with 0' else None)
                    seen = json.loads(client.response().body)
                    self.assertEqual((seen['method'], seen['length'], seen['size']), (method, length, 0))

    def test_body_in_small_pieces(self):
        body = os.urandom(3000)
        with wire.Client(self.port) as client:
            client.send(b'PUT /post.php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000\r\n\r\n')
            for at in range(0, 3000, 100):
                client.send(body[at:at + 100])
            self.assertEqual(json.loads(client.response().body)['sha256'], hashlib.sha256(body).hexdigest())

    def test_body_after_100_continue(self):
        body = os.urandom(200000)
        with wire.Client(self.port) as client:
            client.start('POST', '/post.php', [('Expect', '100-continue'), ('Content-Length', str(len(body)))])
            self.assertEqual(client.head().status, 100)
            client.send(body)
            self.assertEqual(json.loads(client.response().body)['sha256'], hashlib.sha256(body).hexdigest())

    def test_upload_of_several_megabytes(self):
        image, small = os.urandom(7 * 1024 * 1024 + 13), b'\r\n--boundary?\r\n' * 50
        kind, body = wire.multipart([('note', 'ä & b')], [('image', 'image.bin', image), ('second', 'ß.txt', small)])
        response = self.post('/upload.php', body, [('Content-Type', kind)])
        self.assert_status(response, 200)
        seen = json.loads(response.body)
        self.assertEqual(seen['form'], {'note': 'ä & b'})
        for field, name, data in (('image', 'image.bin', image), ('second', 'ß.txt', small)):
            self.assertEqual(seen['files'][field], {'name': name, 'error': 0, 'size': len(data),
                                                    'sha256': hashlib.sha256(data).hexdigest()})

    def test_cookies_both_ways(self):
        response = self.get('/cookies.php', [('Cookie', 'plain=1; encoded=a%20b; theme=dark')])
        self.assertEqual(json.loads(response.body), {'plain': '1', 'encoded': 'a b', 'theme': 'dark'})
        self.assertEqual(response.all('Set-Cookie'), ['first=one; path=/; HttpOnly',
                                                      'second=two%20words%3B%20and%20%3D%20more',
                                                      'third=raw; Max-Age=60'])

    def test_requests_in_one_packet_are_answered_in_order(self):
        with wire.Client(self.port) as client:
            for number in range(100):
                client.start('GET', f'/hello.php?name={number}')
            client.start('POST', '/post.php', [('Content-Type', 'a/b')], b'with a body')
            client.start('GET', '/files/plain.txt')
            for number in range(100):
                self.assertEqual(client.response().text, f'Hello, {number}\n')
            self.assertEqual(json.loads(client.response().body)['size'], 11)
            self.assertEqual(client.response().text, 'plain text\n')
            client.expect_silence()

    def test_head_in_single_bytes(self):
        with wire.Client(self.port) as client:
            for byte in b'GET /hello.php?name=slow HTTP/1.1\r\nHost: localhost\r\nX-Y: z\r\n\r\n':
                client.send(bytes([byte]))
            self.assertEqual(client.response().text, 'Hello, slow\n')
