<?php
declare(strict_types=1);

// The one account, its password, and the brake on guessing it.

namespace panel;

const INITIAL_USER = 'admin';
const INITIAL_PASSWORD = 'fcgate';
const PASSWORD_LEAST = 8;
// bcrypt reads no further; a longer password would promise more than it keeps.
const PASSWORD_MOST = 72;

// Guesses: so many are free, then each waits twice as long as the one before.
const GUESSES_FREE = 5;
const GUESS_WAIT_MOST = 60;
const GUESS_FORGET = 900;
const GUESSERS_MOST = 128;

function account(): array
{
    $account = state_read('account.json');
    if (is_string($account['hash'] ?? null)) {
        return $account;
    }
    return state_change('account.json', static function (array &$data): array {
        // Asked again under the lock: another request may have made it meanwhile.
        if (!is_string($data['hash'] ?? null)) {
            $data = ['user' => INITIAL_USER, 'hash' => hash_password(INITIAL_PASSWORD), 'initial' => true];
        }
        return $data;
    });
}

function hash_password(string $password): string
{
    // The cost is fixed: newer PHP's default takes seconds on a small ARM core.
    return password_hash($password, PASSWORD_BCRYPT, ['cost' => 10]);
}

function set_password(string $password): void
{
    state_change('account.json', static function (array &$data) use ($password): void {
        $data['hash'] = hash_password($password);
        $data['initial'] = false;
    });
}

function credentials_match(string $user, string $password): bool
{
    $account = account();
    // Both are always computed, so that the time taken does not tell which one was wrong.
    $known = hash_equals($account['user'], $user);
    $right = password_verify($password, $account['hash']);
    return $known && $right;
}

/** Changes with the password, so that other sessions end when it is changed. */
function account_mark(): string
{
    return substr(hash('sha256', account()['hash']), 0, 16);
}

function client_address(): string
{
    return param('REMOTE_ADDR') ?: 'unknown';
}

/** Who guesses: an IPv4 address, or the /64 an IPv6 host can choose its addresses from. */
function guesser(): string
{
    $packed = @inet_pton(client_address());
    if ($packed === false) {
        return 'unknown';
    }
    return strlen($packed) === 16 ? bin2hex(substr($packed, 0, 8)) : inet_ntop($packed);
}

/** Counts a guess before it is checked (parallel ones count too). Returns the seconds to wait; 0: go on. */
function guess_begins(): int
{
    return state_change('guesses.json', static function (array &$data): int {
        $now = time();
        // A clock that was set back (no battery, then NTP) must not lock anyone out.
        $data = array_filter($data, static fn($one) => $one['at'] <= $now + GUESS_WAIT_MOST && $now - $one['at'] < GUESS_FORGET);
        $one = $data[guesser()] ?? ['count' => 0, 'at' => 0];
        if ($one['count'] >= GUESSES_FREE) {
            $pause = min(GUESS_WAIT_MOST, 2 ** min(6, $one['count'] - GUESSES_FREE + 1));
            if ($now < $one['at'] + $pause) {
                return $one['at'] + $pause - $now;
            }
        }
        // Last in the list is latest, so the first is the one to drop when the list is full.
        unset($data[guesser()]);
        $data[guesser()] = ['count' => min($one['count'] + 1, 99), 'at' => $now];
        $data = array_slice($data, -GUESSERS_MOST, null, true);
        return 0;
    });
}

function wait_text(int $seconds): string
{
    return "Too many attempts. Please wait $seconds " . ($seconds === 1 ? 'second' : 'seconds') . ' and try again.';
}

function guess_was_right(): void
{
    state_change('guesses.json', static function (array &$data): void {
        unset($data[guesser()]);
    });
}
