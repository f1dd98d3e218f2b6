"""One backend, two php-fpm; one of them is killed under load, and comes back."""

import json
import signal

import processes
import storm
from cases import ServedCase, TCP, TWO


class TwoPools(ServedCase):
    pools = [TWO, TCP]
    server = ('status_path = /status',)
    load = 4

    @classmethod
    def setUpClass(cls):
        cls.other = cls.pool.make(processes.new_folder('other'), 0).start()
        cls.addClassCleanup(cls.other.end)
        cls.backend = (f'address = {cls.other.fcgate_address}',)
        super().setUpClass()

    def kill(self, php):
        php.signal_group(signal.SIGKILL)
        php.wait()
        processes.wait_until(lambda: not processes.accepts(php.address), 'php-fpm lives on')

    def told(self):
        return json.loads(self.get('/status?json').text)['backends'][0]['servers']

    def is_up(self, php):
        return next(server['up'] for server in self.told() if server['address'] == php.fcgate_address)

    def answers(self):
        return {self.get('/hello.php').status for _ in range(20)} | {self.post('/post.php', b'x=1').status for _ in range(20)}

    def setUp(self):
        (self.php.scratch / 'ledger').unlink(missing_ok=True)

    def test_one_is_killed_and_comes_back(self):
        self.assertEqual([server['address'] for server in self.told()], [self.php.fcgate_address, self.other.fcgate_address])
        with storm.Clients(self.port, self.load) as visitors:
            for php in (self.php, self.other):
                since = self.log_size()
                self.kill(php)
                self.assertEqual(self.answers(), {200}, 'the other does not serve alone')
                self.fcgate.wait_for_log(rf'error: backend {php.fcgate_address} is down: connect .* \[backend-', since=since)
                self.assertFalse(self.is_up(php))
                php.start()
                self.fcgate.wait_for_log(rf'info: backend {php.fcgate_address} is up again', since=since)
                self.assertTrue(self.is_up(php))
        print(f'    {visitors}', flush=True)
        wrong, _ = visitors.judge(self.php.scratch / 'ledger')
        self.assertEqual(wrong, [])
        # Those that ran in a pool that was killed, and no other.
        self.assertLessEqual(visitors.outcomes['502'] + visitors.outcomes['cut'], 2 * self.load)
        self.assertEqual(visitors.outcomes['503'] + visitors.outcomes['504'], 0)

    def test_both_are_killed(self):
        for php in (self.php, self.other):
            self.kill(php)
        self.assert_status(self.get('/hello.php'), 502)
        self.other.start()
        # However long both were down, what is there is used.
        self.assert_status(self.get('/hello.php'), 200)
        self.php.start()
        processes.wait_until(lambda: self.get('/hello.php').status == 200 and self.is_up(self.php), 'it is not used again')

    def test_both_serve(self):
        clients = [self.client() for _ in range(2)]
        for client in clients:
            client.start('GET', '/sleep.php?ms=1000')
        processes.wait_until(lambda: [server['connections'] for server in self.told()] == [1, 1], 'one has both', 5)
        for client in clients:
            self.assert_status(client.response(), 200)


class ThreadedTwoPools(TwoPools):
    pools = [TWO]
    server = ('status_path = /status', 'threads = 2')
