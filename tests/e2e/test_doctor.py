"""fcgate doctor: each finding is made true and then found, with its remedy; and no script of the site is ever run."""

import glob
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import unittest

import hardship
import processes
from doctor import FAULTY, HEALTHY, USAGE, WARNED, DoctorCase
from doctor_machine import MachineCases


class Doctor(DoctorCase):
    def test_all_is_well(self):
        php = self.start_php()
        self.assertEqual(self.examine(php, HEALTHY), [])
        self.assertEqual({check['id'] for check in self.checks} - {'user'},
                         {'configuration', 'libmicrohttpd', 'clock', 'memory', 'port', 'backend', 'pool', 'script', 'uploads',
                          'php-memory', 'socket-rights', 'root', 'entry', 'spool'})
        script = self.of('script')[0]
        self.assertEqual(script['about'], str(self.root / 'index.php'))
        self.assertRegex(script['text'], r'^PHP \d+\.\d+\.\d+ may read it')

    def test_each_of_several_servers(self):
        php = self.start_php()
        other = processes.PhpFpm(processes.new_folder('other'), 2).start()
        self.addCleanup(other.end)
        backend = [f'address = {other.fcgate_address}']
        php.workers = 6
        found, = self.examine(php, backend=backend)
        self.assertEqual(found['id'], 'pool')
        php.workers = 4
        self.assertEqual(self.examine(php, HEALTHY, backend=backend), [])
        both = [php.fcgate_address, other.fcgate_address]
        self.assertEqual([check['about'] for check in self.of('backend')], both)
        self.assertEqual([check['about'] for check in self.of('socket-rights')], both)
        other.end()
        found = self.expect(self.examine(php, FAULTY, backend=backend), 'backend', 'fault', '.')
        self.assertEqual(found['about'], other.fcgate_address)

    def test_the_same_for_people(self):
        php = self.start_php()
        done = self.run_doctor('-c', self.configuration(php))
        self.assertEqual((done.returncode, done.stderr), (HEALTHY, ''), done)
        lines = done.stdout.splitlines()
        notes = 1 if self.is_guarded() else 0
        self.assertRegex(lines[-1], rf'^faults: 0, warnings: 0, notes: {notes}, in order: \d+$')
        told = [line for line in lines[:-1] if not re.match(r'ok       [a-z-]+ ', line)]
        self.assertEqual(len(told), 2 * notes, told)
        if notes:
            self.assertRegex(told[0], r'^note     libmicrohttpd  0\.9\.')
        site = ['front_controller = /none.php']
        self.expect(self.examine(php, FAULTY, site=site), 'entry', 'fault', '^front_controller = /none.php: there is no such file')
        done = self.run_doctor('-c', self.configuration(php, site=site))
        self.assertEqual(done.returncode, FAULTY)
        self.assertRegex(done.stdout, r'(?m)^FAULT    entry  .*\n +-> front_controller is a path')

    def test_nothing_is_well_without_a_configuration_that_can_be_read(self):
        done = self.run_doctor('-o', 'site.colour=red')
        self.assertEqual((done.returncode, done.stdout), (USAGE, ''))
        self.expect(self.examine(None, FAULTY, site=['backend = none']), 'configuration', 'fault', 'none', '^$')

    def test_arguments(self):
        for arguments in (['-t'], ['--budget'], ['-T', '--json']):
            self.assertEqual(self.run_doctor(*arguments).returncode, USAGE)
        self.assertIn('Usage', self.run_doctor('--help').stdout)
        done = subprocess.run([processes.fcgate_path, '--json'], capture_output=True, text=True, timeout=10, check=False)
        self.assertEqual(done.returncode, USAGE)
        self.assertIn('fcgate doctor --json', done.stderr)

    def test_php_that_fcgate_starts(self):
        php = processes.SpawnedPhp(self.folder)
        self.assertEqual(self.examine(php, HEALTHY), [])
        self.assertRegex(self.of('backend')[0]['text'], r'starts in \d+ ms')
        self.assertTrue(self.of('script'))
        self.assertEqual(php.left_over(), [])
        self.assertEqual(processes.orphans(), [])

    def test_php_that_cannot_be_started(self):
        program = self.folder / 'php-fpm'
        program.write_text('#!/bin/sh\necho no such library >&2\nexit 1\n')
        program.chmod(0o755)
        php = processes.SpawnedPhp(self.folder, command=program)
        self.expect(self.examine(php), 'backend', 'fault', 'does not start: no such library', f'{program} -v')
        for ending, told in (('exit 3', 'ended with exit code 3'), ('kill -9 $$', 'killed by signal 9')):
            program.write_text(f'#!/bin/sh\n{ending}\n')
            php = processes.SpawnedPhp(self.folder, command=program)
            self.expect(self.examine(php), 'backend', 'fault', f'does not start: it .*{told}', f'{program} -v')
        php = processes.SpawnedPhp(self.folder, command='/no/such/php-fpm')
        self.expect(self.examine(php), 'spawn', 'fault', '/no/such/php-fpm is no program', 'command')

    def test_php_that_starts_slowly(self):
        program = self.folder / 'php-fpm'
        program.write_text('#!/bin/sh\necho NOTICE: fpm is running >&2\nexec sleep 20\n')
        program.chmod(0o755)
        php = processes.SpawnedPhp(self.folder, command=program)
        self.expect(self.examine(php), 'backend', 'fault', 'does not start: it takes longer than 5000 ms$')

    def test_the_reason_why_no_program_was_started(self):
        program = self.folder / 'php-fpm'
        program.write_bytes(b'\x00no program')
        program.chmod(0o755)
        php = processes.SpawnedPhp(self.folder, command=program)
        self.expect(self.examine(php), 'backend', 'fault', f'does not start: {program}: Exec format error', f'{program} -v')
        # A folder of root's in which nobody can make anything.
        php = processes.SpawnedPhp(self.folder)
        php.server_lines = ['runtime_dir = /proc/sys']
        self.expect(self.examine(php), 'spawn', 'fault', "^cannot make PHP's folders in runtime_dir: ", '^correct command, user or runtime_dir')

    def test_no_socket(self):
        php = processes.PhpFpm(self.folder, self.workers)
        found = self.expect(self.examine(php), 'backend', 'fault', '^nobody listens there')
        self.assertEqual(found['about'], php.fcgate_address)

    def test_socket_of_another_name(self):
        php = self.start_php()
        address = php.fcgate_address
        php.fcgate_address = f'unix:{self.folder}/other.sock'
        found = self.examine(php)
        self.assertEqual(found[0]['id'], 'backend')
        self.assertRegex(found[0]['text'], 'a php-fpm that runs listens at')
        # Other tests' php-fpm may run too.
        self.assertRegex(found[0]['remedy'], r'^address = (unix:/|127)')
        php.fcgate_address = address
        self.assertEqual(self.examine(php), [])

    def test_not_fastcgi(self):
        def answer():
            with listener.accept()[0] as client:
                client.recv(100)
                client.sendall(b'HTTP/1.0 400 Bad Request\r\n\r\n')
        with socket.create_server(('127.0.0.1', 0)) as listener:
            web = threading.Thread(target=answer)
            web.start()
            php = processes.PhpFpm(self.folder, self.workers)
            php.fcgate_address = f'127.0.0.1:{listener.getsockname()[1]}'
            self.expect(self.examine(php), 'backend', 'fault', 'does not speak FastCGI', 'not the port of a web server')
            web.join()

    def test_pool_that_refuses_this_machine(self):
        php = self.start_php(lines=['listen.allowed_clients = 192.0.2.1'], tcp=True)
        self.expect(self.examine(php), 'backend', 'fault', 'or not with this machine$', 'listen.allowed_clients')

    @unittest.skipUnless(processes.is_root, 'needs root, to be somebody else')
    def test_socket_without_rights(self):
        php = self.start_php(lines=['listen.owner = root', 'listen.group = root', 'listen.mode = 0600'])
        user = processes.account().pw_name
        self.expect(self.examine(php), 'socket-rights', 'fault', f'^{user} may not connect: it belongs to root:root with mode 0600',
                    f'listen.owner = {user}')

    def test_pool_of_another_size(self):
        php = self.start_php()
        php.workers = 5
        self.expect(self.examine(php), 'pool', 'fault', 'PHP has 2 processes, and fcgate is told of 5',
                    rf'^workers = 2, or pm.max_children = 5 in {php.folder}/php-fpm.conf')
        php.workers = 1
        self.assertEqual(self.examine(php), [])
        self.assertEqual(self.of('pool')[0]['level'], 'note')

    def test_pool_in_an_included_file(self):
        php = processes.PhpFpm(self.folder, self.workers, tcp=True)
        self.addCleanup(php.end)
        text = (self.folder / 'php-fpm.conf').read_text()
        glob, pool = text.split('[e2e]')
        self.made('pool.d')
        (self.folder / 'pool.d' / 'e2e.conf').write_text(f'; a comment\n[e2e]{pool}')
        (self.folder / 'php-fpm.conf').write_text(f'{glob}include={self.folder}/pool.d/*.conf\n')
        php.start()
        self.assertEqual(self.examine(php), [])
        php.workers = 3
        self.expect(self.examine(php), 'pool', 'fault', 'PHP has 2', f'{self.folder}/pool.d/e2e.conf')

    @unittest.skipUnless(processes.is_root, 'needs root, for chroot')
    def test_chrooted_pool(self):
        other = self.made('jail')
        php = self.start_php(lines=[f'chroot = {other}'])
        self.expect(self.examine(php), 'script', 'fault', rf'^PHP cannot see it: its pool has chroot = {other}', 'SCRIPT_FILENAME')

    @unittest.skipUnless(processes.is_root, 'needs root, for chroot')
    def test_chrooted_pool_that_is_told_its_own_path(self):
        php = self.start_php(lines=[f'chroot = {self.folder}'])
        self.assertEqual(self.examine(php, site=['param = SCRIPT_FILENAME /site/index.php']), [])
        self.assertIn(self.of('script')[0]['level'], ('note', 'ok'))

    def test_scripts_of_another_name(self):
        (self.root / 'index.php').rename(self.root / 'index.phtml')
        site = ['script_suffix = .phtml', 'index = index.phtml']
        found = self.examine(self.start_php(), FAULTY, site=site)
        self.expect(found, 'script', 'fault', 'no files of such a name', r'^security.limit_extensions = \.php \.phtml in')
        self.folder = processes.new_folder('doctor')
        php = self.start_php(lines=['security.limit_extensions = .php .phtml'])
        self.assertEqual(self.examine(php, HEALTHY, site=site), [])

    def test_open_basedir(self):
        """Elsewhere; where the probe can be run; where its words go to a log."""
        for name, values in (('elsewhere', ['open_basedir = /usr']), ('spool', [f'open_basedir = {self.spool}']),
                             ('silent', ['open_basedir = /usr', f'error_log = {self.folder}/php.log'])):
            with self.subTest(name):
                self.folder = processes.new_folder('doctor')
                php = self.start_php(values=values)
                self.expect(self.examine(php), 'script', 'fault', 'open_basedir', f'^add {self.root} to open_basedir')
        self.folder = processes.new_folder('doctor')
        self.assertEqual(self.examine(self.start_php(values=[f'open_basedir = {self.root}'])), [])

    @unittest.skipUnless(processes.is_root, 'needs root, to be somebody else')
    def test_rights_of_php(self):
        php = self.start_php()
        script = self.root / 'index.php'
        script.chmod(0o600)
        self.expect(self.examine(php), 'script', 'fault', "user may not read", 'chmod o\\+r')
        script.chmod(0o644)
        self.root.chmod(0o700)
        found = self.examine(php)
        self.root.chmod(0o755)
        self.assertEqual([(check['id'], check['level']) for check in found], [('script', 'fault'), ('root', 'fault')])
        self.assertRegex(found[0]['text'], 'cannot see it')
        self.assertRegex(found[1]['remedy'], '^chmod o\\+x ')

    def test_busy_php(self):
        """A probe that nobody takes is told of, in time."""
        php = self.start_php(workers=1)
        php.workers = 1
        php.signal_group(19)  # STOP
        found = self.examine(php)
        php.signal_group(18)
        self.expect(found, 'backend', 'fault', 'does not answer', 'slowlog')

    def test_uploads_that_php_does_not_take(self):
        php = self.start_php(values=['post_max_size = 1M', 'upload_max_filesize = 2M'])
        self.expect(self.examine(php, WARNED), 'uploads', 'warning', 'max_body lets 8m in, and PHP takes 1M',
                    'post_max_size .*= 8m .*max_body = 1m')

    def test_memory_of_scripts(self):
        for limit in ('900G', '-1'):
            with self.subTest(limit):
                self.folder = processes.new_folder('doctor')
                php = self.start_php(values=[f'memory_limit = {limit}'])
                self.expect(self.examine(php, WARNED), 'php-memory', 'warning', f'^2 scripts may take {limit} each', r'^memory_limit = \d+')

    def test_memory_of_fcgate(self):
        (self.root / 'index.php').rename(self.root / 'index.html')
        self.expect(self.examine(None, FAULTY, server=['memory_ceiling = 1m']), 'memory', 'fault', 'memory_ceiling allows 1m',
                    'profile = tiny')

    def test_machine_with_little_memory(self):
        if not processes.is_root or hardship.missing():
            self.skipTest('needs root and mount namespaces')
        php = self.start_php()
        little = self.folder / 'meminfo'
        little.write_text('MemTotal:       60000 kB\nMemFree:         500 kB\nMemAvailable:    1024 kB\n')
        found = self.examine(php, WARNED, prefix=['unshare', '-m', 'sh', '-c',
                                                  f'mount --bind {little} /proc/meminfo && exec "$@"', 'sh'])
        self.assertEqual([check['id'] for check in found], ['memory', 'php-memory'])
        self.assertRegex(found[0]['text'], 'can take 3.*k, and only 1m are available now')
        self.assertRegex(found[1]['text'], '^2 scripts may take 128M each .* the machine has 58m')
        self.assertEqual(found[1]['remedy'], 'memory_limit = 14m (php.ini; php = memory_limit 14m with spawn), or fewer workers')

    def test_missing_root(self):
        found = self.examine(None, FAULTY, arguments=['-r', self.folder / 'none'])
        self.expect(found, 'root', 'fault', 'no such folder', f'mkdir -p {self.folder}/none$')
        (self.folder / 'file').touch()
        self.expect(self.examine(None, FAULTY, arguments=['-r', self.folder / 'file']), 'root', 'fault', 'Not a directory', 'not a file')

    def test_first_page_that_a_link_leads_to(self):
        other = self.made('other')
        (self.root / 'index.php').rename(other / 'app.php')
        (self.root / 'index.php').symlink_to(other / 'app.php')
        php = self.start_php()
        self.expect(self.examine(php), 'entry', 'fault', '^index.php is a link out of root', f'^links_to = the folder of {other}/app.php$')
        self.expect(self.examine(php, site=['front_controller = /index.php']), 'entry', 'fault', '^index.php is a link')
        self.assertEqual(self.examine(php, HEALTHY, site=[f'links_to = {other}']), [])
        (self.root / 'index.php').unlink()
        (self.root / 'main.php').touch()
        (self.root / 'index.php').symlink_to('main.php')
        self.assertEqual(self.examine(php, HEALTHY), [])

    def test_first_page_that_no_links_to_names(self):
        other = self.made('other')
        (self.root / 'index.php').rename(other / 'app.php')
        (self.root / 'index.php').symlink_to(other / 'app.php')
        found = self.examine(self.start_php(), FAULTY, site=[f'links_to = {self.root}-not'])
        self.expect(found, 'entry', 'fault', '^index.php is a link out of root')

    def test_link_out_of_the_root(self):
        """To a folder, to a script, to a file: one is told of."""
        other = self.made('other')
        (other / 'app.php').touch()
        php = self.start_php()
        for name, target in (('panel', other), ('app.php', other / 'app.php'), ('devices', pathlib.Path('/dev/null'))):
            with self.subTest(name):
                (self.root / name).symlink_to(target)
                self.expect(self.examine(php, WARNED), 'link', 'warning', f'^{name} is a link out of root', f'^links_to = the folder of {target}$')
                self.assertEqual(self.examine(php, HEALTHY, site=[f'links_to = {target.parent}']), [])
                (self.root / name).unlink()
        for name, target in (('within', 'index.php'), ('nowhere', other / 'none'), ('.hidden', other), ('itself', 'itself')):
            (self.root / name).symlink_to(target)
        self.assertEqual(self.examine(php, HEALTHY), [])
        (self.root / 'one').symlink_to(other)
        (self.root / 'two').symlink_to('/etc')
        self.expect(self.examine(php, WARNED), 'link', 'warning', '^(one|two) is a link')

    def expect_unseen_links(self, php):
        self.assertEqual(self.examine(php, HEALTHY), [])
        self.assertEqual([check['level'] for check in self.of('link')], ['note'])
        self.assertRegex(self.of('link')[0]['text'], '^not all was looked at: it is more than 4096 files, or deeper than 8 folders')
        self.assertEqual(self.of('link')[0]['remedy'], 'find ROOT -type l')

    def test_link_deep_in_the_root(self):
        php = self.start_php()
        deep = self.root.joinpath(*'abcdefg')
        deep.mkdir(parents=True)
        (self.root / 'a' / 'within').symlink_to('../index.php')
        (self.root / '.git').mkdir()
        (self.root / '.git' / 'hidden').symlink_to('/etc')
        self.assertEqual(self.examine(php, HEALTHY), [])
        (deep / 'out').symlink_to('/etc')
        self.expect(self.examine(php, WARNED), 'link', 'warning', '^a/b/c/d/e/f/g/out is a link out of root', '^links_to = the folder of /etc$')
        # What is deeper is not seen; that is said.
        (deep / 'h').mkdir()
        (deep / 'out').rename(deep / 'h' / 'out')
        self.expect_unseen_links(php)
        (deep / 'h' / 'out').unlink()
        (deep / 'h').rmdir()
        self.assertEqual(self.examine(php, HEALTHY), [])
        self.assertEqual(self.of('link'), [])

    def test_more_files_than_are_looked_at_for_links(self):
        php = self.start_php()
        many = self.made(self.root / 'many')
        for number in range(4096 - 2):  # beside the folder and index.php
            (many / str(number)).touch()
        self.assertEqual(self.examine(php, HEALTHY), [])
        self.assertEqual(self.of('link'), [])
        (many / 'more').touch()
        self.expect_unseen_links(php)

    def test_files_that_cannot_be_opened(self):
        """As with each of them no server starts."""
        (self.root / 'index.php').rename(self.root / 'index.html')
        for key in ('error_log', 'access_log', 'pid_file', 'mime_types'):
            with self.subTest(key):
                found = self.examine(None, FAULTY, server=[f'{key} = {self.folder}/none/file'])
                found = self.expect(found, 'file', 'fault', f'^{key}: No such', f'or correct {key}')
                self.assertEqual(found['about'], f'{self.folder}/none/file')
                (self.folder / 'file').touch()
                self.assertEqual(self.examine(None, HEALTHY, server=[f'{key} = {self.folder}/file']), [])
        self.assertEqual(self.examine(None, HEALTHY, server=[f'error_log = {self.folder}/new.log', 'access_log = syslog']), [])
        self.assertFalse((self.folder / 'new.log').exists())
        if processes.is_root:
            (self.folder / 'file').chmod(0o600)
            found = self.examine(None, FAULTY, server=[f'mime_types = {self.folder}/file'])
            self.expect(found, 'file', 'fault', '^mime_types: Permission denied', 'give it to who opens it')

    def test_nothing_for_the_first_page(self):
        self.expect(self.examine(None, FAULTY), 'entry', 'fault', 'index.php is a script, and there is no PHP', 'backend')
        (self.root / 'index.php').unlink()
        self.expect(self.examine(None, WARNED), 'entry', 'warning', 'no index file', 'listing = yes')
        self.assertEqual(self.examine(None, HEALTHY, site=['listing = yes']), [])

    @unittest.skipUnless(processes.is_root, 'needs root, to be somebody else')
    def test_first_page_that_may_not_be_read(self):
        (self.root / 'index.php').unlink()
        page = self.root / 'index.html'
        page.touch(0o600)
        os.chown(page, 0, 0)
        self.expect(self.examine(None, FAULTY), 'entry', 'fault', 'whoever serves may not read it', rf'chmod o\+r .*{page.name}')
        page.chmod(0o644)
        self.assertEqual(self.examine(None, HEALTHY), [])

    def test_spool(self):
        php = self.start_php()
        found = self.examine(php, site=['spool = /no/such/folder'])
        self.expect(found, 'spool', 'fault', 'No such file', 'tmpfs')

    def test_spool_that_is_too_small_and_that_php_does_not_see(self):
        """The probe in it is of no use then: one in the root is, and goes as well."""
        if not processes.is_root or hardship.missing():
            self.skipTest('needs root and mount namespaces')
        php = self.start_php()
        mount = f'mount -t tmpfs -o size=1m,mode=1777 none {self.spool}'
        found = self.examine(php, WARNED, prefix=['unshare', '-m', 'sh', '-c', f'{mount} && exec "$@"', 'sh'])
        self.expect(found, 'spool', 'warning', '1m are free; a body in chunks may have 8m', 'make room')
        self.assertEqual([check['level'] for check in self.of('script')], ['ok'])

    def test_occupied_port(self):
        with socket.create_server(('127.0.0.1', self.port)):
            (self.root / 'index.php').unlink()
            (self.root / 'index.html').touch()
            found = self.examine(None, FAULTY)
        self.expect(found, 'port', 'fault', f'in use by .*{os.getpid()}' if processes.is_root else 'in use', r'listen = :8080')

    def test_port_of_another_address(self):
        """Whoever has the port at another address is not in the way, and is not to be ended."""
        if not processes.is_root:
            self.skipTest('needs root, to see who it is')
        (self.root / 'index.php').rename(self.root / 'index.html')
        for number in (1, 2):
            with self.subTest(number), socket.create_server((f'127.0.0.{number}', self.port)):
                script = 'import socket, sys; s = socket.create_server((sys.argv[1], int(sys.argv[2]))); print(); sys.stdin.read()'
                other = [sys.executable, '-c', script, f'127.0.0.{3 - number}', str(self.port)]
                with subprocess.Popen(other, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
                    process.stdout.readline()
                    found = self.examine(None, FAULTY, arguments=['-l', f'127.0.0.{number}:{self.port}'])
                    self.expect(found, 'port', 'fault', f'in use by .*{os.getpid()}$')
                    process.stdin.close()

    def test_port_that_is_listed_twice(self):
        (self.root / 'index.php').rename(self.root / 'index.html')
        path = processes.give(self.made('sockets')) / 'http.sock'
        for listen in ((f':{self.port}', f'127.0.0.1:{self.port}'), (f'unix:{path}', f'unix:{path.parent}/./{path.name}')):
            with self.subTest(listen):
                found = self.examine(None, FAULTY, arguments=['-l', listen[0], '-l', listen[1]])
                self.expect(found, 'port', 'fault', 'another `listen` of this configuration', 'leave one of them out')
                self.assertEqual([check['level'] for check in self.of('port')], ['ok', 'fault'])
        self.assertFalse(path.exists())

    def test_occupied_socket(self):
        (self.root / 'index.php').rename(self.root / 'index.html')
        path = processes.give(self.made('sockets')) / 'http.sock'
        with socket.socket(socket.AF_UNIX) as holder:
            holder.bind(str(path))
            holder.listen()
            found = self.examine(None, FAULTY, server=[f'listen = unix:{path}'])
            self.expect(found, 'port', 'fault', f'in use by .*{os.getpid()}')
        # A leftover may be replaced, and goes.
        self.assertEqual(self.examine(None, HEALTHY, server=[f'listen = unix:{path}']), [])
        self.assertFalse(path.exists())
        # Anything else stays.
        path.write_text('a file')
        found = self.examine(None, FAULTY, server=[f'listen = unix:{path}'])
        self.expect(found, 'port', 'fault', 'or a file has this name$', 'or move it')
        self.assertEqual(path.read_text(), 'a file')
        found = self.examine(None, FAULTY, server=[f'listen = unix:{path.parent}/none/http.sock'])
        self.expect(found, 'port', 'fault', '^No such file or directory', 'make its folder')

    def test_address_of_another_machine(self):
        found = self.examine(None, FAULTY, arguments=['-l', f'192.0.2.1:{self.port}', '-o', 'site.index=index.html'])
        self.assertIn('port', {check['id'] for check in found})
        self.assertRegex(found[0]['text'], 'no interface')

    def test_port_of_an_fcgate_that_runs(self):
        php = processes.SpawnedPhp(self.folder)
        fcgate = processes.Fcgate(self.folder, self.configuration(php).read_text(), self.port).start()
        self.addCleanup(fcgate.end)
        self.assertEqual(self.examine(php, HEALTHY), [])
        self.assertRegex(self.of('port')[0]['text'], f'an fcgate that runs has it, process {fcgate.pid}')
        self.assertEqual([check['level'] for check in self.of('backend')], ['note'])

    def names(self, *hosts, run=''):
        """With files of our own in /etc. What is asked of the network does not leave this machine."""
        if not processes.is_root or hardship.missing():
            self.skipTest('needs root and mount namespaces')
        (self.folder / 'hosts').write_text('127.0.0.1 localhost # panel.lan\n127.0.0.2\tmine.lan Mine.local\n192.0.2.9 theirs.lan\n')
        (self.folder / 'resolv.conf').write_text('search lan\nnameserver 127.0.0.153\n')
        mounts = ' && '.join(f'mount --bind {self.folder}/{name} "$(realpath /etc/{name})"' for name in ('hosts', 'resolv.conf'))
        return self.examine(None, site=[f'host = {" ".join(hosts)}', 'listing = yes', 'index = index.html'],
                            prefix=['unshare', *run, '-m', 'sh', '-c', f'{mounts} && exec "$@"', 'sh'])

    def levels(self):
        return [(check['about'], check['level']) for check in self.of('host')]

    def test_names_in_a_file(self):
        found = self.names('localhost', '*.example', '127.0.0.1', 'MINE.lan', 'mine.local', 'theirs.lan')
        self.expect(found, 'host', 'warning', 'leads to 192.0.2.9, which is not', 'DNS')
        self.assertEqual(self.levels(), [('localhost', 'ok'), ('MINE.lan', 'ok'), ('mine.local', 'ok'), ('theirs.lan', 'warning')])

    def test_names_that_nobody_knows(self):
        found = self.names('panel.lan', 'panel.local', run=['-n'])
        self.assertRegex(found[0]['text'], 'neither to /etc/hosts nor to the DNS')
        self.assertRegex(found[0]['remedy'], 'address=/panel.lan/')
        self.assertEqual(self.levels(), [('panel.lan', 'warning'), ('panel.local', 'note')])

    def test_names_in_dns(self):
        answers = {b'here': (1, bytes([127, 0, 0, 1])), b'there': (1, bytes([192, 0, 2, 7])), b'six': (28, bytes(15) + b'\1')}

        def serve():
            while True:
                question, client = server.recvfrom(512)
                if not question:
                    return
                kind = question[-3]
                label = question[13:13 + question[12]]
                known, address = answers.get(label, (0, b''))
                record = bytes([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 9, 0, len(address)]) + address
                count = int(known == kind)
                # The name of the question is told again, and an alias comes before the address.
                alias = bytes([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 12])
                server.sendto(question[:2] + bytes([0x81, 0x80, 0, 1, 0, 1 + count, 0, 0, 0, 0]) + question[12:] + alias +
                              record * count, client)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            try:
                server.bind(('127.0.0.153', 53))
            except OSError as error:
                self.skipTest(str(error))
            thread = threading.Thread(target=serve)
            thread.start()
            try:
                found = self.names('here.lan', 'there.lan', 'six.lan', 'none.lan')
            finally:
                server.sendto(b'', ('127.0.0.153', 53))
                thread.join()
        self.assertEqual(self.levels(), [('here.lan', 'ok'), ('there.lan', 'warning'), ('six.lan', 'ok'), ('none.lan', 'warning')])
        self.assertRegex(found[0]['text'], 'leads to 192.0.2.7')

    def test_clock(self):
        found = [path for path in glob.glob('/usr/lib/*/faketime/libfaketime.so.1')]
        if not found:
            self.skipTest('there is no libfaketime')
        (self.root / 'index.php').rename(self.root / 'index.html')
        self.environment |= {'LD_PRELOAD': found[0], 'FAKETIME': '@1970-01-02 00:00:00', 'FAKETIME_DONT_FAKE_MONOTONIC': '1'}
        # Built with AddressSanitizer it would rather come first.
        self.environment['ASAN_OPTIONS'] = ':'.join([self.environment.get('ASAN_OPTIONS', ''), 'verify_asan_link_order=0'])
        self.expect(self.examine(None, WARNED), 'clock', 'warning', 'before 2024', 'ntpd')


class Missing(DoctorCase):
    def test_php_that_is_not_installed(self):
        """In a file system without one."""
        if not processes.is_root or hardship.missing():
            self.skipTest('needs root and mount namespaces')
        hide = ' && '.join(f'mount -t tmpfs none {folder}' for folder in ('/usr/sbin',))
        program = shutil.copy(processes.fcgate_path, self.folder / 'fcgate')
        library = pathlib.Path(processes.fcgate_path).parents[1] / 'src'
        self.assertTrue(program.exists() and library.exists())
        hide += ' && mount --bind /dev/null /usr/bin/php-cgi && for f in /usr/bin/php-cgi*; do mount --bind /dev/null "$(realpath "$f")"; done'
        done = self.run_doctor('-c', self.configuration(processes.SpawnedPhp(self.folder), backend=['command =']), '--json',
                               prefix=['unshare', '-m', 'sh', '-c', f'{hide} && exec "$@"', 'sh'])
        self.assertIn('neither php-fpm nor php-cgi was found', done.stdout, done)
        self.assertIn('apt install php-fpm', done.stdout)
        self.told.extend(json.loads(done.stdout)['checks'])


class Machine(MachineCases):
    """Here, so that what is told is told in one process."""


class Whole(unittest.TestCase):
    """Comes last."""

    ROW = re.compile(r'\{(\w+),\s*(good|note|warning|fault),\s*"([\w-]+)",\s*((?:"(?:[^"\\]|\\.)*"\s*)+),\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\}')
    # In tests/unit/test_doctor.cpp: that takes another libmicrohttpd, or a machine at its end.
    ELSEWHERE = {'library_refused', 'library_guarded', 'library_trusted', 'no_memory'}

    @staticmethod
    def pattern(literals):
        text = ''.join(re.findall(r'"((?:[^"\\]|\\.)*)"', literals))
        return '.*'.join(re.escape(part) for part in re.split('%[0-9]', text))

    def test_every_finding_was_made_true(self):
        cases = {(case.__name__, name) for case in (Doctor, Missing, Machine) for name in dir(case) if name.startswith('test_')}
        if not cases <= DoctorCase.whole:
            self.skipTest('some findings were not asked for')
        rows = self.ROW.findall((pathlib.Path(__file__).parents[2] / 'src' / 'doctor' / 'findings.cpp').read_text())
        self.assertGreater(len(rows), 60)
        missing = []
        for name, level, id, text, remedy in rows:
            texts = [re.compile(self.pattern(literals), re.DOTALL) for literals in (text, remedy)]
            level = 'ok' if level == 'good' else level
            told = any((check['id'], check['level']) == (id, level) and texts[0].fullmatch(check['text']) and texts[1].fullmatch(check['remedy'])
                       for check in DoctorCase.told)
            elsewhere = self.ELSEWHERE | ({'library_good'} if DoctorCase.is_guarded() else set())
            # What is not in every build is made true in tests/tls.
            if not told and name not in elsewhere and not name.startswith(('certificate_', 'users_')):
                missing.append(name)
        self.assertEqual(missing, [])
