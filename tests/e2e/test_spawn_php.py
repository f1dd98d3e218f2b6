"""The PHP that fcgate starts: whose it is, what it is told, and where it is found."""

import hashlib
import json
import os
import pathlib
import pwd
import random
import resource
import shutil
import signal
import socket
import stat
import unittest

import processes
import wire
from cases import SpawnCase

MIB = 1 << 20


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def links_of(pid):
    """What its descriptors are."""
    folder = f'/proc/{pid}/fd'
    return {os.readlink(f'{folder}/{number}') for number in os.listdir(folder)}


class Told(SpawnCase):
    """Settings and environment."""

    def test_folders_and_limits_of_php(self):
        self.serve(site=['max_body = 3m'])
        told = self.runtime('session.save_path', 'upload_tmp_dir', 'sys_temp_dir', 'post_max_size', 'upload_max_filesize')['ini']
        folder = self.php.runtime_dir
        temporary = str(self.php.temporary)
        self.assertEqual(told, {'session.save_path': str(self.php.sessions), 'upload_tmp_dir': temporary,
                                'sys_temp_dir': temporary, 'post_max_size': str(3 * MIB),
                                'upload_max_filesize': str(3 * MIB)})
        self.assertEqual([mode(path) for path in (self.php.sessions, self.php.temporary)], [0o700] * 2)
        sockets = list(folder.glob('*.sock'))
        self.assertEqual([mode(path) for path in sockets], [0o600])

    def test_limits_of_a_reload_hold_from_the_next_start(self):
        self.serve(site=['max_body = 1m'], backend=['idle_stop = 200ms', 'keep_alive = no'])
        first = self.fcgate.configuration.read_text()
        self.assertEqual(self.runtime('post_max_size')['ini'], {'post_max_size': str(MIB)})
        has_grown = 'warning: `max_body` has grown: a PHP that runs takes no larger bodies than before'
        for size, is_told in ((3, True), (2, False)):
            since = len(self.fcgate.log())
            self.fcgate.configuration.write_text(first.replace('max_body = 1m', f'max_body = {size}m'))
            self.fcgate.signal(signal.SIGHUP)
            self.fcgate.wait_for_log('a new configuration is in force', since=since)
            self.assertEqual(has_grown in self.fcgate.log()[since:], is_told)
            self.wait_for_no_php()
            told = self.runtime('post_max_size', 'upload_max_filesize')['ini']
            self.assertEqual(told, {'post_max_size': str(size * MIB), 'upload_max_filesize': str(size * MIB)})

    def upload(self, size):
        data = random.Random(size).randbytes(size)
        kind, body = wire.multipart([], [('file', 'x.bin', data)])
        return self.post('/upload.php', body, [('Content-Type', kind)]), hashlib.sha256(data).hexdigest()

    def test_upload_just_below_max_body(self):
        self.serve(site=['max_body = 3m'])
        overhead = len(wire.multipart([], [('file', 'x.bin', b'')])[1])
        response, digest = self.upload(3 * MIB - overhead)
        self.assert_status(response, 200)
        file = json.loads(response.body)['files']['file']
        self.assertEqual((file['error'], file['sha256']), (0, digest))
        with self.client() as client:
            client.start('POST', '/upload.php', [('Content-Length', str(3 * MIB + 1))])
            self.assert_status(client.response(), 413)
        processes.wait_until(lambda: not os.listdir(self.php.temporary), 'an upload is left over', 5)

    def test_sessions_outlive_php(self):
        self.serve(backend=['idle_stop = 200ms', 'keep_alive = no'])
        response = self.get('/session.php')
        cookie = ('Cookie', response.field('Set-Cookie').split(';')[0])
        self.assertEqual(response.text, '1\n')
        self.wait_for_no_php()
        self.assertEqual(self.get('/session.php', [cookie]).text, '2\n')
        sessions = list(self.php.sessions.iterdir())
        self.assertEqual(len(sessions), 1)
        self.assertEqual(mode(sessions[0]), 0o600)

    def test_settings_of_the_configuration(self):
        self.serve(backend=['php = memory_limit 32M', 'php = session.save_path /nowhere', 'php = date.timezone Asia/Tokyo'])
        self.assertEqual(self.runtime('memory_limit', 'session.save_path', 'date.timezone')['ini'],
                         {'memory_limit': '32M', 'session.save_path': '/nowhere', 'date.timezone': 'Asia/Tokyo'})

    def test_scripts_of_another_name(self):
        """php-fpm by itself runs .php alone, whatever is asked of it."""
        for name, keys in (('named.phtml', ['script_suffix = .phtml']), ('front.app', ['front_controller = /front.app'])):
            with self.subTest(name):
                script = self.root / name
                script.write_text('<?php echo "it runs";')
                self.addCleanup(script.unlink)
                fcgate = self.serve(site=keys, name=script.stem)  # its folder's path has to be short
                self.assertEqual(self.get(f'/{name}' if 'suffix' in keys[0] else '/nowhere').body, b'it runs')
                fcgate.end()

    def test_environment(self):
        """PHP has the host's environment, but what a supervisor has told fcgate is not for PHP."""
        fcgate = self.make()
        private = {'NOTIFY_SOCKET': '/nowhere', 'LISTEN_FDS': '0', 'LISTEN_PID': '1', 'LISTEN_FDNAMES': 'x',
                   'WATCHDOG_USEC': '60000000', 'WATCHDOG_PID': '1', 'LISTEN_PIDFDID': '1', 'FPM_SOCKETS': '/nowhere=9'}
        fcgate.start(env={**os.environ, **private, 'BOARD_NAME': 'kestrel'})
        environment = self.runtime()['environment']
        self.assertEqual(environment.get('BOARD_NAME'), 'kestrel')
        self.assertEqual({name: value for name, value in environment.items() if name in private
                          and not (name == 'FPM_SOCKETS' and value.startswith(str(self.php.runtime_dir)))}, {})

    def test_descriptors(self):
        """None of fcgate's reaches PHP, which could hold or answer a connection; not even one that fcgate was started with."""
        with socket.socket() as given:
            given.bind(('127.0.0.1', 0))
            given.listen()
            number = given.fileno()
            fcgate = self.make([f'listen = fd:{number}'])
            fcgate.start(pass_fds=[number])
            with wire.Client(given.getsockname()) as client:
                client.ask('GET', '/files/plain.txt')
                self.runtime()
                ours = {link for link in self.fcgate.descriptors() if link.startswith('socket:')}
                self.assertIn(os.readlink(f'/proc/self/fd/{number}'), ours)
                for child in self.fcgate.php():
                    self.assertEqual(links_of(child.pid) & ours, set(), child)
                # The spawner has one end of the pair that it hears fcgate by.
                self.assertEqual(links_of(self.fcgate.spawner().pid) & ours, set())

    def test_what_php_says_is_logged(self):
        self.serve()
        self.get('/warning.php?word=marmot')
        self.fcgate.wait_for_log('first line of marmot')

    def test_what_php_says_outside_of_requests_is_logged(self):
        self.serve(command=f'{processes.php_fpm_path()} -c {self.folder}/php.ini -d extension=no_such_extension')
        self.assert_hello()
        self.fcgate.wait_for_log(r'warning: php: .*no_such_extension')


class Owner(SpawnCase):
    """Whose processes and files they are."""

    def assert_owned(self, user):
        """fcgate, PHP, sockets and folders."""
        told = self.runtime()
        self.assertEqual(self.fcgate.status('Uid'), [str(user.pw_uid)] * 4)
        self.assertEqual(told['status']['Uid'].split(), [str(user.pw_uid)] * 4)
        self.assertEqual(told['status']['Gid'].split(), [str(user.pw_gid)] * 4)
        self.assertEqual(told['status']['CapEff'].strip('0'), '')
        for running in self.fcgate.php():
            self.assertEqual(processes.status_of(running.pid, 'Uid'), [str(user.pw_uid)] * 4, running)
        self.assertEqual(self.fcgate.status('NoNewPrivs'), ['1'])
        return told

    def assert_files(self, folder, user):
        paths = [folder / f'sessions-{user.pw_uid}', folder / f'tmp-{user.pw_uid}', *folder.glob('*.sock')]
        self.assertEqual([(mode(path), path.stat().st_uid) for path in paths],
                         [(0o700, user.pw_uid), (0o700, user.pw_uid), (0o600, user.pw_uid)])

    @unittest.skipUnless(processes.is_root, 'only root can become somebody else')
    def test_started_as_root(self):
        self.serve()
        told = self.assert_owned(processes.account())
        self.assertEqual(told['status']['NoNewPrivs'], '0')
        self.assertEqual(told['status']['Seccomp'], '0')
        for name in ('Max core file size', 'Max open files'):
            ours = tuple(map(str, resource.getrlimit({'Max core file size': resource.RLIMIT_CORE}.get(name, resource.RLIMIT_NOFILE))))
            for running in (self.fcgate.spawner(), *self.fcgate.php()):
                self.assertEqual(processes.limit_of(running.pid, name)[1].replace('unlimited', '-1'), ours[1], running)
        self.assertEqual(told['status']['Groups'].split(), [str(processes.account().pw_gid)])
        self.assert_files(self.php.runtime_dir, processes.account())
        self.assertEqual(self.php.runtime_dir.stat().st_uid, 0, 'PHP could put other files there')
        spawner = self.fcgate.spawner()
        self.assertEqual(processes.status_of(spawner.pid, 'Uid')[0], '0')

    @unittest.skipUnless(processes.is_root, 'only root can become somebody else')
    def test_two_users_in_one_folder(self):
        """Each has its own sessions, and they outlive a restart."""
        first, second = self.make(name='first'), self.make(name='second')
        text = second.configuration.read_text().replace(f'user = {processes.account().pw_name}', 'user = daemon')
        second.configuration.write_text(text.replace(str(second.spawned.runtime_dir), str(first.spawned.runtime_dir)))
        cookies = {}

        def visit(fcgate):
            response = wire.ask(fcgate.port, 'GET', '/session.php', cookies.get(fcgate, []))
            if fcgate not in cookies:
                cookies[fcgate] = [('Cookie', response.field('Set-Cookie').split(';')[0])]
            return response.text
        for fcgate in (first, second):
            fcgate.start()
            self.assertEqual(visit(fcgate), '1\n')
        self.assertEqual([visit(fcgate) for fcgate in (first, second)], ['2\n'] * 2)
        first.signal(signal.SIGTERM)
        self.assertEqual(first.wait(), 0)
        first.start()
        self.assertEqual([visit(fcgate) for fcgate in (first, second)], ['3\n'] * 2)

    @unittest.skipUnless(processes.is_root, 'only root can start it as root')
    def test_root_is_kept_when_the_configuration_says_so(self):
        fcgate = self.make()
        text = fcgate.configuration.read_text()
        fcgate.configuration.write_text(text.replace(f'user = {processes.account().pw_name}', 'user = root'))
        fcgate.start()
        self.assertEqual(self.runtime()['status']['Uid'].split()[0], '0')
        fcgate.wait_for_log('warning: serving as root, as server.user says')

    def expect_same_identity(self):
        told = self.runtime()['status']
        for kind in ('Uid', 'Gid', 'Groups'):
            self.assertEqual(told[kind].split(), self.fcgate.status(kind), kind)
        return told

    @unittest.skipUnless(processes.is_root, 'only root can become somebody else')
    def test_php_has_the_groups_of_who_serves(self):
        user = processes.account()
        groups = self.folder / 'groups'
        groups.write_text(f'root:x:0:\ndialout:x:20:other,{user.pw_name}\npanel:x:62001:\nusers:x:{user.pw_gid}:\n')
        self.serve(['group = panel'],
                   prefix=['unshare', '--mount', 'sh', '-c', f'mount --bind {groups} /etc/group && exec "$@"', 'sh'])
        told = self.expect_same_identity()
        self.assertEqual((told['Gid'].split()[0], set(told['Groups'].split())), ('62001', {'62001', '20'}))

    @unittest.skipUnless(processes.is_root, 'only root can become somebody else')
    def test_a_number_that_no_user_has(self):
        fcgate = self.make(['group = 62002'])
        text = fcgate.configuration.read_text()
        fcgate.configuration.write_text(text.replace(f'user = {processes.account().pw_name}', 'user = 62000'))
        fcgate.start()
        told = self.expect_same_identity()
        self.assertEqual((told['Uid'].split()[0], told['Groups'].split()), ('62000', ['62002']))

    @unittest.skipUnless(processes.is_root and shutil.which('setpriv'), 'needs root and setpriv, to be somebody else')
    def test_started_by_a_user(self):
        """In a private folder, which goes when fcgate goes, in whatever way."""
        user = pwd.getpwnam('nobody')
        temporary = self.folder / 'tmp'
        temporary.mkdir()
        temporary.chmod(0o1777)
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(signal=number.name):
                fcgate = self.unprivileged(user, number.name)
                fcgate.start(env={**os.environ, 'TMPDIR': str(temporary)})
                told = self.assert_owned(user)
                folders = list(temporary.iterdir())
                self.assertEqual(len(folders), 1, folders)
                self.assertRegex(folders[0].name, r'^fcgate-\w{6}$')
                self.assert_files(folders[0], user)
                self.assertEqual(self.get('/session.php').text, '1\n')
                self.assertTrue(told['environment']['FPM_SOCKETS'].startswith(str(folders[0])))
                fcgate.signal(number)
                fcgate.wait()
                processes.wait_until(lambda: not list(temporary.iterdir()), 'the private folder is left', 5)
                processes.wait_until(lambda: not processes.orphans(), 'a process is left', 5)

    @unittest.skipUnless(processes.is_root and shutil.which('setpriv'), 'needs root and setpriv, to be somebody else')
    def test_the_right_to_low_ports_stays_with_fcgate(self):
        """As systemd and procd give it to a daemon that never is root."""
        capability = 1 << 10  # CAP_NET_BIND_SERVICE
        rights = ('--inh-caps=-all,+net_bind_service', '--ambient-caps=-all,+net_bind_service',
                  '--bounding-set=-all,+net_bind_service')
        self.unprivileged(pwd.getpwnam('nobody'), 'low', rights).start()
        self.assertEqual(int(self.fcgate.status('CapEff')[0], 16), capability)
        told = self.runtime()['status']
        for kind in ('CapEff', 'CapPrm', 'CapAmb'):
            self.assertEqual(int(told[kind], 16), 0, kind)

    def unprivileged(self, user, name, rights=('--inh-caps=-all',)):
        program = self.reachable_program()
        prefix = ['setpriv', f'--reuid={user.pw_uid}', f'--regid={user.pw_gid}', '--clear-groups', *rights, 'env',
                  f'LD_LIBRARY_PATH={program.parent}']
        fcgate = self.make(name=name, prefix=prefix)
        fcgate.program = program
        text = fcgate.configuration.read_text().replace(f'user = {processes.account().pw_name}\n', '')
        fcgate.configuration.write_text(text.replace(f'{self.php.server_lines[0]}\n', ''))
        return fcgate

    def reachable_program(self):
        """A copy, where everybody may go: the build tree may be root's alone."""
        folder = self.folder / 'program'
        if not folder.exists():
            folder.mkdir()
            built = pathlib.Path(processes.fcgate_path)
            shutil.copy(built, folder)
            for library in (built.parent.parent / 'src').glob('libfcgate.so.?'):
                shutil.copy(library, folder)
        return folder / 'fcgate'


class Cgi(SpawnCase):
    """php-cgi in the place of php-fpm."""

    def setUp(self):
        super().setUp()
        self.program = shutil.which('php-cgi')
        if not self.program:
            self.skipTest('there is no php-cgi')

    def serve_cgi(self, **options):
        self.serve(command=f'{self.program} -c {self.folder}/php.ini', **options)

    def test_it_serves(self):
        self.serve_cgi(site=['max_body = 3m'], backend=['php = memory_limit 32M'])
        told = self.runtime('memory_limit', 'post_max_size', 'session.save_path')
        self.assertEqual(told['sapi'], 'cgi-fcgi')
        self.assertEqual(told['ini'], {'memory_limit': '32M', 'post_max_size': str(3 * MIB),
                                       'session.save_path': str(self.php.sessions)})
        self.assertEqual(told['status']['NoNewPrivs'], '0')
        if processes.is_root:
            self.assertEqual(told['status']['Uid'].split()[0], str(processes.account().pw_uid))
        body = random.Random(1).randbytes(MIB)
        self.assertEqual(json.loads(self.post('/post.php', body).body)['sha256'], hashlib.sha256(body).hexdigest())
        self.assertEqual(self.get('/session.php').text, '1\n')

    def test_it_comes_and_goes(self):
        self.serve_cgi(backend=['idle_stop = 50ms', 'keep_alive = no'])
        for _ in range(10):
            self.assert_hello()
            self.wait_for_no_php()
        self.assertEqual([child.name for child in self.fcgate.children()], ['fcgate-spawner'])

    def test_it_is_killed(self):
        self.serve_cgi()
        self.assert_hello()
        spawner = self.fcgate.spawner().pid
        os.killpg(next(running.pid for running in self.fcgate.php() if running.parent == spawner), signal.SIGKILL)
        self.fcgate.wait_for_log('PHP was killed by signal 9')
        self.assert_hello()


@unittest.skipUnless(processes.is_root, 'needs root, for a /run of its own')
class Automatic(SpawnCase):
    """`address = auto`, where /run is empty or holds php-fpm's usual socket."""

    def setUp(self):
        super().setUp()
        if processes.accepts(('127.0.0.1', 9000)):
            self.skipTest('something listens at 127.0.0.1:9000')

    def make_automatic(self, *before):
        script = ' && '.join(['mount -t tmpfs -o mode=755 tmpfs /run', 'mkdir /run/php', *before, 'exec "$@"'])
        fcgate = self.make(prefix=['unshare', '--mount', 'sh', '-c', script, 'sh'])
        fcgate.configuration.write_text(fcgate.configuration.read_text().replace('address = spawn', 'address = auto'))
        return fcgate

    def test_none_runs(self):
        fcgate = self.make_automatic().start()
        fcgate.wait_for_log('PHP by .* on demand')
        self.assert_hello()

    def serve_with_one(self):
        """A php-fpm of two workers listens where it usually does."""
        user = processes.account().pw_name
        (self.folder / 'pool.conf').write_text('\n'.join([
            '[global]', 'daemonize = yes', f'error_log = {self.folder}/found.log', f'pid = {self.folder}/found.pid',
            '[e2e]', 'listen = /run/php/php-fpm.sock', f'user = {user}', f'listen.owner = {user}', 'pm = static',
            'pm.max_children = 2', '']))
        fcgate = self.make_automatic(f'{processes.php_fpm_path()} --fpm-config {self.folder}/pool.conf')
        self.addCleanup(self.end_found)
        fcgate.start()
        fcgate.wait_for_log('PHP at unix:/run/php/php-fpm.sock')
        return fcgate

    def test_one_runs(self):
        self.serve_with_one()
        self.assert_hello()
        self.assertEqual(self.fcgate.php(), [])
        self.end_found()

    def test_a_reload_while_it_is_busy(self):
        """Nobody answers then who could say that it is a php-fpm."""
        fcgate = self.serve_with_one()
        with self.client() as first, self.client() as second:
            for number, client in enumerate((first, second)):
                marker = self.marker(f'busy-{number}')
                client.start('GET', f'/sleep.php?ms=4000&marker={marker.name}')
                processes.wait_until(marker.exists, 'the script does not run')
            fcgate.signal(signal.SIGHUP)
            fcgate.wait_for_log('a new configuration is in force')
            self.assertEqual([client.response().text for client in (first, second)], ['slept 4000\n'] * 2)
        self.assert_hello()
        self.assertEqual(self.fcgate.php(), [])
        self.end_found()

    def end_found(self):
        path = self.folder / 'found.pid'
        if path.exists():
            os.kill(int(path.read_text()), signal.SIGTERM)
            processes.wait_until(lambda: not processes.orphans(), 'php-fpm does not end')

    def test_something_else_listens_there(self):
        """A socket that is there but dead, left by a php-fpm that was killed."""
        code = 'import socket; socket.socket(socket.AF_UNIX).bind("/run/php/php-fpm.sock")'
        fcgate = self.make_automatic(f"python3 -c '{code}'").start()
        fcgate.wait_for_log('PHP by .* on demand')
        self.assert_hello()


class WithoutArguments(SpawnCase):
    """`fcgate` in a folder with pages."""

    def test_it_serves_the_folder(self):
        if processes.accepts(('127.0.0.1', 8080)) or processes.accepts(('127.0.0.1', 9000)):
            self.skipTest('127.0.0.1:8080 or :9000 is in use')
        folder = self.folder / 'pages'
        folder.mkdir()
        (folder / 'index.php').write_text('<?php echo "two and two make ", 2 + 2;')
        fcgate = self.make()
        fcgate.port = 8080
        script = 'exec "$@"'
        if processes.is_root:
            script = 'mount -t tmpfs -o mode=755 tmpfs /run && exec "$@"'
        prefix = ['unshare', '--mount'] if processes.is_root else []
        fcgate.spawn([*prefix, 'sh', '-c', script, 'sh', processes.fcgate_path], cwd=folder)
        fcgate.wait_for_accept(('127.0.0.1', 8080))
        self.assertEqual(wire.ask(8080, 'GET', '/').text, 'two and two make 4')

    def test_it_does_not_serve_the_whole_device(self):
        fcgate = self.make()
        fcgate.spawn([processes.fcgate_path], cwd='/')
        self.assertEqual(fcgate.wait(), 2)
        self.assertIn('-r', fcgate.log())
