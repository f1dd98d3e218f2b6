"""Who asks: trusted proxies, and addresses that are let in."""

import wire
from cases import ServedCase
from test_variables import variables_of

PROXY, STRANGER = '127.0.0.2', '127.0.0.3'


class TrustedProxy(ServedCase):
    """127.0.0.2 is a proxy whose word counts."""

    site = (f'trusted_proxy = {PROXY} 10.0.0.0/8', 'deny = 198.51.100.66')
    forwarded = [('X-Forwarded-For', '6.6.6.6, 198.51.100.9, 10.1.1.1'), ('X-Forwarded-Proto', 'https')]

    def variables_from(self, source, fields, **options):
        return variables_of(wire.ask(self.port, 'GET', '/variables.php', fields, source=source, **options))

    def test_its_client_is_the_client(self):
        found = self.variables_from(PROXY, self.forwarded, host='panel.example')
        self.assertEqual(found['REMOTE_ADDR'], b'198.51.100.9')
        self.assertNotIn('REMOTE_PORT', found)
        self.assertEqual((found['HTTPS'], found['REQUEST_SCHEME'], found['SERVER_PORT']), (b'on', b'https', b'443'))
        self.assertEqual(found['HTTP_X_FORWARDED_FOR'], b'6.6.6.6, 198.51.100.9, 10.1.1.1')

    def test_port_is_the_one_its_client_sees(self):
        self.assertEqual(self.variables_from(PROXY, self.forwarded, host='panel.example:8443')['SERVER_PORT'], b'8443')

    def test_nobody_else_is_believed(self):
        for source in (STRANGER, '127.0.0.1'):
            found = self.variables_from(source, self.forwarded)
            self.assertEqual(found['REMOTE_ADDR'], source.encode())
            self.assertIn('REMOTE_PORT', found)
            self.assertNotIn('HTTPS', found)
            self.assertEqual((found['REQUEST_SCHEME'], found['SERVER_PORT']), (b'http', str(self.port).encode()))
            self.assertFalse([name for name in found if name.startswith('HTTP_X_FORWARDED')])

    def test_next_request_of_the_connection_is_asked_anew(self):
        with wire.Client(self.port, source=PROXY) as client:
            for address in (b'198.51.100.1', b'2001:db8::7'):
                found = variables_of(client.ask('GET', '/variables.php', [('X-Forwarded-For', address.decode())]))
                self.assertEqual(found['REMOTE_ADDR'], address)
            self.assertEqual(variables_of(client.ask('GET', '/variables.php'))['REMOTE_ADDR'], PROXY.encode())

    def test_rules_and_log_are_about_its_client(self):
        since = self.log_size()
        fields = [('X-Forwarded-For', '198.51.100.66')]
        self.assert_status(wire.ask(self.port, 'GET', '/hello.php', fields, source=PROXY), 403)
        self.fcgate.wait_for_log(r'198\.51\.100\.66: GET /hello\.php: 403: this address is not let in', since=since)
        self.assert_status(wire.ask(self.port, 'GET', '/hello.php', fields, source=STRANGER), 200)

    def test_body_of_a_proxied_request(self):
        response = wire.ask(self.port, 'POST', '/variables.php', self.forwarded, body=b'x' * 300_000, source=PROXY)
        self.assertEqual(variables_of(response)['REMOTE_ADDR'], b'198.51.100.9')


class LetIn(ServedCase):
    """The first rule that names the address decides."""

    with_php = False
    site = ('deny = 127.0.0.3', 'allow = 127.0.0.0/30')

    def test_first_match_decides(self):
        for source, status in (('127.0.0.1', 200), ('127.0.0.2', 200), ('127.0.0.3', 403), ('127.0.0.4', 403)):
            for target in ('/files/plain.txt', '/files/none.txt', '/files'):
                with self.subTest(source=source, target=target):
                    expected = {'/files/none.txt': 404, '/files': 308}.get(target, 200) if status == 200 else status
                    self.assert_status(wire.ask(self.port, 'GET', target, source=source), expected)

    def test_forwarded_addresses_are_not_believed(self):
        fields = [('X-Forwarded-For', '127.0.0.1'), ('X-Real-IP', '127.0.0.1')]
        self.assert_status(wire.ask(self.port, 'GET', '/files/plain.txt', fields, source='127.0.0.4'), 403)

    def test_refusal_leaves_the_connection_open(self):
        with wire.Client(self.port, source='127.0.0.4') as client:
            self.assert_status(client.ask('GET', '/files/plain.txt'), 403)
            self.assert_status(client.ask('GET', '/files/plain.txt'), 403)
