<?php
declare(strict_types=1);
namespace panel;
?>
<svg class="arches" viewBox="0 0 800 800" preserveAspectRatio="xMidYMax slice" aria-hidden="true" focusable="false">
<?php for ($radius = 150; $radius <= 690; $radius += 90): ?>
  <path d="M<?= 400 - $radius ?> 800V<?= 400 ?>a<?= $radius ?> <?= $radius ?> 0 0 1 <?= 2 * $radius ?> 0v400"/>
<?php endfor ?>
</svg>
<div class="login">
  <div class="login-head">
    <?= render('logo', []) ?>
    <h1><?= e(device_name()) ?></h1>
    <p class="muted">Sign in to manage this device</p>
  </div>
<?php if ($message !== ''): ?>
  <p class="notice bad" role="alert"><?= icon('alert') ?><span><?= e($message) ?></span></p>
<?php elseif (Session::$flash !== null): ?>
  <p class="notice <?= e(Session::$flash['kind']) ?>" role="status"><?= icon('check') ?><span><?= e(Session::$flash['text']) ?></span></p>
<?php endif ?>
  <form class="card stack" method="post" action="/login">
    <?= csrf_field() ?>
    <input type="hidden" name="next" value="<?= e($next) ?>">
    <div class="field">
      <label for="user">User name</label>
      <input id="user" name="user" value="<?= e($user) ?>" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64" required<?= $user === '' ? ' autofocus' : '' ?>>
    </div>
    <div class="field">
      <label for="password">Password</label>
      <div class="with-button">
        <input id="password" name="password" type="password" autocomplete="current-password" maxlength="200" required<?= $user !== '' ? ' autofocus' : '' ?>>
        <button class="quiet only-js" type="button" data-reveal="password" aria-label="Show password" aria-pressed="false"><?= icon('eye') ?></button>
      </div>
    </div>
    <label class="check"><input type="checkbox" name="remember" value="1"<?= $remember ? ' checked' : '' ?>><span>Remember my user name</span></label>
    <button class="primary wide" type="submit">Sign in</button>
  </form>
<?php if ($initial): ?>
  <p class="hint-box">First time here? With the initial user <code><?= e(INITIAL_USER) ?></code> the password <code><?= e(INITIAL_PASSWORD) ?></code> lets you in. This note goes away once the password is changed.</p>
<?php endif ?>
</div>
