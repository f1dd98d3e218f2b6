"""A board in qemu: its start, its console, a way to run commands on it, and what its processes take."""

import contextlib
import pathlib
import re
import socket
import subprocess
import tempfile
import time

FAULTS = re.compile(r'^.*(?:Kernel panic|Out of memory|invoked oom-killer|segfault|unhandled .* fault).*$', re.MULTILINE)


class BoardFault(AssertionError):
    """The board has ended, or is not there in time."""


def free_ports(count):
    """Different ones: each is held until all are found."""
    with contextlib.ExitStack() as probes:
        found = []
        for _ in range(count):
            probe = probes.enter_context(socket.socket())
            probe.bind(('127.0.0.1', 0))
            found.append(probe.getsockname()[1])
        return found


class Control:
    """Runs commands by /etc/control, which listens on the board."""

    def __init__(self, port):
        self.socket = socket.create_connection(('127.0.0.1', port))

    def close(self):
        self.socket.close()

    def run(self, command, patience=60):
        """The output of a command of one line; it must succeed."""
        self.socket.settimeout(patience)
        self.socket.sendall(command.encode() + b'\n')
        answer = b''
        while not (end := re.search(rb'(?:^|\n)=END= (\d+)\r?\n', answer)):
            part = self.socket.recv(1 << 16)
            if not part:
                raise BoardFault(f'the board ended in: {command}')
            answer += part
        text = answer[:end.start()].decode(errors='replace').replace('\r', '')
        if end[1] != b'0':
            raise BoardFault(f'{command}: status {end[1].decode()}: {text}')
        return text


class Board:
    """One boot. `memory` is in MiB; `php` is one of the `kinds` of PHP that fcgate starts."""

    more_arguments = ()  # of qemu
    command_seconds = 60  # until it takes commands
    kinds = {'fpm': 'board.php=/usr/sbin/php-fpm', 'opcache': 'board.php=/usr/sbin/php-fpm board.opcache=yes',
             'cgi': 'board.php=/usr/bin/php-cgi'}

    def __init__(self, image, memory, php):
        self.image = pathlib.Path(image)
        self.memory = memory
        self.php = php
        self.tmpfs = max(4, memory // 8)
        self.port, self.control_port = free_ports(2)
        self.folder = tempfile.TemporaryDirectory(prefix='fcgate-board-')
        self.console_path = pathlib.Path(self.folder.name) / 'console'
        self.qemu_path = pathlib.Path(self.folder.name) / 'qemu'
        self.child = None
        self.control = None
        self.started = None

    def arguments(self):
        # The kernel sees one core, no battery-backed time, and a disk that cannot be written. Without cma= Debian's kernel sets
        # 16 MB apart for video. qemu puts the initramfs into the middle of the memory, where a small board would have it
        # overwritten by the kernel that unpacks itself: it has 64 MB then, of which the kernel takes what it may.
        line = f'console=ttyAMA0 panic=-1 cma=0 mem={self.memory}M board.tmpfs={self.tmpfs}m {self.kinds[self.php]}'
        forward = ','.join(f'hostfwd=tcp:127.0.0.1:{host}-10.0.2.15:{board}'
                           for host, board in ((self.port, 80), (self.control_port, 2323)))
        return ['qemu-system-arm', '-M', 'virt', '-cpu', 'cortex-a7', '-m', str(max(64, self.memory)), '-nodefaults',
                '-display', 'none', '-no-reboot', '-rtc', 'base=1970-01-01T00:00:00',
                '-kernel', self.image / 'kernel', '-initrd', self.image / 'initramfs', '-append', line,
                '-drive', f'if=none,id=disk,file={self.image}/root.squashfs,format=raw,readonly=on',
                '-device', 'virtio-blk-device,drive=disk',
                '-netdev', f'user,id=net,restrict=on,{forward}',
                '-device', 'virtio-net-device,netdev=net',
                '-serial', f'file:{self.console_path}', *self.more_arguments]

    def __enter__(self):
        self.started = time.monotonic()
        with open(self.qemu_path, 'wb') as log:
            self.child = subprocess.Popen([str(argument) for argument in self.arguments()], stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log)
        return self

    def __exit__(self, *_):
        if self.control:
            self.control.close()
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.child.kill()
        self.child.wait()
        self.folder.cleanup()

    def age(self):
        return time.monotonic() - self.started

    def console(self):
        return self.console_path.read_text(errors='replace') if self.console_path.exists() else ''

    def story(self):
        """The end of the console: what came since the kernel was up."""
        text = self.console()
        return text[max(0, text.find('Run /init'), len(text) - 6000):]

    def fault(self):
        """What the kernel has complained about, if anything."""
        found = FAULTS.search(self.console())
        if found:
            return found[0].strip()
        if self.child.poll() is None:
            return None
        return f'qemu has ended with status {self.child.returncode}: {self.qemu_path.read_text(errors="replace").strip()}'

    def wait_until(self, condition, what, seconds):
        """What `condition` gave at last; a fault of the board ends the wait."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            if fault := self.fault():
                raise BoardFault(fault)
            if time.monotonic() > deadline:
                raise BoardFault(f'after {seconds:.0f} s: {what}')
            time.sleep(0.05)
        return value

    def run(self, command):
        if self.control is None:
            self.control = self.wait_until(self.connect, 'the board takes no commands', self.command_seconds)
        return self.control.run(command)

    def connect(self):
        """Until qemu listens nobody does; then it accepts before the board does, and hangs up."""
        control = None
        try:
            control = Control(self.control_port)
            control.run('true')
            return control
        except (OSError, BoardFault):
            if control:
                control.close()
            return None

    def processes(self):
        """(pid, name) of what runs, the kernel's threads left out."""
        # One that ends meanwhile has no name any more.
        text = self.run('for p in /proc/[0-9]*; do [ -e $p/exe ] && echo "${p#/proc/} $(cat $p/comm)"; done 2>/dev/null; true')
        return [(int(pid), name) for pid, name in re.findall(r'^(\d+) (\S+)$', text, re.MULTILINE)]

    def named(self, *names):
        return [pid for pid, name in self.processes() if name in names]

    def php_processes(self):
        return self.named('php-fpm', 'php-cgi')

    def memory_of(self, pids):
        """KiB by kind: Rss, Pss (what several share is divided between them), Private_Dirty."""
        sums = {'Rss': 0, 'Pss': 0, 'Private_Dirty': 0}
        if pids:
            text = self.run('cat ' + ' '.join(f'/proc/{pid}/smaps_rollup' for pid in pids))
            for kind, size in re.findall(r'^(Rss|Pss|Private_Dirty):\s+(\d+) kB', text, re.MULTILINE):
                sums[kind] += int(size)
        return sums

    def available_kib(self):
        return int(re.search(r'^MemAvailable:\s+(\d+)', self.run('cat /proc/meminfo'), re.MULTILINE)[1])

    def total_kib(self):
        return int(re.search(r'^MemTotal:\s+(\d+)', self.run('cat /proc/meminfo'), re.MULTILINE)[1])
