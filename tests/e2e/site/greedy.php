<?php
// Wants memory, and touches it.
ini_set('memory_limit', '-1');
header('Content-Type: text/plain');
$all = [];
for ($i = 0; $i < (int)$_GET['megabytes']; $i++) {
    $all[] = str_repeat(chr(65 + $i % 26), 1 << 20);
}
echo count($all), "\n";
