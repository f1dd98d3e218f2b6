<?php
require __DIR__ . '/variables.php';
