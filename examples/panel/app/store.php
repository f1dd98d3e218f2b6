<?php
declare(strict_types=1);

// The state folder: the only place the panel writes to. The root may be read-only.

namespace panel;

function state_folder(): string
{
    static $folder = null;
    if ($folder !== null) {
        return $folder;
    }
    $path = rtrim(param('PANEL_STATE'), '/') ?: sys_get_temp_dir() . '/fcgate-panel';
    if (!is_dir($path)) {
        @mkdir($path, 0700, true);
    }
    // A link in a shared /tmp could be another user's; a real folder of another user's cannot be written.
    if (is_link($path) || !is_dir($path) || !is_writable($path)) {
        throw new Fault('The panel cannot write to its state folder. Check PANEL_STATE and the folder\'s owner.');
    }
    return $folder = $path;
}

function state_read(string $name): array
{
    $text = @file_get_contents(state_folder() . '/' . $name);
    $data = $text === false ? null : json_decode($text, true, 16);
    return is_array($data) ? $data : [];
}

/** Written beside and renamed: a reader, or a power cut, finds the old file or the new one. */
function state_write(string $name, array $data): void
{
    $path = state_folder() . '/' . $name;
    $text = to_json($data) . "\n";
    $temp = $path . '.' . bin2hex(random_bytes(4)) . '.tmp';
    $file = @fopen($temp, 'x');
    $done = $file !== false && fwrite($file, $text) === strlen($text) && fflush($file) && fsync($file);
    if ($file !== false) {
        fclose($file);
    }
    if (!$done || !rename($temp, $path)) {
        @unlink($temp);
        throw new Fault('The state folder is full or cannot be written. Nothing was changed.');
    }
}

/** Reads, changes and writes one file while no other request does. */
function state_change(string $name, callable $change): mixed
{
    $lock = @fopen(state_folder() . '/' . $name . '.lock', 'c');
    if ($lock === false || !flock($lock, LOCK_EX)) {
        throw new Fault('The state folder cannot be locked.');
    }
    $data = state_read($name);
    $before = $data;
    $result = $change($data);
    if ($data !== $before) {
        state_write($name, $data);
    }
    fclose($lock);
    return $result;
}
