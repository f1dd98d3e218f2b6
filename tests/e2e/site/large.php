<?php
// Bytes that cannot be confused with their neighbours; the client makes the same.
header('Content-Type: application/octet-stream');
if (isset($_GET['known'])) {
    header('Content-Length: ' . 32 * (int)$_GET['blocks']);
}
for ($i = 0; $i < (int)$_GET['blocks']; $i++) {
    echo hash('sha256', "block $i", true);
}
