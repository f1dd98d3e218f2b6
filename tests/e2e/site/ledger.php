<?php
// Writes down that it runs, once for every time, and answers so that nothing can be missing unnoticed.
$id = $_GET['id'];
$sum = hash('sha256', file_get_contents('php://input'));
file_put_contents($_SERVER['SCRATCH'] . '/ledger', "$id\n", FILE_APPEND);
usleep(1000 * (int)($_GET['ms'] ?? 0));
// Holds its worker until the file is there.
while (isset($_GET['until']) && !file_exists($_SERVER['SCRATCH'] . '/' . $_GET['until'])) {
    clearstatcache();
    usleep(5000);
}
header('Content-Type: text/plain');
for ($i = 0; $i < (int)$_GET['lines']; $i++) {
    echo "$i $id $sum\n";
    if ($i % 1000 === 999) {
        flush();
    }
}
