"""After its start fcgate allocates nothing: a preloaded library counts who calls malloc."""

import os
import platform

import allocations
import processes
import wire
from cases import ServedCase


class Allocations(ServedCase):
    def setUp(self):
        if platform.libc_ver()[0] != 'glibc' or self.fcgate.is_instrumented():
            self.skipTest('for the GNU C library, without sanitizers')
        self.counter = allocations.Counter(self.folder)

    def everything(self, port):
        for number in range(40):
            for target in ('/hello.php', '/files/plain.txt', '/missing', '/files', '/fatal.php', '/large.php?blocks=3000',
                           '/../x', '/status.php?code=304', f'/hello.php?long={"x" * 5000}', '/redirect.php'):
                wire.ask(port, 'GET', target)
            wire.ask(port, 'HEAD', '/files/plain.txt')
            wire.ask(port, 'POST', '/post.php', [], b'x' * (1000 * number))
            with wire.Client(port) as client:
                client.send(b'nonsense\r\n\r\n')
            with wire.Client(port) as client:
                client.start('GET', '/large.php?blocks=100000')
                client.head()

    def test_none_after_the_start(self):
        port = processes.free_port()
        text = self.fcgate.configuration.read_text().replace(f':{self.port}\n', f':{port}\n')
        fcgate = processes.Fcgate(self.folder, text, port, 'counted')
        fcgate.start(env={**os.environ, **self.counter.environment()})
        self.addCleanup(fcgate.end)
        before = self.counter.calls()
        self.assertTrue(before, 'nothing was counted')
        self.everything(port)
        ours, theirs = self.counter.since(before, fcgate.pid)
        print(f'    {theirs} calls by libmicrohttpd', flush=True)
        self.assertEqual(ours, {})
        # It would be the count that is wrong, not the programs.
        self.assertGreater(theirs, 1000)
