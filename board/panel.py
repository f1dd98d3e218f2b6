"""The panel on the board, used as a browser does."""

import hashlib
import json
import os
import re
import time
import urllib.parse

import wire  # of tests/e2e


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


class Panel:
    patience = 60.0

    def __init__(self, port):
        self.port = port
        self.cookies = {}

    def ask(self, method, target, fields=(), body=None):
        """One request on a connection of its own."""
        with wire.Client(self.port, self.patience) as client:
            response = client.ask(method, target, [*fields, *self.cookie_field()], body)
        for cookie in response.all('Set-Cookie'):
            name, value = cookie.split(';')[0].split('=', 1)
            self.cookies[name] = value
        return response

    def cookie_field(self):
        return [('Cookie', '; '.join(f'{name}={value}' for name, value in self.cookies.items()))] if self.cookies else []

    def get(self, target, fields=(), status=200):
        response = self.ask('GET', target, fields)
        expect(response.status == status, f'GET {target}: {response}')
        return response

    def token(self, page):
        return re.search(r'name="csrf" value="([0-9a-f]+)"', self.get(page).text)[1]

    def sign_in(self):
        form = {'csrf': self.token('/login'), 'user': 'admin', 'password': 'fcgate', 'next': '/'}
        response = self.ask('POST', '/login', [('Content-Type', 'application/x-www-form-urlencoded')],
                            urllib.parse.urlencode(form).encode())
        expect((response.status, response.field('Location')) == (303, '/'), f'sign-in: {response}')

    def status(self):
        return json.loads(self.get('/api/status').body)

    def upload(self, size):
        """The image as the panel stored it, and how long that took."""
        image = os.urandom(size)
        kind, body = wire.multipart([('csrf', self.token('/firmware'))], [('image', 'board-1.0.bin', image)])
        began = time.monotonic()
        response = self.ask('POST', '/firmware', [('Content-Type', kind), ('Accept', 'application/json')], body)
        seconds = time.monotonic() - began
        expect(response.status == 201, f'upload: {response}')
        stored = json.loads(response.body)['image']
        expect((stored['size'], stored['sha256']) == (size, hashlib.sha256(image).hexdigest()),
               f'upload: not what was sent: {stored}')
        return stored, seconds

    def delete(self, image):
        form = {'csrf': self.token('/firmware'), 'id': image['id']}
        response = self.ask('POST', '/firmware/delete', [('Content-Type', 'application/x-www-form-urlencoded')],
                            urllib.parse.urlencode(form).encode())
        expect(response.status == 303, f'delete: {response}')

    def live_log(self, write, words):
        """Opens the log's event stream, has `words` written, and returns the seconds until they came."""
        with wire.Client(self.port, self.patience) as client:
            client.start('GET', '/api/log', [('Accept', 'text/event-stream'), *self.cookie_field()])
            head = client.head()
            expect((head.status, head.field('Content-Type').split(';')[0]) == (200, 'text/event-stream'), f'log: {head}')
            pieces = client.chunks()
            next(pieces)
            began = time.monotonic()
            write(words)
            text = b''
            while words.encode() not in text:
                text += next(pieces)[1]
            return time.monotonic() - began
