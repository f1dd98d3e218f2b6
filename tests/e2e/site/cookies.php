<?php
// As many as are asked for, or a few of different kinds.
if (isset($_GET['count'])) {
    for ($i = 0; $i < (int)$_GET['count']; $i++) {
        setcookie("cookie$i", str_repeat('v', 35), ['path' => '/', 'httponly' => true]);
    }
    exit;
}
setcookie('first', 'one', ['path' => '/', 'httponly' => true]);
setcookie('second', 'two words; and = more');
header('Set-Cookie: third=raw; Max-Age=60', false);
header('Content-Type: application/json');
echo json_encode($_COOKIE);
