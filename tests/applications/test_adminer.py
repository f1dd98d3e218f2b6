"""Adminer from Debian's package, on an SQLite file: tables, rows, an import, a download."""

import csv
import gzip
import os
import pathlib
import re
import shutil
import urllib.parse

import processes
from browser import Browser, Page
from cases import ServedCase
from pools import EITHER

PASSWORD = 'only for the test'


class Adminer(ServedCase):
    pools = EITHER
    # As the package tells Apache.
    site = ('max_body = 32m', 'index =', 'index = conf.php')

    @classmethod
    def make_site(cls):
        root = cls.folder / 'adminer'
        shutil.copytree('/etc/adminer', root)
        entry = root / 'conf.php'
        # SQLite knows no passwords; Adminer wants its user to name one.
        entry.write_text(entry.read_text().replace(
            '$plugins = array(',
            f"$plugins = array(new AdminerLoginPasswordLess(password_hash('{PASSWORD}', PASSWORD_DEFAULT)),"))
        return root

    def setUp(self):
        self.database = pathlib.Path(self.php.scratch) / f'{self.id().rsplit(".", 1)[-1]}.sqlite'
        processes.give(self.made(self.database))
        self.browser = Browser(self.port)
        self.addCleanup(self.browser.close)

    @staticmethod
    def made(path):
        path.write_bytes(b'')
        return path

    def sign_in(self, password=PASSWORD):
        form = self.browser.page('/').form_with('auth[username]')
        return self.browser.follow(self.browser.post(form.action, form.data(**{
            'auth[driver]': 'sqlite', 'auth[server]': '', 'auth[username]': 'admin', 'auth[password]': password,
            'auth[db]': str(self.database)})))

    def target(self, **more):
        return '/?' + urllib.parse.urlencode({'sqlite': '', 'username': 'admin', 'db': str(self.database), **more})

    def sql(self, text):
        form = self.browser.page(self.target(sql='')).form_with('query')
        response = self.browser.post(form.action, form.data(query=text))
        self.assert_status(response, 200)
        self.assertNotIn("class='error'", response.text)
        return response

    def test_sign_in(self):
        self.assertNotIn('Tables and views', self.sign_in('wrong').text)
        page = self.sign_in()
        self.assert_status(page, 200)
        self.assertIn('Tables and views', page.text)
        form = Page(page.text, page.target).form_with('logout')
        self.assertIn('Logout successful', self.browser.follow(self.browser.post(form.action, form.data(button='logout'))).text)

    def test_rows_are_made_and_changed(self):
        self.sign_in()
        self.sql('CREATE TABLE device (id integer PRIMARY KEY, name text, note text)')
        form = self.browser.page(self.target(edit='device')).form_with('fields[name]')
        response = self.browser.post(form.action, form.data(**{'fields[name]': 'Gerät <1>', 'fields[note]': 'x' * 100_000}))
        self.assertEqual(response.status, 302, response)
        self.assertIn('has been inserted', self.browser.follow(response).text)
        edit = self.target(edit='device') + '&where%5Bid%5D=1'
        form = self.browser.page(edit).form_with('fields[name]')
        self.assertEqual(dict(form.fields)['fields[name]'], 'Gerät <1>')
        self.browser.follow(self.browser.post(form.action, form.data(**{'fields[name]': 'anders'})))
        page = self.browser.get(self.target(select='device'))
        self.assertIn('anders', page.text)
        self.assertNotIn('Gerät', page.text)

    def test_import_and_export(self):
        self.sign_in()
        rows = [(number, os.urandom(40).hex()) for number in range(5000)]
        script = 'CREATE TABLE load (id integer PRIMARY KEY, word text);\n' + 'INSERT INTO load VALUES ' + ',\n'.join(
            f"({number}, '{word}')" for number, word in rows) + ';\n'
        form = self.browser.page(self.target(**{'import': ''})).form_with('token')
        response = self.browser.post(form.action, form.data(), [('sql_file[]', 'load.sql', script.encode())])
        self.assert_status(response, 200)
        self.assertRegex(response.text, r'\b2 queries executed')
        form = self.browser.page(self.target(dump='load')).form_with('format')
        for output in ('file', 'gz'):
            values = {'output': output, 'format': 'csv', 'table_style': '', 'data_style': 'INSERT', 'data[]': 'load',
                      'tables[]': None}
            response = self.browser.post(form.action, form.data(**values))
            self.assert_status(response, 200)
            self.assertIn('attachment; filename=', response.field('Content-Disposition'))
            text = gzip.decompress(response.body) if output == 'gz' else response.body
            self.assertEqual([(int(number), word) for number, word in csv.reader(text.decode('utf-8-sig').splitlines())], rows)

    def test_blob_is_downloaded(self):
        self.sign_in()
        data = os.urandom(300_000)
        self.sql(f"CREATE TABLE image (id integer PRIMARY KEY, bytes blob); INSERT INTO image VALUES (1, x'{data.hex()}')")
        response = self.browser.get(self.target(download='image', field='bytes') + '&where%5Bid%5D=1')
        self.assert_status(response, 200)
        self.assertEqual(response.body, data)

    def test_own_files_are_kept_by_the_browser(self):
        page = self.browser.page('/')
        own = [asset for asset in page.assets if 'file=' in asset]
        self.assertGreaterEqual(len(own), 2)
        for asset in own:
            self.assert_status(self.browser.get(asset), 200)
            again = self.browser.ask('GET', asset, [('If-Modified-Since', 'Wed, 01 Jan 2025 00:00:00 GMT')])
            self.assert_status(again, 304)

    def test_long_lists(self):
        """Tens of thousands of cells in one page, with the connection kept for the next."""
        self.sign_in()
        self.sql('CREATE TABLE wide (id integer PRIMARY KEY, word text); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL '
                 "SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO wide SELECT i, 'word ' || i FROM n")
        page = self.browser.get(self.target(select='wide', limit='20000'))
        self.assert_status(page, 200)
        self.assertEqual(len(re.findall(r'<td[^>]*>word \d+', page.text)), 20000)
        self.assert_status(self.browser.get(self.target(select='wide')), 200)
