<?php
// How often it has run: once for every request that has reached PHP.
$path = $_SERVER['SCRATCH'] . '/count';
file_put_contents($path, 'x', FILE_APPEND | LOCK_EX);
header('Content-Type: text/plain');
echo filesize($path), "\n";
