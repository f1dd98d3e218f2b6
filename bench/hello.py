"""fcgate against nginx on one short PHP page, in turns, each with a php-fpm of its own."""

import argparse
import contextlib
import os
import pathlib
import re
import statistics
import subprocess
import sys

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent / 'tests' / 'e2e'))

import processes  # noqa: E402 (its folder is known only now)
import wire  # noqa: E402

PAGE = '<?php echo "Hello, world\\n";\n'
ANSWER = b'Hello, world\n'


class Nginx(processes.Process):
    """One worker process, with connections to PHP kept, as many as PHP can have."""

    def __init__(self, folder, root, php, port):
        super().__init__('nginx', folder)
        self.port = port
        user = f'user {processes.account().pw_name};' if processes.is_root else ''
        self.path = folder / 'nginx.conf'
        self.path.write_text(f'''
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    # Not to measure how fast clients connect again.
    keepalive_requests 1000000000;
    upstream php {{
        server {php.fcgate_address};
        keepalive {php.workers};
    }}
    server {{
        listen 127.0.0.1:{port};
        root {root};
        location ~ \\.php$ {{
            fastcgi_pass php;
            fastcgi_keep_conn on;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param SCRIPT_NAME $fastcgi_script_name;
            fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
            fastcgi_param REQUEST_URI $request_uri;
            fastcgi_param DOCUMENT_URI $document_uri;
            fastcgi_param DOCUMENT_ROOT $document_root;
            fastcgi_param SERVER_PROTOCOL $server_protocol;
            fastcgi_param REQUEST_SCHEME $scheme;
            fastcgi_param GATEWAY_INTERFACE CGI/1.1;
            fastcgi_param SERVER_SOFTWARE nginx/$nginx_version;
            fastcgi_param REMOTE_ADDR $remote_addr;
            fastcgi_param REMOTE_PORT $remote_port;
            fastcgi_param SERVER_ADDR $server_addr;
            fastcgi_param SERVER_PORT $server_port;
            fastcgi_param SERVER_NAME $server_name;
            fastcgi_param REDIRECT_STATUS 200;
        }}
    }}
}}
''')

    def start(self):
        self.spawn(['nginx', '-c', self.path, '-p', self.path.parent])
        self.wait_for_accept(('127.0.0.1', self.port))
        return self


def cpu_seconds(master):
    """Of a process and its children, so far."""
    pids = [master]
    with contextlib.suppress(FileNotFoundError):
        pids += pathlib.Path(f'/proc/{master}/task/{master}/children').read_text().split()
    ticks = 0
    for pid in pids:
        fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf('SC_CLK_TCK')


class Contestant:
    def __init__(self, name, folder, root, workers):
        self.name = name
        folder = folder / name
        folder.mkdir()
        folder.chmod(0o755)
        self.php = processes.PhpFpm(folder, workers).start()
        self.port = processes.free_port()
        if name == 'nginx':
            self.server = Nginx(folder, root, self.php, self.port).start()
        else:
            text = processes.configuration(self.port, root, self.php, server=['threads = 1'])
            self.server = processes.Fcgate(folder, text, self.port).start()
        self.rounds = []

    def check(self):
        """Both have to give the right answer, or their speed means nothing."""
        with wire.Client(self.port) as client:
            for _ in range(100):
                response = client.ask('GET', '/hello.php')
                if response.status != 200 or response.body != ANSWER:
                    raise SystemExit(f'{self.name} answers {response}\n{self.server.log()}')

    def run(self, clients, seconds):
        before = cpu_seconds(self.server.pid)
        done = subprocess.run(['wrk', '-t', '1', '-c', str(clients), '-d', str(seconds), '-s', str(here / 'wrk.lua'),
                               f'http://127.0.0.1:{self.port}/hello.php'],
                              capture_output=True, text=True, timeout=seconds + 30, check=True)
        cpu = cpu_seconds(self.server.pid) - before
        found = re.search(r'^figures (\d+) (\d+) (\d+) (\d+) (\d+)$', done.stdout, re.MULTILINE)
        requests, duration, p50, p99, errors = map(int, found.groups())
        return {'requests/s': requests * 1e6 / duration, 'p50 ms': p50 / 1e3, 'p99 ms': p99 / 1e3,
                'CPU us/request': cpu * 1e6 / max(requests, 1), 'errors': errors}

    def take_part(self, clients, seconds):
        figures = self.run(clients, seconds)
        self.rounds.append(figures)
        print(f'  {self.name:8}' + ''.join(f'  {show(value):>8} {name}' for name, value in figures.items()), flush=True)

    def median(self, name):
        return statistics.median(figures[name] for figures in self.rounds)

    def spread(self, name):
        values = [figures[name] for figures in self.rounds]
        return f'{show(min(values))} to {show(max(values))}'


def show(value):
    return f'{value:.0f}' if value >= 1000 or value == int(value) else f'{value:.2f}' if value < 10 else f'{value:.1f}'


def report(fcgate, nginx):
    print(f'\n{"median":16}{"fcgate":>10}  {"(range)":20}{"nginx":>10}  {"(range)":20}{"fcgate/nginx":>12}')
    for name in fcgate.rounds[0]:
        ours, theirs = fcgate.median(name), nginx.median(name)
        ratio = f'{ours / theirs:.2f}' if theirs else '-'
        print(f'{name:16}{show(ours):>10}  {fcgate.spread(name):20}{show(theirs):>10}  {nginx.spread(name):20}{ratio:>12}')


def main():
    parser = argparse.ArgumentParser(prog='bench/hello')
    parser.add_argument('-r', '--rounds', type=int, default=5)
    parser.add_argument('-s', '--seconds', type=int, default=5)
    parser.add_argument('-c', '--clients', type=int, default=16)
    parser.add_argument('-w', '--workers', type=int, default=4)
    options = parser.parse_args()
    with processes.scratch():
        folder = processes.new_folder('bench')
        root = folder / 'site'
        root.mkdir()
        root.chmod(0o755)
        (root / 'hello.php').write_text(PAGE)
        contestants = [Contestant(name, folder, root, options.workers) for name in ('fcgate', 'nginx')]
        print(f'hello.php, {options.workers} php-fpm workers, {options.clients} clients, {options.rounds} rounds of '
              f'{options.seconds} s, {os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}', flush=True)
        for contestant in contestants:
            contestant.check()
            contestant.run(options.clients, 1)  # both warm: opcache, kept connections
        for _ in range(options.rounds):
            for contestant in contestants:
                contestant.take_part(options.clients, options.seconds)
        report(*contestants)
    return 0


if __name__ == '__main__':
    sys.exit(main())
