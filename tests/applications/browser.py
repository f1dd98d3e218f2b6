"""A browser without a window: cookies, redirects, and the forms of a page."""

import html.parser
import urllib.parse

import wire


class Form:
    """A form as it would be sent unchanged: what its fields hold, and where it goes."""

    def __init__(self, attributes, page):
        self.action = urllib.parse.urljoin(page, attributes.get('action') or page)
        self.fields = []
        self.buttons = []

    def data(self, button=None, **values):
        """The fields, some of them changed; `button` is the name of the one that is pressed."""
        data = [(name, value) for name, value in self.fields if name not in values]
        data += [(name, value) for name, value in values.items() if value is not None]
        data += [(name, value) for name, value in self.buttons if name == button]
        return data


class Page(html.parser.HTMLParser):
    """What a page links to and asks for."""

    def __init__(self, text, target):
        super().__init__()
        self.target = target
        self.text = text
        self.forms = []
        self.assets = []
        self.links = []
        self.textarea = None
        self.select = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag == 'form':
            self.forms.append(Form(values, self.target))
        elif tag in ('script', 'img') and values.get('src'):
            self.assets.append(urllib.parse.urljoin(self.target, values['src']))
        elif tag == 'link' and values.get('rel') in ('stylesheet', 'icon', 'shortcut icon', 'manifest', 'alternate'):
            self.assets.append(urllib.parse.urljoin(self.target, values['href']))
        elif tag == 'a' and values.get('href'):
            self.links.append(urllib.parse.urljoin(self.target, values['href']))
        elif self.forms:
            self.take_field(tag, values)

    def take_field(self, tag, values):
        form, name, kind = self.forms[-1], values.get('name'), values.get('type', 'text')
        if tag == 'option' and self.select and ('selected' in values or self.select[1] is None):
            self.select[1] = values.get('value', '')
        if not name:
            return
        if tag == 'button' or kind in ('submit', 'image'):
            form.buttons.append((name, values.get('value', '')))
        elif tag == 'textarea':
            self.textarea = [name, '']
        elif tag == 'select':
            self.select = [name, None]
        elif tag == 'input' and kind not in ('file', 'button', 'reset') and (kind not in ('checkbox', 'radio') or 'checked' in values):
            form.fields.append((name, values.get('value', 'on' if kind in ('checkbox', 'radio') else '')))

    def handle_data(self, data):
        if self.textarea:
            self.textarea[1] += data

    def handle_endtag(self, tag):
        for kind in ('textarea', 'select'):
            field = getattr(self, kind)
            if tag == kind and field and self.forms:
                self.forms[-1].fields.append((field[0], field[1] or ''))
                setattr(self, kind, None)

    def form_with(self, name):
        """The first form that has a field of this name, or a button."""
        for form in self.forms:
            if any(name == field for field, _ in form.fields + form.buttons):
                return form
        raise AssertionError(f'{self.target} has no form with {name}:\n{self.text}')


class Browser:
    def __init__(self, port):
        self.port = port
        self.client = wire.Client(port)
        self.cookies = {}

    def close(self):
        self.client.close()

    def ask(self, method, target, fields=(), body=None):
        """One request, on a connection that is kept as long as the server keeps it."""
        fields = list(fields)
        if self.cookies:
            fields.append(('Cookie', '; '.join(f'{name}={value}' for name, value in self.cookies.items())))
        response = self.client.ask(method, target, fields, body)
        for cookie in response.all('Set-Cookie'):
            name, value = cookie.split(';')[0].split('=', 1)
            self.cookies[name] = value
            if value in ('', 'deleted'):
                del self.cookies[name]
        if (response.field('Connection') or '').lower() == 'close':
            self.client.close()
            self.client = wire.Client(self.port)
        response.target = target
        return response

    def follow(self, response):
        for _ in range(5):
            if response.status not in (301, 302, 303):
                return response
            where = urllib.parse.urlsplit(urllib.parse.urljoin(response.target, response.field('Location')))
            response = self.ask('GET', urllib.parse.urlunsplit(('', '', where.path, where.query, '')))
        raise AssertionError(f'redirects without an end: {response}')

    def get(self, target, fields=()):
        return self.follow(self.ask('GET', target, fields))

    def page(self, target):
        response = self.get(target)
        if response.status != 200:
            raise AssertionError(f'{target}: {response}')
        return Page(response.text, response.target)

    def post(self, target, data, files=None, fields=()):
        """A form; with files, (name, file name, bytes), as multipart."""
        if files is None:
            kind, body = 'application/x-www-form-urlencoded', urllib.parse.urlencode(data).encode()
        else:
            kind, body = wire.multipart(data, files)
        return self.ask('POST', target, [('Content-Type', kind), *fields], body)
