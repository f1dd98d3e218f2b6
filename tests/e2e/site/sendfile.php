<?php
// A download that is left to the server: ?by=X-Sendfile&file=/path, with ?type=, ?name= and ?status= of its own.
header($_GET['by'] . ': ' . $_GET['file']);
if (isset($_GET['type'])) {
    header('Content-Type: ' . $_GET['type']);
}
if (isset($_GET['name'])) {
    header('Content-Disposition: attachment; filename="' . $_GET['name'] . '"');
}
if (isset($_GET['status'])) {
    http_response_code((int) $_GET['status']);
}
header('Set-Cookie: seen=1');
header('ETag: "of the script"');
echo 'the script\'s own body';
if (isset($_GET['slow'])) {
    flush();
    sleep(2);
    file_put_contents($_SERVER['SCRATCH'] . '/slow-end', 'x');
}
