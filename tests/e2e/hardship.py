"""A device's conditions: nothing can be written but one folder in memory, fcgate and PHP together have 64 MB, and it is 1970.

The root file system is read-only in a mount namespace of its own. Memory is a control group for each fcgate and what it starts, in
which that folder's pages count as well. The clock of the day is libfaketime's, for fcgate and PHP; the monotonic clock runs on, and
the times of files stay the kernel's.
"""

import contextlib
import ctypes
import glob
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

MEMORY = 64 << 20
here = pathlib.Path(__file__).parent

# What a device does in its life. The rest of the cases adds no other way to write, to take memory or to read the clock.
SELECTION = ('test_panel.Panel', 'test_requests.Requests', 'test_responses.Responses', 'test_files.Files', 'test_hard.Inside',
             'test_spawn.OnDemand', 'test_spawn.Ends', 'test_spawn_php.Told', 'test_spawn_php.Cgi',
             'IdleStop.test_idle', 'IdleStop.test_many', 'test_started_by_a_user')
CLONE_NEWNS = 0x20000

is_on = False
_clock = None
_groups = None
_count = 0


def missing():
    """Why it cannot be had here; None when it can."""
    if os.geteuid() != 0:
        return 'needs root'
    done = subprocess.run(['unshare', '--mount', 'true'], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f'no mount namespace: {done.stderr.strip()}'
    return None


def run_inside(arguments):
    """Runs the selection in a process of its own; returns its exit status."""
    folder = tempfile.mkdtemp(prefix='fc-hard-')  # the paths of sockets below it are long enough
    try:
        return subprocess.run([sys.executable, '-B', here / 'main.py', '--inside', folder, *arguments], check=False).returncode
    finally:
        os.rmdir(folder)


def enter(folder):
    """For the rest of this process's life: everything but `folder` is read-only."""
    global is_on, _clock, _groups
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), 'unshare')
    mount('--make-rprivate', '/')
    mount('-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', folder)
    for line in pathlib.Path('/proc/self/mounts').read_text().splitlines():
        _, point, kind, *_ = line.split()
        if point != folder and kind not in ('proc', 'sysfs', 'devtmpfs', 'devpts') and not kind.startswith('cgroup'):
            with contextlib.suppress(subprocess.CalledProcessError):
                mount('-o', 'remount,bind,ro', point)
    for place in ('/', '/tmp', '/run', '/var/tmp', '/dev/shm', str(here)):
        try:
            tempfile.TemporaryFile(dir=place).close()
        except OSError:
            continue
        raise RuntimeError(f'{place} can still be written')
    tempfile.tempdir = os.environ['TMPDIR'] = folder
    _clock = find_clock()
    _groups = find_groups()
    is_on = True
    print(f'read-only but for {folder}; clock: {"1970" if _clock else "as it is, there is no libfaketime"}; memory: '
          f'{f"{MEMORY >> 20} MB for fcgate and PHP" if _groups else "as it is, no control group can be made"}', flush=True)


def mount(*arguments):
    subprocess.run(['mount', *arguments], check=True, stderr=subprocess.DEVNULL)


def find_clock():
    found = glob.glob('/usr/lib/*/faketime/libfaketime.so.1')
    if not found:
        return None
    # An offset, not a start: every process that is started later goes on from the same time.
    return {'LD_PRELOAD': found[0], 'FAKETIME': f'-{int(time.time()) - 86400}', 'FAKETIME_DONT_FAKE_MONOTONIC': '1',
            'NO_FAKE_STAT': '1'}


class Groups:
    """Control groups of version 1 or 2, below `parent`."""

    def __init__(self, parent, limit, swap, peak, events):
        self.parent, self.limit, self.swap, self.peak, self.events = parent, limit, swap, peak, events

    def make(self, number):
        group = self.parent / f'fcgate-e2e-{os.getpid()}-{number}'
        group.mkdir()
        try:
            (group / self.limit).write_text(str(MEMORY))
            if (group / self.swap).exists():
                (group / self.swap).write_text('0' if self.swap == 'memory.swap.max' else str(MEMORY))
        except OSError:
            group.rmdir()
            raise
        return group


def find_groups():
    """Where a group with a limit can be made; None when nowhere."""
    mine = dict(line.split(':', 2)[1:] for line in pathlib.Path('/proc/self/cgroup').read_text().splitlines())
    one = next((path for names, path in mine.items() if 'memory' in names.split(',')), None)
    candidates = [Groups(pathlib.Path('/sys/fs/cgroup'), 'memory.max', 'memory.swap.max', 'memory.peak', 'memory.events')]
    for folder in (one, '/') if one else ():
        candidates.append(Groups(pathlib.Path('/sys/fs/cgroup/memory' + folder), 'memory.limit_in_bytes',
                                 'memory.memsw.limit_in_bytes', 'memory.max_usage_in_bytes', 'memory.oom_control'))
    for groups in candidates:
        with contextlib.suppress(OSError):
            if (groups.parent / 'cgroup.procs').exists():
                groups.make(0).rmdir()
                return groups
    return None


class Hardship:
    """Of one fcgate."""

    def __init__(self):
        global _count
        _count += 1
        self.group = _groups.make(_count) if _groups else None

    def options(self, options):
        """For Popen: the clock, and the group."""
        if _clock:
            options['env'] = {**options.get('env', os.environ), **_clock}
        if self.group:
            procs = str(self.group / 'cgroup.procs')

            def join():
                with open(procs, 'w') as file:
                    file.write('0')
            options['preexec_fn'] = join
        return options

    def peak(self):
        """The most memory all of it ever had, in bytes; None when nobody counts."""
        path = self.group / _groups.peak if self.group else None
        return int(path.read_text()) if path and path.exists() else None

    def kills(self):
        """How many were killed for want of memory."""
        if not self.group:
            return 0
        return int(re.search(r'^oom_kill (\d+)$', (self.group / _groups.events).read_text(), re.MULTILINE)[1])

    def end(self):
        if self.group and self.group.exists():
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:
                try:
                    self.group.rmdir()
                    break
                except OSError:  # the last process is on its way out
                    time.sleep(0.02)
