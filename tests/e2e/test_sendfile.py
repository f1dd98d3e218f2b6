"""Files that a script leaves to fcgate: X-Sendfile and X-Accel-Redirect."""

import os
import urllib.parse

import processes
import wire
from cases import EVERY_POOL, ONE, ServedCase


class SendFile(ServedCase):
    pools = EVERY_POOL

    @classmethod
    def make_site(cls):
        root = super().make_site()
        cls.large = os.urandom(2 * 1024 * 1024 + 3)
        for folder in (root / 'protected', cls.folder / 'downloads', cls.folder / 'elsewhere'):
            folder.mkdir()
            folder.chmod(0o755)
            (folder / 'large.bin').write_bytes(cls.large)
            (folder / 'a b.txt').write_text('a file\n')
            (folder / 'secret.php').write_text('<?php secret\n')
        (cls.folder / 'downloads' / 'out').symlink_to(cls.folder / 'elsewhere' / 'large.bin')
        cls.site = (f'sendfile_root = {cls.folder}/downloads', 'internal = /protected')
        return root

    def ask(self, by, file, fields=(), method='GET', **more):
        query = urllib.parse.urlencode({'by': by, 'file': file, **more})
        return self.get_with(method, f'/sendfile.php?{query}', fields)

    def get_with(self, method, target, fields):
        with self.client() as client:
            response = client.ask(method, target, fields)
            # Whatever it was, the connection is in step.
            self.assertEqual(client.ask('GET', '/files/plain.txt').text, 'plain text\n')
            return response

    def ways(self):
        return (('X-Accel-Redirect', '/protected/large.bin'), ('X-Accel-Redirect', '/protected/./x/../large.bin?ignored'),
                ('X-Sendfile', f'{self.folder}/downloads/large.bin'), ('X-Sendfile', f'{self.root}/protected/large.bin'))

    def test_whole(self):
        for by, file in self.ways():
            with self.subTest(by=by, file=file):
                response = self.ask(by, file, type='application/x-firmware', name='new.bin')
                self.assert_status(response, 200)
                self.assertEqual(response.body, self.large)
                self.assertEqual(response.field('Content-Length'), str(len(self.large)))
                self.assertEqual(response.field('Content-Type'), 'application/x-firmware')
                self.assertEqual(response.field('Content-Disposition'), 'attachment; filename="new.bin"')
                self.assertEqual(response.field('Set-Cookie'), 'seen=1')
                self.assertEqual(response.field('Accept-Ranges'), 'bytes')
                self.assertNotEqual(response.field('ETag'), '"of the script"')
                self.assertIsNone(response.field(by))

    def test_ranges_and_conditions(self):
        for by, file in self.ways():
            with self.subTest(by=by, file=file):
                tag = self.ask(by, file, method='HEAD').field('ETag')
                part = self.ask(by, file, [('Range', 'bytes=100-199')], type='a/b')
                self.assert_status(part, 206)
                self.assertEqual(part.body, self.large[100:200])
                self.assertEqual(part.field('Content-Range'), f'bytes 100-199/{len(self.large)}')
                self.assertEqual(part.field('Content-Type'), 'a/b')
                self.assertEqual(self.ask(by, file, [('Range', 'bytes=5-9'), ('If-Range', tag)]).status, 206)
                self.assertEqual(self.ask(by, file, [('Range', 'bytes=5-9'), ('If-Range', '"other"')]).status, 200)
                self.assertEqual(self.ask(by, file, [('If-None-Match', tag)]).status, 304)
                self.assertEqual(self.ask(by, file, [('If-Match', '"other"')]).status, 412)
                self.assertEqual(self.ask(by, file, [('Range', 'bytes=9999999-')]).status, 416)

    def test_what_is_no_success_of_a_get_is_sent_whole(self):
        conditions = [('Range', 'bytes=5-9')], [('If-None-Match', '*')], [('If-Match', '"other"')]
        for by, file in self.ways():
            for method, status, more in ('POST', 200, {}), ('GET', 403, {'status': 403, 'type': 'a/b'}), ('GET', 503, {'status': 503}):
                for fields in conditions:
                    with self.subTest(by=by, file=file, method=method, status=status, fields=fields):
                        response = self.ask(by, file, fields, method, **more)
                        self.assert_status(response, status)
                        self.assertEqual(response.body, self.large)
                        self.assertEqual(response.field('Content-Type'), more.get('type', response.field('Content-Type')))

    def test_encoded_path_and_method(self):
        self.assertEqual(self.ask('X-Accel-Redirect', '/protected/a%20b.txt').text, 'a file\n')
        self.assertEqual(self.ask('X-Sendfile', f'{self.folder}/downloads/a b.txt', method='POST').text, 'a file\n')
        head = self.ask('X-Accel-Redirect', '/protected/large.bin', method='HEAD')
        self.assertEqual((head.status, head.field('Content-Length')), (200, str(len(self.large))))

    def test_never_elsewhere(self):
        folder = self.folder
        for by, file, status in (
                ('X-Sendfile', '/etc/passwd', 403), ('X-Sendfile', f'{folder}/elsewhere/large.bin', 403),
                ('X-Sendfile', f'{folder}/downloads/../elsewhere/large.bin', 403),
                ('X-Sendfile', f'{folder}/downloadsx', 403), ('X-Sendfile', f'{folder}/downloads/', 403),
                ('X-Sendfile', f'{folder}/downloads/out', 403), ('X-Sendfile', 'large.bin', 403),
                ('X-Sendfile', f'{folder}/downloads/none', 404), ('X-Sendfile', f'{self.root}/hello.php', 403),
                ('X-Accel-Redirect', '/../etc/passwd', 403), ('X-Accel-Redirect', '/protected/secret.php', 403),
                ('X-Accel-Redirect', '/hello.php', 403), ('X-Accel-Redirect', '/.env', 403),
                ('X-Accel-Redirect', '/protected/none', 404), ('X-Accel-Redirect', '/protected/', 403),
                ('X-Accel-Redirect', 'http://elsewhere/', 403), ('X-Accel-Redirect', '/protected', 403)):
            with self.subTest(by=by, file=file):
                since = self.log_size()
                response = self.ask(by, file)
                self.assert_status(response, status)
                self.assertNotIn('secret', response.text)
                self.assertNotIn('own body', response.text)
                self.fcgate.wait_for_log(r"GET /sendfile\.php.*: 40[34]: the script's file ", since=since)


class WorkerIsFree(ServedCase):
    """One worker, and clients that take their time."""

    pools = [ONE]

    @classmethod
    def make_site(cls):
        root = super().make_site()
        (root / 'files' / 'large.bin').write_bytes(bytes(24 * 1024 * 1024))
        return root

    def test_slow_readers_hold_no_worker(self):
        clients = [wire.Client(self.port) for _ in range(6)]
        try:
            for client in clients:
                client.start('GET', '/sendfile.php?by=X-Accel-Redirect&file=/files/large.bin')
                self.assertEqual(client.head().status, 200)
            self.assertEqual(self.get('/hello.php').text, 'Hello, world\n')
        finally:
            for client in clients:
                client.close()

    def test_script_runs_on_to_its_end(self):
        end = self.marker('slow-end')
        with self.client() as client:
            response = client.ask('GET', '/sendfile.php?by=X-Accel-Redirect&file=/files/plain.txt&slow=1')
            self.assertEqual(response.text, 'plain text\n')
            self.assertFalse(end.exists())
        processes.wait_until(end.exists, 'the end of the script')
