<?php
declare(strict_types=1);

// Pages are plain PHP files in views/, put into views/layout.php.

namespace panel;

function render(string $view, array $values): string
{
    ob_start();
    // A scope of its own: a view sees the names it was given and no others.
    (static function (): void {
        extract(func_get_arg(1));
        require __DIR__ . '/views/' . func_get_arg(0) . '.php';
    })($view, $values);
    return (string)ob_get_clean();
}

function page(string $view, string $title, array $values = [], int $status = 200): never
{
    http_response_code($status);
    header('Content-Type: text/html; charset=utf-8');
    // The whole page is made before the first byte is sent: a fault in a view still gets its own answer.
    $body = render($view, $values);
    $text = render('layout', ['view' => $view, 'title' => $title, 'body' => $body, 'device' => device_name()]);
    header('Content-Length: ' . strlen($text));
    echo $text;
    exit;
}

/** Needed on the error page too, where the state folder may be the very thing that fails. */
function device_name(): string
{
    try {
        return settings()['name'];
    } catch (Fault) {
        return 'Device';
    }
}

/** An asset's address changes with the asset, so that browsers may keep it as long as they like. */
function asset(string $path): string
{
    return $path . '?v=' . dechex((int)@filemtime(__DIR__ . '/../public' . $path));
}

function csrf_field(): string
{
    return '<input type="hidden" name="csrf" value="' . e(Session::$csrf) . '">';
}

/** The message of a field, and what ties it to the field for screen readers. */
function field_state(array $errors, string $name, string $hint = ''): string
{
    $describes = isset($errors[$name]) ? "$name-error" : $hint;
    return ($describes !== '' ? ' aria-describedby="' . e($describes) . '"' : '')
        . (isset($errors[$name]) ? ' aria-invalid="true"' : '')
        . (array_key_first($errors) === $name ? ' autofocus' : '');
}

/** What a field expects; what is wrong with it takes its place. */
function field_hint(array $errors, string $name, string $text): string
{
    return isset($errors[$name]) ? '' : '<p class="hint" id="' . e($name) . '-hint">' . e($text) . '</p>';
}

function field_error(array $errors, string $name): string
{
    return isset($errors[$name]) ? '<p class="field-error" id="' . e($name) . '-error">' . icon('alert') . e($errors[$name]) . '</p>' : '';
}

/** Icons are drawn on a 24 grid with one stroke; they are decoration, the text beside them says the same. */
function icon(string $name): string
{
    $paths = [
        'gauge' => '<path d="M4 18a9 9 0 1 1 16 0"/><path d="m12 14 4-5"/><circle cx="12" cy="14" r="1.2"/>',
        'sliders' => '<path d="M4 7h9M19 7h1M4 17h1M11 17h9"/><circle cx="16" cy="7" r="2.5"/><circle cx="8" cy="17" r="2.5"/>',
        'lines' => '<path d="M5 6h14M5 12h9M5 18h12"/>',
        'chip' => '<rect x="7" y="7" width="10" height="10" rx="2"/><path d="M10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4"/>',
        'exit' => '<path d="M14 4h4a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2h-4M10 8l-4 4 4 4M6 12h9"/>',
        'alert' => '<path d="M12 8v5M12 16.5v.01"/><circle cx="12" cy="12" r="9"/>',
        'check' => '<path d="m5 13 4.5 4.5L19 7"/>',
        'upload' => '<path d="M12 15V4M7.5 8.5 12 4l4.5 4.5M4 15v3a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2v-3"/>',
        'trash' => '<path d="M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5"/>',
        'pause' => '<path d="M8 5v14M16 5v14"/>',
        'search' => '<circle cx="11" cy="11" r="6"/><path d="m20 20-4.5-4.5"/>',
        'down' => '<path d="M12 5v14M6 13l6 6 6-6"/>',
        'up' => '<path d="M12 19V5M6 11l6-6 6 6"/>',
        'eye' => '<path d="M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12Z"/><circle cx="12" cy="12" r="2.8"/>',
    ];
    return '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">' . $paths[$name] . '</svg>';
}
