"""Who calls malloc in a fcgate: malloc_log.c is preloaded, and the addresses that it notes are given their names."""

import bisect
import pathlib
import struct
import subprocess

import processes

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


class Counter:
    """For one fcgate, started with its environment; the files are in `folder`."""

    def __init__(self, folder):
        self.library = folder / 'malloc_log.so'
        subprocess.run(['cc', '-shared', '-fPIC', '-O1', '-fno-builtin', '-o', self.library, here / 'malloc_log.c'], check=True)
        self.log = folder / 'malloc.log'
        self.log.write_bytes(b'')
        self.log.chmod(0o666)
        self.symbols = {}
        tree = pathlib.Path(processes.fcgate_path).resolve().parent.parent
        archives = list(tree.glob('subprojects/libmicrohttpd*/libmicrohttpd.a'))
        self.theirs = {name.split('.')[0] for archive in archives for _, name in Symbols(archive).rows}

    def environment(self):
        return {'LD_PRELOAD': str(self.library), 'MALLOC_LOG': str(self.log)}

    def calls(self):
        """(address, count) of every place that has allocated."""
        return {address: count for address, count in struct.iter_unpack('=QQ', self.log.read_bytes()) if address}

    def since(self, before, pid):
        """The calls beyond those of `before`: by place where they are fcgate's own, and the number of libmicrohttpd's."""
        mappings = list(self.mappings(pid))
        ours, theirs = {}, 0
        for address, count in self.calls().items():
            more = count - before.get(address, 0)
            file, function = self.place(address, mappings)
            if more and (file.startswith('libmicrohttpd') or function.split('.')[0] in self.theirs):
                theirs += more
            elif more:
                ours[f'{file}: {function}'] = more
        return ours, theirs

    @staticmethod
    def mappings(pid):
        for line in pathlib.Path(f'/proc/{pid}/maps').read_text().splitlines():
            fields = line.split()
            if len(fields) > 5 and fields[5].startswith('/'):
                begin, end = (int(part, 16) for part in fields[0].split('-'))
                yield begin, end, int(fields[2], 16), fields[5]

    def place(self, address, mappings):
        """Whose code it is: file and function."""
        for begin, end, _, path in mappings:
            if begin <= address < end:
                if path not in self.symbols:
                    self.symbols[path] = Symbols(path)
                # Code is mapped where the file says, but for the start of the mapping of the whole.
                base = min(one[0] - one[2] for one in mappings if one[3] == path)
                return pathlib.Path(path).name, self.symbols[path].at(address - base)
        return '?', hex(address)
