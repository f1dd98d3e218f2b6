<?php
declare(strict_types=1);

// The start of every request: error handling first, then the parts, then the route.

namespace panel;

ini_set('display_errors', '0');
// Everything the panel writes (password hash, images) is for its own user alone. PHP restores the umask afterwards.
umask(0077);

require __DIR__ . '/http.php';
require __DIR__ . '/store.php';
require __DIR__ . '/settings.php';
require __DIR__ . '/account.php';
require __DIR__ . '/session.php';
require __DIR__ . '/log.php';
require __DIR__ . '/system.php';
require __DIR__ . '/uploads.php';
require __DIR__ . '/view.php';
require __DIR__ . '/routes.php';

set_exception_handler(static function (\Throwable $error): void {
    error_log('panel: ' . $error->getMessage() . ' in ' . basename($error->getFile()) . ':' . $error->getLine());
    if (headers_sent()) {
        return;
    }
    // A fault the device's owner can mend is named; anything else stays in the log.
    $text = $error instanceof Fault ? $error->getMessage() : 'Something went wrong. The details are in the server\'s log.';
    fail(500, 'internal', $text);
});
