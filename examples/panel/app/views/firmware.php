<?php
declare(strict_types=1);
namespace panel;
?>
<?php if ($error !== ''): ?>
<p class="notice bad" role="alert"><?= icon('alert') ?><span><?= e($error) ?></span></p>
<?php endif ?>
<div class="page-head"><div><h1>Firmware</h1><p class="muted">Images are stored and checked. Nothing is installed by this example.</p></div></div>

<form class="card" id="upload" method="post" action="/firmware" enctype="multipart/form-data" data-limit="<?= $limit ?>">
  <?= csrf_field() ?>
  <div class="drop" id="drop">
    <?= icon('upload') ?>
    <label for="image"><span class="link">Choose an image</span><span class="only-js"> or drop it here</span></label>
    <input id="image" name="image" type="file" required aria-describedby="image-hint">
    <p class="hint" id="image-hint"><?= $limit > 0 ? 'Up to ' . e(bytes($limit)) . '. ' : '' ?>At most <?= IMAGES_MOST ?> images are kept.</p>
  </div>
  <div class="actions no-js"><button class="primary" type="submit">Upload</button></div>
  <div id="job" class="job" hidden>
    <div class="job-head"><strong id="job-name"></strong><span class="muted small" id="job-size"></span></div>
    <progress id="job-progress" max="1" value="0" aria-label="Upload progress"></progress>
    <div class="job-foot"><span class="small" id="job-text" role="status"></span><button id="job-stop" type="button">Cancel</button></div>
  </div>
</form>

<section class="card" id="images" aria-labelledby="h-images">
  <h2 id="h-images">Stored images</h2>
<?php if ($images === []): ?>
  <p class="muted">None yet.</p>
<?php endif ?>
  <ul class="rows">
<?php foreach ($images as $image): ?>
    <li class="image" data-id="<?= e($image['id']) ?>">
      <div class="image-text">
        <p><strong><?= e($image['name']) ?></strong></p>
        <p class="muted small"><?= e(bytes($image['size'])) ?> · <?= e(local_time($image['time'])) ?></p>
        <p class="sum"><span class="muted small">SHA-256</span> <code><?= e($image['sha256']) ?></code></p>
      </div>
      <form method="post" action="/firmware/delete" data-confirm="Delete <?= e($image['name']) ?>?" data-confirm-yes="Delete">
        <?= csrf_field() ?>
        <input type="hidden" name="id" value="<?= e($image['id']) ?>">
        <button class="danger" type="submit"><?= icon('trash') ?><span>Delete<span class="sr"> <?= e($image['name']) ?></span></span></button>
      </form>
    </li>
<?php endforeach ?>
  </ul>
</section>

<dialog id="confirm" aria-labelledby="confirm-text">
  <form method="dialog">
    <p id="confirm-text"></p>
    <div class="actions"><button value="no" autofocus>Keep</button><button class="danger solid" value="yes" id="confirm-yes">Delete</button></div>
  </form>
</dialog>
