<?php
declare(strict_types=1);

// Which path is answered by what, and the handlers of the pages.

namespace panel;

const ROUTES = [
    '/' => ['GET' => 'show_dashboard'],
    '/login' => ['GET' => 'show_login', 'POST' => 'login'],
    '/logout' => ['POST' => 'logout'],
    '/settings' => ['GET' => 'show_settings', 'POST' => 'change_settings'],
    '/settings/password' => ['POST' => 'change_password'],
    '/log' => ['GET' => 'show_log'],
    '/firmware' => ['GET' => 'show_firmware', 'POST' => 'upload'],
    '/firmware/delete' => ['POST' => 'delete'],
    '/api/status' => ['GET' => 'api_status'],
    '/api/log' => ['GET' => 'api_log'],
];

function run(): void
{
    security_headers();
    $path = request_path();
    $method = param('REQUEST_METHOD') ?: 'GET';
    $method = $method === 'HEAD' ? 'GET' : $method;
    if ($path === '/index.php') {
        redirect('/');
    }
    $handlers = ROUTES[$path] ?? null;

    // The message for the next page waits for a page: the dashboard's polling must not take it away.
    Session::load($path === '/login', $handlers !== null && $method === 'GET' && !wants_json());

    if ($handlers === null) {
        fail(404, 'not_found', 'There is no page at this address.');
    }
    if (!isset($handlers[$method])) {
        header('Allow: ' . implode(', ', array_merge(array_keys($handlers), isset($handlers['GET']) ? ['HEAD'] : [])));
        fail(405, 'method', 'This address does not take ' . $method . ' requests.');
    }
    if (Session::$user === '' && $path !== '/login') {
        if (wants_json()) {
            fail(401, 'unauthorized', 'Sign in first.');
        }
        $next = $method === 'GET' ? local_path((string)param('REQUEST_URI')) : '/';
        redirect('/login' . ($next !== '/' ? '?next=' . rawurlencode($next) : ''));
    }
    if ($method === 'POST') {
        // First, because such a request has no token either.
        if (post_was_too_large()) {
            $text = 'The request is larger than PHP accepts (post_max_size is ' . bytes(ini_bytes('post_max_size')) . ').';
            $path === '/firmware' ? upload_failed(413, 'too_large', $text) : fail(413, 'too_large', $text);
        }
        if (!Session::csrf_holds() && $path !== '/login') {
            fail(403, 'csrf', 'The form had expired. Go back, reload the page and try again.');
        }
    }
    (__NAMESPACE__ . '\\' . $handlers[$method])();
}

function show_dashboard(): void
{
    page('dashboard', 'Overview', ['status' => status()]);
}

function show_login(string $message = '', int $status = 200): void
{
    if (Session::$user !== '') {
        redirect(local_path(query('next')));
    }
    $user = field('user') ?: ($_COOKIE[USER_COOKIE] ?? '');
    page('login', 'Sign in', [
        'message' => $message,
        'next' => local_path(field('next') ?: query('next')),
        'user' => is_string($user) ? $user : '',
        'remember' => isset($_POST['remember']) || isset($_COOKIE[USER_COOKIE]),
        'initial' => (account()['initial'] ?? false) === true,
    ], $status);
}

function login(): void
{
    if (!Session::csrf_holds()) {
        show_login('The form had expired. Please try again.', 403);
    }
    $wait = guess_begins();
    if ($wait > 0) {
        header("Retry-After: $wait");
        show_login(wait_text($wait), 429);
    }
    if (!credentials_match(field('user'), field('password'))) {
        // The name that was typed is not logged: people type passwords into it.
        event('Sign-in failed from ' . client_address(), 'warning');
        show_login('User name or password is wrong.', 403);
    }
    guess_was_right();
    Session::sign_in(field('user'));
    remember_user(isset($_POST['remember']) ? field('user') : '');
    event('Signed in from ' . client_address());
    redirect(local_path(field('next')));
}

function logout(): void
{
    event('Signed out from ' . client_address());
    Session::sign_out();
    Session::flash('You are signed out.');
    redirect('/login');
}

function show_settings(): void
{
    settings_page(settings());
}

function settings_page(array $values, array $errors = [], int $status = 200): void
{
    page('settings', 'Settings', ['values' => $values, 'errors' => $errors], $status);
}

function change_settings(): void
{
    [$values, $errors] = check_settings();
    if ($errors !== []) {
        settings_page($values, $errors, 422);
    }
    save_settings($values);
    event('Settings saved');
    Session::flash('Settings saved.');
    redirect('/settings');
}

function change_password(): void
{
    $errors = [];
    $new = field('new');
    if (strlen($new) < PASSWORD_LEAST) {
        $errors['new'] = 'At least ' . PASSWORD_LEAST . ' characters.';
    } elseif (strlen($new) > PASSWORD_MOST) {
        $errors['new'] = 'At most ' . PASSWORD_MOST . ' bytes.';
    } elseif ($new !== field('repeat')) {
        $errors['repeat'] = 'The two new passwords differ.';
    }
    // Asked last, so that a typing error in the new one costs no guess.
    if ($errors === []) {
        $wait = guess_begins();
        if ($wait > 0) {
            $errors['old'] = wait_text($wait);
        } elseif (!credentials_match(Session::$user, field('old'))) {
            event('Password change refused: the old password was wrong', 'warning');
            $errors['old'] = 'This is not the current password.';
        }
    }
    if ($errors !== []) {
        settings_page(settings(), $errors, 422);
    }
    guess_was_right();
    set_password($new);
    event('Password changed');
    // Other sessions end with the old password; this one goes on under a new id.
    Session::sign_in(Session::$user);
    Session::flash('Password changed. Other sessions are signed out.');
    redirect('/settings');
}

function show_log(): void
{
    [$lines, $last] = log_lines('');
    page('log', 'Log', ['lines' => $lines, 'last' => $last, 'source' => log_source()[1]]);
}

function show_firmware(string $error = '', int $status = 200): void
{
    page('firmware', 'Firmware', ['error' => $error, 'images' => images(), 'limit' => upload_limit()], $status);
}

function upload(): void
{
    $image = store_upload();
    if (wants_json()) {
        json(['image' => $image], 201);
    }
    Session::flash("{$image['name']} stored, " . bytes($image['size']) . '.');
    redirect('/firmware');
}

function delete(): void
{
    $image = delete_image(field('id'));
    if (wants_json()) {
        $image === null ? fail(404, 'not_found', 'This image is gone already.') : json(['deleted' => $image['id']]);
    }
    Session::flash($image === null ? 'This image was gone already.' : "{$image['name']} deleted.", $image === null ? 'warn' : 'good');
    redirect('/firmware');
}
