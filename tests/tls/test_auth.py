"""`auth`: who gives the password of one of its users is served, and nobody else."""

import base64
import pathlib
import subprocess
import threading

import processes
from cases import ONE, TWO, ServedCase
from test_https import SecureCase
from test_variables import variables_of


def openssl(kind, password):
    return subprocess.run(['openssl', 'passwd', f'-{kind}', '-stdin'], input=password, capture_output=True, text=True,
                          check=True).stdout.strip()


def bcrypt(password, cost):
    code = 'echo password_hash($argv[1], PASSWORD_BCRYPT, ["cost" => (int)$argv[2]]);'
    return subprocess.run(['php', '-r', code, password, str(cost)], capture_output=True, text=True, check=True).stdout


def basic(user, password):
    return 'Authorization', 'Basic ' + base64.b64encode(f'{user}:{password}'.encode()).decode()


class Users:
    """What classes with a file of users add to their site."""

    @classmethod
    def make_site(cls):
        root = super().make_site()
        cls.users = cls.folder / 'users'
        cls.write_users(ann=openssl(6, 'secret'), bob=bcrypt('tree', 6), carl=openssl(5, 'leaf'), dora=openssl(1, 'stone'))
        cls.access_log = processes.give(processes.new_folder('logs')) / 'access.log'
        cls.server = (*cls.server, f'access_log = {cls.access_log}')
        cls.site = (f'auth = {cls.users}',)
        return root

    @classmethod
    def write_users(cls, **users):
        new = cls.users.with_suffix('.new')
        new.write_text(''.join(f'{user}:{hashed}\n' for user, hashed in users.items()))
        new.chmod(0o644)
        new.rename(cls.users)


class Passwords(Users, ServedCase):
    pools = [ONE, TWO]

    def test_every_kind_of_hash(self):
        for user, password in (('ann', 'secret'), ('bob', 'tree'), ('carl', 'leaf'), ('dora', 'stone')):
            self.assertEqual(self.get('/files/plain.txt', [basic(user, password)]).text, 'plain text\n', user)
            self.assert_status(self.get('/files/plain.txt', [basic(user, password + 's')]), 401)
            self.assert_status(self.get('/files/plain.txt', [basic('zoe', password)]), 401)

    def test_php_is_told_who_it_is(self):
        response = self.get('/variables.php', [basic('ann', 'secret')])
        self.assert_status(response, 200)
        told = variables_of(response)
        for name, value in (('REMOTE_USER', b'ann'), ('AUTH_TYPE', b'Basic'), ('PHP_AUTH_USER', b'ann'), ('PHP_AUTH_PW', b'secret')):
            self.assertEqual(told[name], value)

    def test_a_browser_is_asked(self):
        response = self.get('/hello.php')
        self.assert_status(response, 401)
        self.assertEqual(response.field('WWW-Authenticate'), 'Basic realm="fcgate", charset="UTF-8"')
        self.assertIn('This needs a user and a password.', response.text)

    def test_an_upload_survives(self):
        body = bytes(range(256)) * 12000
        for fields, sent in (((), body), ([('Expect', '100-continue')], body)):
            response = self.post('/post.php', sent, [basic('bob', 'tree'), *fields])
            self.assert_status(response, 200)
            self.assertIn(str(len(body)), response.text)
        with self.client() as client:
            client.start('POST', '/post.php', [('Transfer-Encoding', 'chunked'), basic('carl', 'leaf')])
            client.send(b'2ee000\r\n' + body + b'\r\n0\r\n\r\n')
            self.assertIn(str(len(body)), client.response().text)
        self.assert_status(self.post('/post.php', body, [basic('bob', 'trees')]), 401)

    def test_a_changed_file_holds_without_a_reload(self):
        users = dict(line.split(':') for line in self.users.read_text().split())
        self.assert_status(self.get('/hello.php', [basic('ann', 'secret')]), 200)
        try:
            self.write_users(**users | {'ann': openssl(6, 'other')})
            processes.wait_until(lambda: self.get('/hello.php', [basic('ann', 'secret')]).status == 401, 'the old one still holds')
            self.assert_status(self.get('/hello.php', [basic('ann', 'other')]), 200)
            self.assert_status(self.get('/hello.php', [basic('bob', 'tree')]), 200)
        finally:
            self.write_users(**users)
        processes.wait_until(lambda: self.get('/hello.php', [basic('ann', 'secret')]).status == 200, 'it is not let in again')

    def test_the_log_names_the_user(self):
        self.get('/hello.php?named', [basic('ann', 'secret')])
        self.get('/hello.php?wrong', [basic('ann', 'x')])
        processes.wait_until(lambda: '?wrong' in self.access_log.read_text(), 'it is not in the log')
        lines = {word: line for word in ('?named', '?wrong') for line in self.access_log.read_text().splitlines() if word in line}
        self.assertRegex(lines['?named'], r'^127\.0\.0\.1 - ann \[')
        self.assertRegex(lines['?wrong'], r'^127\.0\.0\.1 - - \[.* 401 .*cause=unauthorized$')
        self.assertIn('401: wrong user or password, for ann [unauthorized]', self.fcgate.log())

    def test_trying_passwords_keeps_nobody_from_the_pages(self):
        users = dict(line.split(':') for line in self.users.read_text().split())
        self.write_users(**users, slow=bcrypt('x', 12))
        try:
            fields = [basic('ann', 'secret')]
            # It is remembered once the file has been as it is for two seconds.
            processes.wait_until(lambda: self.is_known(fields), 'it is never known')
            answered = []
            clients = [threading.Thread(target=lambda: answered.append(self.get('/hello.php', [basic('slow', 'y')]).status))
                       for _ in range(8)]
            for client in clients:
                client.start()
            pages = [self.get('/hello.php', fields).status for _ in range(10)]
            before = len(answered)
            for client in clients:
                client.join()
            self.assertEqual(pages, [200] * 10)
            self.assertEqual(answered, [401] * 8)
            self.assertLess(before, 8, 'ten pages took as long as eight checks of a password')
        finally:
            self.write_users(**users)

    def is_known(self, fields):
        """The thread that checks has had nothing to do for it."""
        threads = pathlib.Path(f'/proc/{self.fcgate.pid}/task')
        stat = next(path for path in sorted(threads.iterdir()) if path.name != str(self.fcgate.pid)) / 'schedstat'
        before = stat.read_text()
        self.assert_status(self.get('/files/plain.txt', fields), 200)
        return stat.read_text() == before

    def test_the_doctor_looks_at_the_file(self):
        away = self.users.rename(self.users.with_suffix('.away'))
        try:
            self.assert_doctor_says(self.users, 'auth: No such file or directory')
        finally:
            away.rename(self.users)
        self.assert_doctor_says(self.folder, 'auth: it must be a file')
        other = processes.give(processes.new_folder('users')) / 'users'
        other.write_text('x' * 70000)
        self.assert_doctor_says(other, 'auth: it is larger than 64 KiB')
        other.write_text('ann:$apr1$x$y\n')
        self.assert_doctor_says(other, 'line 1: its hash is of no kind that is taken', 'make it with: openssl passwd -6', 'nobody can log in')

    def assert_doctor_says(self, users, *words):
        told = subprocess.run([processes.fcgate_path, 'doctor', '-c', self.fcgate.configuration, '-o', f'site.auth={users}'],
                              capture_output=True, text=True, timeout=60)
        for word in (str(users), *words):
            self.assertIn(word, told.stdout)
        self.assertEqual(told.returncode, 6, told.stdout)


class SandboxedPasswords(Passwords):
    pools = [ONE]
    server = ('sandbox = yes',)


class SecurePasswords(Users, SecureCase):
    def test_over_tls(self):
        self.assertEqual(self.curl('/files/plain.txt', '--user', 'ann:secret').stdout, b'plain text\n')
        answer = self.curl('/files/plain.txt', '--user', 'ann:wrong', '--write-out', '%{http_code}', '--output', '/dev/null')
        self.assertEqual(answer.stdout, b'401')
        self.assertEqual(self.curl('/files/plain.txt', '--user', 'ann:secret', '--anyauth').stdout, b'plain text\n')
