"""fcgate doctor on machines that are not as they should be. The cases are run by test_doctor, which looks that no finding is left out."""

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import unittest

import processes
from doctor import FAULTY, HEALTHY, WARNED, DoctorCase

# Other processes and other networks are not seen.
ALONE = ['unshare', '-m', '-p', '-n', '-f', '--mount-proc']


def alone_is_missing():
    return subprocess.run([*ALONE, 'true'], capture_output=True, check=False).returncode != 0


class MachineCases(DoctorCase):
    """A site without PHP unless a case asks for it."""

    def setUp(self):
        super().setUp()
        self.user = processes.account()
        self.somebody = {'user': self.user.pw_uid, 'group': self.user.pw_gid, 'extra_groups': []} if processes.is_root else {}

    def examine_files(self, code, arguments=('-o', 'site.index=index.html', '-o', 'site.listing=yes'), **options):
        return self.examine(None, code, arguments=arguments, **options)

    def examine_by_somebody(self, code, *listen):
        """By a user who does not change to another."""
        path = self.configuration()
        lines = [line for line in path.read_text().splitlines() if not line.startswith('user ')]
        path.write_text('\n'.join([*lines, 'listing = yes', 'index = index.html']))
        return self.examine_again(path, code, '-l', *listen, **self.somebody)

    def alone(self):
        if not processes.is_root or alone_is_missing():
            self.skipTest('needs root and namespaces')
        return ALONE

    def test_inherited_port(self):
        with socket.create_server(('127.0.0.1', 0)) as listener:
            number = listener.fileno()
            self.assertEqual(self.examine_files(HEALTHY, server=[f'listen = fd:{number}'], pass_fds=[number]), [])
        self.assertEqual([check['text'] for check in self.of('port')], ['free', 'inherited, and listens'])
        # In a shell there is none: only whoever starts fcgate has it.
        self.expect(self.examine_files(WARNED, server=['listen = fd:http']), 'port', 'warning', '^was not passed', 'fcgate.socket')

    @unittest.skipUnless(processes.is_root, 'needs root, to be somebody else')
    def test_port_of_a_program_that_cannot_be_seen(self):
        with socket.create_server(('127.0.0.1', 0)) as holder:
            found = self.examine_by_somebody(FAULTY, f'127.0.0.1:{holder.getsockname()[1]}')
        self.expect(found, 'port', 'fault', 'in use by a program of another user; root sees which: ss -ltnp', 'end that')

    def test_port_below_1024(self):
        prefix = [*self.alone(), 'setpriv', f'--reuid={self.user.pw_uid}', f'--regid={self.user.pw_gid}', '--clear-groups']
        self.somebody = {'prefix': prefix}
        self.expect(self.examine_by_somebody(FAULTY, ':80'), 'port', 'fault', 'ports below 1024 need root', 'start fcgate as root')

    @unittest.skipUnless(processes.is_root, 'needs root, to be somebody else')
    def test_socket_in_a_folder_of_somebody_else(self):
        self.expect(self.examine_by_somebody(FAULTY, f'unix:{self.made("theirs")}/http.sock'), 'port', 'fault', 'the folder may not be written to', 'give it')

    def test_socket_in_what_is_no_folder(self):
        self.expect(self.examine_files(FAULTY, server=[f'listen = unix:{self.root}/index.php/http.sock']), 'port', 'fault', '^Not a directory$', '^correct listen')

    def test_nobody_listens_and_no_php_runs(self):
        php = processes.PhpFpm(self.folder, self.workers)
        self.expect(self.examine(php, FAULTY, prefix=self.alone()), 'backend', 'fault', '^nobody listens there, and no php-fpm was seen', 'address = spawn')

    def test_backend_without_a_way_to_it(self):
        php = processes.PhpFpm(self.folder, self.workers)
        php.fcgate_address = '192.0.2.1:9000'
        self.expect(self.examine(php, FAULTY, prefix=self.alone()), 'backend', 'fault', '^cannot be reached: Network is unreachable', 'the way to it')

    def test_backend_that_takes_no_connection(self):
        """Its backlog is full, so that the kernel drops whoever comes: as if the machine were off."""
        with contextlib.ExitStack() as held:
            listener = held.enter_context(socket.socket())
            listener.bind(('127.0.0.1', 0))
            listener.listen(0)
            for _ in range(4):
                waiting = held.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
            php = processes.PhpFpm(self.folder, self.workers)
            php.fcgate_address = f'127.0.0.1:{listener.getsockname()[1]}'
            self.expect(self.examine(php, FAULTY), 'backend', 'fault', '^cannot be reached: Connection timed out', 'correct address')

    @unittest.skipUnless(processes.is_root, 'needs root, to be somebody else')
    def test_socket_behind_a_locked_door(self):
        php = self.start_php()
        behind = self.made('behind')
        path = behind / 'php.sock'
        os.rename(php.fcgate_address.partition(':')[2], path)
        php.fcgate_address = f'unix:{path}'
        behind.chmod(0o700)
        found = self.examine(php, FAULTY)
        self.expect([check for check in found if check['id'] != 'pool'], 'socket-rights', 'fault',
                    f'^{self.user.pw_name} may not enter a folder on the way to it', 'chmod o\\+x')

    def test_pool_of_a_php_that_cannot_be_seen(self):
        php = self.start_php()
        prefix = [part for part in self.alone() if part != '-n']
        self.assertEqual(self.examine(php, HEALTHY, prefix=prefix), [])
        self.assertRegex(self.of('pool')[0]['text'], '^its php-fpm.conf was not found, so that workers = 2 was compared with nothing')

    def test_php_that_answers_no_request(self):
        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    held.append(connection)
                    if connection.recv(16)[1] == 9:  # FCGI_GET_VALUES
                        connection.sendall(bytes([1, 10, 0, 0, 0, 0, 0, 0]))
        held = []
        with socket.create_server(('127.0.0.1', 0)) as listener:
            threading.Thread(target=serve, daemon=True).start()
            php = processes.PhpFpm(self.folder, self.workers)
            php.fcgate_address = f'127.0.0.1:{listener.getsockname()[1]}'
            found = self.examine(php, FAULTY)
            listener.shutdown(socket.SHUT_RDWR)
        for connection in held:
            connection.close()
        self.expect(found, 'script', 'fault', 'did not answer a probe in time', "php-fpm's log")

    def test_php_that_fails_by_itself(self):
        php = self.start_php(values=['auto_prepend_file = /no/such/file.php'])
        self.expect(self.examine(php, WARNED), 'script', 'warning', 'PHP fails by itself: .*no/such/file.php', 'auto_prepend_file')

    @unittest.skipUnless(processes.is_root and shutil.which('setpriv'), 'needs root, to give a right of it up')
    def test_user_that_cannot_be_become(self):
        found = self.examine_files(FAULTY, prefix=['setpriv', '--bounding-set=-setuid', '--inh-caps=-all'])
        self.expect(found, 'user', 'fault', 'cannot be become', 'start fcgate as root')

    def test_whole_file_system(self):
        found = self.examine_files(WARNED, arguments=['-r', '/', '-o', 'site.listing=yes', '-o', 'site.index=none.html'])
        self.expect(found, 'root', 'warning', 'whole file system', 'a folder made for it')

    def test_folder_of_files_to_be_sent(self):
        found = self.examine_files(FAULTY, site=['sendfile_root = /no/such/folder'])
        self.expect(found, 'root', 'fault', '^sendfile_root: No such file', 'make it')
