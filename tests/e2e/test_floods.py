"""Every place that can be had is held by slowhttptest; a client that behaves is served all the same."""

import pathlib
import time

import processes
from cases import ServedCase

PLACES = 32
HEADER_TIMEOUT = 3
# Of a machine that is busy with the attack as well.
SLACK = 2.0


class SlowHttpTest(ServedCase):
    # Clients of this machine would be operators, for whom places are kept.
    server = (f'max_connections = {PLACES}', 'reserved_connections = 0', f'header_timeout = {HEADER_TIMEOUT}s')

    @classmethod
    def make_site(cls):
        root = super().make_site()
        (root / 'large.bin').write_bytes(b'x' * (24 << 20))
        return root

    def held(self):
        """Connections that fcgate has accepted: those in the backlog belong to no process yet."""
        lines = pathlib.Path('/proc/net/tcp').read_text().splitlines()[1:]
        fields = [line.split() for line in lines]
        return sum(field[1].endswith(f':{self.port:04X}') and field[3] == '01' and field[9] != '0' for field in fields)

    def assert_served_under(self, *arguments, target='/files/plain.txt', places=PLACES):
        attack = processes.Process('slowhttptest', self.folder)
        self.addCleanup(attack.end)
        # Each connection says a little every second, for longer than the case takes.
        attack.spawn(['slowhttptest', *arguments, '-c', str(PLACES), '-r', '200', '-i', '1', '-l', '60', '-x', '8',
                      '-u', f'http://127.0.0.1:{self.port}{target}'])
        processes.wait_until(lambda: self.held() >= places, 'not every place is taken')
        started = time.monotonic()
        response = self.get('/files/plain.txt')
        took = time.monotonic() - started
        self.assertEqual(response.text, 'plain text\n')
        print(f'    {" ".join(arguments)}: served after {took:.1f} s with header_timeout = {HEADER_TIMEOUT}s', flush=True)
        self.assertLess(took, HEADER_TIMEOUT + 1 + SLACK)
        attack.end()
        processes.wait_until(lambda: self.held() == 0, 'connections are left over')
        self.assertEqual(self.get('/hello.php').text, 'Hello, world\n')

    def test_slow_headers(self):
        self.assert_served_under('-H')

    def test_slow_bodies(self):
        # Bodies leave a quarter of the exchanges, which are as many as places, to others.
        self.assert_served_under('-B', '-s', '8192', target='/post.php', places=PLACES - PLACES // 4)

    def test_slow_reads(self):
        self.assert_served_under('-X', '-w', '512', '-y', '1024', '-n', '1', '-z', '32', target='/large.bin')
