"""A browser that is told what to do: chromium behind chromedriver, spoken to in WebDriver (https://www.w3.org/TR/webdriver2/)."""

import base64
import contextlib
import http.client
import json
import os
import shutil
import signal

import processes
from processes import wait_until

ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'  # the specification's key of a reference to an element
PATIENCE = 10.0

FLAGS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync', '--disable-default-apps', '--disable-extensions', '--disable-dev-shm-usage',
         '--no-default-browser-check', '--no-proxy-server', '--password-store=basic', '--window-size=1280,800']


class WebDriverError(AssertionError):
    """The driver's own words for what went wrong; `kind` is the specification's error code."""

    def __init__(self, kind, message):
        super().__init__(f'{kind}: {message.splitlines()[0] if message else ""}')
        self.kind = kind


def program(variable, names):
    for name in (os.environ.get(variable), *names):
        if name and shutil.which(name):
            return shutil.which(name)
    raise RuntimeError(f'there is no {names[0]}; say where it is: {variable}=...')


class Browser(processes.Process):
    """chromedriver and the one session in it. The process is chromedriver's; the browser's is ended with the session."""

    def __init__(self, folder):
        super().__init__('chromedriver', folder)
        self.folder = folder
        self.port = processes.free_port()
        self.connection = None
        self.session = None
        self.browser_pid = 0

    def start(self):
        home = self.folder / 'home'
        home.mkdir()
        # Nothing of this user's own configuration, and nothing left in its folders.
        environment = {'PATH': os.environ.get('PATH', ''), 'HOME': str(home), 'TMPDIR': str(home), 'LANG': 'C.UTF-8', 'TZ': 'UTC'}
        self.spawn([program('CHROMEDRIVER', ['chromedriver']), f'--port={self.port}', '--allowed-ips=127.0.0.1'],
                   env=environment, cwd=home)
        self.wait_for_accept(('127.0.0.1', self.port))
        self.connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        options = {'binary': program('CHROMIUM', ['chromium', 'chromium-browser', 'google-chrome']),
                   'args': [*FLAGS, f'--user-data-dir={self.folder}/profile'],
                   'perfLoggingPrefs': {'enableNetwork': True, 'enablePage': False}}
        created = self.ask('POST', '/session', {'capabilities': {'alwaysMatch': {
            'browserName': 'chrome', 'goog:chromeOptions': options,
            'goog:loggingPrefs': {'browser': 'ALL', 'performance': 'ALL'},
            'timeouts': {'script': 20000, 'pageLoad': 20000, 'implicit': 0}}}})
        self.session = f'/session/{created["sessionId"]}'
        self.version = created['capabilities'].get('browserVersion', '?')
        self.browser_pid = created['capabilities'].get('goog:processID', 0)
        return self

    def end(self):
        if self.session:
            with contextlib.suppress(OSError, WebDriverError, http.client.HTTPException):
                self.connection.timeout = 10
                self.ask('DELETE', self.session)
            self.session = None
        if self.browser_pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.browser_pid, signal.SIGKILL)
            self.browser_pid = 0
        super().end()

    def ask(self, method, path, body=None):
        text = None if method in ('GET', 'DELETE') else json.dumps(body or {})
        self.connection.request(method, path, text, {'Content-Type': 'application/json; charset=utf-8'})
        value = json.loads(self.connection.getresponse().read())['value']
        if isinstance(value, dict) and 'error' in value:
            raise WebDriverError(value['error'], value.get('message', ''))
        return value

    def command(self, path, **body):
        return self.ask('POST', self.session + path, body)

    # Pages and windows

    def open(self, url):
        self.command('/url', url=url)

    @property
    def url(self):
        return self.ask('GET', self.session + '/url')

    def reload(self):
        self.command('/refresh')

    @property
    def window(self):
        return self.ask('GET', self.session + '/window')

    @property
    def windows(self):
        return self.ask('GET', self.session + '/window/handles')

    def new_window(self):
        """A window of its own, not a tab: all windows are seen at once, of several tabs only one is."""
        handle = self.command('/window/new', type='window')['handle']
        self.switch(handle)
        return handle

    def switch(self, handle):
        self.command('/window', handle=handle)

    def only_window(self):
        """Back to one window, whatever a case has left."""
        first, *others = self.windows
        for handle in others:
            self.switch(handle)
            self.ask('DELETE', self.session + '/window')
        self.switch(first)

    def forget_everything_of(self, origin):
        """Cookies and what its scripts have kept."""
        self.devtools('Network.clearBrowserCookies')
        self.devtools('Storage.clearDataForOrigin', origin=origin, storageTypes='all')

    def devtools(self, method, **parameters):
        return self.command('/goog/cdp/execute', cmd=method, params=parameters)

    # What is in a page

    def script(self, text, *arguments):
        """What it returns; a promise is waited for."""
        return self.command('/execute/sync', script=text, args=list(arguments))

    def element(self, selector):
        return self.command('/element', using='css selector', value=selector)[ELEMENT]

    def click(self, selector):
        self.command(f'/element/{self.element(selector)}/click')

    def type(self, selector, text):
        """In place of what stands there."""
        element = self.element(selector)
        self.command(f'/element/{element}/clear')
        self.command(f'/element/{element}/value', text=text)

    def press_tab(self, back=False):
        for kind in ('rawKeyDown', 'keyUp'):
            self.devtools('Input.dispatchKeyEvent', type=kind, key='Tab', code='Tab', windowsVirtualKeyCode=9, modifiers=8 if back else 0)

    def choose_file(self, selector, path):
        self.command(f'/element/{self.element(selector)}/value', text=str(path))

    def text(self, selector):
        """As it is seen; None when there is no such element."""
        return self.script('return document.querySelector(arguments[0])?.innerText ?? null', selector)

    def texts(self, selector):
        return self.script('return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText)', selector)

    def is_shown(self, selector):
        return self.script('return document.querySelector(arguments[0])?.checkVisibility() ?? false', selector)

    def wait_for(self, script, *arguments, seconds=PATIENCE):
        """Until the script's value is true; returns it. The page may be changing meanwhile."""
        def value():
            with contextlib.suppress(WebDriverError):
                return self.script(script, *arguments)
            return None
        try:
            return wait_until(value, script, seconds)
        except processes.NotReady:
            raise processes.NotReady(f'after {seconds:g} s: {script} {arguments}\nat {self.url}:\n{self.text("body")}') from None

    def wait_for_text(self, selector, words, seconds=PATIENCE):
        return self.wait_for('const text = document.querySelector(arguments[0])?.innerText; return text?.includes(arguments[1]) && text',
                             selector, words, seconds=seconds)

    def wait_for_path(self, path, seconds=PATIENCE):
        """Until the page at this path is there, script and all."""
        self.wait_for('return location.pathname === arguments[0] && document.readyState === "complete"', path, seconds=seconds)

    def screenshot(self):
        return base64.b64decode(self.ask('GET', self.session + '/screenshot'))

    # What the browser noted since it was last asked

    def console(self):
        return self.command('/se/log', type='browser')

    def network(self):
        """(method, parameters) of the protocol's network events, oldest first."""
        messages = (json.loads(entry['message'])['message'] for entry in self.command('/se/log', type='performance'))
        return [(message['method'], message['params']) for message in messages]
