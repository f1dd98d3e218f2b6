<?php
declare(strict_types=1);
namespace panel;
?>
<div class="lost">
  <svg viewBox="0 0 160 120" aria-hidden="true" focusable="false"><path d="M10 112h140"/><path d="M40 112V62a40 40 0 0 1 80 0v50"/><path d="M56 112V62a24 24 0 0 1 48 0v50"/><path class="faint" d="M56 86h48M72 43v69M88 43v69"/></svg>
  <p class="muted"><?= (int)$code ?></p>
  <h1><?= e($title) ?></h1>
  <p class="muted"><?= e($message) ?></p>
  <p><a class="button" href="/">Back to the overview</a></p>
</div>
