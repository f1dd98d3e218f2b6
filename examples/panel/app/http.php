<?php
declare(strict_types=1);

// What a handler says to the browser: headers, redirects, JSON, errors. And what it may read from a request.

namespace panel;

/** A fault of the installation that the reader of the page can mend (a folder that cannot be written, say). */
final class Fault extends \RuntimeException
{
}

function e(?string $text): string
{
    return htmlspecialchars((string)$text, ENT_QUOTES | ENT_SUBSTITUTE | ENT_HTML5, 'UTF-8');
}

/** A setting from the server: `param = NAME VALUE` in fcgate, fastcgi_param elsewhere, or the environment. */
function param(string $name): string
{
    $value = $_SERVER[$name] ?? getenv($name);
    return is_string($value) ? $value : '';
}

/** A form field as text. `name[]=` sent for `name=` must not become an array in the code that follows. */
function field(string $name): string
{
    $value = $_POST[$name] ?? '';
    return is_string($value) ? $value : '';
}

function query(string $name): string
{
    $value = $_GET[$name] ?? '';
    return is_string($value) ? $value : '';
}

/** The path as it was asked for. parse_url() is not used: it fails on targets such as `//x`. */
function request_path(): string
{
    return rawurldecode(explode('?', (string)($_SERVER['REQUEST_URI'] ?? '/'), 2)[0]);
}

function is_https(): bool
{
    $https = strtolower(param('HTTPS'));
    return $https !== '' && $https !== 'off';
}

function wants_json(): bool
{
    $accept = param('HTTP_ACCEPT');
    return str_starts_with(request_path(), '/api/') || str_contains($accept, 'application/json')
        || str_contains($accept, 'text/event-stream');
}

/** A path of this site to go to after signing in; anything that could lead elsewhere becomes the dashboard. */
function local_path(string $path): string
{
    $plain = preg_match('~^/[A-Za-z0-9._\-!$&\'()*+,;=:@%/?]*$~D', $path) === 1;
    $away = str_starts_with($path, '//') || preg_match('~^/(?:api/|login|logout)~', $path) === 1;
    return $plain && !$away ? $path : '/';
}

function security_headers(): void
{
    header_remove('X-Powered-By');
    header("Content-Security-Policy: default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
    header('X-Content-Type-Options: nosniff');
    header('X-Frame-Options: DENY');
    header('Referrer-Policy: same-origin');
    header('Cache-Control: no-store');
}

function redirect(string $path): never
{
    // 303: whatever the method was, the next request is a GET, so a reload never posts twice.
    header('Location: ' . $path, true, 303);
    exit;
}

function json(array $data, int $status = 200): never
{
    http_response_code($status);
    header('Content-Type: application/json');
    echo to_json($data);
    exit;
}

function to_json(array $data): string
{
    // A log line or a file name may hold bytes that are no UTF-8; they are shown as U+FFFD, never lost with the rest.
    return json_encode($data, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE | JSON_THROW_ON_ERROR);
}

/** Ends the request with an error, as JSON for scripts and as a page for people. */
function fail(int $status, string $code, string $message): never
{
    if (wants_json()) {
        json(['error' => ['code' => $code, 'message' => $message]], $status);
    }
    $title = [
        403 => 'That did not go through', 404 => 'Nothing here', 405 => 'Not that way', 413 => 'Too large',
        500 => 'Out of order',
    ][$status] ?? 'Something went wrong';
    page('error', $title, ['code' => $status, 'title' => $title, 'message' => $message], $status);
}

/** "8M" and the like from php.ini, in bytes; 0 means no limit. */
function ini_bytes(string $name): int
{
    $text = trim((string)ini_get($name));
    $unit = ['k' => 1 << 10, 'm' => 1 << 20, 'g' => 1 << 30][strtolower(substr($text, -1))] ?? 1;
    return (int)min((float)$text * $unit, PHP_INT_MAX >> 1);
}

/** A body above post_max_size reaches the script as an empty form: told apart from a form without its token. */
function post_was_too_large(): bool
{
    $limit = ini_bytes('post_max_size');
    return $limit > 0 && (float)param('CONTENT_LENGTH') > $limit && $_POST === [] && $_FILES === [];
}

function bytes(int|float|null $count): string
{
    if ($count === null) {
        return 'unknown';
    }
    $units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
    for ($unit = 0; $count >= 1024 && $unit < 4; $unit++) {
        $count /= 1024;
    }
    return number_format($count, $unit > 0 && $count < 100 ? 1 : 0, '.', '') . ' ' . $units[$unit];
}
