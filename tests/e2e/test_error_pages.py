"""Pages of the site for errors, and types from a file."""

import processes
import wire
from cases import ONE, TWO, ServedCase


class ErrorPages(ServedCase):
    """`error_page`, for fcgate's own errors and for those of scripts."""

    pools = [ONE, TWO]
    site = ('error_page = 404 /errors/missing.html', 'error_page = 403 405 413 /errors/refused.html', 'error_page = 500 502 503 504 /errors/broken.html',
            'error_page = 410 /errors/not-there.html', 'error_page = 511 /hello.php', 'error_page = 406 451 /errors/page.php', 'intercept_errors = yes', 'deny = 127.0.0.9',
            'max_body = 64k', 'header = X-Site yes')

    @classmethod
    def make_site(cls):
        root = super().make_site()
        (root / 'errors').mkdir()
        for name in ('missing', 'refused', 'broken'):
            (root / 'errors' / f'{name}.html').write_text(f'<p>our page: {name}</p>\n')
        (root / 'says.php').write_text("<?php http_response_code((int) $_GET['status']); header('X-Script: here'); header('Retry-After: 77'); "
                                       "header('ETag: \"script\"'); echo str_repeat('the script\\n', 5000);")
        (root / 'errors' / 'page.php').write_text("<?php header('X-Page: yes'); if (isset($_GET['fails'])) { exit(http_response_code(500)); } "
                                                  "echo $_SERVER['REDIRECT_STATUS'], ' ', $_SERVER['REQUEST_METHOD'], ' ', $_SERVER['REQUEST_URI'];")
        return root

    def assert_page(self, response, status, name):
        self.assert_status(response, status)
        self.assertEqual(response.text, f'<p>our page: {name}</p>\n')
        self.assertEqual(response.field('Content-Type'), 'text/html; charset=utf-8')
        self.assertEqual(response.field('X-Site'), 'yes')
        self.assertIsNone(response.field('ETag'))

    def test_what_fcgate_refuses(self):
        self.assert_page(self.get('/nothing-here'), 404, 'missing')
        self.assert_page(self.get('/.hidden'), 404, 'missing')
        self.assert_page(self.get('/files/plain.txt', source='127.0.0.9'), 403, 'refused')
        response = wire.ask(self.port, 'DELETE', '/files/plain.txt')
        self.assert_page(response, 405, 'refused')
        self.assertIn('GET', response.field('Allow'))
        self.assert_page(self.post('/post.php', b'x' * 100000), 413, 'refused')

    def test_conditions_and_ranges_are_not_about_it(self):
        self.assert_page(self.get('/nothing-here', [('If-None-Match', '*'), ('Range', 'bytes=0-3')]), 404, 'missing')

    def test_head(self):
        response = wire.ask(self.port, 'HEAD', '/nothing-here')
        self.assert_status(response, 404)
        self.assertEqual(response.field('Content-Length'), str(len('<p>our page: missing</p>\n')))

    def test_errors_of_scripts(self):
        response = self.get('/says.php?status=500')
        self.assert_page(response, 500, 'broken')
        self.assertEqual(response.field('X-Script'), 'here')
        self.assertEqual(response.field('Retry-After'), '77')
        self.assert_page(self.get('/says.php?status=404'), 404, 'missing')
        # Statuses without a page are the script's own, and so is what is no error.
        self.assertTrue(self.get('/says.php?status=418').text.startswith('the script'))
        self.assertTrue(self.get('/says.php?status=200').text.startswith('the script'))
        for _ in range(20):
            self.assert_page(self.get('/says.php?status=503'), 503, 'broken')
        self.assertTrue(self.get('/hello.php').text.startswith('Hello'))

    def test_a_page_that_cannot_be_sent_is_said(self):
        for status in (410, 511):
            before = self.log_size()
            response = self.get(f'/says.php?status={status}')
            self.assert_status(response, status)
            self.assertNotIn('the script', response.text)
            processes.wait_until(lambda before=before: 'cannot be sent (see `error_page`) [error-page]' in self.fcgate.log()[before:], 'no word')

    def test_a_script_makes_the_page(self):
        for _ in range(10):
            response = self.get('/says.php?status=451&a=b')
            self.assert_status(response, 451)
            self.assertEqual(response.text, '451 GET /says.php?status=451&a=b')
            self.assertEqual(response.field('X-Page'), 'yes')
            self.assertEqual(response.field('X-Site'), 'yes')
            self.assertIsNone(response.field('X-Script'))
        # Its own error is no other one's, and is not looked for again.
        self.assert_status(self.get('/says.php?status=451&fails'), 451)
        self.assertTrue(self.get('/hello.php').text.startswith('Hello'))

    def test_what_is_refused_before_a_site_is_known(self):
        self.assertNotIn('our page', self.get('/nothing-here', host='a b').text)


class Types(ServedCase):
    with_php = False
    pools = [None]

    @classmethod
    def make_site(cls):
        root = super().make_site()
        types = cls.folder / 'mime.types'
        types.write_text('# ours\napplication/x-firmware img BIN\ntext/x-log log\nimage/png\n')
        cls.server = (f'mime_types = {types}',)
        for name in ('a.img', 'a.bin', 'a.log', 'a.css'):
            (root / 'files' / name).write_text('x')
        return root

    def test_types_of_the_file_come_first(self):
        for name, kind in (('a.img', 'application/x-firmware'), ('a.bin', 'application/x-firmware'), ('a.log', 'text/x-log; charset=utf-8'),
                           ('a.css', 'text/css; charset=utf-8')):
            self.assertEqual(self.get(f'/files/{name}').field('Content-Type'), kind)

    def test_mistakes_are_told_with_their_line(self):
        folder = processes.new_folder('types')
        for text, words in (('image/png png\nnonsense here\n', 'mime.types:2: not a media type'),
                            (''.join(f'application/x-{i:06} e{i}\n' for i in range(9000)), 'more types than there is room for'), (None, 'No such file')):
            types = folder / 'mime.types'
            types.unlink(missing_ok=True)
            if text:
                types.write_text(text)
            configuration = self.fcgate.configuration.read_text().replace(f'mime_types = {self.folder}', f'mime_types = {folder}')
            port = processes.free_port()
            server = processes.Fcgate(folder, configuration.replace(f':{self.port}', f':{port}'), port)
            self.addCleanup(server.end)
            server.spawn([server.program, '-c', server.configuration])
            self.assertNotEqual(server.wait(), 0)
            self.assertIn(words, server.log())

    def test_the_usual_file_fits(self):
        folder = processes.new_folder('types')
        configuration = self.fcgate.configuration.read_text().replace(f'mime_types = {self.folder}/mime.types', 'mime_types = /etc/mime.types')
        port = processes.free_port()
        server = processes.Fcgate(folder, configuration.replace(f':{self.port}', f':{port}'), port).start()
        self.addCleanup(server.end)
        self.assertEqual(wire.ask(port, 'GET', '/files/a.css').field('Content-Type'), 'text/css; charset=utf-8')
