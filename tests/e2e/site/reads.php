<?php
// What PHP can read of a file.
echo file_get_contents($_GET['file']);
