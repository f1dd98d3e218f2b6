<?php
declare(strict_types=1);
namespace panel;
?>
<div class="page-head">
  <div><h1>Log</h1><p class="muted"><?= e($source) ?></p></div>
  <p class="pill only-js" id="live" role="status" data-state="wait"><i></i><span>Connecting</span></p>
</div>
<section class="card log-card" aria-label="Log lines">
  <div class="log-tools only-js">
    <div class="search"><?= icon('search') ?><label class="sr" for="filter">Filter</label><input id="filter" type="search" placeholder="Filter" autocomplete="off" spellcheck="false"></div>
    <button id="pause" type="button" aria-pressed="false">Pause</button>
    <button id="clear" type="button">Clear</button>
  </div>
  <div class="log-view" id="lines" role="log" aria-live="off" tabindex="0" aria-label="Log lines" data-last="<?= e($last) ?>">
<?php foreach ($lines as $line): ?>
<p class="<?= e($line['level']) ?>"><time<?= $line['time'] !== null ? ' datetime="' . e($line['time']) . '" title="' . e($line['time']) . '"' : '' ?>><?= $line['time'] !== null ? e(substr($line['time'], 11, 8)) : '' ?></time><span><?= $line['level'] !== 'info' ? '<b>' . e($line['level']) . '</b> ' : '' ?><?= e($line['text']) ?></span></p>
<?php endforeach ?>
  </div>
  <p class="log-empty muted" id="empty" hidden>No lines to show.</p>
  <button class="to-end" id="to-end" type="button" hidden><?= icon('down') ?><span>Newest</span></button>
</section>
<noscript><p class="hint">Without JavaScript this page shows the lines as they were. Reload it for newer ones.</p></noscript>
