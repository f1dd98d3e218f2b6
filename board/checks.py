"""What is tried on a board. Each step raises what is wrong, and gives the figures that it found."""

import statistics
import time

import wire
from panel import Panel, expect

ASSET = '/assets/panel.css'
LISTENING = 'info: listening on'


def timed(call, *arguments, **options):
    began = time.monotonic()
    value = call(*arguments, **options)
    return value, time.monotonic() - began


def first_page(board, seconds):
    """When the sign-in page was there, counted from power on: what a person in front of the device sees."""
    board.wait_until(lambda: LISTENING in board.console(), 'fcgate does not listen', seconds)
    listening = board.age()
    panel = Panel(board.port)
    panel.get('/login')
    return panel, listening, board.age()


def use(board, panel, size):
    """Signs in, sees every page, follows the log and sends an image: the least that a panel must do."""
    panel.sign_in()
    for page in ('/', '/settings', '/firmware', '/log'):
        panel.get(page)
    latency = panel.live_log(lambda words: board.run(f'logger -t board "{words}"'), 'the board speaks')
    stored, seconds = panel.upload(size)
    path = board.run('ls /run/panel/state/firmware/*.bin').strip()
    expect(board.run(f'sha256sum {path}').split()[0] == stored['sha256'], 'the stored image is another one')
    panel.delete(stored)
    expect(board.fault() is None, board.fault())
    return latency, size / seconds


def wait_for_rest(board):
    board.wait_until(lambda: not board.php_processes(), 'PHP still runs, long after idle_stop', 60)


class Report:
    def __init__(self):
        self.lines = []

    def add(self, what, figure):
        self.lines.append((what, figure))
        print(f'    {what:<58} {figure}', flush=True)


def read_only(board, report):
    mounts = board.run('cat /proc/mounts')
    expect('/dev/vda / squashfs ro' in mounts, f'the root is not read-only:\n{mounts}')
    expect(board.run('touch /x 2>/dev/null || echo refused').strip() == 'refused', 'the root can be written')
    written = board.run('find /run -type f | sort').split()
    report.add('root: squashfs, read-only; files written, all in the tmpfs', len(written))


def clock(board, panel, report):
    """1970 at first; when the time is set, as NTP does, the server goes on, and the session of 1970 is over."""
    year = panel.status()['time'][:4]
    expect(year == '1970', f'the clock is not at 1970 but {year}')
    expect('1970' in panel.get('/login', status=303).field('Date'), 'Date is not of 1970')
    board.run('date -s "2026-11-24 12:00:00" >/dev/null')
    panel.get('/', status=303)
    panel.sign_in()
    expect(panel.status()['time'].startswith('2026-11-24'), 'the panel does not see the new time')
    etag = panel.get(ASSET).field('ETag')
    panel.get(ASSET, [('If-None-Match', etag)], status=304)
    report.add('clock: 1970 from power on, then set to 2026', 'served in both')


def memory(board, report, when):
    fcgate = board.memory_of(board.named('fcgate'))
    spawner = board.memory_of(board.named('fcgate-spawner'))
    report.add(f'fcgate, {when}: RSS, of it private and written', f'{fcgate["Rss"]} KiB, {fcgate["Private_Dirty"]} KiB')
    report.add(f'its spawner, {when}: RSS, of it private and written',
               f'{spawner["Rss"]} KiB, {spawner["Private_Dirty"]} KiB')
    pids = board.php_processes()
    if pids:
        php = board.memory_of(pids)
        report.add(f'PHP, {when}: {len(pids)} processes, together (PSS)', f'{php["Pss"]} KiB')
    report.add(f'MemAvailable, {when}', f'{board.available_kib()} KiB of {board.total_kib()} KiB')


def speed(board, panel, report):
    with wire.Client(board.port, Panel.patience) as client:
        for what, target, fields in (('file of 20 KB', ASSET, []), ('overview page', '/', panel.cookie_field())):
            times = [timed(client.ask, 'GET', target, fields)[1] for _ in range(20)]
            report.add(f'{what}, kept connection: median of 20', f'{statistics.median(times) * 1000:.1f} ms')


def killed_php(board, panel, report):
    # A first page, so that there is PHP to kill however long the step before took.
    panel.get('/')
    before = board.php_processes()
    board.run('killall -q -9 php-fpm php-cgi; true')
    _, seconds = timed(panel.get, '/')
    expect(not set(before) & set(board.php_processes()), 'PHP has not been killed')
    report.add(f'page after kill -9 of all {len(before)} PHP processes', f'200 after {seconds * 1000:.0f} ms')


def full_tmpfs(board, panel, report):
    """No room left: files are served, whatever PHP says has a status, and all is well when there is room again."""
    board.run('dd if=/dev/zero of=/run/filler bs=64k 2>/dev/null; true')
    panel.get(ASSET)
    status = panel.ask('GET', '/').status
    expect(status in (200, 303, 500, 502, 503), f'with a full tmpfs: {status}')
    board.run('rm /run/filler')
    # PHP that could not start is tried again after a pause of at most 5 s.
    board.wait_until(lambda: panel.ask('GET', '/').status == 200, 'no page though there is room again', 30)
    report.add('tmpfs full: files 200, overview page', f'{status}; 200 when there is room again')


def at_rest(board, panel, report):
    """idle_stop has ended PHP; the next page starts it."""
    times = []
    for _ in range(3):
        wait_for_rest(board)
        times.append(timed(panel.get, '/')[1])
    report.add('first page with PHP stopped: median of 3', f'{statistics.median(times) * 1000:.0f} ms')
    wait_for_rest(board)
    report.add('PHP processes at rest', len(board.php_processes()))


def killed_fcgate(board, panel, report):
    """init starts it again; PHP of the dead one is ended by its spawner."""
    panel.get('/')
    old = board.named('fcgate')
    php = board.php_processes()
    board.run(f'kill -9 {old[0]}')
    board.wait_until(lambda: board.named('fcgate') not in ([], old), 'init has not started fcgate again', 30)
    board.wait_until(lambda: not set(php) & set(board.php_processes()), 'PHP of the killed fcgate still runs', 30)
    panel.get('/')
    report.add('kill -9 of fcgate: started by init, its PHP ended', 'yes')


def everything(board, report):
    """All checks on one board."""
    panel, listening, seconds = first_page(board, 180)
    uptime = float(board.run('cat /proc/uptime').split()[0])
    report.add('power on to first page', f'{seconds:.1f} s')
    report.add('of that until fcgate listens; its PHP and the page', f'{listening:.1f} s; {seconds - listening:.1f} s')
    report.add('kernel start to first page', f'{uptime:.1f} s')
    size = min(8 << 20, board.tmpfs << 19)
    latency, rate = use(board, panel, size)
    report.add('log line until it is in the browser (panel looks every 0.4 s)', f'{latency:.2f} s')
    report.add(f'upload of {size >> 20} MiB, SHA-256 right, stored image too', f'{rate / (1 << 20):.1f} MiB/s')
    memory(board, report, 'after all pages')
    speed(board, panel, report)
    read_only(board, report)
    killed_php(board, panel, report)
    at_rest(board, panel, report)
    memory(board, report, 'at rest')
    full_tmpfs(board, panel, report)
    clock(board, panel, report)
    killed_fcgate(board, panel, report)
    expect(board.fault() is None, board.fault())
