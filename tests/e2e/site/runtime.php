<?php
// What PHP itself runs as: settings, environment, identity.
header('Content-Type: application/json');
$ini = [];
foreach (explode(',', $_GET['ini'] ?? '') as $name) {
    $ini[$name] = ini_get($name);
}
preg_match_all('/^(\w+):\s*(.*)$/m', file_get_contents('/proc/self/status'), $status);
echo json_encode([
    'pid' => getmypid(),
    'sapi' => PHP_SAPI,
    'year' => date('Y'),
    'ini' => $ini,
    'environment' => getenv(),
    'status' => array_combine($status[1], $status[2]),
]);
