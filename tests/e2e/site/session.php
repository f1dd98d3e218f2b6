<?php
// Counts under the lock that PHP puts on a session.
session_start();
$count = ($_SESSION['count'] ?? 0) + 1;
usleep(1000 * (int)($_GET['ms'] ?? 0));
$_SESSION['count'] = $count;
session_write_close();
header('Content-Type: text/plain');
echo $count, "\n";
