<?php
declare(strict_types=1);

// The session: who is signed in, the token of the forms, and the message for the next page.
// It is read and let go at once. PHP locks a session's file while it is open, and a page that streams or hashes
// for seconds would otherwise hold up every other request of the same browser.

namespace panel;

const SESSION_COOKIE = 'fcgate_panel';
const USER_COOKIE = 'fcgate_user';
const SESSION_LONGEST = 12 * 3600;

final class Session
{
    public static string $user = '';
    public static string $csrf = '';
    /** @var array{kind: string, text: string}|null */
    public static ?array $flash = null;

    /** Without $create a visitor who brings no cookie gets none: only the login page starts sessions. */
    public static function load(bool $create, bool $take_flash): void
    {
        if (!$create && !isset($_COOKIE[SESSION_COOKIE])) {
            return;
        }
        self::open();
        if (isset($_SESSION['user']) && !self::holds()) {
            $_SESSION = [];
        }
        if ($create) {
            $_SESSION['csrf'] ??= bin2hex(random_bytes(16));
        }
        self::$user = $_SESSION['user'] ?? '';
        self::$csrf = $_SESSION['csrf'] ?? '';
        if ($take_flash && isset($_SESSION['flash'])) {
            self::$flash = $_SESSION['flash'];
            unset($_SESSION['flash']);
        }
        session_write_close();
    }

    /** A new id at every change of rights: an id planted before signing in is worth nothing after it. */
    public static function sign_in(string $user): void
    {
        self::open();
        session_regenerate_id(true);
        $_SESSION = [
            'user' => $user, 'since' => time(), 'mark' => account_mark(), 'csrf' => bin2hex(random_bytes(16)),
        ];
        session_write_close();
    }

    public static function sign_out(): void
    {
        self::open();
        session_regenerate_id(true);
        $_SESSION = [];
        session_write_close();
    }

    public static function flash(string $text, string $kind = 'good'): void
    {
        self::open();
        $_SESSION['flash'] = ['kind' => $kind, 'text' => $text];
        session_write_close();
    }

    /** The token comes with the form, or in a header where a script sends the body. */
    public static function csrf_holds(): bool
    {
        $sent = field('csrf') ?: param('HTTP_X_CSRF_TOKEN');
        return self::$csrf !== '' && hash_equals(self::$csrf, $sent);
    }

    private static function holds(): bool
    {
        return time() - ($_SESSION['since'] ?? 0) < SESSION_LONGEST && hash_equals(account_mark(), $_SESSION['mark'] ?? '');
    }

    private static function open(): void
    {
        if (session_status() === PHP_SESSION_ACTIVE) {
            return;
        }
        session_name(SESSION_COOKIE);
        $started = @session_start([
            'use_strict_mode' => true, 'use_only_cookies' => true, 'cookie_lifetime' => 0, 'cookie_path' => '/',
            'cookie_httponly' => true, 'cookie_samesite' => 'Strict', 'cookie_secure' => is_https(),
            // The panel sends its own caching headers.
            'cache_limiter' => '',
        ]);
        if (!$started) {
            throw new Fault('Sessions cannot be stored. Check session.save_path in php.ini.');
        }
    }
}

function remember_user(string $user): void
{
    setcookie(USER_COOKIE, $user, [
        'expires' => $user === '' ? 1 : time() + 30 * 86400, 'path' => '/login', 'httponly' => true,
        'samesite' => 'Strict', 'secure' => is_https(),
    ]);
}
