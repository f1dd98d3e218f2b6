"""What the cases stand on: a class has a php-fpm pool, a copy of the site and one fcgate for all its cases."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import unittest

import hardship
import processes
import wire

here = pathlib.Path(__file__).parent


class Pool:
    """What a class runs against: so many workers on a unix socket, or on TCP."""

    def __init__(self, workers, tcp=False):
        self.workers = workers
        self.tcp = tcp

    def make(self, folder, max_requests, values=(), lines=()):
        if hardship.is_on:
            return processes.SpawnedPhp(folder, self.workers)
        return processes.PhpFpm(folder, self.workers, self.tcp, max_requests, values, lines)

    def __str__(self):
        return f'{self.workers} worker{"s" if self.workers > 1 else ""}{", TCP" if self.tcp else ""}'


ONE, TWO, FOUR, TCP = Pool(1), Pool(2), Pool(4), Pool(2, tcp=True)
EVERY_POOL = [ONE, TWO, FOUR, TCP]


class ServedCase(unittest.TestCase):
    """Cases that share php-fpm and fcgate. Subclasses say what their configuration adds to the common one."""

    pools = [TWO]
    server = ()
    backend = ()
    site = ()
    more = ()
    max_requests = 0
    php_values = ()  # of php.ini
    pool_lines = ()  # of php-fpm's pool
    with_php = True

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.php = cls.fcgate = None
        cls.folder = processes.new_folder('case')
        cls.addClassCleanup(cls.end)
        cls.root = cls.make_site()
        if cls.with_php:
            cls.php = cls.pool.make(cls.folder, cls.max_requests, cls.php_values, cls.pool_lines).start()
        cls.port = processes.free_port()
        site = list(cls.site)
        if cls.php:
            site.append(f'param = SCRATCH {cls.php.scratch}')
        text = processes.configuration(cls.port, cls.root, cls.php, cls.server, cls.backend, site, cls.more_lines())
        cls.fcgate = processes.Fcgate(cls.folder, text, cls.port).start()

    @classmethod
    def make_site(cls):
        root = cls.folder / 'site'
        shutil.copytree(here / 'site', root)
        root.chmod(0o755)
        return root

    @classmethod
    def more_lines(cls):
        """Lines behind the first site; further sites, for example."""
        return cls.more

    @classmethod
    def end(cls):
        """Every fcgate has to go when it is asked to, with status 0: a crash in a case before shows here."""
        try:
            if cls.fcgate and cls.fcgate.child:
                cls.fcgate.child.terminate()
                status = cls.fcgate.wait()
                if status != 0:
                    raise AssertionError(f'fcgate has ended with status {status}:\n{cls.fcgate.log()}')
        finally:
            for process in (cls.fcgate, cls.php):
                if process:
                    process.end()

    @classmethod
    def logs(cls):
        parts = []
        for process in (cls.fcgate, cls.php):
            if process:
                parts += [f'  | {process.name}: {line}' for line in process.log().splitlines()[-25:]]
        return '\n'.join(parts)

    def get(self, target, fields=(), **options):
        return wire.ask(self.port, 'GET', target, fields, **options)

    def post(self, target, body, fields=(), **options):
        return wire.ask(self.port, 'POST', target, fields, body, **options)

    def client(self, **options):
        client = wire.Client(self.port, **options)
        self.addCleanup(client.close)
        return client

    def assert_status(self, response, status):
        self.assertEqual(response.status, status, response)

    def log_size(self):
        return len(self.fcgate.log())

    def marker(self, name):
        """A file that scripts write to tell how far they are."""
        path = self.php.scratch / name
        path.unlink(missing_ok=True)
        return path


@processes.needs('spawn')
class SpawnCase(ServedCase):
    """Cases that each have an fcgate of their own, which starts PHP itself."""

    pools = [None]
    workers = 2

    @classmethod
    def setUpClass(cls):
        cls.php = cls.fcgate = None
        cls.folder = processes.new_folder('case')
        cls.root = cls.make_site()

    def setUp(self):
        self.folder = processes.new_folder('spawn')
        self.servers = []

    def logs(self):
        return '\n'.join(f'  | {server.name}: {line}' for server in self.servers
                         for line in server.log().splitlines()[-25:])

    def make(self, server=(), backend=(), site=(), workers=None, command=None, name='fcgate', prefix=(), options=()):
        """An fcgate that is not started yet; it ends with the case, and must leave nothing behind."""
        php = processes.SpawnedPhp(self.folder, workers or self.workers, command, f'run-{name}')
        port = processes.free_port()
        text = processes.configuration(port, self.root, php, server, backend, [*site, f'param = SCRATCH {php.scratch}'])
        fcgate = processes.Fcgate(self.folder, text, port, name, options, prefix)
        fcgate.spawned = php
        self.php, self.fcgate, self.port = php, fcgate, port
        self.servers.append(fcgate)
        self.addCleanup(self.finish, fcgate)
        return fcgate

    def serve(self, *arguments, **options):
        return self.make(*arguments, **options).start()

    def finish(self, fcgate):
        try:
            if fcgate.is_alive():
                fcgate.signal(signal.SIGTERM)
                self.assertEqual(fcgate.wait(), 0, fcgate.log())
            processes.wait_until(lambda: not processes.orphans(), 'a process is left over', 5)
            self.assertEqual(fcgate.spawned.left_over(), [])
        except processes.NotReady:
            left = processes.orphans()
            for running in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(running.pid, signal.SIGKILL)
            raise AssertionError(f'left over: {left}') from None
        finally:
            fcgate.end()

    def wait_for_no_php(self, seconds=processes.PATIENCE):
        processes.wait_until(lambda: not self.fcgate.php(), 'PHP still runs', seconds)
        processes.wait_until(lambda: not self.php.left_over(), 'files are left over', 5)

    def runtime(self, *names):
        response = self.get(f'/runtime.php?ini={",".join(names)}')
        self.assert_status(response, 200)
        return json.loads(response.body)

    def assert_hello(self, response=None):
        response = response or self.get('/hello.php')
        self.assert_status(response, 200)
        self.assertEqual(response.text, 'Hello, world\n')
