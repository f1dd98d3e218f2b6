"""The servers on a board in qemu whose time is counted in instructions."""

import argparse
import datetime
import hashlib
import pathlib
import re
import signal
import sys

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent / 'board'))

import bars  # noqa: E402 (its folder is known only now, as are those of the next ones)
import measure  # noqa: E402
import report  # noqa: E402
import scenarios  # noqa: E402
import servers  # noqa: E402
from board import Board, BoardFault  # noqa: E402

page = here.parent / 'docs' / 'performance-board.md'
MEMORY = 512  # MiB: four pools of PHP are there at once
LARGEST = 1 << 20  # of the site's files
PATIENCE = 900  # seconds of this machine that a turn may take
CHOSEN = ('small-4', 'small-16', 'browser', 'php-30k', 'static-1k', 'static-100k', 'not-modified', 'new-connection')
RSS, DIRTY = 'KiB resident', 'KiB private and written'
CONF = '/etc/bench'
# What starts each, and where it listens: the configurations are in bench/board.
CONTESTANTS = {
    servers.Fcgate: (f'/usr/sbin/fcgate -c {CONF}/fcgate.conf', 8001),
    servers.Nginx: (f'/usr/sbin/nginx -c {CONF}/nginx-kept.conf', 8002),
    servers.NginxPlain: (f'/usr/sbin/nginx -c {CONF}/nginx.conf', 8003),
    servers.Lighttpd: (f'/usr/sbin/lighttpd -D -f {CONF}/lighttpd.conf -m /usr/lib/lighttpd', 8004),
}


class CountedBoard(Board):
    """An instruction takes a nanosecond, and nobody waits: idle time passes at once."""

    more_arguments = ('-icount', 'shift=0,sleep=off')
    command_seconds = 120

    def __init__(self, image):
        super().__init__(image, MEMORY, 'fpm')
        self.pids = {}

    def run(self, command):
        super().run('true')  # connects
        return self.control.run(command, PATIENCE)

    def begin(self, name, command):
        """In the background; its processes are its own and those it forks."""
        self.run(f'({command} </dev/null >/run/{name}.out 2>&1 & echo $! >/run/{name}.started)')
        return int(self.run(f'cat /run/{name}.started'))

    def start(self):
        self.begin('php', f'/usr/sbin/php-fpm --fpm-config {CONF}/php-fpm.conf')
        for one, (command, port) in CONTESTANTS.items():
            self.pids[one] = self.begin(str(port), command)
        for one, (_, port) in CONTESTANTS.items():
            self.run(f'i=0; until wget -qO /dev/null http://127.0.0.1:{port}/hello.php; do i=$((i + 1)); [ $i -lt 300 ] || '
                     f'{{ cat /run/{port}.out /run/*.log; exit 1; }}; sleep 0.2; done 2>/dev/null')

    def processes_of(self, one):
        first = self.pids[one]
        text = self.run(f'grep -l "^PPid:.{first}$" /proc/[0-9]*/status 2>/dev/null; true')
        return [first, *map(int, re.findall(r'/proc/(\d+)/', text))]

    def cpu_ns(self, one):
        text = self.run('cat ' + ' '.join(f'/proc/{pid}/task/*/schedstat' for pid in self.processes_of(one)))
        return sum(int(line.split()[0]) for line in text.splitlines())

    def check(self, one, scenario):
        """It has to give the right answer, or its speed means nothing. Also warms what can be warm."""
        port = CONTESTANTS[one][1]
        if scenario.status != 200:
            return
        wanted = hashlib.md5(scenario.answer).hexdigest()
        for _ in range(8):
            found = self.run(f'wget -qO - http://127.0.0.1:{port}{scenario.path} | md5sum').split()[0]
            if found != wanted:
                raise SystemExit(f'{one.title} gives a wrong answer to {scenario.path}')

    def fields(self, one, scenario):
        if scenario.kind != 'not-modified':
            return scenario.fields
        text = self.run(f'wget -S -O /dev/null http://127.0.0.1:{CONTESTANTS[one][1]}{scenario.path} 2>&1')
        return [('If-Modified-Since', re.search(r'Last-Modified: (.*)', text)[1].strip())]

    def turn(self, one, scenario, milliseconds):
        fields = ' '.join(f"'{name}: {value}'" for name, value in self.fields(one, scenario))
        before = self.cpu_ns(one)
        output = self.run(f'load {CONTESTANTS[one][1]} {scenario.connections} {milliseconds} {scenario.method} {scenario.path} {fields}')
        cpu = self.cpu_ns(one) - before
        requests, figures = measure.figures_of(output)
        figures[measure.CPU] = cpu / 1e3 / max(requests, 1)
        if scenario.bytes_each:
            figures[measure.THROUGHPUT] = figures[measure.RATE] * scenario.bytes_each / 1e6
        return figures

    def memory_after_a_page(self, one):
        sums = self.memory_of(self.processes_of(one))
        return {RSS: sums['Rss'], DIRTY: sums['Private_Dirty']}


def parse():
    parser = argparse.ArgumentParser(prog='bench/on-board')
    parser.add_argument('-r', '--rounds', type=int, default=2)
    parser.add_argument('-m', '--milliseconds', type=int, default=200)
    parser.add_argument('--write', action='store_true')
    parser.add_argument('--image', type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument('--make-site', type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument('words', nargs='*', metavar='SCENARIO')
    return parser.parse_args()


def make_site(root):
    root.mkdir(parents=True)
    for name, content in scenarios.SITE.items():
        if len(content) <= LARGEST:
            (root / name).write_bytes(content)


def measure_all(board, chosen, options):
    results = []
    for scenario in chosen:
        print(f'{scenario.title} ({scenario.name})', flush=True)
        scenario.contestants = list(CONTESTANTS)
        result = report.Result(scenario)
        for one in CONTESTANTS:
            board.check(one, scenario)
        for number in range(options.rounds):
            for one in CONTESTANTS:
                figures = board.turn(one, scenario, options.milliseconds)
                result.add(one, figures)
                report.print_round(number, options.rounds, one, figures)
        report.print_result(result)
        results.append(result)
    return results


PAGE = '''# Performance on a board

Made by `bench/on-board --write`; `bench/README.md` says how to read it.

| | |
| --- | --- |
| date | {date} |
| board | `qemu-system-arm -M virt`, one Cortex-A7, 512 MB, Debian's kernel 6.1 for armhf; clients, servers and PHP share the core |
| time | counted in instructions: one takes a nanosecond, in the kernel too. "CPU us/request" is thousands of instructions, whatever machine this runs on |
| servers | fcgate static with musl as `scripts/build-musl` makes it (the smallest code, not the fastest); nginx 1.22.1, lighttpd 1.4.69, PHP 8.2 of Debian 12 |
| set up | as in [performance.md](performance.md), a pool of 4 PHP workers for each |
| run | {rounds}, of {milliseconds} ms of the board's time, every server in each |
'''


def write_page(results, memories, options):
    text = PAGE.format(date=datetime.date.today().isoformat(), rounds='one round' if options.rounds == 1 else f'medians of {options.rounds} rounds', milliseconds=options.milliseconds)
    text += bars.table(results) + report.tables(results)
    text += f'\n## Memory, after a first page\n\n| | {RSS} | {DIRTY} |\n| --- | ---: | ---: |\n'
    text += ''.join(f'| {one.title} | {found[RSS]:,} | {found[DIRTY]:,} |\n' for one, found in memories.items())
    report.write_with_notes(page, text)
    print(f'written: {page}')


def main():
    # So that qemu ends, too.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    options = parse()
    if options.make_site:
        make_site(options.make_site)
        return 0
    chosen = [scenario for scenario in scenarios.chosen(options.words) if scenario.name in CHOSEN]
    with CountedBoard(options.image) as board:
        try:
            board.start()
            memories = {one: board.memory_after_a_page(one) for one in CONTESTANTS}
            for one, found in memories.items():
                print(f'  {one.title:28}' + ''.join(f'  {value:>9,} {name}' for name, value in found.items()), flush=True)
            results = measure_all(board, chosen, options)
        except BoardFault as error:
            print(f'{error}\n{board.fault() or ""}\n{board.story()}', flush=True)
            return 1
    if options.write:
        write_page(results, memories, options)
    return report.tell_errors(results)


if __name__ == '__main__':
    sys.exit(main())
