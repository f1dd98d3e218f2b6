"""fcgate and its peers, each as its own manual sets PHP up, in front of one pool."""

import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / 'e2e'))

import processes  # noqa: E402  (found through the line above)


class Server(processes.Process):
    program = ''

    def __init__(self, folder, root, php):
        super().__init__(self.program, folder)
        self.folder, self.root, self.php = folder, root, php
        self.port = processes.free_port()

    @classmethod
    def is_installed(cls):
        return shutil.which(cls.program, path='/usr/sbin:/usr/bin:/usr/local/bin') is not None

    def start(self):
        command, text = self.configure()
        (self.folder / 'peer.conf').write_text(text)
        self.spawn(command)
        self.wait_for_accept(('127.0.0.1', self.port))
        return self


class Nginx(Server):
    title, program = 'nginx', 'nginx'

    def configure(self):
        user = f'user {processes.account().pw_name};' if processes.is_root else ''
        paths = ' '.join(f'{kind}_temp_path {self.folder}/{kind};' for kind in ('client_body', 'fastcgi', 'proxy', 'uwsgi', 'scgi'))
        return ['nginx', '-p', str(self.folder), '-c', 'peer.conf', '-g', 'daemon off;'], f'''
{user}
pid {self.folder}/nginx.pid;
error_log {self.folder}/nginx.log;
events {{}}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    {paths}
    server {{
        listen 127.0.0.1:{self.port};
        root {self.root};
        index index.php index.html;
        location / {{ try_files $uri $uri/ =404; }}
        location ~ [^/]\\.php(/|$) {{
            fastcgi_split_path_info ^(.+?\\.php)(/.*)$;
            if (!-f $document_root$fastcgi_script_name) {{ return 404; }}
            include /etc/nginx/fastcgi.conf;
            fastcgi_param PATH_INFO $fastcgi_path_info;
            fastcgi_pass unix:{self.php.address};
        }}
    }}
}}
'''


class Lighttpd(Server):
    title, program = 'lighttpd', 'lighttpd'

    def configure(self):
        user = f'server.username = "{processes.account().pw_name}"' if processes.is_root else ''
        spool = self.folder / 'spool'
        spool.mkdir()
        processes.give(spool)
        return ['lighttpd', '-D', '-f', str(self.folder / 'peer.conf')], f'''
server.modules = ( "mod_fastcgi" )
server.document-root = "{self.root}"
server.bind = "127.0.0.1"
server.port = {self.port}
{user}
server.upload-dirs = ( "{spool}" )
index-file.names = ( "index.php", "index.html" )
mimetype.assign = ( ".txt" => "text/plain", ".html" => "text/html" )
fastcgi.server = ( ".php" => (( "socket" => "{self.php.address}" )) )
'''


class Caddy(Server):
    title, program = 'Caddy', 'caddy'

    def configure(self):
        return ['env', f'HOME={self.folder}', 'caddy', 'run', '--config', str(self.folder / 'peer.conf'), '--adapter',
                'caddyfile'], f'''
{{
    admin off
    auto_https off
}}
http://:{self.port} {{
    bind 127.0.0.1
    root * {self.root}
    php_fastcgi unix/{self.php.address}
    file_server
}}
'''


peers = [Nginx, Lighttpd, Caddy]
