<?php
// Starts a program that goes on without it, for as long as a file is there, and says its number.
$stays = escapeshellarg($_SERVER['SCRATCH'] . '/stays');
passthru("while [ -e $stays ]; do sleep 0.1; done > /dev/null 2>&1 & echo $!");
