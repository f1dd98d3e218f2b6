"""Clients that ask all the time while PHP is killed and reloaded under them, and a ledger of what ran.

Each request has a name. The script writes it down whenever it runs and repeats it all over its answer, so that afterwards
the ledger can be held against what every client was told.
"""

import argparse
import collections
import contextlib
import hashlib
import os
import pathlib
import random
import signal
import shutil
import statistics
import sys
import threading
import time

import processes
import wire

EMPTY = hashlib.sha256(b'').hexdigest()
HONEST = (502, 503, 504)


class Recoveries:
    """How long it took from PHP being back to the next answer, in seconds, by what had happened."""

    def __init__(self):
        self.times = collections.defaultdict(list)

    def add(self, name, seconds):
        self.times[name].append(seconds)

    def all(self):
        return [seconds for times in self.times.values() for seconds in times]

    def __str__(self):
        parts = []
        for name, times in sorted(self.times.items()):
            late = sum(seconds > 0.1 for seconds in times)
            parts.append(f'{name} {1000 * statistics.median(times):.1f} ms (at most {1000 * max(times):.0f}, '
                         f'{late} of {len(times)} over 100)')
        return 'back after ' + ', '.join(parts) if parts else 'nothing to come back from'


class Clients:
    """Threads that ask for ledger.php until they are told to end, each on a connection that it keeps while it can."""

    def __init__(self, port, count=8, seed=1):
        self.port = port
        self.seed = seed
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.outcomes = collections.Counter()
        self.told = {}  # name of each POST: whether it was answered 200
        self.wrong = []
        self.slowest = 0.0
        self.threads = [threading.Thread(target=self.visit, args=(number,)) for number in range(count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def visit(self, number):
        source = random.Random(self.seed * 1000 + number)
        client = None
        asked = 0
        try:
            while not self.over.is_set():
                if client is None:
                    client = wire.Client(self.port, timeout=30)
                name = f'{number}-{asked}'
                asked += 1
                if not self.ask(client, source, name):
                    client.close()
                    client = None
        except Exception as error:  # a thread's own end would go unseen
            self.note(f'client {number}: {error!r}')
        finally:
            if client:
                client.close()

    def ask(self, client, source, name):
        """Whether the connection can be used again."""
        is_post = source.random() < 0.6
        # Most are short; some are on their way for so long that they are caught in the middle of it. One without a body is
        # the easiest to send again by mistake.
        body = source.randbytes(source.choice((0, 0, 10, 1000, 90000))) if is_post else None
        lines = source.choice((1, 1, 1, 20, 20, 4000))
        target = f'/ledger.php?id={name}&lines={lines}&ms={source.choice((0, 1, 5, 10))}'
        total = hashlib.sha256(body).hexdigest() if is_post else EMPTY
        expected = ''.join(f'{i} {name} {total}\n' for i in range(lines)).encode()
        started = time.monotonic()
        outcome = self.outcome(client, 'POST' if is_post else 'GET', target, body, expected)
        with self.lock:
            self.slowest = max(self.slowest, time.monotonic() - started)
            self.outcomes[outcome] += 1
            if is_post:
                self.told[name] = outcome == '200'
        return outcome.isdigit()

    def outcome(self, client, method, target, body, expected):
        try:
            client.start(method, target, body=body)
            response = client.head()
        except (OSError, AssertionError) as error:
            return self.note(f'{method} {target}: no answer: {error!r}')
        try:
            client.take_body(response, method)
        except TimeoutError:
            return self.note(f'{method} {target}: it hangs in its answer')
        except (OSError, AssertionError) as error:
            return 'cut' if response.status == 200 else self.note(f'{method} {target}: {response.status}, then {error!r}')
        if response.status == 200 and response.body != expected:
            return self.note(f'{method} {target}: {len(response.body)} bytes of {len(expected)}, and no sign of it')
        if response.status != 200 and response.status not in HONEST:
            return self.note(f'{method} {target}: {response}')
        return str(response.status)

    def note(self, text):
        with self.lock:
            self.wrong.append(text)
        return 'wrong'

    def judge(self, ledger):
        """What is wrong: of the answers, and of what ran against what was told. Returns the number of POSTs, too."""
        ran = collections.Counter(ledger.read_text().split())
        wrong = list(self.wrong)
        wrong += [f'POST {name} ran {ran[name]} times' for name in self.told if ran[name] > 1]
        wrong += [f'POST {name} was answered 200 and did not run' for name, good in self.told.items() if good and not ran[name]]
        return wrong, len(self.told)

    def __str__(self):
        total = sum(self.outcomes.values())
        parts = ', '.join(f'{count} {name}' for name, count in sorted(self.outcomes.items()))
        return f'{total} requests ({len(self.told)} POST): {parts}; the slowest took {self.slowest:.1f} s'


def children_of(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return [int(word) for word in pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text().split()]
    return []


def kill(pid, number=signal.SIGKILL):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def time_to_answer(port):
    """From now to the first answer of a script, in seconds."""
    started = time.monotonic()
    deadline = started + processes.PATIENCE
    last = None
    while time.monotonic() < deadline:
        try:
            last = wire.ask(port, 'GET', '/hello.php')
            if last.status == 200:
                return time.monotonic() - started
        except (OSError, AssertionError) as error:
            last = error
    raise processes.NotReady(f'no script is answered: {last!r}')


class Weather:
    """Strikes at a php-fpm. Subclasses say where it is, and what happens when all of it is gone."""

    # Out of a hundred: reloads, deaths of the main process alone, of all processes; the others hit one worker.
    reloads, beheadings, deaths = 8, 6, 6

    def __init__(self, port, seed=1):
        self.port = port
        self.source = random.Random(seed)
        self.strikes = collections.Counter()
        self.recoveries = Recoveries()

    def master(self):
        """The pid of the main process."""
        raise NotImplementedError

    def starts(self):
        """How often PHP has been started."""
        raise NotImplementedError

    def raise_dead(self, before):
        """Sees to it that PHP runs again, or waits until it has been started more often than `before`."""
        raise NotImplementedError

    def wait_for_workers(self, others=()):
        """The workers, once there is one that is not among `others`."""
        return processes.wait_until(lambda: [pid for pid in children_of(self.master()) if pid not in others],
                                    'php-fpm has no workers')

    def strike(self):
        chance = self.source.randrange(100)
        if chance < self.reloads:
            self.reload()
        elif chance < self.reloads + self.beheadings:
            self.die('main process', [self.master()])
        elif chance < self.reloads + self.beheadings + self.deaths:
            self.die('all', [self.master(), *children_of(self.master())])
        else:
            kill(self.source.choice(self.wait_for_workers()))
            self.strikes['worker'] += 1

    def reload(self):
        before = self.wait_for_workers()
        kill(self.master(), signal.SIGUSR2)
        self.wait_for_workers(before)
        self.recoveries.add('reload', time_to_answer(self.port))
        self.strikes['reload'] += 1

    def die(self, name, pids):
        before = self.starts()
        for pid in pids:
            kill(pid)
        self.raise_dead(before)
        self.recoveries.add(name, time_to_answer(self.port))
        self.strikes[name] += 1

    def blow(self, kills, pause, progress=None):
        for number in range(kills):
            self.strike()
            time.sleep(self.source.uniform(0, 2 * pause))
            if progress:
                progress(number + 1)

    def __str__(self):
        return ', '.join(f'{count} x {name}' for name, count in sorted(self.strikes.items())) + f'; {self.recoveries}'


class FpmWeather(Weather):
    """php-fpm as the system starts it: whoever started it starts it again."""

    def __init__(self, port, php, seed=1):
        super().__init__(port, seed)
        self.php = php

    def master(self):
        return self.php.pid

    def starts(self):
        return 0

    def raise_dead(self, before):
        # Workers live on without their main process, and serve the connections they have, until somebody notices.
        time.sleep(self.source.uniform(0, 0.05))
        self.php.end()
        # php-fpm does not start while somebody still listens, and the last worker takes its time to die.
        processes.wait_until(lambda: not processes.accepts(self.php.address), 'php-fpm lives on')
        self.php.start()


class SpawnWeather(Weather):
    """PHP that fcgate has started, and has to start again."""

    reloads, beheadings, deaths = 6, 4, 4

    def __init__(self, port, fcgate, seed=1):
        super().__init__(port, seed)
        self.fcgate = fcgate
        self.log = open(fcgate.log_path, errors='replace')
        self.seen = 0

    def master(self):
        spawner = self.fcgate.spawner().pid
        return processes.wait_until(lambda: next(iter(children_of(spawner)), None), 'PHP does not run')

    def starts(self):
        # What the log has grown by: of a long storm it is long.
        self.seen += self.log.read().count('PHP is ready')
        return self.seen

    def raise_dead(self, before):
        processes.wait_until(lambda: self.starts() > before, 'PHP is not started again')


def main():
    parser = argparse.ArgumentParser(prog='tests/e2e/storm')
    parser.add_argument('--kills', type=int, default=10000)
    parser.add_argument('--clients', type=int, default=8)
    parser.add_argument('--workers', type=int, default=4)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--pause', type=float, default=0.03, help='seconds between two strikes, on average')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--tcp', action='store_true')
    parser.add_argument('--spawn', action='store_true', help='PHP that fcgate starts')
    parser.add_argument('--cycles', type=int, help='no storm: so many starts of that PHP, each stopped again by idle_stop')
    options = parser.parse_args()
    with processes.scratch():
        return run(options)


def run(options):
    folder = processes.new_folder('storm')
    root = folder / 'site'
    shutil.copytree(pathlib.Path(__file__).parent / 'site', root)
    root.chmod(0o755)
    if options.cycles:
        return cycle(folder, root, options)
    if options.spawn:
        php = processes.SpawnedPhp(folder, options.workers)
    else:
        php = processes.PhpFpm(folder, options.workers, options.tcp).start()
    port = processes.free_port()
    text = processes.configuration(port, root, php, [f'threads = {options.threads}'], ['response_timeout = 20s'],
                                   [f'param = SCRATCH {php.scratch}'])
    fcgate = processes.Fcgate(folder, text, port).start()
    time_to_answer(port)
    weather = SpawnWeather(port, fcgate, options.seed) if options.spawn else FpmWeather(port, php, options.seed)
    clients = Clients(port, options.clients, options.seed)
    started = time.monotonic()

    def progress(number):
        if number % max(options.kills // 20, 1) == 0:
            print(f'{time.monotonic() - started:6.0f} s  {number} of {options.kills}, {fcgate.private_dirty_kib()} KiB, '
                  f'{len(fcgate.descriptors())} descriptors, {sum(clients.outcomes.values())} requests, '
                  f'{len(clients.wrong)} wrong', flush=True)
    try:
        with clients:
            weather.blow(options.kills, options.pause, progress)
    except processes.NotReady:
        print('\n'.join([f'{weather}', f'{clients}', *clients.wrong[:20], *fcgate.log().splitlines()[-20:],
                         *php.log().splitlines()[-20:]]), flush=True)
        raise
    wrong, _ = clients.judge(php.scratch / 'ledger')
    print(f'{weather}\n{clients}', flush=True)
    for line in wrong[:20]:
        print(f'WRONG  {line}')
    fcgate.signal(signal.SIGTERM)
    status = fcgate.wait()
    print(f'{len(wrong)} wrong, fcgate ended with {status}')
    return 1 if wrong or status != 0 else 0


def cycle(folder, root, options):
    """PHP comes for each request and goes behind it."""
    php = processes.SpawnedPhp(folder, options.workers)
    port = processes.free_port()
    text = processes.configuration(port, root, php, [f'threads = {options.threads}'], ['idle_stop = 20ms', 'keep_alive = no'])
    fcgate = processes.Fcgate(folder, text, port).start()
    took, lost = [], 0
    for number in range(options.cycles):
        started = time.monotonic()
        lost += wire.ask(port, 'GET', '/hello.php').status != 200
        took.append(1000 * (time.monotonic() - started))
        processes.wait_until(lambda: not fcgate.php() and not php.left_over(), 'something is left of PHP')
        if number == 0 or (number + 1) % max(options.cycles // 10, 1) == 0:
            spawner = fcgate.spawner().pid
            print(f'{number + 1} cycles: {fcgate.private_dirty_kib()} KiB, {len(fcgate.descriptors())} descriptors, the spawner '
                  f'{len(os.listdir(f"/proc/{spawner}/fd"))}, children {fcgate.children()}', flush=True)
    starts = fcgate.log().count('PHP is ready')
    took.sort()
    print(f'{starts} starts; cold to first answer: median {statistics.median(took):.0f} ms, p99 {took[len(took) * 99 // 100]:.0f}, '
          f'at most {took[-1]:.0f}')
    fcgate.signal(signal.SIGTERM)
    status = fcgate.wait()
    print(f'{lost} lost, fcgate ended with {status}, left over: {processes.orphans()} {php.left_over()}')
    return 1 if lost or status != 0 or processes.orphans() or starts != options.cycles else 0


if __name__ == '__main__':
    sys.exit(main())
