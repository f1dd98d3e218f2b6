"""Instructions (callgrind) and system calls (strace) of one request: the difference between many and few, by their number."""

import argparse
import collections
import pathlib
import re
import sys

import scenarios
import servers
import wire

processes = servers.processes
table = pathlib.Path(__file__).resolve().parent / 'counts.txt'
FEW, MANY = 100, 600
# callgrind counts each byte of a `rep stosb`, which costs next to nothing: glibc is to set and copy memory without.
PLAIN = {'GLIBC_TUNABLES': 'glibc.cpu.x86_rep_stosb_threshold=268435456:glibc.cpu.x86_rep_movsb_threshold=268435456'}
# Other compilers and PHP's timing change a little; what has grown by more is a change of ours.
INSTRUCTIONS_MORE, CALLS_MORE = 0.05, 0.3


class Case:
    def __init__(self, name, path, method='GET', body=None, fields=(), status=200, keeps=True):
        self.name, self.path, self.method, self.body = name, path, method, body
        self.fields, self.status, self.keeps = list(fields), status, keeps

    def ask(self, client, fields):
        response = client.ask(self.method, self.path, fields, self.body)
        if response.status != self.status:
            raise SystemExit(f'{self.name}: {response}')

    def run(self, port, count):
        fields = list(self.fields)
        if self.status == 304:
            fields.append(('If-Modified-Since', wire.ask(port, 'GET', self.path).field('Last-Modified')))
        with wire.Client(port, timeout=60) as client:
            for _ in range(count if self.keeps else 0):
                self.ask(client, fields)
        for _ in range(0 if self.keeps else count):
            with wire.Client(port, timeout=60) as client:
                self.ask(client, fields)


CASES = [
    Case('small PHP', '/hello.php'),
    Case('small PHP, as a browser asks', '/hello.php?page=status', fields=scenarios.BROWSER),
    Case('small PHP, POST of 100 bytes', '/hello.php', 'POST', b'x' * 100),
    Case('small PHP, new connection', '/hello.php', keeps=False),
    Case('30 KB from PHP', '/answer30k.php'),
    Case('file of 1 KB', '/file1k.txt'),
    Case('file of 1 KB, new connection', '/file1k.txt', keeps=False),
    Case('file of 100 KB', '/file100k.txt'),
    Case('file that has not changed (304)', '/file1k.txt', status=304),
    Case('no such file (404)', '/nothing', status=404),
]


class Counted:
    """fcgate under a program that counts."""

    def __init__(self, php, root):
        self.php, self.root = php, root

    def serve(self, case, count, prefix):
        folder = processes.give(processes.new_folder('counts'))
        port = processes.free_port()
        text = processes.configuration(port, self.root, self.php)
        out = folder / 'out'
        # As another user it could not write what was counted.
        options = ['-o', 'server.user=root'] if processes.is_root else []
        prefix = [word.replace('OUT', str(out)) for word in prefix]
        fcgate = processes.Fcgate(folder, text, port, options=options, prefix=prefix).start(env={**processes.os.environ, **PLAIN})
        pid = fcgate.pid
        case.run(port, count)
        self.end(fcgate)
        # valgrind's has the pid in its name: what fcgate forks is counted as well, and would write over it.
        own = folder / f'out-{pid}'
        return (own if own.exists() else out).read_text()

    @staticmethod
    def end(fcgate):
        """strace does not pass a signal on: fcgate itself is told, then."""
        inside = [running.pid for running in processes.descendants(fcgate.pid) if running.name == 'fcgate']
        for pid in inside or [fcgate.pid]:
            processes.os.kill(pid, processes.signal.SIGTERM)
        fcgate.wait(60)
        fcgate.end()

    def instructions(self, case, count):
        text = self.serve(case, count, ['valgrind', '--quiet', '--tool=callgrind', '--callgrind-out-file=OUT-%p'])
        return int(re.search(r'^(?:summary|totals): (\d+)', text, re.MULTILINE)[1])

    def calls(self, case, count):
        text = self.serve(case, count, ['strace', '-f', '-qq', '-c', '-U', 'calls,name', '-o', 'OUT'])
        found = collections.Counter()
        for line in text.splitlines():
            words = line.split()
            if len(words) == 2 and words[0].isdigit() and words[1] != 'total':
                found[words[1]] += int(words[0])
        return found

    def each(self, case):
        """Of one request: instructions, system calls, and which."""
        difference = MANY - FEW
        instructions = (self.instructions(case, MANY) - self.instructions(case, FEW)) / difference
        many, few = self.calls(case, MANY), self.calls(case, FEW)
        calls = {name: (many[name] - few[name]) / difference for name in many}
        named = sorted(((count, name) for name, count in calls.items() if count >= 0.05), reverse=True)
        return round(instructions), round(sum(calls.values()), 2), ' '.join(f'{name} {count:.2f}' for count, name in named)


def read_table():
    if not table.exists():
        return {}
    rows = [line.split('\t') for line in table.read_text().splitlines() if line and not line.startswith('#')]
    return {row[0]: (int(row[1]), float(row[2])) for row in rows}


def main():
    parser = argparse.ArgumentParser(prog='bench/counts')
    parser.add_argument('--check', action='store_true')
    parser.add_argument('--write', action='store_true')
    options = parser.parse_args()
    before, lines, grown = read_table(), [], []
    with processes.scratch():
        folder = processes.new_folder('bench')
        scenarios.make_site(folder / 'site')
        counted = Counted(processes.PhpFpm(folder, servers.WORKERS).start(), folder / 'site')
        print(f'{"of one request":34}{"instructions":>14}{"before":>10}{"calls":>8}{"before":>8}  which', flush=True)
        for case in CASES:
            instructions, calls, named = counted.each(case)
            was = before.get(case.name)
            print(f'{case.name:34}{instructions:>14,}{was[0] if was else "-":>10}{calls:>8.2f}{was[1] if was else "-":>8}  {named}',
                  flush=True)
            lines.append(f'{case.name}\t{instructions}\t{calls:.2f}\t{named}')
            if was and (instructions > was[0] * (1 + INSTRUCTIONS_MORE) or calls > was[1] + CALLS_MORE):
                grown.append(case.name)
    if options.write:
        compiler = servers.version_of('cc', '--version')
        table.write_text(f'# Made by bench/counts --write (x86-64, GCC {compiler}): one client, one request at a time.\n'
                         '# valgrind 3.19 does not know openat2: instructions are of the way that does without.\n'
                         '# request, instructions, system calls, which\n' + '\n'.join(lines) + '\n')
    if options.check and grown:
        print('has grown: ' + ', '.join(grown))
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
