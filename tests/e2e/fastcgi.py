"""Another client of php-fpm: one request on a connection of its own, as FastCGI 1.0 has it."""

import socket
import struct

from wire import PATIENCE

BEGIN_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6


def record(kind, data):
    return struct.pack('>BBHHBx', 1, kind, 1, len(data), 0) + data


def pair(name, value):
    return bytes([len(name)]) + struct.pack('>L', len(value) | 1 << 31) + name.encode() + value.encode()


def connect(address, timeout=PATIENCE):
    """`address` is a path, or (host, port)."""
    opened = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    opened.settimeout(timeout)
    opened.connect(address)
    return opened


class Request:
    """Sent when it is made."""

    def __init__(self, address, script, query='', more=None, timeout=PATIENCE):
        self.socket = connect(address, timeout)
        params = {'SCRIPT_FILENAME': str(script), 'SCRIPT_NAME': '/direct.php', 'REQUEST_METHOD': 'GET',
                  'QUERY_STRING': query, 'GATEWAY_INTERFACE': 'CGI/1.1', 'SERVER_PROTOCOL': 'HTTP/1.1', **(more or {})}
        packed = b''.join(pair(name, value) for name, value in params.items())
        self.socket.sendall(record(BEGIN_REQUEST, struct.pack('>HB5x', 1, 0)) + record(PARAMS, packed) +
                            record(PARAMS, b'') + record(STDIN, b''))

    def answer(self):
        """Head and body as the script wrote them."""
        with self.socket, self.socket.makefile('rb') as stream:
            output = b''
            while True:
                header = stream.read(8)
                if len(header) < 8:
                    raise AssertionError(f'php-fpm has closed after {output[:300]!r}')
                _, kind, _, length, padding = struct.unpack('>BBHHBx', header)
                data = stream.read(length + padding)[:length]
                if kind == STDOUT:
                    output += data
                elif kind == END_REQUEST:
                    return output
