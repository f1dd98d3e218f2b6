"""A strict HTTP/1.1 client. It keeps every byte as it came, and a byte too many or too few is an error."""

import re
import select
import socket
import time

PATIENCE = 15.0  # seconds for anything that should come at once


class WireError(AssertionError):
    """The server said something that is no HTTP, or nothing when something was due."""


class Response:
    def __init__(self, version, status, reason, fields):
        self.version = version
        self.status = status
        self.reason = reason
        self.fields = fields
        self.body = b''
        self.pieces = []  # (when it came, bytes) of a chunked body

    def all(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def field(self, name):
        """The value of a field that comes at most once; None when it is not there."""
        values = self.all(name)
        if len(values) > 1:
            raise WireError(f'{name} came {len(values)} times: {values}')
        return values[0] if values else None

    @property
    def text(self):
        return self.body.decode()

    def __repr__(self):
        return f'{self.status} {self.reason} {self.fields} {self.body[:200]!r}'


class Client:
    """One connection. `address` is a port of 127.0.0.1, (host, port), or the path of a unix socket; `source` where it comes from."""

    def __init__(self, address, timeout=PATIENCE, source=None, window=None):
        """With a `window` so many bytes may lie unread on our side, and the server's kernel takes no more than a device's would."""
        if isinstance(address, int):
            address = ('127.0.0.1', address)
        is_path = isinstance(address, (str, bytes))
        family = socket.AF_UNIX if is_path else socket.AF_INET6 if ':' in address[0] else socket.AF_INET
        self.host = 'localhost' if is_path else ('[{}]:{}' if ':' in address[0] else '{}:{}').format(*address)
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        if window:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect(address)
        self.buffer = b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def local(self):
        return self.socket.getsockname()

    def send(self, data):
        self.socket.sendall(data)

    def start(self, method, target, fields=(), body=None, host=None):
        """Sends a request. `fields` are pairs; a body brings its Content-Length."""
        lines = [f'{method} {target} HTTP/1.1', f'Host: {host or self.host}']
        lines += [f'{name}: {value}' for name, value in fields]
        if body is not None:
            lines.append(f'Content-Length: {len(body)}')
        self.send('\r\n'.join(lines + ['', '']).encode('latin-1') + (body or b''))

    def ask(self, method, target, fields=(), body=None, host=None):
        self.start(method, target, fields, body, host)
        return self.response(method)

    def response(self, method='GET'):
        """The next response, interim ones left out."""
        response = self.head()
        while 100 <= response.status < 200:
            response = self.head()
        self.take_body(response, method)
        return response

    def head(self):
        end = self.buffer.find(b'\r\n\r\n')
        while end < 0:
            if len(self.buffer) > 1 << 20:
                raise WireError('a head without an end')
            if not self.more():
                raise WireError(f'the connection ended in a head: {self.buffer[:300]!r}')
            end = self.buffer.find(b'\r\n\r\n')
        lines = self.buffer[:end].decode('latin-1').split('\r\n')
        self.buffer = self.buffer[end + 4:]
        status = re.fullmatch(r'(HTTP/1\.[01]) ([1-9]\d\d) (.*)', lines[0])
        if not status:
            raise WireError(f'no status line: {lines[0]!r}')
        fields = []
        for line in lines[1:]:
            field = re.fullmatch(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+): *(.*?) *", line)
            if not field or re.search(r'[\x00-\x08\x0a-\x1f\x7f]', line):
                raise WireError(f'no field line: {line!r}')
            fields.append(field.groups())
        return Response(status[1], int(status[2]), status[3], fields)

    def take_body(self, response, method):
        if method == 'HEAD' or response.status in (204, 304):
            return
        coding = response.field('Transfer-Encoding')
        length = response.field('Content-Length')
        if coding is not None:
            if coding.lower() != 'chunked' or length is not None:
                raise WireError(f'Transfer-Encoding {coding} with Content-Length {length}')
            response.pieces = list(self.chunks())
            response.body = b''.join(piece for _, piece in response.pieces)
        elif length is not None:
            response.body = self.exactly(int(length))
        else:
            response.body = self.rest()

    def chunks(self):
        """(when it came, bytes) for each chunk, as it comes."""
        while True:
            line = self.line()
            if not re.fullmatch(rb'[0-9A-Fa-f]+', line):
                raise WireError(f'no chunk size: {line!r}')
            size = int(line, 16)
            piece = self.exactly(size)
            if size:
                yield time.time(), piece
            if self.line() != b'':
                raise WireError('no line end behind a chunk')
            if size == 0:
                return

    def line(self):
        end = self.buffer.find(b'\r\n')
        while end < 0:
            if not self.more():
                raise WireError(f'the connection ended in a line: {self.buffer[:300]!r}')
            end = self.buffer.find(b'\r\n')
        line, self.buffer = self.buffer[:end], self.buffer[end + 2:]
        return line

    def exactly(self, size):
        parts, have = [self.buffer], len(self.buffer)
        while have < size:
            part = self.socket.recv(1 << 16)
            if not part:
                raise WireError(f'the connection ended after {have} of {size} bytes of a body')
            parts.append(part)
            have += len(part)
        data = b''.join(parts)
        self.buffer = data[size:]
        return data[:size]

    def rest(self):
        while self.more():
            pass
        data, self.buffer = self.buffer, b''
        return data

    def more(self):
        part = self.socket.recv(1 << 16)
        self.buffer += part
        return len(part) > 0

    def expect_end(self, seconds=5.0):
        """The server closes, and says nothing more before."""
        self.socket.settimeout(seconds)
        try:
            left = self.rest()
        except ConnectionResetError:
            return
        except TimeoutError:
            raise WireError(f'the connection is still open after {seconds:g} s') from None
        if left:
            raise WireError(f'bytes before the end: {left[:300]!r}')

    def expect_silence(self, seconds=0.0):
        """Nothing has come beyond what was read."""
        ready, _, _ = select.select([self.socket], [], [], seconds)
        if self.buffer or ready:
            raise WireError(f'unasked: {(self.buffer or self.socket.recv(300))!r}')


def ask(address, method, target, fields=(), body=None, host=None, timeout=PATIENCE, source=None):
    """One request on a connection of its own."""
    with Client(address, timeout, source) as client:
        return client.ask(method, target, fields, body, host)


def multipart(fields, files):
    """A multipart/form-data body: its Content-Type, and its bytes. `files` are (name, file name, bytes)."""
    boundary = '----fcgate-e2e-7d93f1b2'
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
             for name, value in fields]
    for name, filename, data in files:
        parts.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
                     f'Content-Type: application/octet-stream\r\n\r\n'.encode() + data + b'\r\n')
    return f'multipart/form-data; boundary={boundary}', b''.join(parts) + f'--{boundary}--\r\n'.encode()
