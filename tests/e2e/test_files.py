"""Static files, and what must never be one."""

import os
import pathlib
import re
import subprocess
import time
import unittest

import hardship
import processes
import wire
from cases import ServedCase


class Files(ServedCase):
    site = ('max_body = 1m',)

    @classmethod
    def make_site(cls):
        root = super().make_site()
        cls.large = os.urandom(3 * 1024 * 1024 + 5)
        (root / 'files' / 'large.bin').write_bytes(cls.large)
        (root / 'files' / 'with space & ümläut.txt').write_text('a file with a name\n')
        (root / 'files' / 'empty.txt').touch()
        (root / 'folder' / 'inner').mkdir()
        for name in ('.env', 'hello.php.bak', 'hello.php~', 'folder/.htaccess'):
            (root / name).write_text('<?php secret\n')
        (cls.folder / 'outside.txt').write_text('outside\n')
        return root

    def test_types(self):
        for name, kind in (('page.html', 'text/html; charset=utf-8'), ('style.css', 'text/css; charset=utf-8'),
                           ('script.js', 'text/javascript; charset=utf-8'), ('data.json', 'application/json'),
                           ('picture.svg', 'image/svg+xml'), ('plain.txt', 'text/plain; charset=utf-8'),
                           ('large.bin', 'application/octet-stream'), ('unknown.zzz', 'application/octet-stream')):
            with self.subTest(name=name):
                response = self.get(f'/files/{name}')
                self.assert_status(response, 200)
                self.assertEqual(response.field('Content-Type'), kind)
                self.assertEqual(response.body, (self.root / 'files' / name).read_bytes())
                self.assertEqual(response.field('Content-Length'), str(len(response.body)))

    def test_large_and_empty(self):
        self.assertEqual(self.get('/files/large.bin').body, self.large)
        with self.client() as client:
            self.assertEqual(client.ask('GET', '/files/empty.txt').body, b'')
            self.assertEqual(client.ask('GET', '/files/plain.txt').text, 'plain text\n')

    def test_encoded_names(self):
        self.assertEqual(self.get('/files/with%20space%20&%20%C3%BCml%c3%a4ut.txt?ignored').text, 'a file with a name\n')

    def test_head(self):
        with self.client() as client:
            response = client.ask('HEAD', '/files/large.bin')
            self.assertEqual(response.field('Content-Length'), str(len(self.large)))
            self.assertEqual(client.ask('GET', '/files/plain.txt').text, 'plain text\n')

    def test_ranges(self):
        size = len(self.large)
        for asked, first, last in (('0-0', 0, 0), ('100-1099', 100, 1099), (f'{size - 1}-', size - 1, size - 1),
                                   ('-5', size - 5, size - 1), (f'5-{size * 2}', 5, size - 1)):
            with self.subTest(asked=asked):
                response = self.get('/files/large.bin', [('Range', f'bytes={asked}')])
                self.assert_status(response, 206)
                self.assertEqual(response.field('Content-Range'), f'bytes {first}-{last}/{size}')
                self.assertEqual(response.body, self.large[first:last + 1])

    def test_range_beyond_the_end(self):
        with self.client() as client:
            response = client.ask('GET', '/files/large.bin', [('Range', f'bytes={len(self.large)}-')])
            self.assert_status(response, 416)
            self.assertEqual(response.field('Content-Range'), f'bytes */{len(self.large)}')
            self.assertEqual(client.ask('GET', '/files/plain.txt').text, 'plain text\n')

    def test_range_beyond_4_gigabytes(self):
        size, marks = (5 << 30) + 3, {(1 << 31) - 2: b'2 GiB', (1 << 32) - 2: b'4 GiB', (5 << 30) - 2: b'end!!'}
        with open(self.root / 'files' / 'sparse.bin', 'wb') as sparse:
            for offset, mark in marks.items():
                sparse.seek(offset)
                sparse.write(mark)
        for offset, mark in marks.items():
            with self.subTest(offset=offset), self.client() as client:
                response = client.ask('GET', '/files/sparse.bin', [('Range', f'bytes={offset - 1}-{offset + 4}')])
                self.assert_status(response, 206)
                self.assertEqual(response.field('Content-Range'), f'bytes {offset - 1}-{offset + 4}/{size}')
                self.assertEqual(response.body, b'\0' + mark)
                head = client.ask('HEAD', '/files/sparse.bin')
                self.assertEqual(head.field('Content-Length'), str(size))
                last = client.ask('GET', '/files/sparse.bin', [('Range', 'bytes=-5')])
                self.assertEqual(last.field('Content-Range'), f'bytes {size - 5}-{size - 1}/{size}')
                self.assertEqual(last.body, b'end!!')

    def test_revalidation(self):
        with self.client() as client:
            first = client.ask('GET', '/files/style.css')
            tag, modified = first.field('ETag'), first.field('Last-Modified')
            for condition, status in ((('If-None-Match', tag), 304), (('If-None-Match', f'"other", {tag}'), 304),
                                      (('If-None-Match', '*'), 304), (('If-None-Match', '"other"'), 200),
                                      (('If-Modified-Since', modified), 304),
                                      (('If-Modified-Since', 'Thu, 01 Jan 1970 00:00:00 GMT'), 200),
                                      (('If-Match', '"other"'), 412)):
                with self.subTest(condition=condition):
                    response = client.ask('GET', '/files/style.css', [condition])
                    self.assert_status(response, status)
                    if status == 304:
                        self.assertEqual(response.field('ETag'), tag)
                        # With one, some clients would wait for a body; libmicrohttpd 0.9.x tells that of the file (RFC 9110 section 8.6).
                        self.assertIn(response.field('Content-Length'), (None, first.field('Content-Length'))[:1 + self.is_old()])
                    self.assertEqual(client.ask('GET', '/files/plain.txt').text, 'plain text\n')

    def is_old(self):
        told = subprocess.run([processes.fcgate_path, '-V'], capture_output=True, text=True, check=True).stdout
        return re.search(r'libmicrohttpd 0\.9\.', told) is not None

    def test_file_that_changes_gets_another_tag(self):
        path = self.root / 'files' / 'changing.txt'
        path.write_text('one\n')
        first = self.get('/files/changing.txt')
        path.write_text('three\n')
        known = [('If-None-Match', first.field('ETag'))]
        if hardship.is_on:
            # fcgate's clock alone stands at 1970, so the file looks old enough to be kept for a second.
            processes.wait_until(lambda: self.get('/files/changing.txt', known).status == 200, 'the old file is still sent')
        second = self.get('/files/changing.txt', known)
        self.assert_status(second, 200)
        self.assertEqual(second.text, 'three\n')

    def test_file_that_is_changed_while_it_is_sent(self):
        """A client must not take half of the old and half of the new for the whole."""
        path = self.root / 'files' / 'changes.bin'
        for way in ('truncated', 'written over', 'written anew'):
            path.write_bytes(bytes(50 << 20))
            os.utime(path, (1_600_000_000, 1_600_000_000))
            since = self.log_size()
            with self.subTest(way=way), self.client() as client:
                client.start('GET', '/files/changes.bin')
                response = client.head()
                with path.open('wb' if way == 'written anew' else 'r+b') as file:
                    if way == 'truncated':
                        file.truncate(1 << 20)
                    else:
                        file.write(b'x' * (50 << 20 if way == 'written anew' else 1000))
                # The client reads nothing until it has been noticed.
                self.fcgate.wait_for_log(r'while it was sent \[file-changed\]', since=since)
                with self.assertRaises((wire.WireError, OSError)):
                    client.take_body(response, 'GET')
        self.assert_status(self.get('/files/plain.txt'), 200)

    def test_file_that_is_replaced_or_grows_is_sent_as_it_was(self):
        path = self.root / 'files' / 'grows.bin'
        content = os.urandom(20 << 20)
        for way in ('replaced', 'grows'):
            path.write_bytes(content)
            with self.subTest(way=way), self.client() as client:
                client.start('GET', '/files/grows.bin')
                response = client.head()
                for _ in range(3):  # over several looks at it
                    if way == 'grows':
                        with path.open('ab') as file:
                            file.write(b'one more line\n')
                    else:
                        (self.root / 'files' / 'new.bin').write_bytes(b'new')
                        (self.root / 'files' / 'new.bin').rename(path)
                    time.sleep(0.5)
                client.take_body(response, 'GET')
                self.assertEqual(response.body, content)

    def settled_file(self, name, content):
        """A file that has not changed lately: of others nothing is remembered."""
        path = self.root / 'files' / name
        path.write_bytes(content)
        changed = path.stat().st_ctime
        processes.wait_until(lambda: time.time() > changed + 2.5, 'it is older than times can be wrong')
        return path

    def is_open(self, path):
        return str(path) in self.fcgate.descriptors()

    def open_by_asking(self, path):
        """Asks until it stays open behind a reply. A look around once in a while closes what is not being sent."""
        def ask():
            response = self.get(f'/files/{path.name}')
            self.assertEqual(response.body, path.read_bytes())
            return self.is_open(path)
        processes.wait_until(ask, f'{path.name} stays open')

    def test_large_file_stays_open_for_a_moment(self):
        if self.is_old():
            self.skipTest('the bundled libmicrohttpd alone keeps replies')
        first, second = (self.settled_file(f'kept{i}.bin', os.urandom(200_000)) for i in range(2))
        self.open_by_asking(first)
        self.open_by_asking(second)
        processes.wait_until(lambda: not (self.is_open(first) or self.is_open(second)), 'both are closed', 3)
        # They are found again, whole, in part and for conditions.
        for _ in range(3):
            self.open_by_asking(first)
            content = first.read_bytes()
            with self.client() as client:
                part = client.ask('GET', '/files/kept0.bin', [('Range', 'bytes=100000-')])
                self.assertEqual((part.status, part.body), (206, content[100_000:]))
                whole = client.ask('GET', '/files/kept0.bin')
                self.assertEqual(whole.body, content)
                known = client.ask('GET', '/files/kept0.bin', [('If-None-Match', whole.field('ETag'))])
                self.assert_status(known, 304)
                head = client.ask('HEAD', '/files/kept0.bin')
                self.assertEqual((head.status, head.field('Content-Length')), (200, '200000'))
            with self.client() as old:
                old.send(b'GET /files/kept0.bin HTTP/1.0\r\nHost: localhost\r\n\r\n')
                self.assertEqual(old.response().body, content)

    def test_large_file_that_changes_is_noticed_at_once(self):
        path = self.settled_file('noticed.bin', b'a' * 200_000)
        other = self.root / 'files' / 'other.bin'

        def write_over():
            with path.open('r+b') as file:
                file.write(b'b' * 200_000)

        def replace():
            other.write_bytes(b'c' * 200_000)
            other.rename(path)

        for change, wanted in ((write_over, (200, b'b' * 200_000)), (lambda: os.truncate(path, 70_000), (200, b'b' * 70_000)),
                               (replace, (200, b'c' * 200_000)), (path.unlink, (404, None))):
            if path.stat().st_ctime > time.time() - 2.5:
                path = self.settled_file('noticed.bin', path.read_bytes())
            if not self.is_old():
                self.open_by_asking(path)
            change()
            response = self.get('/files/noticed.bin')
            self.assert_status(response, wanted[0])
            if wanted[1] is not None:
                self.assertEqual(response.body, wanted[1])

    def test_large_file_sent_again_is_watched_as_the_first_time(self):
        path = self.settled_file('watched.bin', bytes(50 << 20))
        since = self.log_size()
        with self.client() as client, self.client() as other:
            heads = []
            for each in (client, other):  # it is still open for the first when the second asks
                each.start('GET', '/files/watched.bin')
                heads.append(each.head())
            self.assertEqual(heads[0].field('ETag'), heads[1].field('ETag'))
            os.truncate(path, 1 << 20)
            processes.wait_until(lambda: self.fcgate.log()[since:].count('[file-changed]') == 2, 'both are cut off')
            for each, head in zip((client, other), heads):
                with self.assertRaises((wire.WireError, OSError)):
                    each.take_body(head, 'GET')

    def test_folders(self):
        response = self.get('/folder?a=b&c=%20')
        self.assert_status(response, 308)
        self.assertEqual(response.field('Location'), '/folder/?a=b&c=%20')
        self.assertIn('A folder', self.get('/folder/').text)
        self.assert_status(self.get('/folder/inner/'), 404)
        self.assert_status(self.get('//folder//'), 200)

    def test_redirect_of_a_folder_stays_on_this_site(self):
        (self.root / 'evil.example').mkdir(exist_ok=True)
        for target in ('//evil.example', '/%2e/evil.example', '///evil.example', '/folder/..//evil.example'):
            with self.subTest(target=target):
                location = self.get(target).field('Location') or '/'
                self.assertRegex(location, r'^/([^/\\]|$)')

    @unittest.skipUnless(processes.is_root, 'modes bind fcgate only when it serves as another user')
    def test_unreadable_file(self):
        path = self.root / 'files' / 'secret.txt'
        path.write_text('secret')
        path.chmod(0o600)
        response = self.get('/files/secret.txt')
        self.assert_status(response, 403)
        self.assertNotIn('secret', response.text)

    def test_other_methods(self):
        response = self.post('/files/plain.txt', b'body')
        self.assert_status(response, 405)
        self.assertEqual(response.field('Allow'), 'GET, HEAD, OPTIONS')
        self.assert_status(wire.ask(self.port, 'DELETE', '/files/plain.txt'), 405)
        self.assert_status(wire.ask(self.port, 'TRACE', '/files/plain.txt'), 405)
        response = wire.ask(self.port, 'OPTIONS', '/files/plain.txt')
        self.assert_status(response, 204)
        self.assertEqual(response.field('Allow'), 'GET, HEAD, OPTIONS')
        self.assertIsNone(response.field('Content-Length'))

    def test_sources_and_hidden_files_are_never_shown(self):
        for target in ('/.env', '/hello.php.bak', '/hello.php~', '/folder/.htaccess', '/%2eenv', '/hello.PHP', '/hello.php%20',
                       '/hello.php.', '/hello.php%00.txt', '/files/../.env', '/./.env', '/hello.php::$DATA', '/hello%2ephp'):
            with self.subTest(target=target):
                response = self.get(target)
                self.assertNotIn('<?php', response.text)
                self.assertNotIn('secret', response.text)

    def test_no_way_out_of_the_root(self):
        for target in ('/../outside.txt', '/..%2foutside.txt', '/%2e%2e/outside.txt', '/files/../../outside.txt',
                       '/files/%2e%2e/%2e%2e/outside.txt', '/..\\outside.txt', '/..%5coutside.txt', '/%252e%252e/outside.txt',
                       '/files/..;/..;/outside.txt', '/hello.php/../../outside.txt'):
            with self.subTest(target=target):
                response = self.get(target)
                self.assertIn(response.status, (200, 400, 404))
                self.assertNotIn('outside', response.text)

    def test_links_out_of_the_root(self):
        outside = processes.new_folder('outside')
        for name in ('shared', 'private'):
            (outside / name).mkdir()
            (outside / name / 'a.txt').write_text('far away')
            (outside / name / 'a.txt').chmod(0o644)
        (self.root / 'out').symlink_to(outside)
        self.addCleanup((self.root / 'out').unlink)
        since = self.log_size()
        self.assert_status(self.get('/out/private/a.txt'), 403)
        self.fcgate.wait_for_log(r'GET /out/private/a\.txt: 403: .*links_to', since=since)
        port = processes.free_port()
        text = processes.configuration(port, self.root, site=[f'links_to = /nowhere {outside}/shared'])
        other = processes.Fcgate(processes.new_folder('other'), text, port, 'other').start()
        self.addCleanup(other.end)
        self.assertEqual(wire.ask(port, 'GET', '/out/shared/a.txt').text, 'far away')
        self.assert_status(wire.ask(port, 'GET', '/out/private/a.txt'), 403)

    def test_scripts_behind_links(self):
        """Whoever can put a link into the root cannot have PHP run what lies elsewhere."""
        outside = processes.new_folder('outside')
        for name in ('shared', 'private'):
            (outside / name).mkdir()
            (outside / name / 'a.php').write_text('<?php echo "far away";')
            (outside / name / 'a.php').chmod(0o644)
        for name, target in (('far', outside), ('far.php', outside / 'private' / 'a.php'), ('near.php', 'hello.php')):
            (self.root / name).symlink_to(target)
            self.addCleanup((self.root / name).unlink)
        for _ in range(2):
            for target in ('/far/private/a.php', '/far.php', '/far.php/info', '/far/shared/a.php'):
                since = self.log_size()
                self.assert_status(self.get(target), 403)
                self.assert_status(wire.ask(self.port, 'POST', target, body=b'x'), 403)
                self.fcgate.wait_for_log(rf'GET {target}: 403: .*links_to', since=since)
            self.assertEqual(self.get('/near.php').text, 'Hello, world\n')
        port = processes.free_port()
        text = processes.configuration(port, self.root, self.php, site=[f'links_to = {outside}/shared'])
        other = processes.Fcgate(processes.new_folder('other'), text, port, 'other').start()
        self.addCleanup(other.end)
        self.assertEqual(wire.ask(port, 'GET', '/far/shared/a.php').text, 'far away')
        self.assert_status(wire.ask(port, 'GET', '/far/private/a.php'), 403)

    def test_links(self):
        """Links are the administrator's; what they point at is served as it is."""
        link = pathlib.Path(self.root / 'files' / 'link.txt')
        link.symlink_to('plain.txt')
        self.assertEqual(self.get('/files/link.txt').text, 'plain text\n')
        (self.root / 'files' / 'dangling.txt').symlink_to('nowhere')
        self.assert_status(self.get('/files/dangling.txt'), 404)

    def test_neither_file_nor_folder(self):
        os.mkfifo(self.root / 'files' / 'fifo')
        self.assert_status(self.get('/files/fifo'), 403)


class Folders(ServedCase):
    """Folders with rules of their own."""

    site = ('listing = yes', 'no_scripts = /uploads', 'internal = /protected/')

    @classmethod
    def make_site(cls):
        root = super().make_site()
        for folder in ('uploads', 'protected', 'empty'):
            (root / folder).mkdir()
        for folder in ('uploads', 'protected'):
            (root / folder / 'evil.php').write_text('<?php echo "it ran";\n')
            (root / folder / 'note.txt').write_text('a note\n')
        return root

    def test_list_of_a_folder(self):
        with self.client() as client:
            response = client.ask('GET', '/files/')
            self.assert_status(response, 200)
            self.assertEqual(response.field('Content-Type'), 'text/html; charset=utf-8')
            self.assertIn('<a href="./plain.txt">plain.txt</a>', response.text)
            self.assertEqual(client.ask('HEAD', '/files/').field('Content-Length'), str(len(response.body)))
            self.assertIn('This folder is empty.', client.ask('GET', '/empty/').text)
            self.assert_status(client.ask('GET', '/files?a=b'), 308)
            refused = client.ask('POST', '/files/', body=b'x')
            self.assert_status(refused, 405)
            self.assertEqual(refused.field('Allow'), 'GET, HEAD, OPTIONS')

    def test_nothing_is_run_among_uploads(self):
        for target in ('/uploads/evil.php', '/uploads/evil.php/a', '/Uploads/../uploads/evil.php', '/uploads/evil.php?x'):
            with self.subTest(target=target):
                response = self.get(target)
                self.assert_status(response, 404)
                self.assertNotIn('it ran', response.text)
                self.assertNotIn('<?php', response.text)
        self.assertEqual(self.get('/uploads/note.txt').text, 'a note\n')

    def test_internal_folder_is_not_there(self):
        for target in ('/protected', '/protected/', '/protected/note.txt', '/protected/evil.php', '/protected/none'):
            with self.subTest(target=target):
                self.assert_status(self.get(target), 404)
        self.assertNotIn('protected', self.get('/').text)


class Caching(ServedCase):
    """Coded files beside, times to live, releases."""

    with_php = False
    server = ('release = fw-1.2',)
    site = ('expires = /files/ 30d', 'expires = /files/page.html 0', 'header = X-Site here')

    @classmethod
    def make_site(cls):
        root = super().make_site()
        files = root / 'files'
        for name in ('style.css.br', 'style.css.gz', 'script.js.gz', 'data.json.br', 'plain.txt.gz', 'old.css.gz', 'picture.png.gz'):
            (files / name).write_bytes(b'coded ' + name.encode())
        for name in ('old.css', 'picture.png'):
            (files / name).write_bytes(b'as it is')
        for name in ('style.css', 'script.js', 'data.json', 'plain.txt', 'old.css.gz'):
            os.utime(files / name, (1_600_000_000, 1_600_000_000))
        return root

    def test_coding_by_what_the_client_takes(self):
        for name, accepted, coding in (
                ('style.css', 'gzip, deflate, br', 'br'), ('style.css', 'gzip', 'gzip'), ('style.css', 'br;q=0.5, gzip', 'gzip'),
                ('style.css', 'br;q=0, gzip;q=0', None), ('style.css', '*', 'br'), ('style.css', 'identity, br;q=0.5', None),
                ('script.js', 'br', None), ('script.js', 'br, gzip;q=0.1', 'gzip'), ('data.json', 'gzip', None)):
            with self.subTest(name=name, accepted=accepted):
                response = self.get(f'/files/{name}', [('Accept-Encoding', accepted)])
                self.assert_status(response, 200)
                self.assertEqual(response.field('Content-Encoding'), coding)
                self.assertEqual(response.field('Vary'), 'Accept-Encoding')
                suffix = {'br': '.br', 'gzip': '.gz', None: ''}[coding]
                self.assertEqual(response.body, (self.root / 'files' / (name + suffix)).read_bytes())
                self.assertNotIn('octet-stream', response.field('Content-Type'))

    def test_each_coding_has_its_tag(self):
        tags = {accepted: self.get('/files/style.css', [('Accept-Encoding', accepted)]).field('ETag')
                for accepted in ('br', 'gzip', 'identity')}
        self.assertEqual(len(set(tags.values())), 3)
        for accepted, tag in tags.items():
            fields = [('Accept-Encoding', accepted), ('If-None-Match', tag)]
            response = self.get('/files/style.css', fields)
            self.assert_status(response, 304)
            self.assertEqual(response.field('Vary'), 'Accept-Encoding')
            self.assert_status(self.get('/files/style.css', [('If-None-Match', tag), ('Accept-Encoding', 'br')]),
                               304 if accepted == 'br' else 200)

    def test_older_ones_and_pictures_are_left_alone(self):
        for name in ('old.css', 'picture.png'):
            response = self.get(f'/files/{name}', [('Accept-Encoding', 'gzip')])
            self.assertEqual((response.body, response.field('Content-Encoding')), (b'as it is', None))
            self.assertIsNone(response.field('Vary'))

    def test_range_of_a_coded_file(self):
        response = self.get('/files/style.css', [('Accept-Encoding', 'gzip'), ('Range', 'bytes=0-4')])
        self.assertEqual((response.status, response.body, response.field('Content-Encoding')), (206, b'coded', 'gzip'))

    def test_expires(self):
        self.assertEqual(self.get('/files/style.css').field('Cache-Control'), 'max-age=2592000')
        self.assertEqual(self.get('/files/page.html').field('Cache-Control'), 'no-cache')
        self.assertEqual(self.get('/files/style.css').field('X-Site'), 'here')

    def test_release_is_told_in_the_tag(self):
        self.assertRegex(self.get('/files/page.html').field('ETag'), r'^"[0-9a-f]+-[0-9a-f]+-fw-1\.2"$')
