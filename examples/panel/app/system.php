<?php
declare(strict_types=1);

// The machine's figures, read from /proc and /sys. No program is run. Whatever cannot be read is null and is
// shown as unknown: small kernels leave things out, and sandboxes hide them.

namespace panel;

function read_text(string $path): ?string
{
    $text = @file_get_contents($path, false, null, 0, 65536);
    return $text === false ? null : trim($text, " \n\0");
}

/** A count as int, or as float where int has 32 bits and would stop at 2^31. */
function count_of(?string $text): int|float|null
{
    return $text !== null && is_numeric($text) ? $text + 0 : null;
}

function machine_model(): ?string
{
    $model = read_text('/proc/device-tree/model') ?: read_text('/tmp/sysinfo/model');
    if ($model === null) {
        $parts = [read_text('/sys/class/dmi/id/sys_vendor'), read_text('/sys/class/dmi/id/product_name')];
        $model = implode(' ', array_filter($parts));
    }
    return $model !== '' ? $model : null;
}

function cores(): int
{
    // "0-3" or "0,2-3".
    $online = read_text('/sys/devices/system/cpu/online');
    if ($online !== null && preg_match('~^[\d,-]+$~D', $online) === 1) {
        $count = 0;
        foreach (explode(',', $online) as $range) {
            $ends = explode('-', $range);
            $count += (int)end($ends) - (int)$ends[0] + 1;
        }
        return max(1, $count);
    }
    return max(1, preg_match_all('~^processor\s*:~mi', read_text('/proc/cpuinfo') ?? ''));
}

function load(): array
{
    $parts = explode(' ', read_text('/proc/loadavg') ?? '');
    $load = count($parts) >= 3 ? array_map('floatval', array_slice($parts, 0, 3)) : [null, null, null];
    return ['one' => $load[0], 'five' => $load[1], 'fifteen' => $load[2], 'cores' => cores()];
}

function memory(): array
{
    preg_match_all('~^(\w+):\s+(\d+) kB~m', read_text('/proc/meminfo') ?? '', $found);
    $kib = array_combine($found[1], $found[2]);
    $of = static fn(string $name) => isset($kib[$name]) ? $kib[$name] * 1024 : null;
    $total = $of('MemTotal');
    $available = $of('MemAvailable') ?? $of('MemFree');
    return [
        'total' => $total,
        'available' => $available,
        'used' => $total !== null && $available !== null ? max(0, $total - $available) : null,
    ];
}

/** The system's storage and the panel's, or one entry where both are the same. */
function storage(): array
{
    $places = ['System' => '/', 'Data' => state_folder()];
    $same = (@stat('/')['dev'] ?? -1) === (@stat($places['Data'])['dev'] ?? -2);
    if ($same) {
        $places = ['System and data' => '/'];
    }
    $list = [];
    foreach ($places as $name => $path) {
        $total = @disk_total_space($path);
        $free = @disk_free_space($path);
        if ($total > 0 && $free !== false) {
            $list[] = ['name' => $name, 'total' => $total, 'free' => $free, 'used' => max(0, $total - $free)];
        }
    }
    return $list;
}

/** The interface of the default route: the one whose traffic is the device's, not a bridge's share of it. */
function uplink(): ?string
{
    foreach (explode("\n", read_text('/proc/net/route') ?? '') as $line) {
        $parts = preg_split('~\s+~', $line);
        if (($parts[1] ?? '') === '00000000') {
            return $parts[0];
        }
    }
    return preg_match('~^0{32} 00 .* (?!lo$)(\S+)$~m', read_text('/proc/net/ipv6_route') ?? '', $found) === 1
        ? $found[1] : null;
}

/** @return array<string, list<string>> addresses by interface */
function addresses(): array
{
    $list = [];
    // Missing where PHP was built without getifaddrs().
    $interfaces = function_exists('net_get_interfaces') ? @net_get_interfaces() : false;
    foreach ($interfaces ?: [] as $name => $interface) {
        foreach ($interface['unicast'] ?? [] as $entry) {
            if (isset($entry['address'])) {
                $list[$name][] = $entry['address'] . prefix_length($entry['netmask'] ?? '');
            }
        }
    }
    return $list;
}

function prefix_length(string $mask): string
{
    $packed = @inet_pton($mask);
    if ($packed === false) {
        return '';
    }
    $bits = 0;
    foreach (str_split($packed) as $byte) {
        $bits += substr_count(decbin(ord($byte)), '1');
    }
    return "/$bits";
}

function network(): array
{
    $addresses = addresses();
    $list = [];
    // One file has every counter; /sys has the state of the link.
    foreach (explode("\n", read_text('/proc/net/dev') ?? '') as $line) {
        if (preg_match('~^\s*([^\s:]+):\s*(\d+)(?:\s+\d+){7}\s+(\d+)~', $line, $found) !== 1) {
            continue;
        }
        $name = $found[1];
        $state = read_text("/sys/class/net/$name/operstate");
        $flags = hexdec(read_text("/sys/class/net/$name/flags") ?? '0');
        $list[] = [
            'name' => $name,
            // "unknown" is what loopback and tunnels say for ever; there IFF_UP decides.
            'up' => $state === 'up' || ($state !== 'down' && ($flags & 1) === 1),
            'addresses' => array_slice($addresses[$name] ?? [], 0, 8),
            'rx' => count_of($found[2]),
            'tx' => count_of($found[3]),
        ];
    }
    // What is in use first, loopback last.
    usort($list, static fn($a, $b) => [$a['name'] === 'lo', !$a['up'], $a['name']] <=> [$b['name'] === 'lo', !$b['up'], $b['name']]);
    return array_slice($list, 0, 32);
}

function temperature(): ?float
{
    $warmest = null;
    foreach (@glob('/sys/class/thermal/thermal_zone*/temp') ?: [] as $path) {
        $value = count_of(read_text($path));
        // Sensors without hardware behind them report 0 or absurd values.
        if ($value !== null && $value > 1000 && $value < 150000) {
            $warmest = max($warmest ?? 0, round($value / 1000, 1));
        }
    }
    return $warmest;
}

function status(): array
{
    return [
        'time' => local_time(time(), 'Y-m-d\TH:i:sP'),
        'host' => gethostname() ?: 'unknown',
        'model' => machine_model(),
        'kernel' => php_uname('s') . ' ' . php_uname('r'),
        'machine' => php_uname('m'),
        'uptime' => count_of(explode(' ', read_text('/proc/uptime') ?? '')[0]),
        'load' => load(),
        'memory' => memory(),
        'storage' => storage(),
        'uplink' => uplink(),
        'network' => network(),
        'temperature' => temperature(),
        'php' => PHP_VERSION . ' (' . PHP_SAPI . ')',
        'server' => param('SERVER_SOFTWARE') ?: 'unknown',
    ];
}

function duration(int|float|null $seconds): string
{
    if ($seconds === null) {
        return 'unknown';
    }
    $days = intdiv((int)$seconds, 86400);
    $clock = sprintf('%02d:%02d:%02d', intdiv((int)$seconds, 3600) % 24, intdiv((int)$seconds, 60) % 60, (int)$seconds % 60);
    return ($days > 0 ? $days . ($days === 1 ? ' day ' : ' days ') : '') . $clock;
}

function api_status(): void
{
    json(status());
}
