"""What fcgate doctor says about certificates: each finding is made true."""

import datetime
import os
import subprocess
import unittest

import processes
from doctor import FAULTY, HEALTHY, WARNED, DoctorCase


class CertificateFindings(DoctorCase):
    def setUp(self):
        super().setUp()
        (self.root / 'index.php').rename(self.root / 'index.html')
        self.certificate, self.key = self.folder / 'tls.crt', self.folder / 'tls.key'

    def make(self, names='IP:127.0.0.1', days=100, at='+0d'):
        """At another time, too: certificates of the past and the future."""
        made = subprocess.run(['faketime', '-f', at, 'openssl', 'req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
                               '-subj', '/CN=unused', '-addext', f'subjectAltName={names}', '-days', str(days), '-keyout', self.key, '-out', self.certificate],
                              capture_output=True, check=False, timeout=60)
        self.assertEqual(made.returncode, 0, made.stderr)

    def examine_tls(self, code, site=(), own=False, **options):
        server = [f'listen = 127.0.0.1:{processes.free_port()} tls', f'tls_certificate = {self.certificate}', f'tls_key = {self.key}',
                  f'tls_self_signed = {"yes" if own else "no"}']
        return self.examine(None, code, server=server, site=site, **options)

    def expect_certificate(self, about, level, text, remedy='.'):
        """One row about certificates is of this level, and says so."""
        found = [check for check in self.of('certificate') if check['level'] == level]
        self.assertEqual([check['about'] for check in found], [str(about)], self.checks)
        self.assertRegex(found[0]['text'], text)
        self.assertRegex(found[0]['remedy'], remedy)

    def dates(self):
        """From and until when it is valid, as openssl reads it."""
        shown = subprocess.run(['openssl', 'x509', '-noout', '-dates', '-in', self.certificate], capture_output=True, check=True, text=True).stdout
        return [datetime.datetime.strptime(line.split('=')[1], '%b %d %H:%M:%S %Y GMT').date() for line in shown.splitlines()]

    def test_all_is_well(self):
        self.make()
        processes.give(self.key)
        self.assertEqual(self.examine_tls(HEALTHY), [])
        self.assertEqual([(check['level'], check['text']) for check in self.of('certificate')], [('ok', f'valid until {self.dates()[1]}')])

    def test_none_is_asked_for(self):
        self.assertEqual(self.examine(None, HEALTHY), [])
        self.assertEqual(self.of('certificate'), [])

    def test_for_people(self):
        self.make('DNS:other.example', days=5)
        path = self.configuration(None, [f'listen = 127.0.0.1:{processes.free_port()} tls', f'tls_certificate = {self.certificate}', f'tls_key = {self.key}'])
        done = self.run_doctor('-c', path)
        self.assertEqual(done.returncode, WARNED, done)
        self.assertRegex(done.stdout, rf'(?m)^warning  certificate    {self.certificate}: ends within two weeks, on {self.dates()[1]}\n +-> renew it')
        self.assertRegex(done.stdout, rf'(?m)^warning  certificate    {self.certificate}: does not name 127\.0\.0\.1: .*\n +-> have it issued')

    def test_a_name_that_only_the_subject_has(self):
        """As `openssl req -x509 -subj /CN=NAME` makes it: no browser takes that."""
        for more in ([], ['-addext', 'subjectAltName=IP:127.0.0.1']):
            subprocess.run(['openssl', 'req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-subj', '/CN=localhost',
                            *more, '-days', '100', '-keyout', self.key, '-out', self.certificate], capture_output=True, check=True, timeout=60)
            self.examine_tls(WARNED, site=['host = localhost'])
            self.expect_certificate(self.certificate, 'warning', '^does not name localhost', 'host or listen')

    def test_no_such_file(self):
        self.examine_tls(FAULTY)
        self.expect_certificate(self.certificate, 'fault', '^there is no such file', 'tls_self_signed = yes')
        self.make()
        self.key.unlink()
        self.examine_tls(FAULTY)
        self.expect_certificate(self.key, 'fault', '^there is no such file')

    @unittest.skipUnless(processes.is_root, 'needs root, to be somebody else')
    def test_a_file_that_may_not_be_read(self):
        self.make()
        path = self.configuration(None, [f'listen = 127.0.0.1:{processes.free_port()} tls', f'tls_certificate = {self.certificate}', f'tls_key = {self.key}'])
        path.write_text('\n'.join(line for line in path.read_text().split('\n') if not line.startswith('user ')))
        user = processes.account()
        done = self.run_doctor('-c', path, user=user.pw_uid, group=user.pw_gid, extra_groups=[])
        self.assertEqual(done.returncode, FAULTY, done)
        self.assertRegex(done.stdout, rf'(?m)^FAULT    certificate    {self.key}: {user.pw_name} may not read it\n.*give the file to {user.pw_name}$')

    @unittest.skipUnless(processes.is_root, 'needs root, to be somebody else')
    def test_a_key_that_a_reload_cannot_read(self):
        self.make()
        self.assertEqual(self.examine_tls(HEALTHY), [])
        user = processes.account().pw_name
        self.expect_certificate(self.key, 'note', f'^{user} may not read it: after a renewal a reload is not enough', '0640')

    def test_a_key_that_everybody_may_read(self):
        self.make()
        self.key.chmod(0o644)
        self.examine_tls(WARNED)
        self.expect_certificate(self.key, 'warning', 'everybody may read', f'^chmod 600 {self.key}$')

    def test_what_does_not_fit_together(self):
        self.make()
        other = self.key.read_bytes()
        self.make()
        self.key.write_bytes(other)
        self.examine_tls(FAULTY)
        self.expect_certificate(self.key, 'fault', "^is not the key of tls_certificate's first", 'its key')
        self.key.write_bytes(self.certificate.read_bytes())
        self.examine_tls(FAULTY)
        self.expect_certificate(self.key, 'fault', '^no private key in PEM')
        self.certificate.write_bytes(b'-----BEGIN NOTHING-----\n')
        self.examine_tls(FAULTY)
        self.expect_certificate(self.certificate, 'fault', '^no chain of certificates in PEM')

    def test_dates(self):
        for at, days, code, level, text in (('-200d', 100, FAULTY, 'fault', '^expired, it was valid until {1}$'),
                                            ('+9d', 100, FAULTY, 'fault', r'^not valid before {0}, and the clock says \d+-\d\d-\d\d$'),
                                            ('+0d', 13, WARNED, 'warning', '^ends within two weeks, on {1}$'),
                                            ('+0d', 15, HEALTHY, 'ok', '^valid until {1}$')):
            with self.subTest(text):
                self.make(at=at, days=days)
                self.examine_tls(code)
                self.expect_certificate(self.certificate, level, text.format(*self.dates()), '.' if code else '^$')

    def test_a_clock_that_is_not_set(self):
        self.make()
        found = self.examine_tls(WARNED, prefix=['faketime', '-f', '1970-01-02 00:00:00'])
        self.assertEqual([check['id'] for check in found], ['clock', 'certificate'])
        begin, end = self.dates()
        self.expect_certificate(self.certificate, 'warning', f'^valid from {begin} until {end}, but the clock says 1970-01-0', 'set the clock')

    def test_names(self):
        self.make('DNS:panel.example,DNS:*.home.example')
        found = self.examine_tls(WARNED, site=['host = panel.example box.home.example *.home.example other.example *.lan'])
        missing = [check['text'].split(':')[0] for check in found if check['id'] == 'certificate']
        self.assertEqual(missing, ['does not name other.example', 'does not name *.lan'])
        # Where there are no names, visitors come by the address.
        self.examine_tls(WARNED)
        self.expect_certificate(self.certificate, 'warning', '^does not name 127.0.0.1', 'issued for 127.0.0.1')

    def test_one_that_the_device_makes(self):
        self.assertEqual(self.examine_tls(HEALTHY, own=True), [])
        self.expect_certificate(self.certificate, 'ok', '^the next start makes it: there was none$', '^$')
        self.assertFalse(self.certificate.exists() or self.key.exists())
        server = ['listen = 127.0.0.1:0 tls', f'tls_certificate = {self.certificate}', f'tls_key = {self.key}', 'tls_self_signed = yes']
        port = processes.free_port()
        fcgate = processes.Fcgate(self.folder, processes.configuration(port, self.root, server=server), port)
        fcgate.start()
        fcgate.end()
        before = self.key.read_bytes()
        self.assertEqual(self.examine_tls(HEALTHY, own=True), [])
        self.expect_certificate(self.certificate, 'ok', f'^made by this device; a start after {self.dates()[1] - datetime.timedelta(days=30)} makes the next one$', '^$')
        self.examine_tls(None, own=True, site=['host = another.example'])
        self.expect_certificate(self.certificate, 'ok', '^the next start makes it: names or addresses have changed$', '^$')
        self.assertEqual(self.key.read_bytes(), before)

    def test_one_that_the_device_cannot_make(self):
        self.certificate = self.folder / 'none' / 'tls.crt'
        self.examine_tls(FAULTY, own=True)
        self.expect_certificate(self.certificate, 'fault', '^cannot be made, .* cannot write there: No such file', 'make the folder')

    def test_one_that_the_device_leaves_alone(self):
        self.make()
        processes.give(self.key)
        self.assertEqual(self.examine_tls(HEALTHY, own=True), [])
        self.expect_certificate(self.certificate, 'note', '^was not made by fcgate', 'move the file away')
        self.assertEqual([check['level'] for check in self.of('certificate')], ['note', 'ok'])


class FirstMinutes(DoctorCase):
    def test_the_log_says_what_to_type(self):
        certificate, key = self.folder / 'tls.crt', self.folder / 'tls.key'
        machine = os.uname().nodename
        ports = processes.free_port(), processes.free_port()
        server = [f'listen = 127.0.0.1:{ports[0]} tls', f'listen = :{ports[1]}\ttls', f'tls_certificate = {certificate}', f'tls_key = {key}',
                  'tls_self_signed = yes']
        fcgate = processes.Fcgate(self.folder, processes.configuration(self.port, self.root, server=server), self.port)
        self.addCleanup(fcgate.end)
        fcgate.start()
        fcgate.wait_for_log(rf'listening on 127.0.0.1:{ports[0]} tls: https://127.0.0.1:{ports[0]}/$')
        fcgate.wait_for_log(rf': https://{machine}:{ports[1]}/$')
        fcgate.wait_for_log(rf'listening on 127.0.0.1:{self.port}: http://127.0.0.1:{self.port}/$')
