<?php
http_response_code((int)$_GET['code']);
header('X-Script: was here');
header('Content-Type: text/plain');
if (isset($_GET['known'])) {
    header('Content-Length: 11');
}
if (!isset($_GET['empty'])) {
    echo 'status ', $_GET['code'], "\n";
}
