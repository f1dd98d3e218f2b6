<?php
header('X-Repeated: one');
header('X-Repeated: two', false);
header('X-Repeated: three', false);
header("X-Bytes: caf\xc3\xa9 \"quoted\" a=b; c=d");
header('Link: </a.css>; rel=preload', false);
header('Link: </b.js>; rel=preload', false);
header('Connection: close');
header('Content-Type: text/plain');
echo "fields\n";
