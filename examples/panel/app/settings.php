<?php
declare(strict_types=1);

// The device's settings: what they are when nobody has set them, what is accepted, where they are kept.
// A firmware applies them where they are saved (save_settings), or watches settings.json.

namespace panel;

const DNS_MOST = 3;
const NOTE_MOST = 500;

function settings(): array
{
    static $settings = null;
    return $settings ??= state_read('settings.json') + [
        'name' => preg_replace('~[^A-Za-z0-9-]|^-+~', '', explode('.', (string)gethostname())[0]) ?: 'gateway',
        'timezone' => 'UTC',
        'dns' => ['9.9.9.9'],
        'note' => '',
    ];
}

function save_settings(array $values): void
{
    state_change('settings.json', static function (array &$data) use ($values): void {
        $data = $values;
    });
}

/** @return array{array, array<string, string>} the values as they would be saved, and a message for each refused field */
function check_settings(): array
{
    $dns = is_array($_POST['dns'] ?? null) ? array_slice(array_values($_POST['dns']), 0, DNS_MOST) : [];
    $dns = array_map(static fn($entry) => is_string($entry) ? trim($entry) : '', $dns);
    $values = [
        'name' => trim(field('name')),
        'timezone' => field('timezone'),
        'dns' => $dns,
        'note' => trim(str_replace("\r\n", "\n", field('note'))),
    ];
    $errors = [];

    // One label of a host name (RFC 1123, section 2.1).
    if ($values['name'] === '') {
        $errors['name'] = 'A device needs a name.';
    } elseif (strlen($values['name']) > 63) {
        $errors['name'] = 'At most 63 characters.';
    } elseif (preg_match('~^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$~D', $values['name']) !== 1) {
        $errors['name'] = 'Letters, digits and hyphens only, with no hyphen at either end.';
    }

    if (!in_array($values['timezone'], \DateTimeZone::listIdentifiers(), true)) {
        $errors['timezone'] = 'Choose a time zone from the list.';
    }

    $seen = [];
    foreach ($dns as $at => $address) {
        if ($address === '') {
            continue;
        }
        $packed = @inet_pton($address);
        if ($packed === false) {
            $errors["dns$at"] = 'This is not an IPv4 or IPv6 address.';
        } elseif (trim($packed, "\0") === '') {
            $errors["dns$at"] = 'The unspecified address cannot be a server.';
        } elseif (in_array($packed, $seen, true)) {
            $errors["dns$at"] = 'This server is listed already.';
        } else {
            $seen[] = $packed;
        }
    }
    if (implode('', $dns) === '') {
        $errors['dns0'] = 'At least one DNS server is needed.';
    }

    if (preg_match('~^[^\x00-\x08\x0B-\x1F\x7F]*$~Du', $values['note']) !== 1) {
        $errors['note'] = 'The note holds characters that cannot be kept.';
    } elseif (preg_match_all('~.~su', $values['note']) > NOTE_MOST) {
        $errors['note'] = 'At most ' . NOTE_MOST . ' characters.';
    }

    if ($errors === []) {
        $values['dns'] = array_values(array_filter($dns, static fn($address) => $address !== ''));
    }
    return [$values, $errors];
}

/** A moment in the device's own time zone. */
function local_time(int $time, string $format = 'j M Y, H:i'): string
{
    try {
        $zone = new \DateTimeZone(settings()['timezone']);
    } catch (\Exception) {
        // The zone was removed from the system's tables since it was saved.
        $zone = new \DateTimeZone('UTC');
    }
    return (new \DateTimeImmutable("@$time"))->setTimezone($zone)->format($format);
}
