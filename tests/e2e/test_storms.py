"""PHP is killed and reloaded all the time while clients ask: nothing runs twice, and nobody is lied to."""

import statistics

import storm
from cases import FOUR, ServedCase, SpawnCase, TCP


class Weathered:
    """What the storms have in common."""

    def weather(self, weather, kills, pause=0.03, clients=8):
        with storm.Clients(self.port, clients) as visitors:
            weather.blow(kills, pause)
        print(f'    {weather}\n    {visitors}', flush=True)
        wrong, posts = visitors.judge(self.php.scratch / 'ledger')
        self.assertEqual(wrong, [])
        self.assertGreater(posts, kills, 'too little was asked to tell')
        self.assertGreater(visitors.outcomes['200'], kills)
        # On a busy machine any of them can be late, for want of a processor; what is late by itself is always late.
        self.assertLess(min(weather.recoveries.all()), 0.5)
        self.assertLess(statistics.median(weather.recoveries.all()), 1)
        self.assertEqual(self.get('/hello.php').text, 'Hello, world\n')


class Storm(Weathered, ServedCase):
    pools = [FOUR, TCP]
    backend = ('response_timeout = 20s',)

    def test_nothing_runs_twice(self):
        self.weather(storm.FpmWeather(self.port, self.php), 40)


class ThreadedStorm(Storm):
    pools = [FOUR]
    server = ('threads = 2',)


class SpawnStorm(Weathered, SpawnCase):
    workers = 3

    def test_nothing_runs_twice(self):
        self.serve(backend=['response_timeout = 20s'])
        self.assert_hello()
        self.weather(storm.SpawnWeather(self.port, self.fcgate), 30)
