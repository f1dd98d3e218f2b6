<?php
declare(strict_types=1);
namespace panel;

$zones = [];
foreach (\DateTimeZone::listIdentifiers() as $zone) {
    $parts = explode('/', $zone, 2);
    $zones[isset($parts[1]) ? $parts[0] : 'Universal'][$zone] = strtr($parts[1] ?? $zone, ['_' => ' ', '/' => ' / ']);
}
$dns_labels = ['Preferred', 'Second', 'Third'];
?>
<?php if ($errors !== []): ?>
<p class="notice bad" role="alert"><?= icon('alert') ?><span>Nothing was saved yet. Please look at <?= count($errors) === 1 ? 'the marked field' : 'the ' . count($errors) . ' marked fields' ?>.</span></p>
<?php endif ?>
<div class="page-head"><h1>Settings</h1></div>

<form class="card sections" method="post" action="/settings" novalidate>
  <?= csrf_field() ?>
  <section class="section" aria-labelledby="h-identity">
    <div class="section-head"><h2 id="h-identity">Identity</h2><p class="muted small">What the device is called on the network.</p></div>
    <div class="stack">
      <div class="field">
        <label for="name">Device name</label>
        <input id="name" name="name" value="<?= e($values['name']) ?>" maxlength="63" autocapitalize="none" autocomplete="off" spellcheck="false" required<?= field_state($errors, 'name', 'name-hint') ?>>
        <?= field_hint($errors, 'name', 'Letters, digits and hyphens.') ?>
        <?= field_error($errors, 'name') ?>
      </div>
      <div class="field">
        <label for="note">Note <span class="muted">optional</span></label>
        <textarea id="note" name="note" rows="3" maxlength="<?= NOTE_MOST ?>"<?= field_state($errors, 'note', 'note-hint') ?>><?= e($values['note']) ?></textarea>
        <?= field_hint($errors, 'note', 'Where it hangs, who looks after it.') ?>
        <?= field_error($errors, 'note') ?>
      </div>
    </div>
  </section>
  <section class="section" aria-labelledby="h-time">
    <div class="section-head"><h2 id="h-time">Time</h2><p class="muted small">Used for every time the panel shows.</p></div>
    <div class="field">
      <label for="timezone">Time zone</label>
      <select id="timezone" name="timezone"<?= field_state($errors, 'timezone') ?>>
<?php foreach ($zones as $region => $places): ?>
        <optgroup label="<?= e($region) ?>">
<?php foreach ($places as $zone => $place): ?>
          <option value="<?= e($zone) ?>"<?= $zone === $values['timezone'] ? ' selected' : '' ?>><?= e($place) ?></option>
<?php endforeach ?>
        </optgroup>
<?php endforeach ?>
      </select>
      <p class="hint" id="zone-offer" hidden><button class="link" type="button"></button></p>
      <?= field_error($errors, 'timezone') ?>
    </div>
  </section>
  <section class="section" aria-labelledby="h-dns">
    <div class="section-head"><h2 id="h-dns">DNS servers</h2><p class="muted small">One to three IPv4 or IPv6 addresses, asked in this order.</p></div>
    <div class="stack">
<?php for ($at = 0; $at < DNS_MOST; $at++): ?>
      <div class="field">
        <label for="dns<?= $at ?>"><?= e($dns_labels[$at]) ?><?= $at > 0 ? ' <span class="muted">optional</span>' : '' ?></label>
        <input id="dns<?= $at ?>" class="mono" name="dns[]" value="<?= e($values['dns'][$at] ?? '') ?>" maxlength="45" autocapitalize="none" autocomplete="off" spellcheck="false"<?= field_state($errors, "dns$at") ?>>
        <?= field_error($errors, "dns$at") ?>
      </div>
<?php endfor ?>
    </div>
  </section>
  <div class="actions"><button class="primary" type="submit">Save settings</button></div>
</form>

<form class="card sections" method="post" action="/settings/password" novalidate>
  <?= csrf_field() ?>
  <section class="section" aria-labelledby="h-password">
    <div class="section-head"><h2 id="h-password">Panel password</h2><p class="muted small">Changing it signs out every other session.</p></div>
    <div class="stack">
      <input type="text" name="user" value="<?= e(Session::$user) ?>" autocomplete="username" hidden>
      <div class="field">
        <label for="old">Current password</label>
        <input id="old" name="old" type="password" autocomplete="current-password" maxlength="200"<?= field_state($errors, 'old') ?>>
        <?= field_error($errors, 'old') ?>
      </div>
      <div class="field">
        <label for="new">New password</label>
        <input id="new" name="new" type="password" autocomplete="new-password" maxlength="200"<?= field_state($errors, 'new', 'new-hint') ?>>
        <?= field_hint($errors, 'new', 'At least ' . PASSWORD_LEAST . ' characters.') ?>
        <?= field_error($errors, 'new') ?>
      </div>
      <div class="field">
        <label for="repeat">New password, once more</label>
        <input id="repeat" name="repeat" type="password" autocomplete="new-password" maxlength="200"<?= field_state($errors, 'repeat') ?>>
        <?= field_error($errors, 'repeat') ?>
      </div>
    </div>
  </section>
  <div class="actions"><button type="submit">Change password</button></div>
</form>
