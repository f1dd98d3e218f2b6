"""Medians as a table, as a page and as a picture."""

import datetime
import os
import pathlib
import platform
import re
import statistics

import bars
from measure import ALONE, BESIDE, CPU, EACH, ERRORS, IDLE, P50, P99, RATE, START, THROUGHPUT
import servers

COLUMNS = [RATE, THROUGHPUT, P50, P99, ALONE, BESIDE, CPU, IDLE, EACH, START, ERRORS]
MORE_IS_BETTER = (RATE, THROUGHPUT)
# What a ratio to the best peer is given of, at most two of them.
COMPARED = [THROUGHPUT, RATE, CPU, BESIDE, EACH, START]


def show(value):
    if value is None:
        return '-'
    if value >= 1000:
        return f'{value:,.0f}'
    return f'{value:.0f}' if value == int(value) else f'{value:.2f}' if value < 10 else f'{value:.1f}'


class Result:
    """The rounds of one scenario, by server."""

    def __init__(self, scenario):
        self.scenario = scenario
        self.rounds = {contestant: [] for contestant in scenario.contestants}

    def add(self, contestant, figures):
        self.rounds[contestant].append(figures)

    def values(self, contestant, column):
        return [figures[column] for figures in self.rounds.get(contestant, ()) if column in figures]

    def median(self, contestant, column):
        values = self.values(contestant, column)
        return statistics.median(values) if values else None

    def ratios_to(self, one, column, other, other_column):
        """One by the other, of each round: what else the machine did then fell on both."""
        pairs = zip(self.rounds.get(one, ()), self.rounds.get(other, ()))
        return [ours[column] / theirs[other_column] for ours, theirs in pairs if column in ours and theirs.get(other_column)]

    def columns(self):
        return [column for column in COLUMNS if any(self.median(one, column) is not None for one in self.rounds)]

    def best_peer(self, column):
        """The median of the peer that does best in a column, and that peer. One that makes errors, or gets nothing done, is none."""
        peers = [(self.median(one, column), one) for one in self.rounds
                 if one in servers.PEERS and self.median(one, column) and not self.median(one, ERRORS) and self.median(one, RATE) != 0]
        if not peers:
            return None
        return (max if column in MORE_IS_BETTER else min)(peers, key=lambda peer: peer[0])

    def ratios(self):
        """fcgate's medians by those of the best peer."""
        found = []
        for column in [one for one in COMPARED if one in self.columns()][:2]:
            if column == RATE and THROUGHPUT in self.columns():
                column = CPU
            peer, ours = self.best_peer(column), self.median(servers.Fcgate, column)
            if peer and ours is not None:
                found.append(f'{column} {ours / peer[0]:.2f} times {peer[1].title}')
        return found

    def rows(self):
        for one in self.rounds:
            yield [one.title] + [show(self.median(one, column)) for column in self.columns()]


def print_round(number, rounds, one, figures):
    print(f'  {number + 1}/{rounds} {one.title:28}' +
          ''.join(f'  {show(value):>9} {name}' for name, value in figures.items()), flush=True)


def print_result(result):
    columns = ['median of each', *result.columns()]
    print(f'\n  {columns[0]:28}' + ''.join(f'{column:>18}' for column in columns[1:]))
    for row in result.rows():
        print(f'  {row[0]:28}' + ''.join(f'{value:>18}' for value in row[1:]))
    print('  fcgate: ' + '; '.join(result.ratios()) + '\n', flush=True)


def tell_errors(results):
    """Says where fcgate has made errors; the status to end with."""
    wrong = [result.scenario.name for result in results if result.median(servers.Fcgate, ERRORS)]
    if wrong:
        print(f'fcgate has made errors in: {", ".join(wrong)}')
    return 1 if wrong else 0


def machine():
    text = pathlib.Path('/proc/cpuinfo').read_text()
    model = re.search(r'^(?:model name|Model|Hardware)\s*:\s*(.*)$', text, re.MULTILINE)
    memory = int(re.search(r'MemTotal:\s*(\d+)', pathlib.Path('/proc/meminfo').read_text())[1]) >> 20
    return (f'{os.cpu_count()} cores ({model[1] if model else platform.machine()}), {memory + 1} GB, '
            f'Linux {platform.release().split("-")[0]}')


def versions(contestants):
    seen = {}
    for one in contestants:
        if one in (servers.Fcgate, *servers.PEERS):
            seen.setdefault(one.title.split(' kept')[0], one.version())
    seen['PHP'] = servers.version_of(servers.processes.php_fpm_path(), '-v')
    seen['wrk'] = servers.version_of('wrk', '-v')
    return ', '.join(f'{name} {version}' for name, version in seen.items())


PAGE = '''# Performance

Made by `bench/run --write`; `bench/README.md` says what is measured and how to read it.

| | |
| --- | --- |
| date | {date} |
| machine | {machine}; clients, servers and PHP share it |
| load before | {load} |
| versions | {versions} |
| run | medians of {rounds} rounds of {seconds} s, every server in each round |
| PHP | a pool of 4 static workers for each server, on a unix socket |

![requests a second]({picture})

'''


def warning(load):
    """What a reader has to know of a machine that had other work."""
    if load <= os.cpu_count() / 2:
        return ''
    return (f'**The machine was busy with other work** (load {load:.0f} on {os.cpu_count()} cores): rates and latencies are far from what it can '
            'give, and vary; CPU a request varies less, and `bench/counts.txt` not at all.\n\n')


def tables(results):
    """Of each scenario, as Markdown."""
    text = ''
    for result in results:
        columns = result.columns()
        text += f'\n## {result.scenario.title[0].upper()}{result.scenario.title[1:]}\n\n'
        text += '| | ' + ' | '.join(columns) + ' |\n| --- |' + ' ---: |' * len(columns) + '\n'
        text += ''.join('| ' + ' | '.join(row) + ' |\n' for row in result.rows())
        if result.ratios():
            text += '\nfcgate to the best peer: ' + '; '.join(result.ratios()) + '.\n'
    return text


def write_page(results, options, load, path):
    contestants = list(dict.fromkeys(one for result in results for one in result.rounds))
    picture = path.with_suffix('.svg')
    text = PAGE.format(date=datetime.date.today().isoformat(), machine=machine(), load=f'{load:.1f}', versions=versions(contestants),
                       rounds=options.rounds, seconds=options.seconds, picture=picture.name)
    text += warning(load)
    text += '| | set up as |\n| --- | --- |\n'
    text += ''.join(f'| {one.title} | {one.setting} |\n' for one in contestants)
    text += bars.table(results) + tables(results)
    write_with_notes(path, text)
    picture.write_text(draw(results))


def write_with_notes(path, text):
    """What people have written below stays."""
    notes = path.read_text().partition(NOTES)[2] if path.exists() else ''
    path.write_text(text + (NOTES + notes if notes else ''))


NOTES = '\n## Notes\n'
COLOURS = {'fcgate': '#1668a8', 'fcgate, 2 threads': '#6fb1e0', 'nginx kept': '#4d8a3d', 'nginx': '#93c47d', 'lighttpd': '#c98a1b',
           'Caddy': '#b1604e'}
LEFT, WIDTH, BAR, GAP = 150, 420, 13, 34


def draw(results):
    """A group of bars for each scenario; the longest of a group is as wide as the page."""
    parts, y = [], 12
    for result in results:
        column = THROUGHPUT if THROUGHPUT in result.columns() else RATE
        bars = [(one.title, result.median(one, column), bool(result.median(one, ERRORS))) for one in result.rounds
                if not one.is_limit and result.median(one, column)]
        if not bars:
            continue
        parts.append(f'<text x="8" y="{y + 12}" class="title">{result.scenario.title}, {column}</text>')
        y += 20
        longest = max(value for _, value, _ in bars)
        for title, value, has_errors in bars:
            width = WIDTH * value / longest
            parts.append(f'<text x="{LEFT - 6}" y="{y + 10}" text-anchor="end">{title}</text>'
                         f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 2}" fill="{COLOURS[title]}"/>'
                         f'<text x="{LEFT + width + 5:.1f}" y="{y + 10}">{show(value)}{" (errors)" if has_errors else ""}</text>')
            y += BAR
        y += GAP - 20
    size = LEFT + WIDTH + 110
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{y}" viewBox="0 0 {size} {y}">\n'
            '<style>text { font: 11px sans-serif; fill: #222 } .title { font-weight: bold }</style>\n'
            f'<rect width="{size}" height="{y}" fill="#fff"/>\n' + '\n'.join(parts) + '\n</svg>\n')
