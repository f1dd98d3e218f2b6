"""The servers that are measured, each with a php-fpm pool of its own, and what is said about how they are set up."""

import os
import pathlib
import re
import subprocess
import sys
import time

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent / 'tests' / 'e2e'))

import processes  # noqa: E402 (its folder is known only now)

WORKERS = 4
CONNECTIONS = 1100  # what each must be able to hold


def version_of(*command):
    """The first number with a point in it that a program says of itself."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r'\d+\.\d+(\.\d+)?', done.stdout + done.stderr)
    return found[0] if found else '?'


class Server(processes.Process):
    """One that is set up for the site in `root`, and has not been started. Subclasses write its configuration and say `command`."""

    title = None
    setting = ''
    is_limit = False
    command = ()
    environment = None

    def __init__(self, folder, root):
        folder = folder / self.title.replace(' ', '-').replace(',', '')
        folder.mkdir()
        folder.chmod(0o755)
        super().__init__(self.title, folder)
        self.folder = folder
        self.root = root
        self.port = processes.free_port()
        self.php = processes.PhpFpm(folder, WORKERS)
        self.configure()

    def configure(self):
        raise NotImplementedError

    def start(self):
        self.php.start()
        self.start_server()
        return self

    def start_server(self):
        self.spawn(self.command, cwd=self.folder, env={**os.environ, **(self.environment or {})})
        self.wait_for_accept(('127.0.0.1', self.port))

    def pids(self):
        return [self.pid, *(running.pid for running in processes.descendants(self.pid))]

    def cpu_seconds(self):
        """Of all its processes and threads, so far."""
        total = 0
        for pid in self.pids():
            for task in os.listdir(f'/proc/{pid}/task'):
                total += int(pathlib.Path(f'/proc/{pid}/task/{task}/schedstat').read_text().split()[0])
        return total / 1e9

    def memory_kib(self):
        return sum(processes.proportional_kib(pid) for pid in self.pids())


class Fcgate(Server):
    title = 'fcgate'
    setting = '1 thread; `workers = 4`, connections kept; room for 1100 connections, 300 of them at PHP or waiting for it'
    threads = 1

    def configure(self):
        server = [f'threads = {self.threads}', f'max_connections = {CONNECTIONS}', 'exchanges = 300', 'response_memory = 4m',
                  'keepalive_timeout = 60s']
        self.path = self.folder / 'fcgate.conf'
        self.path.write_text(processes.configuration(self.port, self.root, self.php, server, ['queue = 300'], ['max_body = 64m']))
        self.command = [processes.fcgate_path, '-c', self.path]

    @staticmethod
    def version():
        done = subprocess.run([processes.fcgate_path, '-V'], capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).strip().replace('\n', ', ').removeprefix('fcgate ')


class FcgateThreads(Fcgate):
    title = 'fcgate, 2 threads'
    setting = 'the same with `threads = 2`'
    threads = 2


class Nginx(Server):
    title = 'nginx kept'
    setting = '1 worker process, `sendfile on`, no access log; `fastcgi_keep_conn on`, `keepalive 4` to PHP'
    keeps = True

    @staticmethod
    def version():
        return version_of('nginx', '-v')

    def configure(self):
        user = f'user {processes.account().pw_name};' if processes.is_root else ''
        keep = f'keepalive {WORKERS};' if self.keeps else ''
        keep_conn = 'fastcgi_keep_conn on;' if self.keeps else ''
        self.path = self.folder / 'nginx.conf'
        self.command = ['nginx', '-c', self.path, '-p', self.folder]
        self.path.write_text(f'''
daemon off;
worker_processes 1;
pid {self.folder}/nginx.pid;
error_log {self.folder}/nginx-error.log;
{user}
events {{ worker_connections {2 * CONNECTIONS}; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    client_body_temp_path {self.folder}/body;
    proxy_temp_path {self.folder}/proxy;
    fastcgi_temp_path {self.folder}/fastcgi;
    uwsgi_temp_path {self.folder}/uwsgi;
    scgi_temp_path {self.folder}/scgi;
    client_max_body_size 64m;
    keepalive_timeout 60s;
    # Not to measure how fast clients connect again.
    keepalive_requests 1000000000;
    types {{ text/plain txt; text/html html; }}
    upstream php {{
        server {self.php.fcgate_address};
        {keep}
    }}
    server {{
        listen 127.0.0.1:{self.port};
        root {self.root};
        location ~ \\.php$ {{
            fastcgi_pass php;
            {keep_conn}
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


class NginxPlain(Nginx):
    title = 'nginx'
    setting = 'the same as installed: a connection to PHP for each request'
    keeps = False


class Lighttpd(Server):
    title = 'lighttpd'
    setting = '1 process, defaults; a connection to PHP for each request'

    @staticmethod
    def version():
        return version_of('lighttpd', '-v')

    def configure(self):
        user = f'server.username = "{processes.account().pw_name}"' if processes.is_root else ''
        self.path = self.folder / 'lighttpd.conf'
        self.command = ['lighttpd', '-D', '-f', self.path]
        (self.folder / 'spool').mkdir()
        processes.give(self.folder / 'spool')
        self.path.write_text(f'''
server.modules = ( "mod_fastcgi" )
server.document-root = "{self.root}"
server.bind = "127.0.0.1"
server.port = {self.port}
{user}
server.max-connections = {CONNECTIONS}
server.max-fds = 4096
server.max-keep-alive-idle = 60
# Not to measure how fast clients connect again.
server.max-keep-alive-requests = 1000000000
server.upload-dirs = ( "{self.folder}/spool" )
index-file.names = ( "index.php", "index.html" )
mimetype.assign = ( ".txt" => "text/plain", ".html" => "text/html" )
fastcgi.server = ( ".php" => (( "socket" => "{self.php.address}" )) )
''')


class Caddy(Server):
    title = 'Caddy'
    setting = 'defaults, all cores; a connection to PHP for each request'

    @staticmethod
    def version():
        return version_of('caddy', 'version')

    def configure(self):
        self.path = self.folder / 'Caddyfile'
        self.command = ['caddy', 'run', '--config', self.path, '--adapter', 'caddyfile']
        self.environment = {'HOME': str(self.folder), 'XDG_DATA_HOME': str(self.folder), 'XDG_CONFIG_HOME': str(self.folder)}
        self.path.write_text(f'''
{{
    admin off
    auto_https off
}}
http://127.0.0.1:{self.port} {{
    bind 127.0.0.1
    root * {self.root}
    php_fastcgi {self.php.fcgate_address.replace('unix:', 'unix/')}
    file_server
}}
''')


class Loop(Server):
    """No server at all: `limits/loop` asks the pool itself."""

    title = 'bare FastCGI loop'
    setting = 'no HTTP: 4 connections to the same kind of pool, one request on each at a time'
    is_limit = True

    def configure(self):
        pass

    def start_server(self):
        self.port = None

    def run(self, seconds):
        return [f'{os.environ["BENCH_LIMITS"]}/loop', self.php.address, self.root / 'hello.php', str(WORKERS), str(seconds)]


class Ready(Server):
    title = 'ready libmicrohttpd response'
    setting = 'no files: the same library answers 1 KB that it has in memory'
    is_limit = True

    def configure(self):
        self.command = [f'{os.environ["BENCH_LIMITS"]}/ready', str(self.port), '1024']

    def start(self):
        self.start_server()
        return self


PEERS = [Nginx, NginxPlain, Lighttpd, Caddy]


def wait_until_quiet(seconds):
    """What one has left to the kernel is not the next one's."""
    time.sleep(seconds)
