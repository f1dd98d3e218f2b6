<?php
header('Content-Type: text/plain');
echo "before\n";
exit(3);
echo "after\n";
