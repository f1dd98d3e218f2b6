"""The same requests to fcgate, nginx, lighttpd and Caddy, and the table of docs/http.md that comes of it."""

import argparse
import os
import pathlib
import re
import sys

import servers
from servers import processes

import rows
import wire

PAGE = pathlib.Path(__file__).parent.parent.parent / 'docs' / 'http.md'
BEGIN, END = '<!-- answers -->\n', '<!-- end of answers -->\n'


def make_root(folder):
    root = folder / 'site'
    for name, content in rows.FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(0o644)
        os.utime(path, (1_600_000_000, 1_600_000_000))  # a date of this second would be a weak one
    for path in (root, *(path for path in root.rglob('*') if path.is_dir())):
        path.chmod(0o755)
    (folder / 'outside.txt').write_text('outside the root\n')
    (root / 'out').symlink_to(folder / 'outside.txt')
    return root


def answer(row, port):
    try:
        return row.ask(port)
    except (OSError, wire.WireError) as error:
        return 'no answer' if isinstance(error, (TimeoutError, wire.WireError)) else type(error).__name__


def table(answers, titles):
    lines = []
    for group, group_rows in rows.GROUPS.items():
        lines += [f'### {group}', '', '| request | must be | ' + ' | '.join(titles) + ' |', '| --- ' * (len(titles) + 2) + '|']
        for row in group_rows:
            cells = [answers[title][row.title].replace('|', '\\|') for title in titles]
            lines.append(f'| {row.title} | {row.expected} | ' + ' | '.join(cells) + ' |')
        lines.append('')
    return '\n'.join(lines)


def documented(title):
    """What the page says of one server."""
    found, columns = {}, []
    for line in PAGE.read_text().split(BEGIN)[-1].split(END)[0].splitlines():
        cells = [cell.strip() for cell in re.split(r'(?<!\\)\|', line)[1:-1]]
        if line.startswith('| request'):
            columns = cells
        elif line.startswith('| ') and title in columns and not line.startswith('| ---'):
            found[cells[0]] = cells[columns.index(title)]
    return found


def ask_all(folder, titles):
    root = make_root(folder)
    php = processes.PhpFpm(folder, 2).start()
    answers = {}
    port = processes.free_port()
    text = processes.configuration(port, root, php, site=('no_scripts = /uploads',))
    running = [('fcgate', processes.Fcgate(folder, text, port).start())]
    for peer in servers.peers:
        if peer.is_installed():
            place = folder / peer.program
            place.mkdir()
            place.chmod(0o755)
            running.append((peer.title, peer(place, root, php).start()))
        else:
            print(f'  left out: {peer.title} is not installed')
    for title, server in running:
        titles.append(title)
        answers[title] = {row.title: answer(row, server.port) for group in rows.GROUPS.values() for row in group}
    return answers


def check(answers):
    """Says what is wrong; how much is right and wrong."""
    passed = failed = 0
    page = documented('fcgate')
    for group in rows.GROUPS.values():
        for row in group:
            seen = answers['fcgate'][row.title]
            is_right = seen == row.expected and page.get(row.title) == seen
            passed, failed = passed + is_right, failed + (not is_right)
            if not is_right:
                print(f'  FAILED  {row.title}: {seen!r}; must be {row.expected!r}, docs/http.md says {page.get(row.title)!r}')
    for title in answers:
        known = documented(title)
        for name, seen in answers[title].items():
            if title != 'fcgate' and known.get(name, '').replace('\\|', '|') != seen:
                print(f'  differs from docs/http.md: {title}, {name}: {seen!r}, not {known.get(name)!r}')
    return passed, failed


def main():
    parser = argparse.ArgumentParser(prog='tests/peers/run')
    parser.add_argument('--write', action='store_true')
    options = parser.parse_args()
    titles = []
    try:
        with processes.scratch():
            answers = ask_all(processes.new_folder('peers'), titles)
    finally:
        processes.end_all()
    if options.write:
        text = PAGE.read_text()
        head, tail = text.split(BEGIN)[0], text.split(END)[-1]
        PAGE.write_text(head + BEGIN + '\n' + table(answers, titles) + '\n' + END + tail)
    passed, failed = check(answers)
    print(f'{passed} passed, {failed} failed')
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
