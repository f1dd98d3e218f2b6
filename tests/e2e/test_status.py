"""The status page: its figures under a load that is known, in all three forms, and with PHP that dies."""

import base64
import hashlib
import json
import os
import re
import signal

import processes
import wire
from cases import ONE, ServedCase, SpawnCase, TWO

ON = ('status_path = /status',)
NAME = r'[a-zA-Z_:][a-zA-Z0-9_:]*'
SAMPLE = re.compile(rf'({NAME})(?:{{(.*)}})? (-?[0-9.]+(?:e[+-]?[0-9]+)?|[+-]Inf|NaN)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')


def read_metrics(text):
    """The samples of Prometheus text, by name and labels. What the format does not allow is an error, as is what `promtool check
    metrics` finds fault with."""
    assert text.endswith('\n') and '\n\n' not in text and text.isascii(), 'not lines'
    types, helps, samples, family = {}, set(), {}, None
    for line in text.splitlines():
        if line.startswith('# HELP '):
            family = line.split(' ')[2]
            assert re.fullmatch(NAME, family) and family not in helps, line
            assert line.split(' ', 3)[3], line
            helps.add(family)
            continue
        if line.startswith('# TYPE '):
            _, _, name, kind = line.split(' ')
            assert name == family and name not in types and kind in ('counter', 'gauge', 'histogram'), line
            assert (kind == 'counter') == name.endswith('_total'), line
            types[name] = kind
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        name, text_of_labels, value = match.groups()
        labels = LABEL.findall(text_of_labels or '')
        assert ''.join(f'{key}="{value}",' for key, value in labels)[:-1] == (text_of_labels or ''), line
        assert len({key for key, _ in labels}) == len(labels), line
        base = re.sub('_(bucket|sum|count)$', '', name) if types.get(family) == 'histogram' else name
        assert base == family and family in types, f'{line}: among samples of {family}'
        key = (name, frozenset(labels))
        assert key not in samples, f'{line}: twice'
        samples[key] = float(value)
        assert samples[key] >= 0, line
    assert helps == set(types)
    for name in (name for name, kind in types.items() if kind == 'histogram'):
        check_histogram(name, samples)
    return samples


def check_histogram(name, samples):
    series = {}
    for (sample, labels), value in samples.items():
        if sample == f'{name}_bucket':
            rest = frozenset(pair for pair in labels if pair[0] != 'le')
            series.setdefault(rest, []).append((float(dict(labels)['le']), value))
    assert series or not any(sample.startswith(name) for sample, _ in samples)
    for labels, buckets in series.items():
        assert buckets == sorted(buckets) and buckets[-1][0] == float('inf'), (name, buckets)
        values = [value for _, value in buckets]
        assert values == sorted(values), (name, buckets)
        assert samples[f'{name}_count', labels] == values[-1]
        assert (f'{name}_sum', labels) in samples


class Figures(ServedCase):
    pools = [ONE, TWO]
    server = ON
    backend = ('queue = 3', 'queue_timeout = 20s')

    def metrics(self):
        response = self.get('/status')
        self.assert_status(response, 200)
        self.assertEqual(response.field('Content-Type'), 'text/plain; version=0.0.4; charset=utf-8')
        return read_metrics(response.text)

    def wait_for(self, name, value, **labels):
        """A count stands in the page a moment after the answer."""
        key = (f'fcgate_{name}', frozenset(labels.items()))
        processes.wait_until(lambda: self.metrics().get(key, 0) == value,
                             f'{key} is not {value}', 5)

    def of(self, metrics, name, **labels):
        return metrics.get((f'fcgate_{name}', frozenset(labels.items())), 0)

    def test_answers_of_every_class(self):
        before = self.metrics()
        for _ in range(7):
            self.assert_status(self.get('/hello.php'), 200)
        for _ in range(4):
            self.assert_status(self.get('/nothing.txt'), 404)
        for _ in range(3):
            self.assert_status(wire.ask(self.port, 'DELETE', '/files/plain.txt'), 405)
        self.assert_status(self.get('/files/plain.txt', [('If-None-Match', '*')]), 304)
        served = '(default)'
        # What asks counts as well, when it asks the next time.
        self.wait_for('responses_total', self.of(before, 'responses_total', **{'class': '4xx'}) + 7, **{'class': '4xx'})
        after = self.metrics()

        def grown(name, **labels):
            return self.of(after, name, **labels) - self.of(before, name, **labels)
        self.assertEqual(grown('responses_total', **{'class': '3xx'}), 1)
        self.assertEqual(grown('responses_total', **{'class': '5xx'}), 0)
        self.assertGreaterEqual(grown('responses_total', **{'class': '2xx'}), 8)
        self.assertEqual(grown('refusals_total', status='404'), 4)
        self.assertEqual(grown('refusals_total', status='405'), 3)
        self.assertEqual(grown('backend_wait_seconds_count', backend=served), 7)
        self.assertEqual(grown('backend_connections_total', backend=served, kind='kept')
                         + grown('backend_connections_total', backend=served, kind='fresh'), 7)
        self.assertEqual(self.of(after, 'backend_places', backend=served), self.pool.workers)

    def test_full_queue(self):
        workers = self.pool.workers
        before = self.metrics()
        held = []
        for number in range(workers + 3):
            client = self.client()
            client.start('GET', '/sleep.php?ms=1000')
            held.append(client)
            # One after the other, so that nobody is refused who would have had a place.
            if number < workers:
                self.wait_for('backend_in_use', number + 1, backend='(default)')
            else:
                self.wait_for('backend_waiting', number + 1 - workers, backend='(default)')
        self.assert_status(self.get('/hello.php'), 503)
        after = self.metrics()
        for name, value in (('in_use', workers), ('waiting', 3), ('waiting_most', 3), ('queue', 3),
                            ('refused_total', 1 + self.of(before, 'backend_refused_total', backend='(default)'))):
            self.assertEqual(self.of(after, f'backend_{name}', backend='(default)'), value, name)
        self.assertEqual(self.of(after, 'backend_failures_total', backend='(default)', reason='queue-full'), 1)
        for client in held:
            self.assert_status(client.response(), 200)
        done = self.metrics()
        late = {le: value for (name, labels), value in done.items() if name == 'fcgate_backend_wait_seconds_bucket'
                for le in [dict(labels)['le']]}
        self.assertGreaterEqual(late['+Inf'] - late['0.100'], 3, 'waits of a second are in no bucket of theirs')
        self.wait_for('backend_in_use', 0, backend='(default)')

    def test_forms(self):
        told = json.loads(self.get('/status', [('Accept', 'application/json')]).text)
        self.assertEqual(told['backends'][0]['places'], self.pool.workers)
        self.assertEqual(told['backends'][0]['address'], self.php.fcgate_address)
        metrics = self.metrics()
        self.assertEqual(set(told['connections']), {'idle', 'head', 'body', 'waiting', 'replying'})
        names = {name for name, _ in metrics}
        for key, value in told['backends'][0].items():
            if key not in ('name', 'address', 'waited_seconds', 'failures'):
                self.assertTrue({f'fcgate_backend_{key}', f'fcgate_backend_{key}_total', f'fcgate_backend_{key}_count'} & names, key)

    def test_page(self):
        response = self.get('/status', [('Accept', 'text/html,*/*;q=0.8')])
        self.assert_status(response, 200)
        style = re.search('<style>(.*?)</style>', response.text).group(1)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        self.assertIn(f"style-src 'sha256-{digest}'", response.field('Content-Security-Policy'))
        self.assertNotIn('<script', response.text)

    def test_page_renews_itself_unless_it_is_to_stand_still(self):
        for target, refresh in (('/status', '5'), ('/status?', '5'), ('/status?html', None), ('/status?json', None)):
            response = self.get(target, [('Accept', 'text/html')])
            self.assert_status(response, 200)
            self.assertEqual(response.field('Refresh'), refresh, target)
            self.assertNotIn('http-equiv', response.text)
            self.assertEqual('href="?html"' in response.text, target != '/status?json')


class Spawned(SpawnCase):
    workers = 2

    def told(self):
        return json.loads(self.get('/status?json').text)['backends'][0]

    def test_php_that_dies(self):
        self.serve(server=ON)
        told = self.told()
        self.assertEqual((told['php'], told['php_running'], told['php_starts'], told['php_deaths']), ('stopped', 0, 0, 0))
        self.assert_hello()
        told = self.told()
        self.assertEqual((told['php'], told['php_running'], told['php_starts'], told['php_deaths']), ('running', 1, 1, 0))
        for number in (1, 2):
            masters = [php for php in self.fcgate.php() if php.parent not in {other.pid for other in self.fcgate.php()}]
            os.kill(masters[0].pid, signal.SIGKILL)
            processes.wait_until(lambda: self.told()['php_deaths'] == number, 'its death is not told', 10)
            processes.wait_until(lambda: self.get('/hello.php').status == 200, 'PHP does not come back', 20)
            self.assertEqual(self.told()['php_starts'], number + 1)
        self.assertEqual(self.told()['php'], 'running')
