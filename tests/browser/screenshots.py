"""A picture of every page, for a phone and a desk, light and dark: to be looked at, nothing is compared."""

import os
import time

import processes
import wire
from served import Device
from webdriver import Browser

SIZES = [(390, 844), (1280, 800)]
SCHEMES = ['dark', 'light']
WATCH = 24  # seconds the dashboard is open before its picture is taken, for its curves


class Album:
    def __init__(self, browser, origin, folder):
        self.browser = browser
        self.origin = origin
        self.folder = folder
        self.count = 0

    def go(self, path):
        self.browser.open(self.origin + path)

    def take(self, name, prepare=None):
        """The page as it is now, in every size and scheme; where it is longer than the screen, the whole of it too."""
        for width, height in SIZES:
            for scheme in SCHEMES:
                self.browser.devtools('Emulation.setEmulatedMedia', features=[
                    {'name': 'prefers-color-scheme', 'value': scheme}, {'name': 'prefers-reduced-motion', 'value': 'reduce'}])
                self.resize(width, height)
                if prepare:
                    prepare()
                self.save(f'{name}-{width}x{height}-{scheme}')
                whole = self.browser.script('return Math.ceil(document.documentElement.scrollHeight)')
                if whole > height + 4:
                    self.resize(width, whole)
                    self.save(f'{name}-{width}x{height}-{scheme}-whole')
                wide = self.browser.script('return document.documentElement.scrollWidth')
                if wide > width:
                    print(f'{name}: {wide} pixels wide at {width}', flush=True)

    def resize(self, width, height):
        self.browser.devtools('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        # Two frames: the first lays the page out, the second has painted it.
        self.browser.script('return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))')

    def save(self, name):
        (self.folder / f'{name}.png').write_bytes(self.browser.screenshot())
        self.count += 1


def sign_in(browser, password='fcgate'):
    browser.type('#user', 'admin')
    browser.type('#password', password)
    browser.click('button[type=submit]')


def upload(album, device, name, size):
    path = device.folder / name
    path.write_bytes(os.urandom(size))
    album.browser.choose_file('#image', path)
    album.browser.wait_for('return document.querySelector("#job").dataset.state !== "sending"')
    album.browser.wait_for('return document.querySelector(".image.fresh, #job[data-state=failed]") !== null')


def take_panel(album, device):
    browser = album.browser
    album.go('/login')
    album.take('login')
    sign_in(browser, 'wrong')
    browser.wait_for_text('.notice', 'wrong')
    album.take('login-wrong')
    sign_in(browser)
    browser.wait_for_path('/')
    begun = time.monotonic()
    dashboard = browser.window

    browser.new_window()
    album.go('/settings')
    browser.type('#name', 'hall gateway')
    browser.type('#dns1', '192.0.2.300')
    browser.type('#note', 'In the hall, behind the fuse box. Ask Kim for the key.')
    browser.click('form[action="/settings"] button.primary')
    browser.wait_for_text('.notice.bad', 'marked')
    album.take('settings-refused')
    browser.type('#name', 'hall-gateway')
    browser.type('#dns1', '2001:db8::53')
    browser.click('form[action="/settings"] button.primary')
    browser.wait_for_text('.notice.good', 'saved')
    album.take('settings')

    album.go('/firmware')
    album.take('firmware-empty')
    upload(album, device, 'gateway-1.4.2-armv7.bin', 5 << 20)
    upload(album, device, 'gateway-1.5.0-release-candidate-with-a-rather-long-name-armv7-cortexa7.bin', (3 << 20) + 17)
    album.take('firmware')
    browser.click('#images .danger')
    album.take('firmware-delete')
    browser.click('#confirm [value=no]')
    upload(album, device, 'too-large.bin', (8 << 20) + 1)
    album.take('firmware-refused')

    album.go('/log')
    browser.wait_for('return document.querySelector("#live").dataset.state === "live"')
    album.take('log')
    browser.type('#filter', 'no such line')
    album.take('log-filtered')
    album.go('/nowhere')
    album.take('not-found')
    browser.only_window()

    browser.switch(dashboard)
    processes.wait_until(lambda: time.monotonic() - begun > WATCH, 'the dashboard has been watched', WATCH + 10)
    album.go('/')  # under the new name; the curves are kept
    browser.wait_for('return document.querySelector("#live").dataset.state === "live"')
    album.take('dashboard')
    device.child.terminate()
    device.wait()
    browser.wait_for('return document.querySelector("#live").dataset.state === "lost"')
    album.take('dashboard-lost')


def take_status_pages(browser, folder):
    """fcgate's own pages: where no panel is there to answer, PHP is away, or all of it is taken."""
    root = processes.new_folder('bare')
    (root / 'index.php').write_text('<?php exit;')
    (root / 'slow.php').write_text('<?php @ob_end_flush(); echo "."; flush(); sleep(60);')
    home = processes.new_folder('bare-fcgate')
    port = processes.free_port()
    fcgate = processes.Fcgate(home, '\n'.join([
        '[server]', f'listen = 127.0.0.1:{port}', f'runtime_dir = {home}/run',
        *([f'user = {processes.account().pw_name}'] if processes.is_root else []),
        '[backend]', 'address = spawn', 'workers = 1', 'queue = 0',
        '[backend away]', f'address = 127.0.0.1:{processes.free_port()}',
        '[site]', f'root = {root}', 'host = 127.0.0.1',
        '[site away]', f'root = {root}', 'host = localhost', 'backend = away', '']), port).start()
    album = Album(browser, f'http://127.0.0.1:{port}', folder)
    with wire.Client(port) as slow:
        slow.start('GET', '/slow.php')
        slow.socket.recv(1)
        for url in (album.origin + '/nothing.css', album.origin + '/', f'http://localhost:{port}/'):
            browser.open(url)
            album.take('fcgate-' + (browser.script('return document.title').split() or ['empty'])[0])
    fcgate.end()
    return album.count


def take(folder):
    folder.mkdir(parents=True, exist_ok=True)
    device = Device().start()
    browser = Browser(processes.new_folder('browser')).start()
    album = Album(browser, device.origin, folder)
    take_panel(album, device)
    count = album.count + take_status_pages(browser, folder)
    browser.end()
    print(f'{count} pictures in {folder}')
    return 0
