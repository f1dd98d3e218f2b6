<?php
// Every variable as PHP has it, in a form that keeps each byte.
header('Content-Type: text/plain');
foreach ($_SERVER as $name => $value) {
    if (is_string($value)) {
        echo base64_encode((string)$name), ' ', base64_encode($value), "\n";
    }
}
