<?php
header('Content-Type: text/plain');
echo str_repeat('x', 100000), "\n";
flush();
nobody_has_written_this_either();
