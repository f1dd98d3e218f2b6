"""A FastCGI backend that does what no PHP should: reply heads as large as they may be, output without end, and nothing at all."""

import contextlib
import socket
import struct
import threading
import time

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR = range(1, 8)
PIECE = b'x' * 32760


def record(kind, content):
    return struct.pack('!BBHHBx', 1, kind, 1, len(content), 0) + content


def parse_params(data):
    found, at = {}, 0
    while at < len(data):
        sizes = []
        for _ in range(2):
            size = data[at]
            if size >= 128:
                size = struct.unpack_from('!I', data, at)[0] & 0x7fffffff
                at += 3
            at += 1
            sizes.append(size)
        name = data[at:at + sizes[0]].decode('latin-1')
        found[name] = data[at + sizes[0]:at + sum(sizes)].decode('latin-1')
        at += sum(sizes)
    return found


class FakePhp:
    """`answers` maps a word of the query to the bytes that begin the reply; None: the request is not read to its end, and nothing is said.
    Other requests get 'hello'. With `goes_on` false nothing follows the beginning. `closings` are the times at which clients have closed."""

    def __init__(self, path, answers, goes_on=True):
        self.path = str(path)
        self.answers = answers
        self.goes_on = goes_on
        self.closings = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(512)
        self.lock = threading.Lock()
        self.connections = []
        self.ended = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                with self.lock:
                    self.connections.append(connection)
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def end(self):
        self.ended.set()
        self.listener.close()
        with self.lock:
            for connection in self.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def read(self, connection, size):
        data = b''
        while len(data) < size:
            more = connection.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def serve(self, connection):
        with contextlib.suppress(OSError, EOFError), connection:
            try:
                while True:
                    self.answer(connection)
            except EOFError:
                self.closings.append(time.monotonic())

    def answer(self, connection):
        params = b''
        while True:
            _, kind, _, size, padding, _ = struct.unpack('!BBHHBB', self.read(connection, 8))
            content = self.read(connection, size + padding)[:size]
            if kind == PARAMS and size > 0:
                params += content
            elif kind == PARAMS:
                word = parse_params(params).get('QUERY_STRING', '').partition('&')[0]
                if self.answers.get(word, b'') is None:
                    self.ended.wait()
            elif kind == STDIN and size == 0:
                break
        begin = self.answers.get(word)
        if begin is None:
            hello = b'Content-Type: text/plain\r\n\r\nhello\n'
            connection.sendall(record(STDOUT, hello) + record(STDOUT, b'') + record(END, bytes(8)))
            return
        # An error line without an end, and output without one.
        connection.sendall(record(STDERR, b'e' * 1020) + record(STDOUT, begin))
        while self.goes_on:
            connection.sendall(record(STDOUT, PIECE))
        self.ended.wait()
