<?php
// Wants memory, and may have what memory_limit says.
header('Content-Type: text/plain');
$all = [];
for ($i = 0; $i < (int)$_GET['megabytes']; $i++) {
    $all[] = str_repeat(chr(65 + $i % 26), 1 << 20);
}
echo count($all), "\n";
