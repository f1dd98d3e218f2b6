<?php
// Says by a file that it runs, sleeps, and answers.
header('Content-Type: text/plain');
if (isset($_GET['marker'])) {
    touch($_SERVER['SCRATCH'] . '/' . basename($_GET['marker']));
}
usleep(1000 * (int)$_GET['ms']);
echo 'slept ', $_GET['ms'], "\n";
