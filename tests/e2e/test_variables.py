"""What PHP finds in $_SERVER, byte for byte."""

import base64
import json

import wire
from cases import EVERY_POOL, ServedCase


def variables_of(response):
    pairs = [line.split(b' ') for line in response.body.splitlines()]
    return {base64.b64decode(name).decode(): base64.b64decode(value) for name, value in pairs}


class VariablesCase(ServedCase):
    def variables(self, target, fields=(), method='GET', body=None, host=None):
        response = wire.ask(self.port, method, target, fields, body, host)
        self.assert_status(response, 200)
        return variables_of(response)

    def assert_variables(self, found, expected):
        self.assertEqual({name: found.get(name) for name in expected}, expected)


class Variables(VariablesCase):
    pools = EVERY_POOL

    def test_script_and_server_are_described(self):
        root = str(self.root).encode()
        with wire.Client(self.port) as client:
            found = variables_of(client.ask('GET', '/variables.php?a=1'))
            client_port = str(client.local()[1]).encode()
        self.assert_variables(found, {
            'GATEWAY_INTERFACE': b'CGI/1.1',
            'SERVER_PROTOCOL': b'HTTP/1.1',
            'REQUEST_METHOD': b'GET',
            'REQUEST_SCHEME': b'http',
            'REDIRECT_STATUS': b'200',
            'REQUEST_URI': b'/variables.php?a=1',
            'QUERY_STRING': b'a=1',
            'SCRIPT_NAME': b'/variables.php',
            'SCRIPT_FILENAME': root + b'/variables.php',
            'DOCUMENT_ROOT': root,
            'DOCUMENT_URI': b'/variables.php',
            'REMOTE_ADDR': b'127.0.0.1',
            'REMOTE_PORT': client_port,
            'SERVER_ADDR': b'127.0.0.1',
            'SERVER_PORT': str(self.port).encode(),
            'SERVER_NAME': b'127.0.0.1',
            'HTTP_HOST': b'127.0.0.1:%d' % self.port,
            'PATH_INFO': None,
            'CONTENT_LENGTH': None,
            'CONTENT_TYPE': None,
            'HTTPS': None,
        })
        self.assertRegex(found['SERVER_SOFTWARE'], rb'^fcgate/\d+\.\d+\.\d+$')

    def test_request_uri_and_query_string_are_raw(self):
        for query in (b'', b'?', b'?a=b', b'?a=1?b=2', b'??', b'?a=%20+%C3%A4&b[]=%5B%5d&c', b'?%zz%',
                      b'?x="<>|^`{}\\', b'?a=;b,c:d@e/f/../g', b"?quote='&&==&", b'?' + b'q' * 4000):
            with self.subTest(query=query[:40]):
                found = self.variables((b'/variables.php' + query).decode('latin-1'))
                self.assert_variables(found, {
                    'REQUEST_URI': b'/variables.php' + query,
                    'QUERY_STRING': query[1:],
                    'SCRIPT_NAME': b'/variables.php',
                    'PATH_INFO': None,
                })

    def test_path_is_decoded_for_the_script_and_raw_in_the_uri(self):
        found = self.variables('/%76ariables.php/pa%20th/%C3%A4/x?y=%20')
        self.assert_variables(found, {
            'REQUEST_URI': b'/%76ariables.php/pa%20th/%C3%A4/x?y=%20',
            'SCRIPT_NAME': b'/variables.php',
            'PATH_INFO': b'/pa th/\xc3\xa4/x',
            'PATH_TRANSLATED': str(self.root).encode() + b'/pa th/\xc3\xa4/x',
            'SCRIPT_FILENAME': str(self.root).encode() + b'/variables.php',
            'QUERY_STRING': b'y=%20',
        })

    def test_path_info_of_a_slash_alone(self):
        self.assert_variables(self.variables('/variables.php/'), {'SCRIPT_NAME': b'/variables.php', 'PATH_INFO': b'/'})
        self.assert_variables(self.variables('/variables.php/.NET/README~1.md'),
                              {'SCRIPT_NAME': b'/variables.php', 'PATH_INFO': b'/.NET/README~1.md'})

    def test_absolute_target_counts_as_its_path(self):
        found = self.variables(f'http://127.0.0.1:{self.port}/variables.php?absolute=1')
        self.assert_variables(found, {'REQUEST_URI': b'/variables.php?absolute=1', 'QUERY_STRING': b'absolute=1'})

    def test_header_fields_become_variables(self):
        found = self.variables('/variables.php', [
            ('Accept', 'text/html;q=0.9, */*'), ('X-Custom-Name', '  spaces inside  stay '), ('User-Agent', 'caf\xe9/1.0'),
            ('X-Twice', 'one'), ('X-Twice', 'two'), ('x-twice', 'three'), ('Cookie', 'a=1'), ('Cookie', 'b=2'),
            ('Authorization', 'Bearer abc.def'), ('Content-Type', 'text/x-empty')])
        self.assert_variables(found, {
            'HTTP_ACCEPT': b'text/html;q=0.9, */*',
            'HTTP_X_CUSTOM_NAME': b'spaces inside  stay',
            'HTTP_USER_AGENT': b'caf\xe9/1.0',
            'HTTP_X_TWICE': b'one, two, three',
            'HTTP_COOKIE': b'a=1; b=2',
            'HTTP_AUTHORIZATION': b'Bearer abc.def',
            'CONTENT_TYPE': b'text/x-empty',
            'HTTP_CONTENT_TYPE': None,
        })

    def test_header_fields_that_could_deceive_are_left_out(self):
        found = self.variables('/variables.php', [
            ('Proxy', 'http://evil:1'), ('Connection', 'keep-alive'), ('Keep-Alive', '5'), ('TE', 'trailers'),
            ('X_Under_Score', 'x'), ('Redirect-Status', '1'), ('Upgrade', 'websocket')])
        for name in ('HTTP_PROXY', 'HTTP_CONNECTION', 'HTTP_KEEP_ALIVE', 'HTTP_TE', 'HTTP_X_UNDER_SCORE',
                     'HTTP_REDIRECT_STATUS', 'HTTP_UPGRADE'):
            self.assertNotIn(name, found)

    def test_no_client_sets_values_of_php(self):
        """PHP_VALUE and PHP_ADMIN_VALUE, as variables of FastCGI, change PHP's configuration."""
        setting = 'auto_prepend_file=/etc/hostname'
        fields = [(name, setting) for name in ('PHP_VALUE', 'PHP-VALUE', 'Php.Value', 'PHP_ADMIN_VALUE', 'PHP-ADMIN-VALUE')]
        found = self.variables('/variables.php?PHP_VALUE=auto_prepend_file=/etc/hostname', fields)
        for name in ('PHP_VALUE', 'PHP_ADMIN_VALUE'):
            self.assertNotIn(name, found)
        self.assertEqual(found['HTTP_PHP_VALUE'], setting.encode())
        values = json.loads(self.get('/runtime.php?ini=auto_prepend_file', fields).body)['ini']
        self.assertEqual(values['auto_prepend_file'] or '', '')

    def test_basic_credentials_reach_the_script_and_say_nothing_else(self):
        found = self.variables('/variables.php', [('Authorization', 'Basic dXNlcjpwYXNz'), ('Remote-User', 'root'), ('Auth-Type', 'x')])
        self.assertEqual(found['HTTP_AUTHORIZATION'], b'Basic dXNlcjpwYXNz')
        for name in ('AUTH_TYPE', 'REMOTE_USER'):
            self.assertNotIn(name, found)

    def test_nothing_of_the_request_before_is_left(self):
        with wire.Client(self.port) as client:
            client.ask('POST', '/variables.php/info?secret=1', [('X-Secret', 'x'), ('Content-Type', 'a/b')], b'body')
            found = variables_of(client.ask('GET', '/variables.php'))
        for name in ('HTTP_X_SECRET', 'CONTENT_TYPE', 'CONTENT_LENGTH', 'PATH_INFO'):
            self.assertNotIn(name, found)
        self.assertEqual(found['QUERY_STRING'], b'')

    def test_methods_reach_the_script(self):
        for method in ('POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'):
            with self.subTest(method=method):
                found = self.variables('/variables.php', method=method, body=b'' if method == 'POST' else None)
                self.assertEqual(found['REQUEST_METHOD'], method.encode())

    def test_http_1_0_is_told_and_closed(self):
        with wire.Client(self.port) as client:
            client.send(b'GET /variables.php HTTP/1.0\r\n\r\n')
            response = client.response()
            client.expect_end()
        found = variables_of(response)
        self.assertEqual(found['SERVER_PROTOCOL'], b'HTTP/1.0')
        self.assertNotIn('HTTP_HOST', found)
        self.assertIsNone(response.field('Transfer-Encoding'))


# As long as policies get: two kibibytes.
POLICY = "default-src 'self'; img-src " + ' '.join(f'https://cdn{number:03}.example' for number in range(91)) + '; object-src *'


class FrontController(VariablesCase):
    """Applications with routes of their own, and parameters of the configuration."""

    site = ('front_controller = /front.php', 'param = APP_ENV e2e "quoted" value', 'param = SERVER_SOFTWARE mine',
            'header = X-Site from the configuration', 'header = X-Frame-Options DENY',
            f'header = Content-Security-Policy {POLICY}')
    server = ('status_path = /status',)

    def test_front_controller_gets_path_and_query(self):
        found = self.variables('/no/such/page?id=7&x=%2F')
        self.assert_variables(found, {
            'REQUEST_URI': b'/no/such/page?id=7&x=%2F',
            'QUERY_STRING': b'id=7&x=%2F',
            'SCRIPT_NAME': b'/front.php',
            'SCRIPT_FILENAME': str(self.root).encode() + b'/front.php',
        })

    def test_files_and_scripts_come_first(self):
        self.assertEqual(self.get('/files/plain.txt').body, b'plain text\n')
        self.assertEqual(self.get('/hello.php').body, b'Hello, world\n')

    def test_folder_without_index_is_for_the_front_controller(self):
        self.assert_variables(self.variables('/files/?a'), {'SCRIPT_NAME': b'/front.php', 'QUERY_STRING': b'a'})

    def test_parameters_are_added_and_replace(self):
        found = self.variables('/variables.php')
        self.assert_variables(found, {'APP_ENV': b'e2e "quoted" value', 'SERVER_SOFTWARE': b'mine'})

    def test_header_fields_are_added_to_all_replies(self):
        for target, status in (('/hello.php', 200), ('/files/plain.txt', 200), ('/files', 308), ('/.hidden', 404),
                               ('/status', 200)):
            with self.subTest(target=target):
                response = self.get(target)
                self.assert_status(response, status)
                self.assertEqual(response.field('X-Site'), 'from the configuration')
                self.assertEqual(response.field('X-Frame-Options'), 'DENY')
                self.assertGreaterEqual(len(POLICY), 2048)
                self.assertEqual(response.field('Content-Security-Policy'), POLICY)
