"""What is asked, and what fcgate must answer."""

import contextlib
import json

import wire

SOURCE = '<?php /* source */ '
FILES = {
    'v.php': SOURCE + 'header("Content-Type: application/json"); echo json_encode($_SERVER + ["BODY" => file_get_contents("php://input")]);',
    'short.php': SOURCE + 'header("Content-Length: 100"); echo "ten bytes.";',
    'long.php': SOURCE + 'header("Content-Length: 5"); echo "ten bytes.";',
    'go.php': SOURCE + 'header("Location: /elsewhere");',
    'local.php': SOURCE + 'header("Location: /elsewhere", true, 201);',
    'nothing.php': SOURCE + 'http_response_code(204);',
    'file.txt': '0123456789',
    'v.php~': SOURCE, 'v.php.bak': SOURCE, 'v.php.swp': SOURCE, 'V2.PHP': SOURCE, 'v.phps': SOURCE,
    '.env': 'SECRET=1', '.well-known/x.txt': 'well known', 'picture.jpg': SOURCE + 'echo "it ran";',
    'uploads/evil.php': SOURCE + 'echo "it ran";', 'folder/index.html': 'index', 'a.php/x.txt': 'in a folder',
}


class Row:
    def __init__(self, title, expected, ask):
        self.title, self.expected, self.ask = title, expected, ask


def variable(title, expected, name, target='/v.php', fields=(), **options):
    def ask(port):
        response = wire.ask(port, options.get('method', 'GET'), target, fields, options.get('body'), options.get('host'))
        if response.status != 200:
            return str(response.status)
        found = json.loads(response.body)
        # What is about this run alone is told by what it stands for.
        text = str(found[name]).replace(found['DOCUMENT_ROOT'].rstrip('/'), '(root)') if name in found else 'absent'
        return '(port)' if name == 'SERVER_PORT' and text == str(port) else text
    return Row(title, expected, ask)


def shown(response):
    if 'source */' in response.text:
        return f'{response.status}, shows source'
    if 'it ran' in response.text:
        return f'{response.status}, runs'
    if 'SECRET' in response.text or 'outside the root' in response.text:
        return f'{response.status}, discloses'
    return str(response.status)


def status(title, expected, target, fields=(), method='GET', host=None, body=None):
    return Row(title, expected, lambda port: shown(wire.ask(port, method, target, fields, body, host)))


def content(title, expected, target, fields=(), method='GET'):
    def ask(port):
        response = wire.ask(port, method, target, fields)
        return f'{response.status} {response.text}' if len(response.body) < 40 else f'{response.status}, {len(response.body)} bytes'
    return Row(title, expected, ask)


def with_tag(title, expected, make, target='/file.txt'):
    """make(tag, date) gives the fields."""
    def ask(port):
        first = wire.ask(port, 'GET', target)
        response = wire.ask(port, 'GET', target, make(first.field('ETag') or '"none"', first.field('Last-Modified')))
        if (response.field('Content-Type') or '').startswith('multipart/'):
            return f'{response.status}, several parts'
        return f'{response.status} {response.text}' if response.status in (200, 206) else str(response.status)
    return Row(title, expected, ask)


def chunked(port):
    with wire.Client(port, timeout=8) as client:
        client.start('POST', '/v.php', [('Transfer-Encoding', 'chunked')])
        client.send(b'1388\r\n' + b'x' * 5000 + b'\r\n0\r\n\r\n')
        response = client.response()
    if response.status != 200:
        return str(response.status)
    found = json.loads(response.body)
    return f'CONTENT_LENGTH {found.get("CONTENT_LENGTH", "absent")}, {len(found["BODY"])} bytes'


def cut_short(port):
    with wire.Client(port) as client:
        client.start('GET', '/short.php')
        try:
            response = client.response()
            return f'{response.status}, looks whole' if response.status == 200 else str(response.status)
        except wire.WireError:
            return 'visibly cut'


def raw_target(target):
    def ask(port):
        with wire.Client(port) as client:
            client.send(b'GET ' + target + b' HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n')
            return shown(client.response())
    return ask


def refused_upload(port):
    """Four megabytes to what takes none, sent before the answer is read."""
    heard = 0
    for _ in range(5):
        with contextlib.suppress(OSError, wire.WireError), wire.Client(port) as client:
            client.start('POST', '/file.txt', [('Content-Length', str(4 << 20))])
            client.send(b'x' * (4 << 20))
            heard += client.response().status >= 400
    return f'{heard} of 5 heard'


OLD, NEW = 'Thu, 01 Jan 1970 00:00:00 GMT', 'Fri, 31 Dec 2100 23:59:59 GMT'

GROUPS = {
    'What a script is told': [
        variable('`REQUEST_URI` of `/v.php?a=%2F&b=1?c`', '/v.php?a=%2F&b=1?c', 'REQUEST_URI', '/v.php?a=%2F&b=1?c'),
        variable('`QUERY_STRING` of the same', 'a=%2F&b=1?c', 'QUERY_STRING', '/v.php?a=%2F&b=1?c'),
        variable('`PATH_INFO` of `/v.php/a%20b`', '/a b', 'PATH_INFO', '/v.php/a%20b'),
        variable('`SCRIPT_NAME` of `/v.php/a%20b`', '/v.php', 'SCRIPT_NAME', '/v.php/a%20b'),
        variable('`SCRIPT_FILENAME` of the same', '(root)/v.php', 'SCRIPT_FILENAME', '/v.php/a%20b'),
        variable('`DOCUMENT_URI` of the same', '/v.php/a b', 'DOCUMENT_URI', '/v.php/a%20b'),
        variable('`PATH_TRANSLATED` of the same', '(root)/a b', 'PATH_TRANSLATED', '/v.php/a%20b'),
        variable('`PATH_INFO` without one', 'absent', 'PATH_INFO'),
        variable('`QUERY_STRING` of `/v.php?`', '', 'QUERY_STRING', '/v.php?'),
        variable('`REQUEST_URI` of `/v.php?`', '/v.php?', 'REQUEST_URI', '/v.php?'),
        variable('`GATEWAY_INTERFACE`', 'CGI/1.1', 'GATEWAY_INTERFACE'),
        variable('`SERVER_PROTOCOL`', 'HTTP/1.1', 'SERVER_PROTOCOL'),
        variable('`REQUEST_SCHEME`', 'http', 'REQUEST_SCHEME'),
        variable('`HTTPS` without TLS', 'absent', 'HTTPS'),
        variable('`REDIRECT_STATUS`', '200', 'REDIRECT_STATUS'),
        variable('`SERVER_ADDR`', '127.0.0.1', 'SERVER_ADDR'),
        variable('`SERVER_PORT`', '(port)', 'SERVER_PORT'),
        variable('`REMOTE_ADDR`', '127.0.0.1', 'REMOTE_ADDR'),
        variable('`CONTENT_TYPE`', 'a/b', 'CONTENT_TYPE', fields=[('Content-Type', 'a/b')], method='POST', body=b'x'),
        variable('`CONTENT_LENGTH` of a POST', '1', 'CONTENT_LENGTH', method='POST', body=b'x'),
        variable('`REMOTE_USER` for a `Remote-User` field', 'absent', 'REMOTE_USER', fields=[('Remote-User', 'root')]),
        variable('`PHP_VALUE` for a `PHP_VALUE` field', 'absent', 'PHP_VALUE', fields=[('PHP_VALUE', 'x=y')]),
        variable('`SERVER_NAME` for `Host: 127.0.0.1:8`', '127.0.0.1', 'SERVER_NAME', host='127.0.0.1:8'),
        variable('`CONTENT_LENGTH` of a GET', 'absent', 'CONTENT_LENGTH'),
        variable('`HTTP_AUTHORIZATION`', 'Bearer x', 'HTTP_AUTHORIZATION', fields=[('Authorization', 'Bearer x')]),
        variable('`HTTP_PROXY` for a `Proxy` field', 'absent', 'HTTP_PROXY', fields=[('Proxy', 'http://evil/')]),
        variable('`HTTP_X_REAL_IP` for `X_Real_IP`', 'absent', 'HTTP_X_REAL_IP', fields=[('X_Real_IP', '1.2.3.4')]),
        variable('`HTTP_X_A` for two fields `X-A`', '1, 2', 'HTTP_X_A', fields=[('X-A', '1'), ('X-A', '2')]),
        variable('`HTTP_COOKIE` for two fields `Cookie`', 'a=1; b=2', 'HTTP_COOKIE', fields=[('Cookie', 'a=1'), ('Cookie', 'b=2')]),
        variable('`HTTP_TE` (hop-by-hop)', 'absent', 'HTTP_TE', fields=[('TE', 'trailers')]),
        variable('`REQUEST_METHOD` of PURGE', 'PURGE', 'REQUEST_METHOD', method='PURGE'),
        Row('a chunked body of 5000 bytes', 'CONTENT_LENGTH 5000, 5000 bytes', chunked),
        status('TRACE', '405', '/v.php', method='TRACE'),
    ],
    'What a script answers': [
        status('`Location` without a status', '302', '/go.php'),
        status('`Location` with 201', '201', '/local.php'),
        status('204', '204', '/nothing.php'),
        content('more than its Content-Length', '200 ten b', '/long.php'),
        Row('less than its Content-Length', 'visibly cut', cut_short),
    ],
    'Conditions and ranges': [
        with_tag('If-None-Match: its tag', '304', lambda tag, date: [('If-None-Match', tag)]),
        with_tag('If-None-Match: `*`', '304', lambda tag, date: [('If-None-Match', '*')]),
        with_tag('If-None-Match: another, If-Modified-Since: its date', '200 0123456789',
                 lambda tag, date: [('If-None-Match', '"x"'), ('If-Modified-Since', date)]),
        with_tag('If-Modified-Since: its date', '304', lambda tag, date: [('If-Modified-Since', date)]),
        with_tag('If-Modified-Since: later than its date', '304', lambda tag, date: [('If-Modified-Since', NEW)]),
        with_tag('If-Match: another', '412', lambda tag, date: [('If-Match', '"x"')]),
        with_tag('If-Unmodified-Since: 1970', '412', lambda tag, date: [('If-Unmodified-Since', OLD)]),
        with_tag('Range: 2-4', '206 234', lambda tag, date: [('Range', 'bytes=2-4')]),
        with_tag('Range: -3', '206 789', lambda tag, date: [('Range', 'bytes=-3')]),
        with_tag('Range: 8-99', '206 89', lambda tag, date: [('Range', 'bytes=8-99')]),
        with_tag('If-Match: its tag, If-Unmodified-Since: 1970', '200 0123456789',
                 lambda tag, date: [('If-Match', tag), ('If-Unmodified-Since', OLD)]),
        with_tag('If-Range: its date', '206 234', lambda tag, date: [('Range', 'bytes=2-4'), ('If-Range', date)]),
        with_tag('If-Range: an earlier date', '200 0123456789', lambda tag, date: [('Range', 'bytes=2-4'), ('If-Range', OLD)]),
        with_tag('Range: 0-1 and 4-5', '200 0123456789', lambda tag, date: [('Range', 'bytes=0-1,4-5')]),
        with_tag('Range: 10-', '416', lambda tag, date: [('Range', 'bytes=10-')]),
        with_tag('Range: malformed', '200 0123456789', lambda tag, date: [('Range', 'bytes=4-2')]),
        with_tag('Range: 2-4, If-Range: its tag', '206 234', lambda tag, date: [('Range', 'bytes=2-4'), ('If-Range', tag)]),
        with_tag('Range: 2-4, If-Range: another', '200 0123456789', lambda tag, date: [('Range', 'bytes=2-4'), ('If-Range', '"x"')]),
        with_tag('Range: 2-4, If-Range: its tag, weak', '200 0123456789',
                 lambda tag, date: [('Range', 'bytes=2-4'), ('If-Range', 'W/' + tag)]),
        with_tag('Range: 2-4, If-None-Match: its tag', '304', lambda tag, date: [('Range', 'bytes=2-4'), ('If-None-Match', tag)]),
        status('POST to a file', '405', '/file.txt', method='POST', body=b''),
        Row('4 MB sent to a file before the answer is read', '5 of 5 heard', refused_upload),
        status('a folder without its slash', '308', '/folder?a=b'),
    ],
    'Ways out and disclosure': [
        Row('`/../outside.txt`', '400', raw_target(b'/../outside.txt')),
        Row('`/%2e%2e/outside.txt`', '400', raw_target(b'/%2e%2e/outside.txt')),
        Row('`/..%2foutside.txt`', '400', raw_target(b'/..%2foutside.txt')),
        Row('`/folder\\..\\file.txt`', '400', raw_target(b'/folder\\..\\file.txt')),
        status('a link out of the root', '403', '/out'),
        status('`/.env`', '404', '/.env'),
        status('`/.well-known/x.txt`', '200', '/.well-known/x.txt'),
        status('`/v.php~`', '404', '/v.php~'),
        status('`/v.php.bak`', '404', '/v.php.bak'),
        status('`/v.php.swp`', '404', '/v.php.swp'),
        status('`/v.phps`', '404', '/v.phps'),
        status('`/V2.PHP`', '404', '/V2.PHP'),
        status('`/v.php.`', '404', '/v.php.'),
        status('`/v.php%20`', '404', '/v.php%20'),
        status('`/v.php::$DATA`', '404', '/v.php::$DATA'),
        Row('`/v.php%00.jpg`', '400', raw_target(b'/v.php%00.jpg')),
        Row('`/v.php%0a`', '400', raw_target(b'/v.php%0a')),
        status('`/picture.jpg/x.php`', '404', '/picture.jpg/x.php'),
        status('`/a.php/x.txt` (a folder)', '200', '/a.php/x.txt'),
        status('an uploaded script (`no_scripts = /uploads`)', '404', '/uploads/evil.php'),
    ],
}
