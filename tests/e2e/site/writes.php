<?php
// Writes every two milliseconds or as it is told, and says by a file when it has ended and how far it was: all the way, or when it was
// told that nobody reads it.
header('Content-Type: text/plain');
register_shutdown_function(static function () use (&$i): void {
    $path = $_SERVER['SCRATCH'] . '/' . basename($_GET['marker']);
    file_put_contents($path, microtime(true) . " $i\n");
});
for ($i = 0; $i < (int)($_GET['pieces'] ?? 5000); $i++) {
    echo str_pad("still here\n", (int)($_GET['size'] ?? 0), '.');
    flush();
    touch($_SERVER['SCRATCH'] . '/' . basename($_GET['marker']));
    usleep(1000 * (int)($_GET['pause'] ?? 2));
}
