"""The processes under test: php-fpm pools and fcgate, on free loopback ports, with folders of their own.

Whatever is started here is ended by its pid when the run ends, on every way out.
"""

import atexit
import contextlib
import ctypes
import functools
import glob
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import hardship
from wire import PATIENCE

is_root = os.geteuid() == 0
fcgate_path = os.environ.get('FCGATE', 'build/daemon/fcgate')

_running = []
_folder = None
PORTS = range(12000, 32000)
_next_port = random.choice(PORTS)
peaks = []  # of memory, one of each fcgate under hardship


@functools.cache
def features():
    """What the build under test has of what can be left out."""
    said = subprocess.run([fcgate_path, '-V'], capture_output=True, text=True, timeout=20, check=True).stdout
    return frozenset(re.search(r'^features: (.*)$', said, re.MULTILINE)[1].split())


def needs(*names):
    """Cases, or a class of them, that make no sense without these features."""
    missing = [name for name in names if name not in features()]
    return unittest.skipIf(missing, f'this build has no {", ".join(missing)}')


def skip_if_left_out(said):
    """A case whose fcgate has refused its configuration is skipped when it asks for what the build does not have. So no case need
    know to which features its keys belong."""
    for name in re.findall(r'this fcgate was built without \w+ \(-D(\w+)=disabled\)', said):
        if name not in features():
            raise unittest.SkipTest(f'this build has no {name}')


class NotReady(AssertionError):
    """Something has not happened before its deadline."""


@contextlib.contextmanager
def scratch():
    """The folder of the whole run. Everything that was started is ended, and all of it removed, when it is left."""
    global _folder
    # What loses its parent becomes a child of ours: nothing that a killed fcgate leaves behind can hide.
    ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    atexit.register(end_all)
    _folder = pathlib.Path(tempfile.mkdtemp(prefix='e2e-' if hardship.is_on else 'fcgate-e2e-'))
    _folder.chmod(0o755)  # PHP's user has to enter it
    try:
        yield
    finally:
        end_all()
        shutil.rmtree(_folder, ignore_errors=True)


def end_all():
    while _running:
        _running[-1].end()


def new_folder(name):
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f'{name}-', dir=_folder))
    folder.chmod(0o755)
    return folder


def account():
    """The user that serves when the tests run as root."""
    for name in ('www-data', 'nobody'):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError('there is neither a user www-data nor nobody')


def give(path):
    """Hands a folder to the user that serves."""
    if is_root:
        os.chown(path, account().pw_uid, account().pw_gid)
    return path


def use_ports_of(shard):
    """Those who run at the same time begin at places of their own."""
    global _next_port
    _next_port = PORTS[(PORTS.index(_next_port) + shard * 300) % len(PORTS)]


def free_port():
    """One that the kernel does not give to clients, so that nobody comes by it before it is listened at."""
    global _next_port
    while True:
        port, _next_port = _next_port, PORTS[(PORTS.index(_next_port) + 1) % len(PORTS)]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(('127.0.0.1', port))
            return port


def wait_until(condition, what, seconds=PATIENCE):
    """Waits for the thing itself; returns what `condition` gave."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise NotReady(f'after {seconds:g} s: {what}')
        time.sleep(0.01)


def accepts(address):
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as probe:
        probe.settimeout(1)
        return probe.connect_ex(address) == 0


class Running:
    """A line of the process table."""

    def __init__(self, pid):
        name, rest = pathlib.Path(f'/proc/{pid}/stat').read_text().split(' (', 1)[1].rsplit(') ', 1)
        fields = rest.split()
        self.pid, self.name, self.state, self.parent = pid, name, fields[0], int(fields[1])

    def is_php(self):
        return self.name.startswith('php')

    def __repr__(self):
        return f'{self.pid} {self.name} ({self.state}, child of {self.parent})'


def process_table():
    table = []
    for name in os.listdir('/proc'):
        if name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                table.append(Running(int(name)))
    return table


def descendants(pid, table=None):
    """All that runs below a process, zombies included."""
    table = table or process_table()
    found = []
    for running in table:
        if running.parent == pid:
            found += [running, *descendants(running.pid, table)]
    return found


def orphans():
    """What runs, was started by a process of ours that is gone, and has no business to run."""
    ours = {process.pid for process in _running if process.child}
    table = process_table()
    found = []
    for running in table:
        if running.parent == os.getpid() and running.pid not in ours and running.state != 'Z':
            found += [running, *descendants(running.pid, table)]
    return found


def status_of(pid, name, task='status'):
    """A line of /proc/PID/status, in words."""
    text = pathlib.Path(f'/proc/{pid}/{task}').read_text()
    return re.search(rf'^{name}:\s*(.*)$', text, re.MULTILINE)[1].split()


def limit_of(pid, name):
    """Soft and hard."""
    text = pathlib.Path(f'/proc/{pid}/limits').read_text()
    return tuple(re.search(rf'^{name} +(\S+) +(\S+)', text, re.MULTILINE).groups())


def proportional_kib(pid):
    """What a process has mapped; pages that several have are divided between them."""
    return int(re.search(r'^Pss:\s*(\d+) kB$', pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text(), re.MULTILINE)[1])


class Process:
    """A child in a process group of its own, with its output in a file."""

    def __init__(self, name, folder):
        self.name = name
        self.log_path = folder / f'{name}.log'
        # Others of this name may have written there before.
        self.log_begin = self.log_path.stat().st_size if self.log_path.exists() else 0
        self.child = None

    def spawn(self, arguments, **options):
        with open(self.log_path, 'ab') as log:
            self.child = subprocess.Popen([str(argument) for argument in arguments], stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log, start_new_session=True, **options)
        _running.append(self)

    @property
    def pid(self):
        return self.child.pid

    def is_alive(self):
        return self.child is not None and self.child.poll() is None

    def signal(self, number):
        """To the process alone."""
        self.child.send_signal(number)

    def signal_group(self, number):
        """To the process and its children."""
        os.killpg(self.pid, number)

    def wait(self, seconds=PATIENCE):
        """The exit status."""
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise NotReady(f'{self.name} has not ended after {seconds:g} s') from None

    def end(self):
        """Ends it, whatever state it is in."""
        if self in _running:
            _running.remove(self)
        if self.child is not None and self.child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.signal_group(signal.SIGCONT)
            self.child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(5)
        if self.child is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                self.signal_group(signal.SIGKILL)
            self.child.wait()

    def log(self):
        if not self.log_path.exists():
            return ''
        return self.log_path.read_bytes()[self.log_begin:].decode(errors='replace')

    def wait_for_log(self, pattern, seconds=PATIENCE, since=0):
        """The match of a regular expression in the log behind `since` characters."""
        try:
            return wait_until(lambda: re.search(pattern, self.log()[since:], re.MULTILINE), pattern, seconds)
        except NotReady:
            raise NotReady(f'{self.name} has not logged /{pattern}/ but:\n{self.log()[since:]}') from None

    def wait_for_accept(self, address):
        def ready():
            if not self.is_alive():
                skip_if_left_out(self.log())
                raise NotReady(f'{self.name} has ended with {self.child.returncode}:\n{self.log()}')
            return accepts(address)
        wait_until(ready, f'{self.name} does not accept at {address}:\n{self.log()}')


def php_fpm_path():
    names = ['php-fpm', *sorted((os.path.basename(path) for folder in ('/usr/sbin', '/usr/bin', '/usr/local/sbin')
                                 for path in glob.glob(f'{folder}/php-fpm*')), reverse=True)]
    search = os.pathsep.join([os.environ.get('PATH', ''), '/usr/sbin', '/usr/local/sbin'])
    found = [os.environ.get('PHP_FPM')] + [shutil.which(name, path=search) for name in names]
    for path in found:
        if path:
            return path
    raise RuntimeError('there is no php-fpm; say where it is: PHP_FPM=...')


# A php.ini of our own, so that the system's does not matter.
php_values = ['log_errors = 1', 'display_errors = 0', 'html_errors = 0', 'variables_order = "GPCS"']


class PhpFpm(Process):
    """A pool of `workers` processes, on a unix socket or TCP. `values` add to its php.ini, `lines` to the pool's configuration."""

    server_lines = backend_lines = ()

    def __init__(self, folder, workers=2, tcp=False, max_requests=0, values=(), lines=()):
        super().__init__('php-fpm', folder)
        self.folder = folder
        self.workers = workers
        self.scratch = give(self.made('scratch'))
        port = free_port() if tcp else 0
        self.address = ('127.0.0.1', port) if tcp else str(folder / 'php-fpm.sock')
        self.listen = f'127.0.0.1:{port}' if tcp else self.address
        self.fcgate_address = self.listen if tcp else f'unix:{self.listen}'
        self.write_configuration(max_requests, values, lines)

    def made(self, name):
        path = self.folder / name
        path.mkdir()
        return path

    def write_configuration(self, max_requests, values, lines):
        user = account().pw_name if is_root else None
        pool = ['[global]', 'daemonize = no', f'error_log = {self.folder}/php-fpm-errors.log', '[e2e]',
                f'listen = {self.listen}', 'pm = static', f'pm.max_children = {self.workers}',
                f'pm.max_requests = {max_requests}', 'catch_workers_output = yes']
        if user:
            pool += [f'user = {user}', f'listen.owner = {user}', 'listen.mode = 0600']
        pool += lines
        ini = [*php_values, 'post_max_size = 64M', 'upload_max_filesize = 64M', 'memory_limit = 128M',
               f'upload_tmp_dir = "{give(self.made("uploads"))}"',
               f'session.save_path = "{give(self.made("sessions"))}"', *values]
        (self.folder / 'php-fpm.conf').write_text('\n'.join(pool) + '\n')
        (self.folder / 'php.ini').write_text('\n'.join(ini) + '\n')

    def start(self):
        self.spawn([php_fpm_path(), '--nodaemonize', '--fpm-config', self.folder / 'php-fpm.conf',
                    '-c', self.folder / 'php.ini'])
        self.wait_for_accept(self.address)
        return self

    def log(self):
        errors = self.folder / 'php-fpm-errors.log'
        return super().log() + (errors.read_text(errors='replace') if errors.exists() else '')


class SpawnedPhp:
    """PHP that fcgate starts by itself, in the place of a PhpFpm. `command` is a program and its arguments."""

    name = 'spawned PHP'
    fcgate_address = 'spawn'

    def __init__(self, folder, workers=2, command=None, name='run'):
        self.workers = workers
        self.runtime_dir = folder / name
        user = account().pw_uid if is_root else os.getuid()
        self.sessions = self.runtime_dir / f'sessions-{user}'
        self.temporary = self.runtime_dir / f'tmp-{user}'
        self.scratch = folder / 'scratch'
        if not self.scratch.exists():
            self.scratch.mkdir()
            give(self.scratch)
        ini = folder / 'php.ini'
        ini.write_text('\n'.join(php_values) + '\n')
        self.server_lines = [f'runtime_dir = {self.runtime_dir}']
        self.backend_lines = [f'command = {command or f"{php_fpm_path()} -c {ini}"}']

    def start(self):
        return self

    def end(self):
        pass

    def log(self):
        return ''

    def left_over(self):
        """What is in runtime_dir and belongs to a PHP that runs."""
        if not self.runtime_dir.exists():
            return []
        return sorted(path.name for path in self.runtime_dir.iterdir() if not re.fullmatch(r'(sessions|tmp)-\d+', path.name))


class Fcgate(Process):
    """The daemon with a generated configuration. `prefix` is a command that executes it."""

    def __init__(self, folder, configuration, port, name='fcgate', options=(), prefix=()):
        super().__init__(name, folder)
        self.port = port
        self.options = options
        self.prefix = prefix
        self.program = fcgate_path
        self.hardship = None
        self.expects_kills = False  # for want of memory
        self.configuration = folder / f'{name}.conf'
        self.configuration.write_text(configuration)

    def spawn(self, arguments, **options):
        if hardship.is_on:
            self.hardship = self.hardship or hardship.Hardship()
            options = self.hardship.options(options)
        super().spawn(arguments, **options)

    def end(self):
        super().end()
        if self.hardship:
            kills = self.hardship.kills()
            if not self.expects_kills:
                peaks.append(self.hardship.peak())
            self.hardship.end()
            self.hardship = None
            if kills > 0 and not self.expects_kills:
                raise AssertionError(f'{kills} processes were killed: fcgate and PHP had more memory than there is')

    def start(self, **options):
        self.spawn([*self.prefix, self.program, '-c', self.configuration, *self.options], **options)
        self.wait_for_accept(('127.0.0.1', self.port))
        # It listens before it has given up its rights, and has its threads afterwards.
        wait_until(lambda: not self.is_alive() or self.has_threads(), f'{self.name} does not serve')
        return self

    def has_threads(self):
        """faketime runs it as a child, for one."""
        with contextlib.suppress(OSError):
            return any(int(status_of(pid, 'Threads')[0]) > 1 for pid in (self.pid, *(child.pid for child in self.children())))
        return False

    def children(self):
        """Spawner, PHP and all."""
        return descendants(self.pid)

    def php(self):
        return [running for running in self.children() if running.is_php()]

    def spawner(self):
        """The process is forked before fcgate listens, and gives itself its name when it runs."""
        return wait_until(lambda: next((child for child in self.children() if child.name == 'fcgate-spawner'), None),
                          'a spawner')

    def status(self, name, task='status'):
        return status_of(self.pid, name, task)

    def limit(self, name):
        return limit_of(self.pid, name)

    def descriptors(self):
        """What each open descriptor is: 'socket:[123]', a path, ..."""
        folder = f'/proc/{self.pid}/fd'
        found = []
        for number in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                found.append(os.readlink(f'{folder}/{number}'))
        return found

    def connections(self):
        """How many TCP connections it has at its port, those included whose client is gone."""
        inodes = {link[8:-1] for link in self.descriptors() if link.startswith('socket:[')}
        rows = [line.split() for line in pathlib.Path('/proc/net/tcp').read_text().splitlines()[1:]]
        # local address, state (0A listens), inode
        return sum(row[1].endswith(f':{self.port:04X}') and row[3] != '0A' and row[9] in inodes for row in rows)

    def cpu_ticks(self):
        fields = pathlib.Path(f'/proc/{self.pid}/stat').read_text().rsplit(')', 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def voluntary_switches(self):
        tasks = os.listdir(f'/proc/{self.pid}/task')
        return sum(int(self.status('voluntary_ctxt_switches', f'task/{task}/status')[0]) for task in tasks)

    def anonymous_kib(self):
        """Resident memory without the pages of files: those the kernel can drop, and other processes share them."""
        return int(self.status('RssAnon')[0])

    def private_dirty_kib(self):
        text = pathlib.Path(f'/proc/{self.pid}/smaps_rollup').read_text()
        return int(re.search(r'^Private_Dirty:\s*(\d+) kB$', text, re.MULTILINE)[1])

    def is_instrumented(self):
        return 'libasan' in pathlib.Path(f'/proc/{self.pid}/maps').read_text()


def configuration(port, root, php=None, server=(), backend=(), site=(), more=()):
    """A configuration file; the sequences add lines to its sections."""
    lines = ['[server]', f'listen = 127.0.0.1:{port}']
    if is_root:
        lines.append(f'user = {account().pw_name}')
    lines += server
    if php is not None:
        lines += [*php.server_lines, '[backend]', f'address = {php.fcgate_address}', f'workers = {php.workers}',
                  *php.backend_lines, *backend]
    lines += ['[site]', f'root = {root}', *site, *more]
    return '\n'.join(lines) + '\n'
