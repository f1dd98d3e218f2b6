<?php
declare(strict_types=1);
namespace panel;

// Rendered with values so that it is useful before, and without, the script; data-f names what the script renews.
['load' => $load, 'memory' => $memory] = $status;
$used = $memory['total'] > 0 && $memory['used'] !== null ? round($memory['used'] * 100 / $memory['total']) : null;
$number = static fn(?float $value) => $value === null ? '-' : number_format($value, 2, '.', '');
?>
<div class="page-head">
  <div>
    <h1><?= e(device_name()) ?></h1>
    <p class="muted"><?= e(implode(' · ', array_filter([$status['host'] !== device_name() ? $status['host'] : null, $status['model'], $status['kernel'], $status['machine']]))) ?></p>
  </div>
  <p class="pill only-js" id="live" role="status" data-state="wait"><i></i><span>Connecting</span></p>
</div>

<div class="vitals">
  <section class="card vital" aria-labelledby="h-load">
    <h2 id="h-load">Load</h2>
    <p class="big"><span data-f="load"><?= e($number($load['one'])) ?></span></p>
    <p class="muted small"><span data-f="load-more"><?= e($number($load['five']) . ' · ' . $number($load['fifteen'])) ?></span> <span class="wide-only">over 5 and 15 min</span><br><?= $load['cores'] ?> <?= $load['cores'] === 1 ? 'core' : 'cores' ?></p>
    <svg class="spark" id="spark-load" viewBox="0 0 120 40" preserveAspectRatio="none" role="img" aria-label="Load during the last two minutes"></svg>
  </section>
  <section class="card vital" aria-labelledby="h-memory">
    <h2 id="h-memory">Memory</h2>
    <p class="big"><span data-f="memory"><?= $used ?? '-' ?></span><small>%</small></p>
    <p class="muted small"><span data-f="memory-used"><?= e(bytes($memory['used'])) ?></span> used<br><span data-f="memory-free"><?= e(bytes($memory['available'])) ?></span> <span class="wide-only">of <?= e(bytes($memory['total'])) ?></span> free</p>
    <svg class="spark" id="spark-memory" viewBox="0 0 120 40" preserveAspectRatio="none" role="img" aria-label="Memory in use during the last two minutes"></svg>
  </section>
  <section class="card vital vital-net only-js" aria-labelledby="h-traffic">
    <h2 id="h-traffic">Traffic <small class="muted"><?= e($status['uplink'] ?? 'all interfaces') ?></small></h2>
    <div class="rates">
      <p class="big rate-rx"><?= icon('down') ?><span data-f="rx">0</span><small data-f="rx-unit">B/s</small></p>
      <p class="big rate-tx"><?= icon('up') ?><span data-f="tx">0</span><small data-f="tx-unit">B/s</small></p>
    </div>
    <p class="muted small">Received and sent<br><span class="wide-only">during the last two minutes</span></p>
    <svg class="spark" id="spark-net" viewBox="0 0 120 40" preserveAspectRatio="none" role="img" aria-label="Network traffic during the last two minutes"></svg>
  </section>
</div>

<div class="columns">
  <section class="card" id="net" aria-labelledby="h-net">
    <h2 id="h-net">Network interfaces</h2>
<?php if ($status['network'] === []): ?>
    <p class="muted">The system shows no interfaces.</p>
<?php endif ?>
    <ul class="rows">
<?php foreach ($status['network'] as $interface): ?>
      <li class="interface" data-if="<?= e($interface['name']) ?>">
        <div class="interface-name"><i class="dot <?= $interface['up'] ? 'good' : '' ?>"></i><strong><?= e($interface['name']) ?></strong><span class="muted small"><?= $interface['up'] ? 'up' : 'down' ?></span></div>
        <div class="addresses">
<?php foreach ($interface['addresses'] as $address): ?>
          <code><?= e($address) ?></code>
<?php endforeach ?>
<?php if ($interface['addresses'] === []): ?>
          <span class="muted small">no address</span>
<?php endif ?>
        </div>
        <div class="counters small"><span title="Received"><?= icon('down') ?><span class="sr">Received </span><b data-if-rx><?= e(bytes($interface['rx'])) ?></b></span><span title="Sent"><?= icon('up') ?><span class="sr">Sent </span><b data-if-tx><?= e(bytes($interface['tx'])) ?></b></span></div>
      </li>
<?php endforeach ?>
    </ul>
  </section>

  <div class="stack">
    <section class="card" aria-labelledby="h-storage">
      <h2 id="h-storage">Storage</h2>
<?php if ($status['storage'] === []): ?>
      <p class="muted">Not known.</p>
<?php endif ?>
<?php foreach ($status['storage'] as $at => $place): $part = round($place['used'] * 100 / $place['total'], 1); ?>
      <div class="storage" data-storage="<?= $at ?>">
        <p><strong><?= e($place['name']) ?></strong><span class="muted small"><span data-storage-free><?= e(bytes($place['free'])) ?></span> free of <?= e(bytes($place['total'])) ?></span></p>
        <svg class="meter<?= $part > 90 ? ' full' : '' ?>" role="img" aria-label="<?= e("$part % used") ?>"><rect class="meter-ground" width="100%" height="100%" rx="4"/><rect class="meter-value" width="<?= $part ?>%" height="100%" rx="4"/></svg>
      </div>
<?php endforeach ?>
    </section>
    <section class="card" aria-labelledby="h-system">
      <h2 id="h-system">System</h2>
      <dl class="facts">
        <div><dt>Uptime</dt><dd data-f="uptime"><?= e(duration($status['uptime'])) ?></dd></div>
        <div><dt>Device time</dt><dd data-f="time"><?= e(local_time(time(), 'Y-m-d H:i:s')) ?></dd></div>
<?php if ($status['temperature'] !== null): ?>
        <div><dt>Temperature</dt><dd><span data-f="temperature"><?= e(number_format($status['temperature'], 1)) ?></span> °C</dd></div>
<?php endif ?>
        <div><dt>Web server</dt><dd><?= e($status['server']) ?></dd></div>
        <div><dt>PHP</dt><dd><?= e($status['php']) ?></dd></div>
      </dl>
    </section>
  </div>
</div>
