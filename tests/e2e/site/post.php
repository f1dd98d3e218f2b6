<?php
header('Content-Type: application/json');
$body = file_get_contents('php://input');
echo json_encode([
    'method' => $_SERVER['REQUEST_METHOD'],
    'type' => $_SERVER['CONTENT_TYPE'] ?? null,
    'length' => $_SERVER['CONTENT_LENGTH'] ?? null,
    'form' => $_POST,
    'size' => strlen($body),
    'sha256' => hash('sha256', $body),
]);
