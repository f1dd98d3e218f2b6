"""Clients that take their answers slowly."""

import contextlib
import threading

import wire


class SlowReaders:
    """So many clients on a thread, each taking so many bytes a second. With `heads` all replies have begun when it is there; without, a
    server that lets them wait for each other is not waited for."""

    def __init__(self, port, target, count, rate, heads=True):
        self.clients = [wire.Client(port, timeout=30, source=f'127.0.0.{number + 10}', window=2048) for number in range(count)]
        self.rate = rate
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.read)
        self.heads = []
        for client in self.clients:
            client.start('GET', target)
            if heads:
                self.heads.append(client.head())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        for client in self.clients:
            client.close()

    def read(self):
        while not self.over.wait(0.1):
            for client in self.clients:
                client.socket.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    client.buffer += client.socket.recv(self.rate // 10)

    def bodies(self):
        """What they still have to get, at full speed."""
        self.over.set()
        self.thread.join()
        for client, head in zip(self.clients, self.heads):
            client.socket.settimeout(30)
            client.take_body(head, 'GET')
        return [head.body for head in self.heads]
