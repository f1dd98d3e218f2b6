"""PHP on demand: it is started by the first request, stopped when nobody wants it, and nobody notices."""

import concurrent.futures
import os
import pathlib
import random
import shutil
import signal
import time
import unittest

import processes
import wire
from cases import SpawnCase


class OnDemand(SpawnCase):
    def test_no_php_before_the_first_request(self):
        self.serve()
        self.assert_status(self.get('/files/plain.txt'), 200)
        self.assert_status(self.get('/missing.php'), 404)
        self.assertEqual(self.fcgate.php(), [])
        self.assertEqual([child.name for child in self.fcgate.children()], ['fcgate-spawner'])
        self.assertEqual(self.php.left_over(), [])
        self.assert_hello()
        self.assertTrue(self.fcgate.php())

    def test_first_request_starts_php(self):
        took = []
        for number in range(5):
            self.serve(name=f'fcgate-{number}')
            started = time.monotonic()
            self.assert_hello()
            took.append(1000 * (time.monotonic() - started))
            self.fcgate.wait_for_log(r'PHP is ready, \d+ ms after it was wanted')
        print(f'    first answer of a PHP that did not run: {min(took):.0f} to {max(took):.0f} ms', flush=True)
        self.assertLess(min(took), 2000)

    def test_parallel_first_requests(self):
        self.serve(['max_connections_per_client = 40'])
        started = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(30) as pool:
            responses = list(pool.map(lambda number: self.get(f'/hello.php?name={number}'), range(30)))
        self.assertLess(time.monotonic() - started, 1.5, 'a request has waited for a worker that was not started')
        self.assertEqual([response.text for response in responses], [f'Hello, {number}\n' for number in range(30)])
        self.assertEqual(self.fcgate.log().count('PHP is ready'), 1)

    def test_requests_that_wait_for_a_slow_start(self):
        self.serve(command=self.program('php-fpm-slow', f'sleep 1\nexec {processes.php_fpm_path()} "$@"'))
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: self.post('/post.php', b'x' * 1000), range(8)))
        self.assertEqual({answer.status for answer in answers}, {200})

    def test_client_that_leaves_before_php_is_there(self):
        self.serve(command=self.program('php-fpm-slow', f'sleep 0.5\nexec {processes.php_fpm_path()} "$@"'))
        for _ in range(3):
            with self.client() as client:
                client.start('GET', '/count.php')
        self.fcgate.wait_for_log('PHP is ready')
        self.assert_hello()

    def test_event_streams_leave_a_worker(self):
        self.serve(workers=3)
        for _ in range(2):
            client = self.client()
            client.start('GET', '/stream.php?type=text/event-stream&pieces=100&pause=100', [('Accept', 'text/event-stream')])
            self.assertEqual(client.head().status, 200)
        with self.client() as third:
            response = third.ask('GET', '/stream.php?type=text/event-stream&pieces=1&pause=1',
                                 [('Accept', 'text/event-stream')])
            self.assert_status(response, 503)
            self.fcgate.wait_for_log('event streams may hold all PHP workers but one')
            for _ in range(10):
                self.assert_hello()

    def program(self, name, text):
        return executable(self.folder / name, text)


def executable(path, text):
    path.write_text(f'#!/bin/sh\n{text}\n')
    path.chmod(0o755)
    return path


class IdleStop(SpawnCase):
    def test_idle_php_is_stopped_and_started_again(self):
        self.serve(backend=['idle_stop = 300ms', 'keep_alive = no'])
        self.assert_hello()
        self.wait_for_no_php(5)
        self.fcgate.wait_for_log('PHP has been stopped')
        self.assert_status(self.get('/files/plain.txt'), 200)
        self.assertEqual(self.fcgate.php(), [])
        self.assert_hello()
        self.assertEqual(self.fcgate.log().count('PHP is ready'), 2)

    def test_kept_connections_do_not_keep_it(self):
        self.serve(backend=['idle_stop = 300ms'])
        with self.client() as client:
            self.assert_hello(client.ask('GET', '/hello.php'))
            self.wait_for_no_php(8)
            self.assert_hello(client.ask('GET', '/hello.php'))

    def test_it_is_not_stopped_while_it_works(self):
        self.serve(backend=['idle_stop = 100ms', 'keep_alive = no'])
        self.assertEqual(self.get('/sleep.php?ms=1500').text, 'slept 1500\n')
        self.assertEqual(self.fcgate.log().count('PHP is ready'), 1)

    def test_without_idle_stop_it_stays(self):
        self.serve(backend=['idle_stop = 0', 'keep_alive = no'])
        self.assert_hello()
        before = self.fcgate.voluntary_switches()
        time.sleep(2)  # what is measured is that nothing happens meanwhile
        self.assertTrue(self.fcgate.php())
        self.assertLessEqual(self.fcgate.voluntary_switches() - before, 4)

    def test_what_a_script_has_started_goes_on(self):
        """An update, which may take longer than idle_stop, or stop fcgate."""
        self.serve(backend=['idle_stop = 200ms', 'keep_alive = no'])
        stays = self.php.scratch / 'stays'
        stays.touch()
        self.addCleanup(stays.unlink)
        pid = int(self.get('/leaves.php').text)
        self.wait_for_no_php()
        self.assertIn(pid, [running.pid for running in processes.orphans()])
        self.assert_hello()
        self.fcgate.signal(signal.SIGTERM)
        self.assertEqual(self.fcgate.wait(), 0)
        self.assertIn(pid, [running.pid for running in processes.orphans()])

    def test_many_cycles_leave_nothing_behind(self):
        self.serve(backend=['idle_stop = 50ms', 'keep_alive = no'])
        spawner = self.fcgate.spawner().pid
        self.assert_hello()
        self.wait_for_no_php()
        before = len(self.fcgate.descriptors()), len(os.listdir(f'/proc/{spawner}/fd'))
        started = time.monotonic()
        for _ in range(30):
            self.assert_hello()
            self.wait_for_no_php()
            self.assertEqual([child.name for child in self.fcgate.children()], ['fcgate-spawner'])
        took = time.monotonic() - started
        self.assertLessEqual((len(self.fcgate.descriptors()), len(os.listdir(f'/proc/{spawner}/fd'))), before)
        self.assertEqual(self.fcgate.log().count('PHP is ready'), 31)
        print(f'    30 starts and stops in {took:.1f} s', flush=True)
        self.assertLess(took, 90)

    def test_no_request_is_lost_while_php_comes_and_goes(self):
        """Clients that come about when it is stopped; each path, GET and POST, once."""
        self.serve(backend=['idle_stop = 40ms', 'keep_alive = no'])
        begun = time.monotonic()

        def starts():
            return self.fcgate.log().count('PHP is ready')

        def goes_on():
            past = time.monotonic() - begun
            return past < 6 or (past < 60 and starts() <= 10)

        def visit(seed):
            pauses, answers = random.Random(seed), []
            while goes_on():
                time.sleep(pauses.uniform(0, 0.12))
                answers.append(self.post('/post.php', b'a=b').status if pauses.random() < 0.5 else self.get('/hello.php').status)
            return answers
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            answers = [status for statuses in pool.map(visit, range(2)) for status in statuses]
        print(f'    {len(answers)} requests over {starts()} runs of PHP', flush=True)
        self.assertEqual(set(answers), {200})
        self.assertGreater(starts(), 10, 'it has not been stopped often enough to tell')


class Ends(SpawnCase):
    """Whoever dies, and whatever is taken away."""

    # PHP has to start within it too, also on a slow machine; not below what the scripts say that have to be too slow.
    short = 'response_timeout = 1500ms'

    def kill(self, *pids):
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def master(self):
        """PHP's main process: the spawner's child."""
        spawner = self.fcgate.spawner().pid
        return next(running.pid for running in self.fcgate.php() if running.parent == spawner)

    def kill_all(self):
        """Returns when they are dead: a connection that is made before may still come to one of them."""
        before = {running.pid for running in self.fcgate.php()}
        os.killpg(self.master(), signal.SIGKILL)
        processes.wait_until(lambda: not before & {running.pid for running in self.fcgate.php() if running.state != 'Z'},
                             'PHP is not dead')

    def test_master_is_killed(self):
        self.serve()
        self.assert_hello()
        old = self.fcgate.php()
        self.kill(self.master())
        self.fcgate.wait_for_log('PHP was killed by signal 9')
        self.assert_hello()
        pids = {running.pid for running in self.fcgate.php()}
        self.assertFalse(pids & {running.pid for running in old}, 'a process of the run before is left')

    def test_all_of_php_is_killed(self):
        self.serve()
        self.assert_hello()
        self.kill_all()
        self.assert_hello()
        self.assert_hello()
        self.fcgate.wait_for_log('PHP was killed by signal 9')

    def test_a_worker_is_killed(self):
        self.serve()
        worker = self.runtime()['pid']
        self.kill(worker)
        for _ in range(5):
            self.assert_hello()
        self.assertEqual(self.fcgate.log().count('PHP is ready'), 1)
        self.fcgate.wait_for_log(rf'php: .*child {worker} exited on signal 9')

    def test_requests_in_flight_are_told(self):
        self.serve()
        marker = self.marker('killed')
        with self.client() as get, self.client() as post:
            get.start('GET', f'/sleep.php?ms=2500&marker={marker.name}')
            processes.wait_until(marker.exists, 'the script does not run')
            other = self.marker('killed-too')
            post.start('POST', f'/sleep.php?ms=2500&marker={other.name}', body=b'x')
            started = time.monotonic()
            processes.wait_until(other.exists, 'the second script does not run')
            self.kill_all()
            self.assertEqual(post.response().status, 502)
            self.assertIn(get.response().status, (200, 502))
            self.assertLess(time.monotonic() - started, 5)
        self.assert_hello()

    def test_again_and_again(self):
        self.serve()
        for _ in range(4):
            self.assert_hello()
            self.kill_all()
        started = time.monotonic()
        self.assert_hello()
        self.assertLess(time.monotonic() - started, 6)

    def test_socket_is_removed(self):
        self.serve(backend=['keep_alive = no'])
        self.assert_hello()
        for path in pathlib.Path(self.php.runtime_dir).glob('*.sock'):
            path.unlink()
        self.assert_hello()
        self.fcgate.wait_for_log("nobody answers at PHP's socket")
        self.assertEqual(self.fcgate.log().count('PHP is ready'), 2)

    def assert_started_again(self):
        """One request more than there are workers has to go without an answer: until then it may be slow scripts."""
        processes.wait_until(lambda: self.get('/hello.php').status == 200, 'it hangs on', 10)
        self.fcgate.wait_for_log('all PHP workers hang: PHP is started again')
        self.assertEqual(self.fcgate.log().count('PHP is ready'), 2)

    def test_scripts_that_hang(self):
        self.serve(backend=[self.short])
        for _ in range(self.workers):
            self.assert_status(self.get('/sleep.php?ms=60000'), 504)
        self.assertNotIn('hang', self.fcgate.log())
        self.assert_started_again()

    def test_php_is_stopped(self):
        self.serve(backend=[self.short])
        self.assert_hello()
        for running in self.fcgate.php():
            os.kill(running.pid, signal.SIGSTOP)
        self.assert_started_again()

    def test_slow_scripts_between_others_are_no_reason(self):
        self.serve(backend=[self.short])
        for _ in range(3):
            self.assert_status(self.get('/sleep.php?ms=2000'), 504)
            self.assert_hello()
        self.assertNotIn('hang', self.fcgate.log())

    def test_scripts_that_may_finish_are_not_ended(self):
        self.serve(backend=[self.short, 'on_abort = finish'], workers=1)
        self.assert_status(self.get('/sleep.php?ms=8000'), 504)
        for _ in range(3):
            self.assert_status(self.get('/hello.php'), 504)
        self.assertNotIn('hang', self.fcgate.log())
        processes.wait_until(lambda: self.get('/hello.php').status == 200, 'it hangs on')

    def test_folders_are_removed(self):
        self.serve(backend=['keep_alive = no', 'idle_stop = 200ms'])
        self.assert_hello()
        self.wait_for_no_php()
        for path in (self.php.sessions, self.php.temporary):
            path.rmdir()
        self.assertEqual(self.get('/session.php').text, '1\n')

    def test_the_runtime_folder_is_removed(self):
        """As those do who clean up temporary folders."""
        self.serve(backend=['keep_alive = no', 'idle_stop = 200ms'])
        self.assert_hello()
        self.wait_for_no_php()
        shutil.rmtree(self.php.runtime_dir)
        self.assertEqual(self.get('/session.php').text, '1\n')

    def test_a_strict_umask(self):
        """PHP, and whoever serves, are not the user who starts everything."""
        mask = os.umask(0o077)
        try:
            self.serve(backend=['keep_alive = no', 'idle_stop = 200ms'])
        finally:
            os.umask(mask)
        self.assert_hello()
        self.wait_for_no_php()
        shutil.rmtree(self.php.runtime_dir)
        self.assertEqual(self.get('/session.php').text, '1\n')

    def test_spawner_is_killed(self):
        self.serve()
        self.assert_hello()
        self.kill(self.fcgate.spawner().pid)
        self.fcgate.wait_for_log('the spawner has ended')
        processes.wait_until(lambda: not self.all_php(), 'PHP is left', 5)
        started = time.monotonic()
        self.assert_status(self.get('/hello.php'), 502)
        self.assertLess(time.monotonic() - started, 2)
        self.assert_status(self.get('/files/plain.txt'), 200)
        processes.wait_until(lambda: not self.fcgate.children(), 'a zombie is left', 2)
        # Nobody is left to do it.
        for path in self.php.runtime_dir.glob('php-*'):
            path.unlink()

    def test_spawner_hangs(self):
        """It is killed; by a daemon that has given up root it is left to go on."""
        self.serve()
        self.assert_hello()
        spawner = self.fcgate.spawner().pid
        os.kill(spawner, signal.SIGSTOP)
        started = time.monotonic()
        self.fcgate.signal(signal.SIGTERM)
        self.assertEqual(self.fcgate.wait(), 0)
        self.assertLess(time.monotonic() - started, 10)
        if processes.is_root:
            os.kill(spawner, signal.SIGCONT)
        processes.wait_until(lambda: not processes.orphans(), 'somebody is left', 5)
        # Nobody was left to do it when it was killed.
        for path in self.php.runtime_dir.glob('php-*'):
            path.unlink()

    def all_php(self):
        return [running for running in processes.orphans() + self.fcgate.children() if running.is_php()]

    def test_fcgate_is_killed(self):
        self.serve()
        self.assert_hello()
        self.assertTrue(self.php.left_over())
        self.fcgate.signal(signal.SIGKILL)
        self.fcgate.wait()
        processes.wait_until(lambda: not processes.orphans(), 'somebody is left', 5)
        self.assertEqual(self.php.left_over(), [])

    def test_fcgate_is_killed_while_php_works(self):
        self.serve()
        marker = self.marker('working')
        with self.client() as client:
            client.start('GET', f'/sleep.php?ms=20000&marker={marker.name}')
            processes.wait_until(marker.exists, 'the script does not run')
            self.fcgate.signal(signal.SIGKILL)
            self.fcgate.wait()
            processes.wait_until(lambda: not processes.orphans(), 'somebody is left', 5)
        self.assertEqual(self.php.left_over(), [])

    def test_orderly_end(self):
        self.serve()
        self.assert_hello()
        started = time.monotonic()
        self.fcgate.signal(signal.SIGTERM)
        self.assertEqual(self.fcgate.wait(), 0)
        self.assertLess(time.monotonic() - started, 2)
        self.assertEqual(processes.orphans(), [])
        self.assertEqual(self.php.left_over(), [])

    def test_nobody_is_left_as_a_zombie(self):
        self.serve(backend=['idle_stop = 1s', 'keep_alive = no'])
        for _ in range(2):
            self.assert_hello()
            self.wait_for_no_php()
        self.assert_hello()
        self.kill_all()
        self.assert_hello()
        self.assertEqual([running for running in self.fcgate.children() if running.state == 'Z'], [])

    def test_two_servers_side_by_side(self):
        first = self.serve(name='first')
        second = self.make(name='second')
        # One runtime_dir for both.
        text = second.configuration.read_text().replace(str(second.spawned.runtime_dir), str(first.spawned.runtime_dir))
        second.configuration.write_text(text)
        second.start()
        for fcgate in (first, second, first, second):
            self.assert_hello(wire.ask(fcgate.port, 'GET', '/hello.php'))
        self.assertEqual(len(list(first.spawned.runtime_dir.glob('*.sock'))), 2)
        first.signal(signal.SIGTERM)
        self.assertEqual(first.wait(), 0)
        self.assert_hello(wire.ask(second.port, 'GET', '/hello.php'))
        self.assertEqual(second.log().count('PHP is ready'), 1)
        second.signal(signal.SIGTERM)
        self.assertEqual(second.wait(), 0)


class DoesNotStart(SpawnCase):
    def broken(self, name='php-fpm-broken'):
        self.starts = self.folder / 'starts'
        self.starts.touch()
        self.starts.chmod(0o666)
        return executable(self.folder / name, f'echo x >>{self.starts}\necho "the licence of the flux has expired" >&2\nexit 78')

    def count(self):
        return len(self.starts.read_text().split())

    def test_it_ends_at_once(self):
        program = self.broken()
        self.serve(command=f'{program} -c {self.folder}/php.ini')
        started = time.monotonic()
        response = self.get('/hello.php')
        self.assert_status(response, 502)
        self.assertLess(time.monotonic() - started, 1)
        self.assertNotIn('licence', response.text)
        self.fcgate.wait_for_log('exit code 78')
        self.fcgate.wait_for_log('the licence of the flux has expired')
        self.assert_status(self.get('/files/plain.txt'), 200)
        # Started again for those who ask, but never busily.
        until = time.monotonic() + 4
        asked = 0
        while time.monotonic() < until:
            self.assert_status(self.get('/hello.php'), 502)
            asked += 1
            time.sleep(0.02)
        print(f'    {self.count()} starts of a broken PHP for {asked} requests in 4 s', flush=True)
        self.assertTrue(2 <= self.count() <= 10, self.count())
        # Nobody asks, nobody starts.
        count = self.count()
        time.sleep(1)
        self.assertEqual(self.count(), count)
        executable(program, f'exec {processes.php_fpm_path()} "$@"')
        processes.wait_until(lambda: self.get('/hello.php').status == 200, 'it does not recover', 8)

    def test_php_cgi_that_ends_at_once(self):
        self.serve(command=self.broken('php-cgi-broken'))
        started = time.monotonic()
        self.assert_status(self.get('/hello.php'), 502)
        self.assertLess(time.monotonic() - started, 3)
        self.fcgate.wait_for_log('the licence of the flux has expired')
        self.fcgate.wait_for_log('PHP did not start: it ended with exit code 78')
        until = time.monotonic() + 3
        while time.monotonic() < until:
            self.assert_status(self.get('/hello.php'), 502)
        self.assertLessEqual(self.count(), 12)
        self.assertNotIn('PHP is ready', self.fcgate.log())

    def test_a_child_of_it_that_writes_on(self):
        """Those whom it leaves behind are ended before its last words are read, or these would have no end."""
        self.serve(command=executable(self.folder / 'php-fpm-talks', 'yes >&2 &\nsleep 0.3\nexit 78'))
        self.assert_nobody_is_left()

    def test_a_child_that_has_left_it_writes_on(self):
        """Nobody ends one in a session of its own: it is read no longer than anybody else."""
        self.serve(command=executable(self.folder / 'php-fpm-talks', 'setsid yes >&2 &\nsleep 0.3\nexit 78'))
        self.assert_nobody_is_left()

    def assert_nobody_is_left(self):
        started = time.monotonic()
        self.assert_status(self.get('/hello.php'), 502)
        self.assertLess(time.monotonic() - started, 5)
        processes.wait_until(lambda: not processes.orphans(), 'its child is left', 5)

    def test_program_is_taken_away(self):
        program = executable(self.folder / 'php-fpm-here', f'exec {processes.php_fpm_path()} "$@"')
        self.serve(command=program)
        program.rename(self.folder / 'php-fpm-away')
        self.assert_status(self.get('/hello.php'), 502)
        self.fcgate.wait_for_log(r'PHP cannot be started: .*php-fpm-here.*No such file')
        self.fcgate.wait_for_log(r': 502: .* \[php-broken\]$')
        (self.folder / 'php-fpm-away').rename(program)
        processes.wait_until(lambda: self.get('/hello.php').status == 200, 'it does not recover', 8)

    @unittest.skipUnless(processes.is_root, 'only root can take /dev away')
    def test_there_is_no_null_device(self):
        self.serve(prefix=['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /dev && exec "$@"', 'sh'])
        self.assert_status(self.get('/hello.php'), 502)
        self.fcgate.wait_for_log('PHP cannot be started: /dev/null: No such file or directory')

    def test_it_takes_too_long(self):
        self.serve(command=executable(self.folder / 'php-fpm-slow', 'exec sleep 60'), backend=['response_timeout = 500ms'])
        response = self.get('/hello.php')
        self.assert_status(response, 503)
        self.assertTrue(response.field('Retry-After'))
        self.fcgate.wait_for_log(r': 503: .* \[php-start-timeout\]$')

    def test_wrong_setting(self):
        self.serve(command=f'{processes.php_fpm_path()} --no-such-flag')
        self.assert_status(self.get('/hello.php'), 502)
        self.fcgate.wait_for_log('PHP did not start: it ended with exit code')

    def test_missing_program(self):
        fcgate = self.make(command='/nowhere/php-fpm')
        fcgate.spawn([processes.fcgate_path, '-c', fcgate.configuration])
        self.assertEqual(fcgate.wait(), 6)
        self.assertRegex(fcgate.log(), r'^fcgate: .*command: /nowhere/php-fpm is no program that can be run\n$')
