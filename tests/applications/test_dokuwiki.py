"""DokuWiki from Debian's package: installed by its own installer, used as an author does."""

import os
import pathlib
import re
import shutil
import struct
import time
import urllib.parse
import zlib

import processes
from browser import Browser, Page
from cases import ServedCase
from pools import EITHER

package, settings = pathlib.Path('/usr/share/dokuwiki'), pathlib.Path('/etc/dokuwiki')
variable = pathlib.Path('/var/lib/dokuwiki')
PASSWORD = 'correct horse'
OWN = ('local.php', 'users.auth.php', 'acl.auth.php', 'apache.conf', 'lighttpd.conf', 'htaccess', 'plugins.local.php')


def picture(width, height):
    """A PNG of random pixels."""
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    rows = b''.join(b'\0' + os.urandom(3 * width) for _ in range(height))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
            + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))


class DokuWiki(ServedCase):
    pools = EITHER
    # What its .htaccess says for other servers.
    site = ('max_body = 32m', 'internal = /bin /conf /data /inc /vendor', 'no_scripts = /data')

    @classmethod
    def make_site(cls):
        """The package's files as they lie, links that lead out of the root included; settings and pages are new."""
        root, outside = cls.folder / 'wiki', cls.folder / 'lib-dokuwiki'
        shutil.copytree(package, root, symlinks=True, ignore=shutil.ignore_patterns('preload.php', '.htaccess*'))
        for name in ('plugins', 'tpl'):
            shutil.copytree(variable / 'lib' / name, outside / name)
            (root / 'lib' / name).unlink()
            (root / 'lib' / name).symlink_to(outside / name)
        shutil.copytree(settings, root / 'conf', ignore=shutil.ignore_patterns(*OWN, '.htaccess', '*.d'))
        defaults = root / 'conf' / 'dokuwiki.php'
        defaults.write_text(defaults.read_text().replace("'/var/lib/dokuwiki/data'", "'./data'"))
        for name in ('attic', 'cache', 'index', 'locks', 'log', 'media', 'media_attic', 'media_meta', 'meta', 'pages', 'tmp'):
            (root / 'data' / name).mkdir(parents=True)
        for path in [root / 'conf', *(root / 'conf').iterdir(), root / 'data', *(root / 'data').iterdir()]:
            processes.give(path)
        # Addresses such as /doku.php/wiki:page, by PATH_INFO; the installer takes this over.
        (root / 'install.conf').write_text("$conf['userewrite'] = 2;")
        cls.site = (*cls.site, f'links_to = {outside}')
        return root

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        browser = Browser(cls.port)
        try:
            cls.install(browser)
        finally:
            browser.close()

    @classmethod
    def install(cls, browser):
        form = browser.page('/install.php').form_with('d[title]')
        response = browser.post(form.action, form.data(
            button='submit', **{'d[title]': 'Werkstatt', 'd[superuser]': 'admin', 'd[fullname]': 'An Admin',
                                'd[email]': 'admin@example.org', 'd[password]': PASSWORD, 'd[confirm]': PASSWORD,
                                'd[policy]': '1', 'd[license]': 'cc-by-sa', 'd[pop]': None}))
        if response.status != 200 or not (cls.root / 'conf' / 'users.auth.php').exists():
            raise AssertionError(f'not installed: {response}\n{cls.logs()}')

    def setUp(self):
        self.browser = Browser(self.port)
        self.addCleanup(self.browser.close)

    def sign_in(self, password=PASSWORD):
        form = self.browser.page('/doku.php?id=start&do=login').form_with('u')
        return self.browser.follow(self.browser.post(form.action, form.data(u='admin', p=password)))

    def write(self, name, text):
        form = self.browser.page(f'/doku.php?id={urllib.parse.quote(name)}&do=edit').form_with('wikitext')
        response = self.browser.post(form.action, form.data(button='do[save]', wikitext=text))
        self.assertIn(response.status, (302, 303), response)
        return self.browser.follow(response)

    def upload(self, namespace, name, data):
        form = self.browser.page(f'/lib/exe/mediamanager.php?ns={namespace}').form_with('mediaid')
        response = self.browser.follow(self.browser.post(
            form.action, form.data(mediaid=name, ow='1'), [('upload', name, data)]))
        self.assert_status(response, 200)
        self.assertIn('Upload successful', response.text)
        return f'/lib/exe/fetch.php?media={namespace}:{name}'

    def test_sign_in_and_out(self):
        self.assertIn('Sorry, username or password was wrong', self.sign_in('wrong').text)
        page = self.sign_in()
        self.assertIn('Logged in as', page.text)
        leave = next(link for link in Page(page.text, page.target).links if 'do=logout' in link)
        self.assertNotIn('Logged in as', self.browser.get(leave).text)

    def test_everything_a_page_needs_is_there(self):
        page = self.browser.page('/doku.php?id=start')
        self.assertGreaterEqual(len(page.assets), 5)
        for asset in page.assets:
            response = self.browser.get(asset.removeprefix(f'http://127.0.0.1:{self.port}'))
            self.assertEqual(response.status, 200, f'{asset}: {response}')
            self.assertGreater(len(response.body), 0, asset)
        for name in ('/lib/tpl/dokuwiki/images/logo.png', '/lib/images/smileys/smile.svg'):
            response = self.browser.get(name)
            self.assert_status(response, 200)
            self.assertTrue(response.field('Content-Type').startswith('image/'))

    def test_pages_are_written_and_kept(self):
        self.sign_in()
        text = 'Größe & <b>\n' + 'Zeile mit Wörtern. ' * 5000
        page = self.write('verlauf', '====== Verlauf ======\n' + text)
        self.assert_status(page, 200)
        self.assertIn('Größe &amp; &lt;b&gt;', page.text)
        # Revisions are told apart by the second.
        written = time.time()
        processes.wait_until(lambda: int(time.time()) > int(written) + 1, 'the next second')
        self.write('verlauf', '====== Verlauf ======\nanders')
        self.assertNotIn('Größe', self.browser.get('/doku.php?id=verlauf').text)
        revisions = self.browser.page('/doku.php?id=verlauf&do=revisions')
        old = next(link for link in revisions.links if re.search(r'/verlauf\?rev=\d+$', link))
        self.assertIn('Größe', self.browser.get(old).text)
        raw = self.browser.get(old + '&do=export_raw')
        self.assertEqual(raw.field('Content-Type'), 'text/plain; charset=utf-8')
        self.assertEqual(raw.text.strip(), ('====== Verlauf ======\n' + text).strip())

    def test_what_does_not_exist(self):
        self.assert_status(self.browser.ask('GET', '/lib/exe/fetch.php?media=nirgends.zip'), 404)

    def test_pages_by_path(self):
        self.sign_in()
        self.write('werkzeug:säge', 'Zähne aus Stahl')
        for target in ('/doku.php/werkzeug:s%C3%A4ge', '/doku.php?id=werkzeug:s%C3%A4ge'):
            response = self.browser.get(target)
            self.assertIn('Zähne aus Stahl', response.text, target)

    def test_media_up_and_down(self):
        self.sign_in()
        data = os.urandom(6 << 20)
        target = self.upload('bilder', 'archiv.zip', data)
        whole = self.browser.get(target)
        self.assertEqual(whole.field('Content-Type'), 'application/zip')
        self.assertEqual(whole.body, data)
        self.assertEqual(whole.field('Content-Length'), str(len(data)))
        part = self.browser.ask('GET', target, [('Range', 'bytes=1000000-1999999')])
        self.assert_status(part, 206)
        self.assertEqual(part.body, data[1000000:2000000])
        self.assertEqual(part.field('Content-Range'), f'bytes 1000000-1999999/{len(data)}')
        again = self.browser.ask('GET', target, [('If-None-Match', whole.field('ETag'))])
        self.assert_status(again, 304)
        head = self.browser.ask('HEAD', target)
        self.assert_status(head, 200)
        self.assert_status(self.browser.ask('GET', '/doku.php?id=start'), 200)

    def test_picture_is_made_smaller(self):
        self.sign_in()
        data = picture(300, 200)
        target = self.upload('bilder', 'rauschen.png', data)
        self.assertEqual(self.browser.get(target).body, data)
        self.write('bild', '{{:bilder:rauschen.png?120}}')
        page = self.browser.page('/doku.php?id=bild')
        image = next(asset for asset in page.assets if 'rauschen.png' in asset)
        small = self.browser.get(image)
        self.assertEqual(struct.unpack('>II', small.body[16:24]), (120, 80))
        # Without the token of its own page another size is refused.
        self.assert_status(self.browser.ask('GET', target + '&w=121'), 412)

    def test_upload_as_the_page_script_does(self):
        """The body is the file, its name is in the query."""
        self.sign_in()
        token = dict(self.browser.page('/lib/exe/mediamanager.php?ns=bilder').form_with('sectok').fields)['sectok']
        data = picture(50, 50)
        query = urllib.parse.urlencode({'call': 'mediaupload', 'ns': 'bilder', 'qqfile': 'skript.png',
                                        'sectok': token, 'mediaid': 'skript.png'})
        response = self.browser.ask('POST', f'/lib/exe/ajax.php?{query}', [('Content-Type', 'application/octet-stream')], data)
        self.assert_status(response, 200)
        self.assertIn('"success":true', response.text)
        self.assertEqual(self.browser.get('/lib/exe/fetch.php?media=bilder:skript.png').body, data)

    def test_search_feed_and_index(self):
        self.sign_in()
        self.write('suche', 'ein Wort wie Wendeltreppe')
        # A page is indexed by the picture that its reader's browser fetches.
        self.assert_status(self.browser.get('/lib/exe/taskrunner.php?id=suche'), 200)
        # It says that it has run, and goes on behind its answer.
        processes.wait_until(lambda: 'search_results' in self.browser.get('/doku.php?do=search&q=wendeltreppe').text, 'found')
        feed = self.browser.get('/feed.php')
        self.assertTrue(feed.field('Content-Type').startswith('application/xml'), feed)
        self.assertIn('suche', self.browser.get('/doku.php?id=start&do=index').text)

    def test_settings_are_changed(self):
        self.sign_in()
        form = self.browser.page('/doku.php?id=start&do=admin&page=config').form_with('config[title]')
        response = self.browser.follow(self.browser.post(form.action, form.data(**{'config[title]': 'Umbenannt'})))
        self.assertIn('Settings updated successfully', response.text)
        self.assertIn('Umbenannt', self.browser.get('/doku.php?id=start').text)

    def test_nothing_of_the_installation_can_be_fetched(self):
        self.sign_in()
        self.write('geheim', 'niemand sonst')
        for target in ('/conf/users.auth.php', '/conf/local.php', '/conf/mime.conf', '/data/pages/geheim.txt',
                       '/inc/init.php', '/inc/lang/en/lang.php', '/bin/wantedpages.php', '/vendor/autoload.php',
                       '/data/media/../../conf/acl.auth.php', '/conf%2flocal.php', '/./conf//mime.conf', '/CONF/mime.conf'):
            response = self.get(target)
            self.assertIn(response.status, (400, 403, 404), target)
            self.assertNotIn('niemand sonst', response.text)
        self.assertIn('already', self.browser.get('/install.php').text)
