"""The example panel, used as a person would: by its pages and forms."""

import hashlib
import json
import os
import re
import shutil
import urllib.parse

import wire
from cases import EVERY_POOL, ServedCase, here


class Browser:
    """Keeps cookies and the token of the forms; follows nothing by itself."""

    def __init__(self, port):
        self.client = wire.Client(port)
        self.cookies = {}

    def ask(self, method, target, fields=(), body=None):
        if self.cookies:
            fields = [*fields, ('Cookie', '; '.join(f'{name}={value}' for name, value in self.cookies.items()))]
        response = self.client.ask(method, target, fields, body)
        for cookie in response.all('Set-Cookie'):
            name, value = cookie.split(';')[0].split('=', 1)
            self.cookies[name] = value
        return response

    def get(self, target, fields=()):
        return self.ask('GET', target, fields)

    def token(self, page):
        return re.search(r'name="csrf" value="([0-9a-f]+)"', self.get(page).text)[1]

    def post(self, target, form):
        return self.ask('POST', target, [('Content-Type', 'application/x-www-form-urlencoded')],
                        urllib.parse.urlencode(form, doseq=True).encode())

    def sign_in(self, password='fcgate', token=None):
        return self.post('/login', {'csrf': token or self.token('/login'), 'user': 'admin', 'password': password,
                                    'next': '/'})


class Panel(ServedCase):
    pools = EVERY_POOL

    @classmethod
    def make_site(cls):
        shutil.copytree(here.parent.parent / 'examples' / 'panel', cls.folder / 'panel')
        cls.site = ('front_controller = /index.php', 'max_body = 32m',
                    f'param = PANEL_STATE {cls.folder}/scratch/panel')
        return cls.folder / 'panel' / 'public'

    def setUp(self):
        shutil.rmtree(self.php.scratch / 'panel', ignore_errors=True)
        self.browser = Browser(self.port)
        self.addCleanup(self.browser.client.close)

    def assert_redirect(self, response, location):
        self.assert_status(response, 303)
        self.assertEqual(response.field('Location'), location)

    def test_pages_ask_for_a_sign_in(self):
        self.assert_redirect(self.browser.get('/'), '/login')
        self.assert_redirect(self.browser.get('/settings'), '/login?next=%2Fsettings')
        response = self.browser.get('/api/status')
        self.assert_status(response, 401)
        self.assertEqual(json.loads(response.body)['error']['code'], 'unauthorized')
        self.assert_status(self.browser.get('/login'), 200)

    def test_code_and_state_cannot_be_fetched(self):
        for target in ('/../app/boot.php', '/app/boot.php', '/%2e%2e/app/boot.php'):
            self.assertNotIn('namespace panel', self.get(target).text)

    def test_wrong_password(self):
        response = self.browser.sign_in('wrong')
        self.assert_status(response, 403)
        self.assertIn('wrong', response.text)
        self.assert_redirect(self.browser.get('/'), '/login')

    def test_form_without_its_token(self):
        self.browser.get('/login')
        self.assert_status(self.browser.sign_in(token='0' * 32), 403)

    def test_sign_in_dashboard_and_sign_out(self):
        self.assert_redirect(self.browser.sign_in(), '/')
        page = self.browser.get('/')
        self.assert_status(page, 200)
        self.assertIn('Overview', page.text)
        for field, value in (('X-Frame-Options', 'DENY'), ('X-Content-Type-Options', 'nosniff'), ('Cache-Control', 'no-store')):
            self.assertEqual(page.field(field), value)
        token = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)[1]
        self.assert_redirect(self.browser.post('/logout', {'csrf': token}), '/login')
        self.assert_redirect(self.browser.get('/'), '/login')

    def test_status_as_json(self):
        self.browser.sign_in()
        response = self.browser.get('/api/status')
        self.assertEqual(response.field('Content-Type'), 'application/json')
        status = json.loads(response.body)
        self.assertIn('fpm-fcgi', status['php'])
        self.assertTrue(status['server'].startswith('fcgate/'))
        self.assertGreater(status['uptime'], 0)

    def test_settings(self):
        self.browser.sign_in()
        form = {'csrf': self.browser.token('/settings'), 'name': 'e2e-gateway', 'timezone': 'Europe/Berlin',
                'dns[]': ['192.0.2.1', '2001:db8::1', ''], 'note': 'Größe <b>&'}
        self.assert_redirect(self.browser.post('/settings', form), '/settings')
        page = self.browser.get('/settings').text
        for text in ('Settings saved.', 'e2e-gateway', '2001:db8::1', 'Größe &lt;b&gt;&amp;'):
            self.assertIn(text, page)
        self.assertNotIn('Settings saved.', self.browser.get('/settings').text)
        form.update({'csrf': self.browser.token('/settings'), 'name': 'not a name'})
        self.assert_status(self.browser.post('/settings', form), 422)
        self.assert_status(self.browser.post('/settings', {**form, 'csrf': 'x'}), 403)

    def test_firmware_upload(self):
        self.browser.sign_in()
        image = os.urandom(5 * 1024 * 1024 + 1)
        kind, body = wire.multipart([('csrf', self.browser.token('/firmware'))], [('image', 'router-1.2.bin', image)])
        response = self.browser.ask('POST', '/firmware', [('Content-Type', kind), ('Accept', 'application/json')], body)
        self.assert_status(response, 201)
        stored = json.loads(response.body)['image']
        self.assertEqual((stored['name'], stored['size'], stored['sha256']),
                         ('router-1.2.bin', len(image), hashlib.sha256(image).hexdigest()))
        page = self.browser.get('/firmware').text
        self.assertIn(stored['sha256'], page)
        form = {'csrf': self.browser.token('/firmware'), 'id': stored['id']}
        self.assert_redirect(self.browser.post('/firmware/delete', form), '/firmware')
        self.assertNotIn(stored['sha256'], self.browser.get('/firmware').text)

    def test_name_that_looks_like_another(self):
        self.browser.sign_in()
        name = 'router\u202enib.exe\u2066\u2069.bin'
        kind, body = wire.multipart([('csrf', self.browser.token('/firmware'))], [('image', name, os.urandom(64))])
        response = self.browser.ask('POST', '/firmware', [('Content-Type', kind), ('Accept', 'application/json')], body)
        self.assert_status(response, 201)
        image = json.loads(response.body)['image']
        self.assertEqual(image['name'], 'router nib.exe .bin')
        form = {'csrf': self.browser.token('/firmware'), 'id': image['id']}
        self.assert_redirect(self.browser.post('/firmware/delete', form), '/firmware')

    def test_upload_beyond_max_body(self):
        self.browser.sign_in()
        cookie = ('Cookie', '; '.join(f'{name}={value}' for name, value in self.browser.cookies.items()))
        with self.client() as client:
            client.start('POST', '/firmware', [cookie, ('Content-Length', str(33 << 20))])
            self.assert_status(client.response(), 413)

    def test_assets(self):
        page = self.browser.get('/login').text
        assets = re.findall(r'(?:href|src)="(/[^"]+\.(?:css|js|svg)[^"]*)"', page)
        self.assertGreaterEqual(len(assets), 3)
        for asset in assets:
            response = self.browser.get(asset)
            self.assert_status(response, 200)
            self.assert_status(self.browser.get(asset, [('If-None-Match', response.field('ETag'))]), 304)
