<?php
declare(strict_types=1);

// The log page's lines: from the file PANEL_LOG names, or from the panel's own record of what was done with it.
//
// A line's id is "inode-offset", the place right behind it. So a reader that comes back goes on exactly where it
// stopped, also when the file was rotated to FILE.1 meanwhile, and nothing is kept here for it.

namespace panel;

const EVENTS_FILE = 'events.log';
const EVENTS_MOST = 64 * 1024;
const LINE_MOST = 2000;
const READ_MOST = 128 * 1024;
const LINES_AT_ONCE = 200;

const STREAM_SECONDS = 25;
// PHP learns that a browser is gone by writing to it: this long at most it works for nobody.
const STREAM_BEAT = 1;

function event(string $text, string $level = 'info'): void
{
    $path = state_folder() . '/' . EVENTS_FILE;
    clearstatcache(true, $path);
    if ((int)@filesize($path) > EVENTS_MOST) {
        @rename($path, $path . '.1');
    }
    // One event is one line, whatever a file name in it holds.
    $text = preg_replace('~[\x00-\x1F\x7F]+~', ' ', substr($text, 0, 300));
    // A full disk must not keep anyone from signing in: the event is lost, the action is not.
    @file_put_contents($path, gmdate('Y-m-d\TH:i:s\Z') . " $level $text\n", FILE_APPEND | LOCK_EX);
}

/** @return array{string, string} the file, and what to call it on the page */
function log_source(): array
{
    $path = param('PANEL_LOG');
    if ($path !== '' && is_file($path) && is_readable($path)) {
        return [$path, basename($path)];
    }
    return [state_folder() . '/' . EVENTS_FILE, 'panel events'];
}

/** @return array{list<array>, string} the lines behind $after (or the latest), and the id to ask with next */
function log_lines(string $after): array
{
    [$path] = log_source();
    clearstatcache();
    $now = @stat($path);
    $old = @stat($path . '.1');
    if ($now === false) {
        return [[], $after];
    }
    $parts = [];
    if (preg_match('~^(\d{1,20})-(\d{1,15})$~D', $after, $id) !== 1) {
        $parts[] = [$path, $now, max(0, $now['size'] - READ_MOST)];
        if ($old !== false && $now['size'] < 8192) {
            array_unshift($parts, [$path . '.1', $old, max(0, $old['size'] - READ_MOST)]);
        }
    } elseif ($id[1] === (string)$now['ino']) {
        // Shorter than it was: emptied in place (copytruncate).
        $parts[] = [$path, $now, (int)$id[2] <= $now['size'] ? (int)$id[2] : 0];
    } else {
        if ($old !== false && $id[1] === (string)$old['ino']) {
            $parts[] = [$path . '.1', $old, min((int)$id[2], $old['size'])];
        }
        $parts[] = [$path, $now, max(0, $now['size'] - READ_MOST)];
    }
    $lines = [];
    foreach ($parts as [$file, $stat, $from]) {
        array_push($lines, ...read_lines($file, $stat, $from));
        $after = $lines === [] ? "{$stat['ino']}-$from" : end($lines)['id'];
    }
    return [array_slice($lines, -LINES_AT_ONCE), $after];
}

function read_lines(string $path, array $stat, int $from): array
{
    // Behind by more than is read at once: the latest count, so skip to them.
    $start = max($from, $stat['size'] - READ_MOST);
    $text = $stat['size'] > $start ? @file_get_contents($path, false, null, $start, READ_MOST) : '';
    $lines = [];
    $at = 0;
    // Not at the place a reader stopped nor at the beginning, the first line is likely the end of one.
    $whole = $start === 0 || ($start === $from && $stat['size'] - $from < READ_MOST);
    // The last line may still be in the making: it is taken when its end is there.
    while ($text !== false && ($end = strpos($text, "\n", $at)) !== false) {
        $line = rtrim(substr($text, $at, min($end - $at, LINE_MOST)));
        $at = $end + 1;
        if ($whole && $line !== '') {
            $lines[] = ['id' => $stat['ino'] . '-' . ($start + $at)] + parse_line($line);
        }
        $whole = true;
    }
    return $lines;
}

/** Finds time and level where a line starts with them; any other line is shown as it is. */
function parse_line(string $line): array
{
    $time = null;
    $level = '';
    // ISO 8601, 2026/01/31 and 31-Jan-2026 (php-fpm).
    $stamp = '~^\[?((?:\d{4}([-/])\d\d\2\d\d|\d\d-[A-Z][a-z]{2}-\d{4})[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d| [A-Z]{3,4})?)\]?\s+~';
    if (preg_match($stamp, $line, $found) === 1 && ($seconds = strtotime(strtr($found[1], ',', '.'))) !== false) {
        $time = local_time($seconds, 'Y-m-d\TH:i:sP');
        $line = substr($line, strlen($found[0]));
    }
    if (preg_match('~^[\[<]?(debug|info|notice|warn(?:ing)?|error|err|crit(?:ical)?|alert|emerg|fatal)[\]>]?:?\s+~i', $line, $found) === 1) {
        $level = strtolower($found[1]);
        $line = substr($line, strlen($found[0]));
    }
    $kind = match (true) {
        in_array($level, ['warn', 'warning'], true) => 'warn',
        $level === '' || in_array($level, ['debug', 'info', 'notice'], true) => 'info',
        default => 'error',
    };
    return ['time' => $time, 'level' => $kind, 'text' => $line];
}

function api_log(): void
{
    $after = query('after');
    if (query('poll') !== '') {
        [$lines, $last] = log_lines($after);
        json(['lines' => $lines, 'last' => $last]);
    }
    // What the browser saw last wins over what the page knew when it was opened.
    log_stream(param('HTTP_LAST_EVENT_ID') ?: $after);
}

function log_stream(string $after): never
{
    set_time_limit(STREAM_SECONDS + 30);
    ini_set('zlib.output_compression', '0');
    while (ob_get_level() > 0) {
        ob_end_clean();
    }
    header('Content-Type: text/event-stream');
    header('X-Accel-Buffering: no');
    if (param('REQUEST_METHOD') === 'HEAD') {
        exit;
    }
    echo "retry: 2000\n\n";
    flush();

    // The stream ends by itself, and the browser comes back with Last-Event-ID. So a worker whose browser vanished
    // without a word is free again soon, and others who wait for one get their turn.
    $end = microtime(true) + STREAM_SECONDS;
    $beat = microtime(true) + STREAM_BEAT;
    while (microtime(true) < $end && connection_aborted() === 0) {
        [$lines, $after] = log_lines($after);
        $text = '';
        foreach ($lines as $line) {
            $text .= "id: {$line['id']}\ndata: " . to_json($line) . "\n\n";
        }
        if ($text === '' && microtime(true) >= $beat) {
            // Only writing shows whether the browser is still there.
            $text = ": beat\n\n";
        }
        if ($text !== '') {
            echo $text;
            flush();
            $beat = microtime(true) + STREAM_BEAT;
        }
        usleep(400000);
    }
    exit;
}
