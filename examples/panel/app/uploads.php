<?php
declare(strict_types=1);

// Uploaded images: STATE/firmware/<id>-<name> and <id>.json beside it. The id is the start of the image's SHA-256,
// so the same image sent twice lies there once. The example stops here; a firmware would check the image's
// signature and hand it to its updater.

namespace panel;

const IMAGES_MOST = 6;

const UPLOAD_ERRORS = [
    UPLOAD_ERR_INI_SIZE => [413, 'too_large', 'The file is larger than PHP accepts (upload_max_filesize).'],
    UPLOAD_ERR_FORM_SIZE => [413, 'too_large', 'The file is larger than this form accepts.'],
    UPLOAD_ERR_PARTIAL => [400, 'partial', 'Only a part of the file arrived. Please send it again.'],
    UPLOAD_ERR_NO_FILE => [400, 'no_file', 'Choose a file first.'],
    UPLOAD_ERR_NO_TMP_DIR => [500, 'no_temp', 'PHP has no folder for uploads (upload_tmp_dir).'],
    UPLOAD_ERR_CANT_WRITE => [507, 'disk_full', 'The file could not be written. Is the storage full?'],
    UPLOAD_ERR_EXTENSION => [500, 'extension', 'A PHP extension stopped the upload.'],
];

function upload_limit(): int
{
    // The form around the file takes a little of post_max_size.
    $limits = array_filter([ini_bytes('upload_max_filesize'), ini_bytes('post_max_size') - 2048], static fn($limit) => $limit > 0);
    return $limits === [] ? 0 : min($limits);
}

function images_folder(): string
{
    $folder = state_folder() . '/firmware';
    if (!is_dir($folder) && !@mkdir($folder, 0700) && !is_dir($folder)) {
        throw new Fault('The folder for images cannot be made in the state folder.');
    }
    return $folder;
}

/** @return list<array> newest first */
function images(): array
{
    $folder = images_folder();
    $list = [];
    foreach (scandir($folder) ?: [] as $entry) {
        if (str_ends_with($entry, '.part') && time() - (int)@filemtime("$folder/$entry") > 3600) {
            // Left by a power cut in the middle of a move.
            @unlink("$folder/$entry");
        }
        if (preg_match('~^[0-9a-f]{16}\.json$~D', $entry) === 1) {
            $image = state_read("firmware/$entry");
            if (isset($image['stored']) && is_file("$folder/" . basename($image['stored']))) {
                $list[] = $image;
            }
        }
    }
    usort($list, static fn($a, $b) => $b['time'] <=> $a['time']);
    return $list;
}

/** @return array the stored image; on failure the request ends with a message */
function store_upload(): array
{
    $file = $_FILES['image'] ?? null;
    if (!is_array($file) || is_array($file['error'])) {
        upload_failed(400, 'no_file', 'Choose a file first.');
    }
    if ($file['error'] !== UPLOAD_ERR_OK) {
        upload_failed(...(UPLOAD_ERRORS[$file['error']] ?? [500, 'unknown', 'The upload failed.']));
    }
    if ($file['size'] === 0) {
        upload_failed(400, 'empty', 'The file is empty.');
    }
    set_time_limit(300);
    // A browser that goes away must not leave half an image.
    ignore_user_abort(true);

    $sum = hash_file('sha256', $file['tmp_name']);
    $id = substr($sum, 0, 16);
    $folder = images_folder();
    $known = state_read("firmware/$id.json");
    if ($known === [] && count(images()) >= IMAGES_MOST) {
        upload_failed(409, 'full', 'There are ' . IMAGES_MOST . ' images already. Delete one first.');
    }
    if ($known === [] && (float)@disk_free_space($folder) < room_for_move($file, $folder)) {
        upload_failed(507, 'disk_full', 'There is no room for ' . bytes($file['size']) . ' in the storage.');
    }
    $name = clean_name($file['name']);
    $image = [
        'id' => $id, 'name' => $name, 'stored' => $known['stored'] ?? $id . '-' . safe_name($name),
        'size' => $file['size'], 'sha256' => $sum, 'time' => time(),
    ];
    // The move may cross file systems and then takes time; the image has its name only when it is whole.
    $part = "$folder/$id.part";
    if (!@move_uploaded_file($file['tmp_name'], $part) || !@rename($part, "$folder/{$image['stored']}")) {
        @unlink($part);
        upload_failed(507, 'disk_full', 'The image could not be stored. Is the storage full?');
    }
    state_write("firmware/$id.json", $image);
    event("Firmware image {$image['name']} uploaded, " . bytes($image['size']) . ', SHA-256 ' . substr($sum, 0, 16) . '...');
    return $image;
}

/** Within one file system a move takes no room for the file: on a small tmpfs it lies there already, and only once. */
function room_for_move(array $file, string $folder): float
{
    $is_copied = (@stat($file['tmp_name'])['dev'] ?? -1) !== (@stat($folder)['dev'] ?? -2);
    return ($is_copied ? $file['size'] * 1.05 : 0) + 65536;
}

/** The name as it is shown: no path, no control characters, nor those that turn the direction of writing ("photo<U+202E>gpj.exe"). */
function clean_name(string $name): string
{
    $name = basename(strtr($name, '\\', '/'));
    $clean = preg_replace('~[\x00-\x1F\x7F\x{202A}-\x{202E}\x{2066}-\x{2069}]+~u', ' ', $name) ?? preg_replace('~[^\x20-\x7E]+~', '_', $name);
    return preg_match('~^.{1,120}~su', $clean, $found) === 1 ? $found[0] : 'image.bin';
}

/** The name as it is stored: nothing that a shell, a script or a file system could take amiss. */
function safe_name(string $name): string
{
    return trim(substr(preg_replace('~[^A-Za-z0-9._-]+~', '_', $name), -80), '._-') ?: 'image.bin';
}

function delete_image(string $id): ?array
{
    if (preg_match('~^[0-9a-f]{16}$~D', $id) !== 1) {
        return null;
    }
    $image = state_read("firmware/$id.json");
    if (!isset($image['stored'])) {
        return null;
    }
    $folder = images_folder();
    @unlink("$folder/" . basename($image['stored']));
    @unlink("$folder/$id.json");
    event("Firmware image {$image['name']} deleted");
    return $image;
}

function upload_failed(int $status, string $code, string $message): never
{
    event("Upload refused: $message", 'warning');
    if (wants_json()) {
        fail($status, $code, $message);
    }
    show_firmware($message, $status);
    exit;
}
