"""What fcgate has set itself to reach, and whether a run has shown it."""

import statistics

from measure import ALONE, BESIDE, CPU, EACH, P99, RATE, START, THROUGHPUT
import servers
from servers import Caddy, Fcgate, FcgateThreads, Lighttpd, Loop, Nginx, NginxPlain, Ready

BEST = 'the best peer'
LEAST, MOST = '>=', '<='
POOL_KIB = 20  # connection_memory

# Scenario, column, how to compare, factor, with whom; and of whom if not of fcgate with one thread.
BARS = [
    ('small-4', RATE, LEAST, 1.3, Nginx),
    ('small-4', RATE, LEAST, 1.35, Lighttpd),
    ('small-4', RATE, LEAST, 3, Caddy),
    ('small-4', RATE, LEAST, 0.6, Loop),
    ('small-4', CPU, MOST, 0.6, Nginx),
    ('small-4', CPU, MOST, 0.6, Lighttpd),
    ('small-16', RATE, LEAST, 1.15, Nginx),
    ('small-16', RATE, LEAST, 1.35, Lighttpd),
    ('small-16', RATE, LEAST, 3, Caddy),
    ('small-16', CPU, MOST, 0.6, Nginx),
    ('small-16', CPU, MOST, 0.6, Lighttpd),
    ('small-16', P99, MOST, 0.05, Nginx),
    ('small-16', RATE, LEAST, 1, Fcgate, FcgateThreads),
    ('php-10m', THROUGHPUT, LEAST, 1, BEST),
    ('php-10m', CPU, MOST, 1, BEST),
    ('upload-20m', THROUGHPUT, LEAST, 1, BEST),
    ('static-1k', RATE, LEAST, 1, Lighttpd),
    ('static-1k', RATE, LEAST, 1.9, NginxPlain),
    ('static-1k', CPU, MOST, 1.1, Ready),
    ('static-1k', RATE, LEAST, 1.5, Fcgate, FcgateThreads),
    ('static-100k', THROUGHPUT, LEAST, 1, BEST),
    ('static-20m', THROUGHPUT, LEAST, 1, BEST),
    ('not-modified', RATE, LEAST, 1, BEST),
    ('beside', BESIDE, MOST, 2, ALONE),
    ('memory', EACH, MOST, POOL_KIB + 1, None),
    ('start', START, MOST, 1, Lighttpd),
]


def judge(result, column, how, factor, other, one=Fcgate):
    """Words of the bar, what was measured in each round, and whether the median meets it; None when it was not measured."""
    if other is None:
        words, measured = f'{column} {how} {factor:g} (pool of {POOL_KIB} and 1)', result.values(one, column)
    elif other == ALONE:
        words, measured = f'{column} {how} {factor:g} times alone', result.ratios_to(one, column, one, ALONE)
    else:
        _, peer = (result.best_peer(column) or (None, None)) if other == BEST else (None, other)
        words = f'{column} {how} {factor:g} times {BEST if other == BEST else other.title}'
        measured = result.ratios_to(one, column, peer, column) if peer else []
    if not measured:
        return None
    if one is not Fcgate:
        words = f'{one.title}: {words}'
    median = statistics.median(measured)
    return words, measured, median >= factor if how == LEAST else median <= factor


def table(results):
    """As Markdown; nothing when no bar was measured."""
    by_name = {result.scenario.name: result for result in results}
    rows, met = [], 0
    for name, *bar in BARS:
        found = judge(by_name[name], *bar) if name in by_name else None
        if found is not None:
            words, measured, is_met = found
            met += is_met
            title = by_name[name].scenario.title
            extent = f'{min(measured):.2f} to {max(measured):.2f}' if len(measured) > 1 else '-'
            rows.append(f'| {title} | {words} | {statistics.median(measured):.2f} | {extent} | {"yes" if is_met else "**no**"} |\n')
    if not rows:
        return ''
    return (f'\n## Bars\n\nWhat fcgate has set itself to reach: {met} of {len(rows)} are met in this run. The notes at the end say why others are not. '
            'A ratio is worked out in each round; the median of the rounds decides.\n\n'
            '| | bar | measured | in the rounds | met |\n| --- | --- | ---: | --- | --- |\n' + ''.join(rows))


assert servers.WORKERS == 4  # the bars are for as many
