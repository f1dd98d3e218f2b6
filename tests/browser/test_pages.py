"""The panel's pages, used as a person would."""

import hashlib
import os

from served import PanelCase


class SignIn(PanelCase):
    def test_wrong_password_then_the_right_one(self):
        self.expect_in_console(r'/login .* 403 ')
        self.go('/settings')
        self.browser.wait_for_path('/login')
        self.fill_in_sign_in('wrong')
        self.browser.wait_for_text('.notice.bad', 'User name or password is wrong.')
        self.assertEqual(self.browser.script('return document.querySelector("#user").value'), 'admin')
        self.assertEqual(self.browser.script('return document.querySelector("#password").value'), '')
        self.fill_in_sign_in('fcgate')
        self.browser.wait_for_path('/settings')

    def test_password_can_be_looked_at(self):
        self.go('/login')
        self.browser.type('#password', 'fcgate')
        for kind in ('text', 'password'):
            self.browser.click('[data-reveal]')
            self.assertEqual(self.browser.script('return document.querySelector("#password").type'), kind)

    def test_sign_out_ends_the_other_windows_session_too(self):
        self.expect_in_console(r'/api/status .* 401 ')
        self.sign_in()
        first = self.browser.window
        self.wait_for_state('live')
        self.browser.new_window()
        self.go('/log')
        self.browser.click('.sign-out button')
        self.browser.wait_for_path('/login')
        self.assertIn('You are signed out.', self.browser.text('.notice'))
        self.go('/settings')
        self.browser.wait_for_path('/login')
        # The dashboard learns it with its next question.
        self.browser.switch(first)
        self.browser.wait_for_path('/login')

    def test_page_that_is_not_there(self):
        self.expect_in_console(r'/nowhere .* 404 ')
        self.go('/nowhere')
        self.assertEqual(self.browser.text('h1'), 'Nothing here')
        self.browser.click('.lost a')
        self.browser.wait_for_path('/login')


class Dashboard(PanelCase):
    def test_figures_change_without_a_reload(self):
        self.sign_in()
        self.wait_for_state('live')
        self.browser.script('window.same_page = true')
        shown = {name: self.browser.text(f'[data-f={name}]') for name in ('time', 'uptime')}
        for name, text in shown.items():
            self.browser.wait_for('return document.querySelector(arguments[0]).innerText !== arguments[1]', f'[data-f={name}]', text)
            self.assertGreater(self.browser.text(f'[data-f={name}]'), text)
        self.browser.wait_for('''return performance.getEntriesByType("resource").filter((one) =>
            one.initiatorType === "fetch" && one.name.endsWith("/api/status") && one.responseStatus === 200).length >= 3''')
        self.assertTrue(self.browser.script('return window.same_page'))
        self.assertEqual(self.browser.script('return document.querySelectorAll("#spark-net path").length'), 3)

    def test_device_that_goes_away_and_comes_back(self):
        self.expect_in_console(r'/api/status .*ERR_CONNECTION_(REFUSED|RESET)|ERR_EMPTY_RESPONSE')
        self.sign_in()
        self.wait_for_state('live')
        self.browser.script('window.same_page = true')
        self.addCleanup(lambda: self.device.is_alive() or self.device.start())
        self.device.child.terminate()
        self.assertEqual(self.device.wait(), 0)
        self.wait_for_state('lost')
        self.device.start()
        self.wait_for_state('live')
        self.assertTrue(self.browser.script('return window.same_page'))


    def test_storage_that_fills_up_is_told_to_everybody(self):
        self.sign_in()
        self.wait_for_state('live')
        self.browser.script('''
            const ask = window.fetch;
            window.fetch = async (...what) => {
                const status = await (await ask(...what)).json();
                status.storage[0].used = 0.955 * status.storage[0].total;
                return new Response(JSON.stringify(status));
            };''')
        self.browser.wait_for('''
            const meter = document.querySelector(".storage .meter");
            return meter.getAttribute("aria-label") === "95.5 % used" && meter.classList.contains("full")
                && meter.querySelector(".meter-value").getAttribute("width") === "95.5%"''')

    def test_lost_device_remains_readable(self):
        self.expect_in_console(r'/api/status .*ERR_INTERNET_DISCONNECTED')
        self.sign_in()
        self.wait_for_state('live')
        self.resize(390, 844)
        head = '''
            document.querySelector("h1").textContent = "gateway-in-the-hall-behind-the-fuse-box-of-the-second-floor";
            const [name, pill] = ["h1", "#live"].map((one) => document.querySelector(one).getBoundingClientRect());
            return [name.height / parseFloat(getComputedStyle(document.querySelector("h1")).lineHeight), pill.right]'''
        beside = self.browser.script(head)
        self.browser.command('/chromium/network_conditions', network_conditions={
            'offline': True, 'latency': 0, 'download_throughput': 0, 'upload_throughput': 0})
        self.addCleanup(lambda: self.browser.ask('DELETE', self.browser.session + '/chromium/network_conditions'))
        self.wait_for_state('lost')
        for lines, end in (beside, self.browser.script(head)):
            self.assertLess(lines, 4.5, 'the name is squeezed')
            self.assertLess(end, 390)
        for figure in self.browser.script('''
                const shown = (one) => one === null ? 1 : getComputedStyle(one).opacity * shown(one.parentElement);
                return [...document.querySelectorAll(".vitals :is(h2, p, span)")].map(shown)'''):
            self.assertEqual(figure, 1)


class Settings(PanelCase):
    def field_error(self, field):
        """The message in the same field as the input, as the input names it to screen readers."""
        return self.browser.script('''
            const input = document.querySelector(arguments[0]);
            const error = input.closest(".field").querySelector(".field-error");
            return error && input.getAttribute("aria-invalid") === "true"
                && input.getAttribute("aria-describedby")?.split(" ").includes(error.id) ? error.innerText.trim() : null''', field)

    def test_refused_fields_are_marked_and_then_saved(self):
        self.expect_in_console(r'/settings .* 422 ')
        self.sign_in(path='/settings')
        self.browser.type('#name', 'not a name')
        self.browser.type('#dns1', '192.0.2.300')
        self.browser.type('#note', 'In the hall')
        self.browser.click('form[action="/settings"] button.primary')
        self.browser.wait_for_text('.notice.bad', 'the 2 marked fields')
        self.assertIn('Letters, digits and hyphens only', self.field_error('#name'))
        self.assertEqual(self.field_error('#dns1'), 'This is not an IPv4 or IPv6 address.')
        self.assertIsNone(self.field_error('#note'))
        # What was typed is still there, and the first wrong field is ready to be mended.
        self.assertEqual(self.browser.script('return document.querySelector("#note").value'), 'In the hall')
        self.assertEqual(self.browser.script('return document.activeElement.id'), 'name')
        self.browser.type('#name', 'hall-gateway')
        self.browser.type('#dns1', '2001:db8::53')
        self.browser.click('form[action="/settings"] button.primary')
        self.browser.wait_for_text('.notice.good', 'Settings saved.')
        self.assertEqual(self.browser.text('.brand'), 'hall-gateway')
        self.browser.reload()
        self.assertIsNone(self.browser.text('.notice'))
        self.assertEqual(self.browser.script('return [...document.querySelectorAll("#name, #dns1, #note")].map((one) => one.value)'),
                         ['hall-gateway', 'In the hall', '2001:db8::53'])

    def test_new_passwords_that_differ(self):
        self.expect_in_console(r'/settings/password .* 422 ')
        self.sign_in(path='/settings')
        for field, text in (('#old', 'fcgate'), ('#new', 'long enough'), ('#repeat', 'not the same')):
            self.browser.type(field, text)
        self.browser.click('form[action="/settings/password"] button')
        self.browser.wait_for_text('.notice.bad', 'the marked field')
        self.assertEqual(self.field_error('#repeat'), 'The two new passwords differ.')


class Keyboard(PanelCase):
    def test_what_has_the_focus_is_never_behind_the_bars(self):
        self.sign_in(path='/settings')
        for width, height, path in ((390, 844, '/settings'), (390, 844, '/firmware'), (1280, 500, '/settings')):
            self.resize(width, height)
            self.go(path)
            seen = set()
            for back in (False, True):
                for _ in range(20):
                    self.browser.press_tab(back)
                    name, is_free = self.browser.script('''
                        const one = document.activeElement;
                        const box = one.getBoundingClientRect();
                        const bar = document.querySelector(".bar").getBoundingClientRect();
                        const tabs = document.querySelector(".tabs").getBoundingClientRect();
                        const end = tabs.top > innerHeight / 2 ? tabs.top : innerHeight;
                        const is_bar = one === document.body || one.closest(".bar, .skip") !== null;
                        return [one.id || one.innerText.trim(), is_bar || box.top >= bar.bottom && box.bottom <= end]''')
                    seen.add(name)
                    self.assertTrue(is_free, f'{name[:40]} of {path} at {width}')
            self.assertGreaterEqual(len(seen), 8)


class Firmware(PanelCase):
    def image(self, size):
        path = self.device.folder / f'router-{size}.bin'
        path.write_bytes(os.urandom(size))
        return path

    def test_upload_shows_its_progress_and_the_sum(self):
        self.sign_in(path='/firmware')
        self.assertEqual(self.browser.text('#images .muted'), 'None yet.')
        image = self.image(3 << 20)
        # Every figure the bar shows on the way, in a network slow enough that there is a way.
        self.browser.script('''
            const bar = document.querySelector("#job-progress");
            window.seen = [];
            new MutationObserver(() => { if (bar.hasAttribute("value")) window.seen.push(bar.value); })
                .observe(bar, { attributes: true });''')
        slow = {'offline': False, 'latency': 0, 'download_throughput': 64 << 20, 'upload_throughput': 3 << 20}
        self.browser.command('/chromium/network_conditions', network_conditions=slow)
        self.addCleanup(lambda: self.browser.ask('DELETE', self.browser.session + '/chromium/network_conditions'))
        self.browser.choose_file('#image', image)
        self.browser.wait_for('return document.querySelector("#job").dataset.state === "done"', seconds=20)
        self.assertIn('SHA-256 matches this browser\'s', self.browser.text('#job-text'))
        between = [value for value in self.browser.script('return window.seen') if 0 < value < 1]
        self.assertGreaterEqual(len(between), 3)
        self.assertEqual(between, sorted(between))
        # The list is taken anew without a reload.
        self.browser.wait_for_text('#images code', hashlib.sha256(image.read_bytes()).hexdigest())
        self.assertEqual(self.browser.texts('#images strong'), [image.name])
        stored = [path for path in (self.device.state / 'firmware').iterdir() if path.suffix == '.bin']
        self.assertEqual([path.read_bytes() for path in stored], [image.read_bytes()])

        self.browser.click('#images .danger')
        self.browser.wait_for_text('#confirm', f'Delete {image.name}?')
        self.browser.click('#confirm [value=no]')
        self.assertFalse(self.browser.is_shown('#confirm'))
        self.browser.click('#images .danger')
        self.browser.click('#confirm-yes')
        self.browser.wait_for_text('.notice', f'{image.name} deleted.')
        self.assertEqual(self.browser.texts('#images strong'), [])

    def test_image_beyond_the_limit_is_not_sent(self):
        self.sign_in(path='/firmware')
        self.browser.choose_file('#image', self.image((8 << 20) + 1))
        self.browser.wait_for_text('#job-text', 'Too large: this device takes up to 8.0 MiB.')
        self.assertEqual(self.browser.script('return document.querySelector("#job").dataset.state'), 'failed')
        self.browser.click('#job-stop')
        self.assertFalse(self.browser.is_shown('#job'))
