"""PHP that fcgate has started, without memory, without its program, and under whoever kills it at the worst moment."""

import concurrent.futures
import random
import statistics
import threading
import time

import processes
import storm
from cases import SpawnCase


class Memory(SpawnCase):
    def test_memory_limit(self):
        self.serve(backend=['php = memory_limit 16M'])
        for _ in range(3):
            self.assert_status(self.get('/hungry.php?megabytes=64'), 500)
            self.fcgate.wait_for_log(r'GET /hungry\.php\S*: PHP: .*Allowed memory size')
            self.assertEqual(self.get('/hungry.php?megabytes=4').text, '4\n')
        self.assertEqual(self.fcgate.log().count('PHP is ready'), 1)

    def test_no_memory_for_a_script(self):
        """RLIMIT_AS, as a service manager sets it: it goes from fcgate to PHP."""
        self.serve(prefix=['prlimit', f'--as={400 << 20}'])
        for _ in range(2):
            self.assertIn(self.get('/greedy.php?megabytes=2000').status, (500, 502))
            self.assert_hello()
        self.fcgate.wait_for_log(r'GET /greedy\.php\S*: (502: .*PHP crashed|PHP: .*memory)')
        self.assertEqual(self.fcgate.log().count('PHP is ready'), 1)

    def test_few_descriptors(self):
        """RLIMIT_NOFILE that is enough for all there is, and not for a number above it."""
        self.serve(prefix=['prlimit', '--nofile=32'])
        self.assert_hello()
        self.fcgate.wait_for_log('only 32 descriptors may be open')

    def test_no_memory_for_php(self):
        """It cannot even start: said, and tried no more often than makes sense."""
        self.serve(prefix=['prlimit', f'--as={24 << 20}'])
        answers = []
        until = time.monotonic() + 2
        while time.monotonic() < until:
            answers.append(self.get('/hello.php').status)
            time.sleep(0.02)
        self.assertEqual(set(answers), {502})
        self.fcgate.wait_for_log('PHP did not start|PHP cannot be started')
        self.assertLessEqual(len(self.fcgate.log().splitlines()), 200)
        self.assert_status(self.get('/files/plain.txt'), 200)


class Fire(SpawnCase):
    def masters(self):
        spawner = self.fcgate.spawner()
        return storm.children_of(spawner.pid) if spawner else []

    def test_killed_at_any_moment_of_its_life(self):
        """Starting, ready, idle, stopping: whenever it is killed, who asks is answered, and only 200 or 502."""
        self.serve(backend=['idle_stop = 60ms', 'keep_alive = no'])
        over = threading.Event()
        source = random.Random(7)

        def kill():
            # Each makes the pause before the next start longer, so not too often.
            for _ in range(5):
                processes.wait_until(lambda: over.is_set() or self.masters(), 'PHP does not run')
                over.wait(source.uniform(0, 0.1))
                for pid in self.masters():
                    storm.kill(pid)
        killer = threading.Thread(target=kill)
        killer.start()
        try:
            answers = []
            until = time.monotonic() + 4
            # A slow PHP is killed before it is ready, and each time the pause before the next start is longer.
            while time.monotonic() < until or (answers.count(200) <= 2 and time.monotonic() < until + 20):
                answers.append(self.get('/hello.php').status)
                time.sleep(source.uniform(0, 0.15))
        finally:
            over.set()
            killer.join()
        print(f'    {answers.count(200)} of {len(answers)} answered 200, '
              f'{self.fcgate.log().count("killed by signal 9")} times killed', flush=True)
        self.assertLessEqual(set(answers), {200, 502})
        self.assertGreater(answers.count(200), 2)
        processes.wait_until(lambda: self.get('/hello.php').status == 200, 'it does not recover', 12)

    def test_killed_again_and_again_it_is_there_again_at_once(self):
        """A PHP that has answered is no failure; the pauses of one that fails would be 6 seconds in all."""
        self.serve()
        took = []
        for _ in range(7):
            self.assert_hello()
            master, = self.masters()
            storm.kill(master)
            processes.wait_until(lambda dead=master: dead not in self.masters(), 'it lives on')
            started = time.monotonic()
            self.assert_hello()
            took.append(1000 * (time.monotonic() - started))
        print(f'    killed to next answer: {statistics.median(took):.0f} ms, {min(took):.0f} to {max(took):.0f}', flush=True)
        self.assertLess(sum(took), 5000)

    def test_everything_that_waits_is_served_when_the_socket_goes(self):
        """The path is removed while clients ask: the next connection finds nothing, PHP is started again, nobody is told."""
        self.serve(backend=['keep_alive = no'])
        self.assert_hello()
        over = threading.Event()

        def remove():
            for _ in range(3):
                over.wait(0.5)
                for path in self.php.runtime_dir.glob('*.sock'):
                    path.unlink(missing_ok=True)
        remover = threading.Thread(target=remove)
        remover.start()
        answers = []
        until = time.monotonic() + 2
        while time.monotonic() < until:
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                answers += pool.map(lambda number: self.ask(number), range(4))
        remover.join()
        self.assertEqual(set(answers), {200})
        self.assertGreaterEqual(self.fcgate.log().count("nobody answers at PHP's socket"), 2)

    def test_who_is_served_when_the_socket_goes_is_served_to_the_end(self):
        self.serve(backend=['keep_alive = no'])
        self.assert_hello()
        marker = self.marker('served')
        with self.client() as client:
            client.start('POST', f'/sleep.php?ms=700&marker={marker.name}', body=b'x')
            processes.wait_until(marker.exists, 'the script does not run')
            for path in self.php.runtime_dir.glob('*.sock'):
                path.unlink()
            self.assert_hello()
            self.assertEqual(client.response().text, 'slept 700\n')

    def ask(self, number):
        return (self.post('/post.php', b'x=1') if number % 2 else self.get('/hello.php')).status

    def test_hung_script_leaves_the_others(self):
        self.serve(workers=3, backend=['response_timeout = 700ms'])
        with self.client() as client:
            client.start('GET', '/sleep.php?ms=5000')
            for _ in range(10):
                self.assert_hello()
            self.assert_status(client.response(), 504)
            self.assert_hello()

    def test_cold_starts(self):
        """From nothing to the first answer, over and over; what it takes is printed."""
        self.serve(backend=['idle_stop = 40ms', 'keep_alive = no'])
        took = []
        for _ in range(12):
            started = time.monotonic()
            self.assert_hello()
            took.append(1000 * (time.monotonic() - started))
            self.wait_for_no_php()
        print(f'    cold to first answer: {statistics.median(took):.0f} ms, {min(took):.0f} to {max(took):.0f}', flush=True)
        self.assertEqual(self.fcgate.php(), [])
        self.assertLess(statistics.median(took), 2000)
