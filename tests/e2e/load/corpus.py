"""The requests that the load generator sends: good ones, each with the status that is due, and those of tests/cases."""

import pathlib
import re
import struct

GOOD, LAST, VECTOR = range(3)
NONCE = '@' * 17
HOST = 'Host: localhost\r\n'
# What browsers say: there is much in it that can be damaged without harm.
BROWSER = (HOST + 'User-Agent: Mozilla/5.0 (X11; Linux armv7l; rv:140.0) Gecko/20100101 Firefox/140.0\r\n'
           'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\n'
           'Accept-Encoding: gzip, deflate, br\r\nReferer: http://localhost/folder/page?with=query\r\n'
           'Cookie: session=0123456789abcdef; theme=dark\r\n')
cases = pathlib.Path(__file__).resolve().parents[2] / 'cases'
ESCAPES = {'r': '\r', 'n': '\n', 't': '\t', '\\': '\\'}


def file_content():
    """As chance.c has it."""
    return b''.join(b's%06d\n' % number for number in range(500))


def make_site(root):
    root.mkdir()
    (root / 'folder').mkdir()
    for name in ('static.txt', 'page.html', 'folder/index.html'):
        (root / name).write_bytes(file_content())
    for name in ('t.php', 'canary.php', 'folder/post.php'):
        (root / name).write_text('<?php // the load generator answers\n')
    root.chmod(0o755)


def good():
    """(status, request); behind each of them the connection goes on."""
    yield 200, f'GET /static.txt HTTP/1.1\r\n{BROWSER}\r\n'
    yield 200, f'GET /page.html?x={NONCE} HTTP/1.1\r\n{BROWSER}\r\n'
    yield 200, f'HEAD /static.txt HTTP/1.1\r\n{HOST}\r\n'
    yield 200, f'GET /folder/ HTTP/1.1\r\n{BROWSER}X-Request: {NONCE}\r\n\r\n'
    yield 308, f'GET /folder HTTP/1.1\r\n{BROWSER}\r\n'
    yield 304, f'GET /static.txt HTTP/1.1\r\n{HOST}If-None-Match: *\r\n\r\n'
    yield 304, f'GET /page.html HTTP/1.1\r\n{BROWSER}If-Modified-Since: Fri, 31 Dec 2100 23:59:59 GMT\r\n\r\n'
    yield 206, f'GET /static.txt HTTP/1.1\r\n{BROWSER}Range: bytes=100-299\r\n\r\n'
    yield 206, f'GET /page.html HTTP/1.1\r\n{HOST}Range: bytes=-500\r\n\r\n'
    yield 416, f'GET /static.txt HTTP/1.1\r\n{BROWSER}Range: bytes=9000-\r\n\r\n'
    yield 404, f'GET /missing/{"m" * 40} HTTP/1.1\r\n{BROWSER}\r\n'
    yield 404, f'GET /.hidden HTTP/1.1\r\n{HOST}\r\n'
    yield 405, f'DELETE /static.txt HTTP/1.1\r\n{BROWSER}\r\n'
    yield 200, f'GET /t.php?{NONCE} HTTP/1.1\r\n{BROWSER}\r\n'
    yield 200, f'GET /t.php/path/info?a=b&c=%20d&n={NONCE} HTTP/1.1\r\n{HOST}\r\n'
    yield 200, f'GET /t.php HTTP/1.1\r\n{BROWSER}X-Nonce: {NONCE}\r\n\r\n'
    yield 200, f'HEAD /t.php HTTP/1.1\r\n{BROWSER}X-Nonce: {NONCE}\r\n\r\n'
    yield 200, f'GET /t.php?{"y" * 2500} HTTP/1.1\r\n{HOST}X-Nonce: {NONCE}\r\n\r\n'
    yield 200, f'POST /folder/post.php?{NONCE} HTTP/1.1\r\n{BROWSER}Content-Length: 3000\r\n\r\n' + 'z' * 3000
    yield 200, f'POST /t.php HTTP/1.1\r\n{BROWSER}X-Nonce: {NONCE}\r\nContent-Length: 0\r\n\r\n'
    yield 200, (f'POST /t.php?{NONCE} HTTP/1.1\r\n{HOST}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 15\r\n\r\n'
                'name=x&value=yz')
    yield 200, f'POST /t.php?{NONCE} HTTP/1.1\r\n{BROWSER}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;a=b\r\nx\r\n0\r\n\r\n'


def last():
    """With these it ends."""
    yield 200, f'GET /static.txt HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n'
    yield 200, f'GET /t.php?{NONCE} HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n'
    yield 200, f'GET /t.php?{NONCE} HTTP/1.0\r\n{HOST}\r\n'
    yield 400, f'GET /static.txt HTTP/1.1\r\n{HOST}Bad Name: x\r\n\r\n'
    yield 400, f'POST /t.php?{NONCE} HTTP/1.1\r\n{HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab'
    yield 413, f'POST /t.php?{NONCE} HTTP/1.1\r\n{HOST}Content-Length: 99999999\r\n\r\n'
    yield 431, f'GET /static.txt HTTP/1.1\r\n{HOST}X: {"x" * 30000}\r\n\r\n'


def unescaped(text):
    text = re.sub(r'\\\*(\d+)\{([^}]*)\}', lambda match: int(match[1]) * match[2], text)
    return re.sub(r'\\(x[0-9a-fA-F]{2}|.)', lambda match: ESCAPES.get(match[1]) or chr(int(match[1][1:], 16)), text)


def vectors():
    """Those of the cases, with a nonce where PHP would see it."""
    for name in ('requests.txt', 'probes.txt'):
        for case in re.split(r'(?m)^= ', (cases / name).read_text())[1:]:
            text = unescaped(''.join(line for line in case.splitlines()[1:] if line and line[0] not in '>#'))
            yield 0, text.replace('/t.php ', f'/t.php?{NONCE} ')


def write(path):
    with open(path, 'wb') as file:
        for kind, requests in ((GOOD, good()), (LAST, last()), (VECTOR, vectors())):
            for status, text in requests:
                data = text.encode('latin-1')
                file.write(struct.pack('=IHH', len(data), status, kind) + data)
