"""What the cases stand on: one fcgate that starts PHP itself, and one browser, for all cases of a class."""

import pathlib
import re
import shutil
import unittest

import processes
from webdriver import Browser

panel = pathlib.Path(__file__).resolve().parents[2] / 'examples' / 'panel'


class Device(processes.Fcgate):
    """The panel as a device would have it: a copy of it, its state, and fcgate."""

    def __init__(self, workers=2, max_body='8m'):
        folder = processes.new_folder('device')
        shutil.copytree(panel, folder / 'panel')
        self.state = folder / 'state'
        self.state.mkdir(0o700)
        processes.give(self.state)
        (folder / 'run').mkdir()
        port = processes.free_port()
        super().__init__(folder, '\n'.join([
            '[server]', f'listen = 127.0.0.1:{port}', f'runtime_dir = {folder}/run',
            *([f'user = {processes.account().pw_name}'] if processes.is_root else []),
            '[backend]', 'address = spawn', f'workers = {workers}',
            '[site]', f'root = {folder}/panel/public', 'front_controller = /index.php', f'max_body = {max_body}',
            f'param = PANEL_STATE {self.state}', '']), port)
        self.folder = folder

    @property
    def origin(self):
        return f'http://127.0.0.1:{self.port}'


class PanelCase(unittest.TestCase):
    """Each case begins signed out in the only window, and must leave no message in the browser's console."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.device = cls.browser = None
        cls.addClassCleanup(cls.end)
        cls.device = Device().start()
        cls.browser = Browser(processes.new_folder('browser')).start()

    @classmethod
    def end(cls):
        """The daemon has to go when it is asked to, with status 0: a crash in a case before shows here."""
        try:
            if cls.browser:
                cls.browser.end()
            if cls.device and cls.device.child:
                cls.device.child.terminate()
                status = cls.device.wait()
                if status != 0:
                    raise AssertionError(f'fcgate has ended with status {status}:\n{cls.device.log()}')
        finally:
            if cls.device:
                cls.device.end()

    @classmethod
    def logs(cls):
        return '\n'.join(f'  | fcgate: {line}' for line in cls.device.log().splitlines()[-25:]) if cls.device else ''

    def setUp(self):
        self.expected = []
        self.browser.only_window()
        self.browser.open('about:blank')
        self.browser.forget_everything_of(self.device.origin)
        self.browser.console()

    def tearDown(self):
        self.assert_console_is_clean()

    def expect_in_console(self, pattern):
        """The browser notes every answer above 399. A case names those it provokes."""
        self.expected.append(re.compile(pattern))

    def assert_console_is_clean(self):
        messages = [f'{entry["level"]} {entry["source"]}: {entry["message"]}' for entry in self.browser.console()]
        self.assertEqual([message for message in messages if not any(one.search(message) for one in self.expected)], [])

    def go(self, path):
        self.browser.open(self.device.origin + path)

    def resize(self, width, height):
        """Until the case ends."""
        self.browser.devtools('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.addCleanup(self.browser.devtools, 'Emulation.clearDeviceMetricsOverride')

    def sign_in(self, password='fcgate', path='/'):
        self.go('/login' if path == '/' else path)
        self.fill_in_sign_in(password)
        self.browser.wait_for_path(path)

    def fill_in_sign_in(self, password):
        self.browser.type('#user', 'admin')
        self.browser.type('#password', password)
        self.browser.click('button[type=submit]')

    def wait_for_state(self, state, seconds=10.0):
        """What the pill at the head of a live page says: live, poll, lost or wait."""
        self.browser.wait_for('return document.querySelector("#live")?.dataset.state === arguments[0]', state, seconds=seconds)
