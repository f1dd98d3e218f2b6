<?php
setcookie('first', 'one', ['path' => '/', 'httponly' => true]);
setcookie('second', 'two words; and = more');
header('Set-Cookie: third=raw; Max-Age=60', false);
header('Content-Type: application/json');
echo json_encode($_COOKIE);
