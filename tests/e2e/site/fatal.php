<?php
header('Content-Type: text/plain');
nobody_has_written_this();
