<?php
header('Content-Type: application/json');
$files = [];
foreach ($_FILES as $field => $file) {
    $files[$field] = [
        'name' => $file['name'],
        'error' => $file['error'],
        'size' => $file['size'],
        'sha256' => $file['error'] === 0 ? hash_file('sha256', $file['tmp_name']) : null,
    ];
}
echo json_encode(['form' => $_POST, 'files' => $files]);
