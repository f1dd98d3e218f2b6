<?php
// The answer is complete before the work is.
header('Content-Type: text/plain');
echo "accepted\n";
fastcgi_finish_request();
usleep(1000 * (int)$_GET['ms']);
touch($_SERVER['SCRATCH'] . '/' . basename($_GET['marker']));
