"""The command line: exit codes, and one sentence that says what to do."""

import os
import pathlib
import re
import socket
import subprocess
import unittest

import processes
import wire

OK, FAILURE, USAGE, PERMISSION, CONFIGURATION = 0, 1, 2, 4, 6


class Command(unittest.TestCase):
    def setUp(self):
        self.folder = processes.new_folder('command')
        self.port = processes.free_port()

    def run_fcgate(self, *arguments, code=OK, folder=None, **options):
        """Standard output and error of a call that ends by itself."""
        done = subprocess.run([processes.fcgate_path, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=20, cwd=folder or self.folder, **options)
        if done.returncode != code:
            processes.skip_if_left_out(done.stderr)
        self.assertEqual(done.returncode, code, f'{arguments}: {done.stdout}{done.stderr}')
        return done.stdout, done.stderr

    def complaint(self, *arguments, code):
        """The one sentence."""
        output, error = self.run_fcgate(*arguments, code=code)
        self.assertEqual(output, '')
        lines = error.splitlines()
        self.assertEqual(len(lines), 1, error)
        self.assertTrue(lines[0].startswith('fcgate: '), lines[0])
        return lines[0]

    def configuration(self, *site, **more):
        path = self.folder / 'fcgate.conf'
        path.write_text(processes.configuration(self.port, self.folder, site=site, **more))
        return path

    def test_version(self):
        output, error = self.run_fcgate('--version')
        self.assertRegex(output, r'^fcgate \d+\.\d+\.\d+ \(libmicrohttpd \d+\.\d+\.\d+\)\nfeatures: [a-z_ ]+\n$')
        named = output.split('features: ')[1].split()
        known = ['access_log', 'auth', 'doctor', 'listing', 'sandbox', 'spawn', 'spool', 'status', 'syslog', 'tls']
        self.assertEqual(named, [name for name in known if name in named] or ['none'])
        self.assertEqual(error, '')
        self.assertEqual(self.run_fcgate('-V')[0], output)

    def test_what_cannot_be_printed(self):
        """Whoever keeps what is printed hears that it is not there."""
        path = self.configuration()
        with open('/dev/full', 'w') as full:
            for arguments in (['-h'], ['-V'], ['-c', path, '-t'], ['-c', path, '-T'], ['--budget'], ['--budget=json']):
                with self.subTest(arguments=arguments):
                    done = subprocess.run([processes.fcgate_path, *arguments], stdin=subprocess.DEVNULL, stdout=full,
                                          stderr=subprocess.PIPE, text=True, timeout=20, cwd=self.folder, check=False)
                    self.assertEqual((done.returncode, done.stderr), (FAILURE, 'fcgate: cannot print: No space left on device\n'))

    @unittest.skipUnless(processes.is_root, 'only root can take /dev away')
    def test_nothing_can_stand_in_for_a_closed_descriptor(self):
        script = 'mount -t tmpfs none /dev && exec "$0" --version <&-'
        done = subprocess.run(['unshare', '--mount', 'sh', '-c', script, os.path.abspath(processes.fcgate_path)],
                              capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual((done.returncode, done.stdout), (FAILURE, ''))
        self.assertEqual(done.stderr, 'fcgate: /dev/null: No such file or directory\n')

    def test_help_fits_a_terminal(self):
        output, error = self.run_fcgate('--help')
        self.assertEqual(error, '')
        self.assertEqual(self.run_fcgate('-h')[0], output)
        lines = output.splitlines()
        self.assertLessEqual(len(lines), 24)
        self.assertLessEqual(max(map(len, lines)), 80)
        for flag in ('-c', '-l', '-r', '-b', '-i', '-j', '-o', '-V', '-h'):
            self.assertRegex(output, rf'(?m)^\s+{flag}\b')
        self.assertIn('-t, -T', output)
        self.assertIn('for example /etc/fcgate.conf\n', output)
        examples = output[output.index('Examples:'):].splitlines()[1:]
        self.assertEqual(len(examples), 3 if 'doctor' in processes.features() else 2)
        self.assertTrue(all(line.startswith('  fcgate ') for line in examples), examples)

    def test_help_names_what_the_build_has(self):
        output, _ = self.run_fcgate('--help')
        for name, words in (('doctor', ['doctor']), ('spawn', ['spawn', 'start PHP'])):
            for word in words:
                with self.subTest(word):
                    self.assertEqual(word in output, name in processes.features())
        self.assertEqual('spawn' in self.run_fcgate('--php', code=USAGE)[1], 'spawn' in processes.features())

    def test_bad_flags(self):
        for arguments in (['--no-such-flag'], ['-z'], ['-c'], ['folder'], ['-o', 'nonsense'], ['-j', 'many', '-r', '.'],
                          ['-o', 'site.colour=red'], ['-l', 'nowhere:at:all']):
            with self.subTest(arguments=arguments):
                output, error = self.run_fcgate(*arguments, code=USAGE)
                self.assertEqual(output, '')
                self.assertLessEqual(len(error.splitlines()), 2)
                self.assertIn('fcgate', error)

    def test_plausible_mistakes(self):
        """What a newcomer writes, and the words that help."""
        (self.folder / 'public').mkdir()
        (self.folder / 'own.conf').touch()
        doctor = 'doctor comes first' if 'doctor' in processes.features() else 'what should "doctor" be?'
        for words, expected in (('-p 8080', 'fcgate -l :8080'), ('--port 8080', 'fcgate -l :8080'), ('--port=8080', 'fcgate -l :8080'),
                                ('-S 127.0.0.1:8080 -r public', '-l 127.0.0.1:8080 -r public'), ('-d', 'stays in the foreground'),
                                ('--daemon', 'stays in the foreground'), ('-f own.conf', 'behind -c'), ('-v', '-V'),
                                ('--docroot public', '-r'), ('--user www', 'server.user='), ('public', 'fcgate -r public'),
                                ('own.conf', 'fcgate -c own.conf'), ('nothing', 'A folder to serve goes behind -r'),
                                ('-t doctor', doctor), ('-r', "requires an argument -- 'r'"),
                                ('--root', "'--root' requires an argument"), ('-l 8080', 'write :8080'), ('-l 0.0.0.0', '0.0.0.0:80'),
                                ('-b /run/php.sock', 'write unix:/run/php.sock'), ('-b 9000', 'write 127.0.0.1:9000'),
                                ('-b php', 'unix:/run/php/php-fpm.sock or'), ('-i index.php', 'for example /index.php'),
                                ('-j many', 'from 1 to 16'), ('-o max_body=3m', 'it belongs to [site]'),
                                ('-o site.max_bodi=3m', 'did you mean "max_body"?'), ('-o site.max_body', 'SECTION.KEY=VALUE'),
                                ('-o site.max_body=3mb', 'k or m behind the number'), ('-o sites.root=public', 'did you mean [site]?')):
            with self.subTest(words):
                output, error = self.run_fcgate(*words.split(), code=USAGE)
                self.assertEqual(output, '')
                self.assertIn(expected, error)

    def test_options_replace_what_stands_for_a_file(self):
        """-o of an address is not one more beside the default that nobody wrote."""
        output, _ = self.run_fcgate('-T', '-o', 'server.listen=127.0.0.1:9', '-o', 'server.listen=127.0.0.1:10',
                                    '-o', 'backend.address=127.0.0.1:9000', '-o', 'site.root=/srv')
        self.assertEqual(re.findall('(?m)^(?:listen|address) = .*', output),
                         ['listen = 127.0.0.1:9', 'listen = 127.0.0.1:10', 'address = 127.0.0.1:9000'])
        # Other keys of these sections leave it.
        output, _ = self.run_fcgate('-T', '-o', 'server.threads=2', '-o', 'backend.workers=2')
        self.assertEqual(re.findall('(?m)^(?:listen|address) = .*', output), ['listen = 127.0.0.1:8080', 'address = auto'])
        if 'spawn' in processes.features():
            self.assertIn('\naddress = spawn\n', self.run_fcgate('-T', '-o', 'backend.address=spawn')[0])

    def test_a_port_that_the_kernel_chooses_is_told(self):
        fcgate = processes.Process('first', self.folder)
        self.addCleanup(fcgate.end)
        (self.folder / 'index.html').write_text('found')
        fcgate.spawn([processes.fcgate_path, '-l', '127.0.0.1:0', '-l', ':0', '-b', 'none'], cwd=self.folder)
        fcgate.wait_for_log('site ')
        port, other = re.findall(r'listening on \S*:0: http://\S+:(\d+)/\n', fcgate.log())
        self.assertNotEqual(port, other)
        for one in (port, other):
            self.assertEqual(wire.ask(int(one), 'GET', '/').text, 'found')

    def first_minute(self, *arguments, prefix=()):
        """What fcgate says when it is started in a folder without more ado."""
        site = self.folder / 'first'
        fcgate = processes.Process('first', self.folder)
        self.addCleanup(fcgate.end)
        fcgate.spawn([*prefix, processes.fcgate_path, '-l', f'127.0.0.1:{self.port}', *arguments], cwd=site)
        fcgate.wait_for_accept(('127.0.0.1', self.port))
        return fcgate

    def test_first_minute(self):
        site = self.folder / 'first'
        site.mkdir()
        (site / 'index.php').write_text('<?php echo 6 * 7;')
        fcgate = self.first_minute()
        self.assertEqual(wire.ask(self.port, 'GET', '/').text, '42')
        fcgate.wait_for_log(rf': listening on 127.0.0.1:{self.port}: http://127.0.0.1:{self.port}/$')
        fcgate.wait_for_log(rf'site \(default\): {site}, PHP (by /\S+ on demand|at \S+)$')
        self.assertNotIn('there is no index file', fcgate.log())

    def test_first_minute_without_a_first_page(self):
        site = self.folder / 'first'
        site.mkdir()
        self.first_minute('-b', 'none').wait_for_log(f'info: there is no index file in {site}, so / is answered 404')
        self.assertEqual(wire.ask(self.port, 'GET', '/').status, 404)

    def test_first_minute_with_the_root_of_all(self):
        (self.folder / 'first').mkdir()
        fcgate = self.first_minute('-b', 'none', '-r', '/')
        fcgate.wait_for_log(r'site \(default\): /$')
        fcgate.wait_for_log('there is no index file in /, so / is answered 404')

    def test_first_minute_with_a_front_controller_that_is_not_there(self):
        (self.folder / 'first' / 'folder.php').mkdir(parents=True)
        for path in ('/app.php', '/folder.php'):
            with self.subTest(path):
                fcgate = self.first_minute('-b', 'none', '-i', path)
                fcgate.wait_for_log(f'warning: front_controller = {path}: there is no such file below')
                fcgate.end()

    def test_first_minute_without_php(self):
        """Files alone are served by -b none, and no script is shown."""
        site = self.folder / 'first'
        site.mkdir()
        (site / 'index.html').write_text('files')
        (site / 'secret.php').write_text('<?php secret')
        self.first_minute('-b', 'none')
        self.assertEqual(wire.ask(self.port, 'GET', '/').text, 'files')
        self.assertNotIn('secret', wire.ask(self.port, 'GET', '/secret.php').text)

    def test_no_such_configuration_file(self):
        path = self.folder / 'missing.conf'
        line = self.complaint('-c', path, code=CONFIGURATION)
        self.assertIn(str(path), line)
        self.assertIn('No such file', line)

    def test_configuration_file_that_is_a_folder(self):
        self.assertIn(str(self.folder), self.complaint('-c', self.folder, '-t', code=CONFIGURATION))

    def test_configuration_file_that_does_not_end(self):
        self.assertIn('/dev/zero:1: the line is longer than', self.complaint('-c', '/dev/zero', '-t', code=CONFIGURATION))

    def test_unknown_key(self):
        path = self.configuration('max_bodi = 3m')
        number = path.read_text().splitlines().index('max_bodi = 3m') + 1
        line = self.complaint('-c', path, '-t', code=CONFIGURATION)
        self.assertTrue(line.startswith(f'fcgate: {path}:{number}: '), line)
        self.assertIn('max_bodi', line)
        self.assertIn('did you mean "max_body"?', line)

    def test_key_of_another_section(self):
        self.assertIn('it belongs to [server]', self.complaint('-c', self.configuration('threads = 2'), '-t', code=CONFIGURATION))

    def test_unknown_section(self):
        path = self.configuration(more=['[sites]', 'root = /'])
        self.assertRegex(self.complaint('-c', path, '-t', code=CONFIGURATION), r':\d+: .*did you mean \[site\]\?')

    def test_bad_values(self):
        for line in ('max_body = much', 'max_body = 8x', 'root =', 'host = "', 'header = X', 'front_controller = index.php'):
            with self.subTest(line=line):
                path = self.configuration(line)
                self.assertRegex(self.complaint('-c', path, '-t', code=CONFIGURATION),
                                 rf'^fcgate: {re.escape(str(path))}:\d+: ')

    def test_what_only_the_whole_can_tell_names_its_line_too(self):
        for section, line, words in (('[site]', 'backend = none', r'there is no \[backend none\]'), ('[server]', 'memory_ceiling = 64k', 'memory_ceiling')):
            with self.subTest(line=line):
                path = self.configuration()
                text = path.read_text().replace(section, f'; {line}\n{section}\n{line}')
                path.write_text(text)
                complaint = self.run_fcgate('-c', path, '-t', code=CONFIGURATION)[1].splitlines()[-1]
                self.assertRegex(complaint, rf'^fcgate: {re.escape(str(path))}:{text.splitlines().index(line) + 1}: .*{words}')
        path.write_text('[site]\nroot = /\n')
        self.assertIn(f'{path}: [server] listen: not set', self.complaint('-c', path, '-t', code=CONFIGURATION))

    def test_nothing_to_serve(self):
        path = self.folder / 'empty.conf'
        path.write_text('[server]\nlisten = 127.0.0.1:1\n')
        self.assertIn('[site]', self.complaint('-c', path, '-t', code=CONFIGURATION))

    def test_port_in_use(self):
        with socket.socket() as holder:
            holder.bind(('127.0.0.1', self.port))
            holder.listen()
            line = self.complaint('-c', self.configuration(), code=FAILURE)
        self.assertIn(f'127.0.0.1:{self.port}', line)
        self.assertIn('in use', line)
        self.assertIn('fcgate doctor says which', line)

    def test_address_of_another_machine(self):
        line = self.complaint('-c', self.configuration(), '-l', f'192.0.2.1:{self.port}', code=FAILURE)
        self.assertIn(f'192.0.2.1:{self.port}', line)
        self.assertIn(':PORT alone takes all', line)

    def test_root_that_does_not_exist(self):
        path = self.folder / 'nowhere'
        line = self.complaint('-c', self.configuration(), '-r', path, code=CONFIGURATION)
        self.assertIn(str(path), line)
        self.assertIn('No such file', line)
        self.assertIn('make it, or name another', line)

    def test_root_that_is_a_file(self):
        path = self.folder / 'file'
        path.touch()
        self.assertIn('Not a directory', self.complaint('-c', self.configuration(), '-r', path, code=CONFIGURATION))

    def test_root_that_may_not_be_entered(self):
        for key in ('root', 'sendfile_root'):
            with self.subTest(key):
                path = self.folder / f'private-{key}'
                path.mkdir(mode=0)
                self.addCleanup(path.chmod, 0o755)
                line = self.complaint('-c', self.configuration(), '-o', f'site.{key}={path}', code=PERMISSION)
                self.assertIn(f'{key}: {path}: Permission denied; whoever serves (server.user) must be able to enter it', line)

    def test_what_else_is_named_and_not_there(self):
        """A service manager need not try again."""
        for key, value in (('pid_file', '/nowhere/fcgate.pid'), ('error_log', '/nowhere/log'), ('access_log', '/nowhere/log'),
                           ('pid_file', '/dev/null/fcgate.pid'), ('error_log', '/dev/null/log'), ('runtime_dir', '/nowhere/at/all'),
                           ('pid_file', '/proc'), ('error_log', '/proc'), ('access_log', '/proc'),
                           ('listen', 'unix:/nowhere/socket'), ('listen', 'fd:77'), ('listen', 'fd:web')):
            with self.subTest(key=key, value=value):
                backend = ('-b', 'spawn', '-o', 'backend.command=/bin/true') if key == 'runtime_dir' else ()
                line = self.complaint('-l', f'127.0.0.1:{self.port}', *(backend or ('-b', 'none')), '-o', f'server.{key}={value}', code=CONFIGURATION)
                self.assertIn(value, line)

    def test_user_that_does_not_exist(self):
        path = self.configuration()
        line = self.complaint('-c', path, '-o', 'server.user=nobody-of-that-name', code=CONFIGURATION)
        self.assertIn('there is no user nobody-of-that-name', line)

    def skip_what_cannot_be_run_by(self, user):
        """The build tree may be root's alone, as is all that is below /root."""
        path = pathlib.Path(processes.fcgate_path)
        if any(folder.stat().st_mode & 0o001 == 0 for folder in (path, *path.parents)):
            self.skipTest(f'{path} cannot be run by {user.pw_name}')

    @unittest.skipUnless(processes.is_root, 'needs root, to be somebody else')
    def test_nobody_can_become_root(self):
        user = processes.account()
        self.skip_what_cannot_be_run_by(user)
        _, error = self.run_fcgate('-r', '/', '-l', f'127.0.0.1:{self.port}', '-b', 'none', '-o', 'server.user=root', code=PERMISSION, user=user.pw_uid,
                                   group=user.pw_gid, extra_groups=[])
        self.assertEqual(error, 'fcgate: server.user: only root can become root; start as root, or leave server.user out\n')

    @unittest.skipUnless(processes.is_root, 'needs root, to be somebody else')
    def test_port_below_1024_without_root(self):
        user = processes.account()
        start = pathlib.Path('/proc/sys/net/ipv4/ip_unprivileged_port_start')
        if start.exists() and int(start.read_text()) <= 1:
            self.skipTest('every port is free for everybody here')
        path = self.folder / 'low.conf'
        path.write_text(f'[server]\nlisten = 127.0.0.1:7\n[site]\nroot = {self.folder}\n')
        self.skip_what_cannot_be_run_by(user)
        _, error = self.run_fcgate('-c', path, code=PERMISSION, user=user.pw_uid, group=user.pw_gid, extra_groups=[])
        self.assertIn('127.0.0.1:7', error)

    def test_whole_device_is_not_served_by_accident(self):
        _, error = self.run_fcgate('-l', f'127.0.0.1:{self.port}', '-b', '127.0.0.1:1', folder='/', code=USAGE)
        self.assertIn('-r', error)

    def test_good_configuration(self):
        path = self.configuration()
        output, error = self.run_fcgate('-c', path, '-t')
        self.assertEqual((output, error), (f'fcgate: configuration {path} is good\n', ''))

    def test_test_binds_nothing(self):
        with socket.socket() as holder:
            holder.bind(('127.0.0.1', self.port))
            holder.listen()
            self.run_fcgate('-c', self.configuration(), '-t')

    def test_printed_configuration_is_a_configuration(self):
        path = self.configuration('host = a.example', 'param = X y z')
        printed, error = self.run_fcgate('-c', path, '-T', '-o', 'site.max_body=64m', '-j', 3)
        self.assertEqual(error, '')
        for line in ('max_body = 64m', 'threads = 3', 'host = a.example', f'root = {self.folder}', 'param = X y z'):
            self.assertRegex(printed, rf'(?m)^{re.escape(line)}$')
        again = self.folder / 'again.conf'
        again.write_text(printed)
        for options in (['-T'], ['-t', '-T'], ['-T', '-t'], ['-Tt']):
            self.assertEqual(self.run_fcgate('-c', again, *options)[0], printed)

    def test_the_backend_of_the_command_line_replaces_that_of_the_file(self):
        site = f'[server]\nlisten = 127.0.0.1:{self.port}\n[site]\nroot = {self.folder}\n'
        path = self.folder / 'backend.conf'
        for backends, headings in (('', ['[backend]']), ('[backend]\naddress = unix:/one\naddress = unix:/more\n', ['[backend]']),
                                   ('[backend app]\naddress = unix:/one\n', ['[backend app]'])):
            with self.subTest(backends):
                path.write_text(backends + site + ('backend = app\n' if 'app' in backends else ''))
                printed, _ = self.run_fcgate('-c', path, '-T', '-b', 'unix:/two')
                self.assertEqual(re.findall(r'(?m)^\[backend.*\]$', printed), headings)
                self.assertEqual(re.findall(r'(?m)^address = (.*)$', printed), ['unix:/two'])

    def test_the_root_of_the_command_line_replaces_that_of_the_only_site(self):
        path = self.folder / 'site.conf'
        options = ('-l', ':1', '-r', self.folder, '-i', '/index.php')
        for sites, roots in (('[site]\n', [self.folder]), ('[site panel]\nroot = /srv\n', [self.folder]),
                             ('[site]\nroot = /srv\n[site b]\nhost = b\nroot = /b\n', [self.folder, '/b'])):
            with self.subTest(sites):
                path.write_text(sites)
                printed, _ = self.run_fcgate('-c', path, '-T', *options)
                self.assertEqual(re.findall(r'(?m)^root = (.*)$', printed), list(map(str, roots)))
                self.assertEqual(re.findall(r'(?m)^front_controller = (.*)$', printed)[0], '/index.php')
        # Which of several is not guessed.
        path.write_text('[site a]\nroot = /srv\n[site b]\nhost = b\nroot = /srv\n')
        self.assertIn('[site] host: not set', self.complaint('-c', path, '-T', *options, code=CONFIGURATION))

    def test_which_of_the_backends_is_not_guessed(self):
        path = self.folder / 'backends.conf'
        site = f'[server]\nlisten = 127.0.0.1:{self.port}\n[site]\nroot = {self.folder}\n'
        path.write_text('[backend a]\naddress = unix:/a\n[backend b]\naddress = unix:/b\n' + site)
        for option in (('-b', 'unix:/two'), ('-o', 'backend.address=unix:/two')):
            with self.subTest(option):
                self.assertIn('behind [backend a] no site would use a [backend] without a name', self.complaint('-c', path, '-T', *option, code=USAGE))
        # Where one has no name, that is the one.
        path.write_text('[backend]\naddress = unix:/a\n[backend b]\naddress = unix:/b\n' + site)
        printed, _ = self.run_fcgate('-c', path, '-T', '-b', 'unix:/two')
        self.assertEqual(re.findall(r'(?m)^address = (.*)$', printed), ['unix:/two', 'unix:/b'])

    def test_listeners_of_the_command_line_replace_those_of_the_file(self):
        printed, _ = self.run_fcgate('-c', self.configuration(), '-T', '-l', '127.0.0.1:1111', '-l', '[::1]:2222')
        self.assertEqual(re.findall(r'(?m)^listen = (.*)$', printed), ['127.0.0.1:1111', '[::1]:2222'])
