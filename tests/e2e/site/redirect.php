<?php
header('Location: /hello.php?name=redirected', true, (int)($_GET['code'] ?? 0));
