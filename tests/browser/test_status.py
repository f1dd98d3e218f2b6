"""fcgate's own pages in a browser: that of its status, on a phone and on a desk, with its style and without a script."""

import time
import unittest

import processes
import wire
from webdriver import Browser


class Status(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fcgate = cls.browser = None
        cls.addClassCleanup(cls.end)
        root = processes.new_folder('status')
        (root / 'index.html').write_text('hello')
        home = processes.new_folder('status-fcgate')
        port = processes.free_port()
        cls.fcgate = processes.Fcgate(home, '\n'.join([
            '[server]', f'listen = 127.0.0.1:{port}', 'status_path = /status',
            *([f'user = {processes.account().pw_name}'] if processes.is_root else []),
            '[backend]', f'address = unix:{home}/name-that-has-to-be-broken.sock',
            '[backend another-one]', f'address = 127.0.0.1:{processes.free_port()}',
            'address = [2001:db8:1234:5678:9abc:def0:1234:5678]:9000',
            'address = unix:/run/a-vendor/control-panel/backend/second.sock',
            '[site]', f'root = {root}', '']), port).start()
        cls.browser = Browser(processes.new_folder('browser')).start()

    @classmethod
    def end(cls):
        for process in (cls.browser, cls.fcgate):
            if process:
                process.end()

    @classmethod
    def logs(cls):
        return '\n'.join(f'  | fcgate: {line}' for line in cls.fcgate.log().splitlines()[-25:]) if cls.fcgate else ''

    def open(self, width, height, scheme='light', path='/status'):
        self.browser.devtools('Emulation.setEmulatedMedia', features=[{'name': 'prefers-color-scheme', 'value': scheme}])
        self.browser.devtools('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1,
                              mobile=width < 600)
        self.browser.open(f'http://127.0.0.1:{self.fcgate.port}{path}')

    def test_fits_every_screen(self):
        for _ in range(3):
            wire.ask(self.fcgate.port, 'GET', '/')
        for width, height in ((320, 640), (390, 844), (1280, 800)):
            with self.subTest(width=width):
                self.browser.console()
                self.open(width, height)
                wide = self.browser.script('return document.documentElement.scrollWidth')
                self.assertLessEqual(wide, width, 'it has to be pushed sideways')
                # The policy lets its style in, and there is nothing else to complain about.
                self.assertEqual(self.browser.script('return getComputedStyle(document.querySelector("meter")).width') == '0px', False)
                self.assertNotEqual(self.browser.script('return getComputedStyle(document.querySelector("section")).borderRadius'), '0px')
                self.assertEqual(self.browser.console(), [])
                # Long addresses are broken, figures are not, and nothing lies over its neighbour.
                self.assertEqual(self.browser.script('''
                    return [...document.querySelectorAll("section *")].filter((one) => {
                        const content = document.createRange();
                        content.selectNodeContents(one);
                        return content.getBoundingClientRect().right > one.closest("section").getBoundingClientRect().right
                            || one.matches("td") && content.getClientRects().length > 1;
                    }).map((one) => one.textContent)'''), [])
                self.assertEqual(self.browser.script('return document.querySelectorAll("section").length'), 9)
                # What stands below the longest column keeps away from it.
                gap = self.browser.script('''
                    const ends = [...document.querySelectorAll("section")].map((one) => one.getBoundingClientRect().bottom);
                    return document.querySelector("main + p").getBoundingClientRect().top - Math.max(...ends)''')
                self.assertGreaterEqual(gap, 6)

    def test_light_and_dark(self):
        colours = set()
        for scheme in ('light', 'dark'):
            self.open(390, 844, scheme)
            colours.add(self.browser.script('return getComputedStyle(document.querySelector("section")).backgroundColor'))
        self.assertEqual(len(colours), 2)

    def test_numbers_for_people(self):
        wire.ask(self.fcgate.port, 'GET', '/nothing')
        self.open(1280, 800)
        text = self.browser.script('return document.body.innerText')
        for part in ('a second in the last minute', 'of 8 in use; waiting: 0', '404 Not Found', 'Backend another-one', 'Places in use'):
            self.assertIn(part, text)

    def test_page_renews_itself_until_it_is_told_not_to(self):
        loaded = 'return performance.timeOrigin'
        self.open(1280, 800)
        first = self.browser.script(loaded)
        self.browser.wait_for(f'{loaded} !== arguments[0]', first)
        self.browser.script('document.querySelector(\'a[href="?html"]\').click()')
        self.browser.wait_for('return location.search === "?html" && document.readyState === "complete"')
        self.browser.press_tab()
        self.browser.press_tab()
        still = self.browser.script(loaded)
        time.sleep(6)
        self.assertEqual(self.browser.script(loaded), still)
        self.assertEqual(self.browser.script('return document.activeElement.innerText'), 'not at all')

    def test_link_of_an_error_page_is_high_enough_for_a_finger(self):
        self.open(390, 844, path='/nothing')
        self.assertEqual(self.browser.text('h1'), 'There is nothing at this address.')
        self.assertGreaterEqual(self.browser.script('return document.querySelector("a").getBoundingClientRect().height'), 40)

    def test_figures_have_names(self):
        self.open(1280, 800)
        self.assertEqual([self.label(one) for one in ('div section:first-child svg', 'div section:last-child svg')],
                         ['Requests in the last five minutes', 'Places in use in the last five minutes'])
        self.assertEqual([self.label(f'section:nth-of-type({number}) meter') for number in (1, 2, 6)],
                         ['Places in use', 'Places in use', 'Memory used'])
        self.assertEqual(self.browser.script('return document.querySelectorAll("td:empty").length'), 0)

    def label(self, selector):
        """As screen readers are told it."""
        return self.browser.ask('GET', f'{self.browser.session}/element/{self.browser.element(selector)}/computedlabel')
