<?php
// So many fields of so many bytes each.
for ($i = 0; $i < (int)$_GET['count']; $i++) {
    header("X-Large-$i: " . str_repeat(chr(97 + $i % 26), (int)$_GET['size']));
}
header('Content-Type: text/plain');
echo "large\n";
