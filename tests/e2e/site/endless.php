<?php
// Writes until nobody reads it any more, and says by a file how it has ended.
header('Content-Type: text/plain');
register_shutdown_function(static function (): void {
    file_put_contents($_SERVER['SCRATCH'] . '/' . basename($_GET['marker']), (string)connection_status());
});
for ($i = 0; $i < 600; $i++) {
    echo "still here\n";
    flush();
    usleep(50000);
}
