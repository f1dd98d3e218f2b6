"""After its start fcgate allocates nothing: a preloaded library counts who calls malloc."""

import bisect
import os
import pathlib
import platform
import struct
import subprocess

import processes
import wire
from cases import ServedCase

here = pathlib.Path(__file__).parent


class Symbols:
    """The functions of a program or library, by address."""

    def __init__(self, path):
        text = subprocess.run(['nm', '--defined-only', path], capture_output=True, text=True, check=True).stdout
        rows = [line.split() for line in text.splitlines()]
        self.rows = sorted((int(row[0], 16), row[2]) for row in rows if len(row) == 3 and row[1] in 'tTwW')

    def at(self, address):
        number = bisect.bisect_right(self.rows, (address, chr(0x10ffff))) - 1
        return self.rows[number][1] if number >= 0 else '?'


class Allocations(ServedCase):
    def setUp(self):
        if platform.libc_ver()[0] != 'glibc' or self.fcgate.is_instrumented():
            self.skipTest('for the GNU C library, without sanitizers')
        self.library = self.folder / 'malloc_log.so'
        subprocess.run(['cc', '-shared', '-fPIC', '-O1', '-fno-builtin', '-o', self.library, here / 'malloc_log.c'], check=True)
        self.log = self.folder / 'malloc.log'
        self.log.write_bytes(b'')
        self.log.chmod(0o666)
        self.symbols = {}
        tree = pathlib.Path(processes.fcgate_path).resolve().parent.parent
        archives = list(tree.glob('subprojects/libmicrohttpd*/libmicrohttpd.a'))
        self.theirs = {name for archive in archives for _, name in Symbols(archive).rows}

    def calls(self):
        """(address, count) of every place that has allocated."""
        return {address: count for address, count in struct.iter_unpack('=QQ', self.log.read_bytes()) if address}

    def mappings(self, pid):
        for line in pathlib.Path(f'/proc/{pid}/maps').read_text().splitlines():
            fields = line.split()
            if len(fields) > 5 and fields[5].startswith('/'):
                begin, end = (int(part, 16) for part in fields[0].split('-'))
                yield begin, end, int(fields[2], 16), fields[5]

    def place(self, address, mappings):
        """Whose code it is: file and function."""
        for begin, end, offset, path in mappings:
            if begin <= address < end:
                if path not in self.symbols:
                    self.symbols[path] = Symbols(path)
                # Code is mapped where the file says, but for the start of the mapping of the whole.
                base = min(one[0] - one[2] for one in mappings if one[3] == path)
                return pathlib.Path(path).name, self.symbols[path].at(address - base)
        return '?', hex(address)

    def is_theirs(self, file, function):
        return file.startswith('libmicrohttpd') or function.split('.')[0] in {name.split('.')[0] for name in self.theirs}

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
        fcgate.start(env={**os.environ, 'LD_PRELOAD': str(self.library), 'MALLOC_LOG': str(self.log)})
        self.addCleanup(fcgate.end)
        self.assertTrue(self.calls(), 'nothing was counted')
        before = self.calls()
        self.everything(port)
        after = self.calls()
        mappings = list(self.mappings(fcgate.pid))
        ours, theirs = {}, 0
        for address, count in after.items():
            more = count - before.get(address, 0)
            file, function = self.place(address, mappings)
            if more and self.is_theirs(file, function):
                theirs += more
            elif more:
                ours[f'{file}: {function}'] = more
        print(f'    {theirs} calls by libmicrohttpd', flush=True)
        self.assertEqual(ours, {})
        # It would be the count that is wrong, not the programs.
        self.assertGreater(theirs, 1000)
