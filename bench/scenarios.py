"""What is measured. A scenario is one request, so many connections, and who takes part."""

import servers
from servers import Fcgate, FcgateThreads, Loop, Nginx, PEERS, Ready

# The files that are served, by name.
SITE = {
    'hello.php': b'<?php echo "Hello, world\\n";\n',
    'answer30k.php': b'<?php echo str_repeat("0123456789abcdef", 30 * 64);\n',
    'answer10m.php': b'<?php echo str_repeat("0123456789abcdef", 10 << 16);\n',
    'upload.php': b'<?php echo strlen(file_get_contents("php://input")), "\\n";\n',
    'busy.php': b'<?php usleep(5000); echo "done\\n";\n',
    'file1k.txt': b'0123456789abcde\n' * 64,
    'file100k.txt': b'0123456789abcde\n' * 6400,
    'file20m.txt': b'0123456789abcde\n' * (20 << 16),
}
STATIC_PEERS = [peer for peer in PEERS if peer is not Nginx]  # nginx's ways to PHP do not matter there


class Scenario:
    def __init__(self, name, title, path, connections, answer=None, status=200, fields=(), method='GET', upload=0, limits=(),
                 contestants=None, bytes_each=0, threads=False, kind='load'):
        self.name = name
        self.title = title
        self.path = path
        self.connections = connections
        self.answer = answer if answer is not None else SITE.get(path.lstrip('/'))
        self.status = status
        self.fields = list(fields)
        self.method = method
        self.upload = upload
        self.bytes_each = bytes_each
        self.kind = kind
        is_static = not path.endswith('.php')
        self.contestants = contestants or [Fcgate, *([FcgateThreads] if threads else []),
                                           *(STATIC_PEERS if is_static else PEERS), *limits]


# What a browser sends at the panel's next page.
BROWSER = [
    ('Connection', 'keep-alive'),
    ('Cache-Control', 'max-age=0'),
    ('sec-ch-ua', '"Chromium";v="130", "Not?A_Brand";v="99"'),
    ('sec-ch-ua-mobile', '?0'),
    ('sec-ch-ua-platform', '"Linux"'),
    ('Upgrade-Insecure-Requests', '1'),
    ('User-Agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36'),
    ('Accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8'),
    ('Sec-Fetch-Site', 'same-origin'),
    ('Sec-Fetch-Mode', 'navigate'),
    ('Sec-Fetch-User', '?1'),
    ('Sec-Fetch-Dest', 'document'),
    ('Referer', 'http://192.168.1.1/index.php'),
    ('Accept-Encoding', 'gzip, deflate, br, zstd'),
    ('Accept-Language', 'en-GB,en;q=0.9,de;q=0.8'),
    ('Cookie', 'PHPSESSID=abcdefghijklmnopqrstuvwxyz; theme=dark'),
]
HELLO = b'Hello, world\n'
ALL = [
    Scenario('small-4', 'small PHP, 4 connections', '/hello.php', 4, HELLO, limits=[Loop]),
    Scenario('small-16', 'small PHP, 16 connections', '/hello.php', 16, HELLO, limits=[Loop], threads=True),
    Scenario('browser', 'small PHP as a browser asks, 16 connections', '/hello.php', 16, HELLO, fields=BROWSER),
    Scenario('small-256', 'small PHP, 256 connections', '/hello.php', 256, HELLO),
    Scenario('php-30k', '30 KB from PHP, 16 connections', '/answer30k.php', 16, b'0123456789abcdef' * 1920, bytes_each=30720),
    Scenario('php-10m', '10 MB from PHP, 4 connections', '/answer10m.php', 4, b'0123456789abcdef' * (10 << 16),
             bytes_each=10 << 20),
    Scenario('upload-20m', 'upload of 20 MB to PHP, 2 connections', '/upload.php', 2, b'20971520\n', method='POST',
             upload=20 << 20, bytes_each=20 << 20),
    Scenario('static-1k', 'file of 1 KB, 16 connections', '/file1k.txt', 16, limits=[Ready], threads=True),
    Scenario('static-100k', 'file of 100 KB, 16 connections', '/file100k.txt', 16, bytes_each=102400),
    Scenario('static-20m', 'file of 20 MB, 4 connections', '/file20m.txt', 4, bytes_each=20 << 20),
    Scenario('not-modified', 'file that has not changed (304), 16 connections', '/file1k.txt', 16, b'', 304,
             kind='not-modified'),
    Scenario('new-connection', 'small PHP, a new connection for each request, 16 at a time', '/hello.php', 16, HELLO,
             fields=[('Connection', 'close')]),
    Scenario('beside', 'file of 1 KB, 4 connections, beside 64 that keep PHP busy', '/file1k.txt', 4, kind='beside'),
    Scenario('slow', 'small PHP, 4 connections, beside 40 that read 48 KB at 5 KB/s', '/hello.php', 4, HELLO, kind='slow'),
    Scenario('memory', 'memory', '/file1k.txt', 1000, kind='memory'),
    Scenario('start', 'start to first answer', '/file1k.txt', 1, kind='start', contestants=[Fcgate, *STATIC_PEERS]),
]


def chosen(words):
    if not words:
        return ALL
    unknown = [word for word in words if not any(word in scenario.name for scenario in ALL)]
    if unknown:
        raise SystemExit(f'there is no scenario {unknown[0]}; bench/run -l lists them')
    return [scenario for scenario in ALL if any(word in scenario.name for word in words)]


def contestants_of(scenarios):
    """Every class that takes part, once, in a fixed order."""
    order = [Fcgate, FcgateThreads, *PEERS, Loop, Ready]
    return [one for one in order if any(one in scenario.contestants for scenario in scenarios)]


def make_site(root):
    root.mkdir()
    root.chmod(0o755)
    for name, content in SITE.items():
        (root / name).write_bytes(content)


assert servers.WORKERS == 4  # as the titles and the settings say
