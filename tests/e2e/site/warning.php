<?php
header('Content-Type: text/plain');
error_log('first line of ' . $_GET['word'] . "\nsecond line");
echo "warned\n";
