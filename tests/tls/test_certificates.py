"""Which certificate is shown: one of the operator's, or one that the device makes."""

import datetime
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import tempfile
import time
import unittest

import processes


def run(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, timeout=60, **options)


class Certificates(unittest.TestCase):
    def setUp(self):
        self.folder = processes.new_folder('certificates')
        (self.folder / 'site').mkdir()
        (self.folder / 'site' / 'index.html').write_text('the page\n')
        self.certificate, self.key = self.folder / 'tls.crt', self.folder / 'tls.key'
        self.fcgate = None

    def tearDown(self):
        if self.fcgate:
            self.fcgate.end()

    def logs(self):
        return self.fcgate.log() if self.fcgate else ''

    def start(self, *lines, host='device.example', prefix=(), own=True):
        if self.fcgate:
            self.fcgate.end()
        self.port = processes.free_port()
        text = '\n'.join(['[server]', f'listen = 127.0.0.1:{self.port} tls', f'tls_certificate = {self.certificate}', f'tls_key = {self.key}',
                          f'tls_self_signed = {"yes" if own else "no"}', *lines,
                          *([f'user = {processes.account().pw_name}'] if processes.is_root else []),
                          '[site]', f'root = {self.folder}/site', f'host = {host}', ''])
        self.fcgate = processes.Fcgate(self.folder, text, self.port, prefix=prefix)
        self.fcgate.start()
        return self.fcgate

    def shown(self):
        """The certificate that a client is shown, in PEM."""
        return ssl.get_server_certificate(('127.0.0.1', self.port))

    def about(self, pem):
        return run('openssl', 'x509', '-noout', '-text', input=pem.encode()).stdout.decode()

    def make_pair(self, name, key='ec'):
        kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] if key == 'ec' else ['-newkey', 'rsa:2048']
        made = run('openssl', 'req', '-x509', '-nodes', *kind, '-subj', f'/CN={name}', '-days', '100', '-keyout', self.folder / 'new.key', '-out',
                   self.folder / 'new.crt')
        self.assertEqual(made.returncode, 0, made.stderr)
        (self.folder / 'new.key').rename(self.key)
        (self.folder / 'new.crt').rename(self.certificate)
        processes.give(self.key)

    def test_a_device_makes_its_own(self):
        self.start(host='device.example *.home.example')
        text = self.about(self.shown())
        self.assertRegex(text, r'ASN1 OID: prime256v1')
        machine = socket.gethostname()
        for name in ('DNS:device.example', 'DNS:*.home.example', f'DNS:{machine}', 'DNS:localhost', 'IP Address:127.0.0.1'):
            self.assertIn(name, text)
        if '.' not in machine:
            self.assertIn(f'DNS:{machine}.local', text)
        self.assertIn('CA:FALSE', text)
        self.assertEqual(stat.S_IMODE(self.key.stat().st_mode), 0o600)
        self.assertFalse(list(self.folder.glob('*.new')))
        self.assertIn('a certificate was made for this device', self.fcgate.log())

    def test_it_is_kept_until_names_change(self):
        self.start()
        first = self.shown()
        self.start()
        self.assertEqual(self.shown(), first)
        self.start(host='other.example')
        self.assertNotEqual(self.shown(), first)
        self.assertIn('DNS:other.example', self.about(self.shown()))
        self.assertIn('names or addresses have changed', self.fcgate.log())

    def test_it_is_renewed_before_it_ends(self):
        self.start()
        first = self.shown()
        self.start(prefix=('faketime', '-f', '+760d'))
        self.assertEqual(self.shown(), first)
        self.start(prefix=('faketime', '-f', '+780d'))
        self.assertNotEqual(self.shown(), first)

    def test_a_clock_that_is_not_set(self):
        self.start(prefix=('faketime', '-f', '1970-01-01 00:10:00'))
        begin, end = (datetime.datetime.strptime(when, '%b %d %H:%M:%S %Y GMT') for when in
                      re.findall(r'Not (?:Before|After) ?: (.*)', self.about(self.shown())))
        now = datetime.datetime.utcnow()
        self.assertLess(begin, now)
        self.assertGreater(end, now + datetime.timedelta(days=3650))
        self.assertIn('the clock is not set', self.fcgate.log())

    def test_what_somebody_else_made_is_left_alone(self):
        self.make_pair('operator.example')
        before = self.certificate.read_text()
        self.start()
        self.assertIn('operator.example', self.about(self.shown()))
        self.assertEqual(self.certificate.read_text(), before)
        self.assertIn('was not made by fcgate', self.fcgate.log())

    def test_a_reload_shows_another(self):
        self.make_pair('first.example')
        self.start(own=False)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(socket.create_connection(('127.0.0.1', self.port), timeout=20)) as kept:
            self.make_pair('second.example', key='rsa')
            self.fcgate.signal(signal.SIGHUP)
            processes.wait_until(lambda: 'a new configuration is in force' in self.fcgate.log(), 'no reload')
            processes.wait_until(lambda: 'second.example' in self.about(self.shown()), 'the old certificate is still shown')
            kept.sendall(b'GET /index.html HTTP/1.1\r\nHost: device.example\r\n\r\n')
            self.assertTrue(kept.recv(65536).startswith(b'HTTP/1.1 200'))
            # Who comes with a session of before sees it too.
            with context.wrap_socket(socket.create_connection(('127.0.0.1', self.port), timeout=20), session=kept.session) as back:
                self.assertFalse(back.session_reused)
                self.assertIn('second.example', self.about(ssl.DER_cert_to_PEM_cert(back.getpeercert(binary_form=True))))

    def test_a_sandboxed_server_follows_links_to_a_renewed_pair(self):
        """As certbot has them: the certificate is a link to one of several in another folder."""
        # Not below /tmp, which a sandboxed server may read for its spool.
        archive = pathlib.Path(tempfile.mkdtemp(prefix='fcgate-archive-', dir='/var/tmp'))
        self.addCleanup(shutil.rmtree, archive)
        archive.chmod(0o755)

        def renew(name):
            for link in (self.certificate, self.key):
                link.unlink(missing_ok=True)
            self.make_pair(name)
            for link in (self.certificate, self.key):
                link.symlink_to(shutil.move(link, archive / f'{name}-{link.name}'))
        renew('first.example')
        self.start('sandbox = yes', own=False)
        self.assertIn('first.example', self.about(self.shown()))
        renew('second.example')
        self.fcgate.signal(signal.SIGHUP)
        processes.wait_until(lambda: 'second.example' in self.about(self.shown()), 'the old certificate is still shown')

    def test_a_wrong_pair_at_a_reload_changes_nothing(self):
        self.make_pair('first.example')
        self.start(own=False)
        key = self.key.read_bytes()
        self.make_pair('second.example')
        self.key.write_bytes(key)
        self.fcgate.signal(signal.SIGHUP)
        processes.wait_until(lambda: 'is not the key of' in self.fcgate.log(), 'no word about the key')
        self.assertIn('first.example', self.about(self.shown()))

    def test_what_cannot_be_made_takes_nothing_away(self):
        """The key finds its place, the certificate does not: the pair that is there stays one."""
        if processes.is_root:
            processes.give(self.folder)
        self.start()
        first, key = self.shown(), self.key.read_bytes()
        for path in (self.certificate, self.key):
            processes.give(path)
        (self.folder / 'tls.crt.new' / 'in-the-way').mkdir(parents=True)
        self.fcgate.configuration.write_text(self.fcgate.configuration.read_text().replace('device.example', 'other.example'))
        self.fcgate.signal(signal.SIGHUP)
        processes.wait_until(lambda: re.search('a new configuration is in force|is not the key of', self.fcgate.log()), 'no reload')
        self.assertEqual(self.key.read_bytes(), key)
        self.assertIn('a new configuration is in force', self.fcgate.log())
        self.assertEqual(self.shown(), first)
        self.assertFalse((self.folder / 'tls.key.new').exists())
        self.assertRegex(self.fcgate.log(), 'warning: tls_self_signed: cannot write .*/tls.crt: File exists')

    @unittest.skipUnless(processes.is_root, 'needs root')
    def test_a_key_that_may_not_be_read_any_more(self):
        self.start()
        first = self.shown()
        self.fcgate.signal(signal.SIGHUP)
        processes.wait_until(lambda: 'a new configuration is in force' in self.fcgate.log(), 'no reload')
        self.assertIn('the certificate from before stays in force', self.fcgate.log())
        for _ in range(3):
            self.fcgate.signal(signal.SIGHUP)
            time.sleep(0.2)  # a reload that comes too early is tried again by the daemon
            self.assertEqual(self.shown(), first)

    def test_what_is_missing_is_said(self):
        for lines, words in (((f'tls_key = {self.key}',), 'tls_certificate: not set'),
                             ((f'tls_certificate = {self.certificate}', f'tls_key = {self.key}'), 'No such file'),
                             ((f'tls_certificate = {self.folder}/no/tls.crt', f'tls_key = {self.folder}/no/tls.key', 'tls_self_signed = yes'), 'No such file')):
            file = self.folder / 'wrong.conf'
            file.write_text('\n'.join(['[server]', f'listen = 127.0.0.1:{processes.free_port()} tls', *lines, '[site]', f'root = {self.folder}/site', '']))
            ended = run(processes.fcgate_path, '-c', file)
            self.assertNotEqual(ended.returncode, 0)
            self.assertIn(words, ended.stderr.decode())

    def refused(self, certificate, key, own=False):
        file = self.folder / 'wrong.conf'
        file.write_text('\n'.join(['[server]', f'listen = 127.0.0.1:{processes.free_port()} tls', f'tls_certificate = {certificate}', f'tls_key = {key}',
                                   f'tls_self_signed = {"yes" if own else "no"}', '[site]', f'root = {self.folder}/site', '']))
        ended = run(processes.fcgate_path, '-c', file)
        self.assertEqual(ended.returncode, 6, ended.stderr)
        return ended.stderr.decode()

    def test_what_is_no_file_of_a_certificate(self):
        """Nothing is waited for, and nothing is read without an end."""
        self.make_pair('device.example')
        fifo, large = self.folder / 'fifo', self.folder / 'large'
        os.mkfifo(fifo)
        large.write_bytes(bytes((256 << 10) + 1))
        for path, words in ((fifo, 'it must be a file'), ('/dev/zero', 'it must be a file'), (self.folder, 'it must be a file'),
                            (large, 'it is larger than 256 KiB')):
            for own in (False, True):
                self.assertIn(f'{path}: {words}', self.refused(path, self.key, own))
            self.assertIn(f'{path}: {words}', self.refused(self.certificate, path))

    def test_a_chain_that_is_too_long(self):
        """Clients would miss what is left out."""
        self.make_pair('device.example')
        one = self.certificate.read_text()
        self.certificate.write_text(one * 8)
        self.start(own=False)
        self.assertIn('device.example', self.about(self.shown()))
        self.certificate.write_text(one * 9)
        self.assertIn('tls.crt: has more than 8 certificates', self.refused(self.certificate, self.key))

    def test_no_promise_that_locks_browsers_out(self):
        file = self.folder / 'hsts.conf'
        file.write_text('\n'.join(['[server]', 'listen = 127.0.0.1:0 tls', f'tls_certificate = {self.certificate}', f'tls_key = {self.key}',
                                   'tls_self_signed = yes', '[site]', f'root = {self.folder}/site', 'header = Strict-Transport-Security max-age=9', '']))
        ended = run(processes.fcgate_path, '-c', file, '-t')
        self.assertEqual(ended.returncode, 6, ended.stderr)
        self.assertIn(b'would lock browsers out', ended.stderr)
