<?php
declare(strict_types=1);

// Under `php -S` this file is also the router: there, files that exist are left to the built-in server.
if (PHP_SAPI === 'cli-server') {
    $path = rawurldecode(explode('?', $_SERVER['REQUEST_URI'], 2)[0]);
    if ($path !== '/index.php' && is_file(__DIR__ . $path)) {
        return false;
    }
}

require __DIR__ . '/../app/boot.php';
panel\run();
