<?php
// Pieces that tell when they were written.
header('Content-Type: ' . ($_GET['type'] ?? 'text/plain'));
for ($i = 0; $i < (int)$_GET['pieces']; $i++) {
    printf("%d %.6f\n", $i, microtime(true));
    flush();
    usleep(1000 * (int)$_GET['pause']);
}
